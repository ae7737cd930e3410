//! `kozo.yml.5`: every option of the configuration file.

use std::error::Error;
use std::path::Path;

use kozo::config::reference::{INTRODUCTION, Section, allowed, default};
use kozo_description::{DefaultValue, Metadata, OptionSpec};
use roff::{Inline, Roff, bold, italic, roman};

const DESCRIPTION: &str = "\
A Kōzō network is described by one file, which is the same on all of its nodes. It is YAML 1.2: at \
its root stand options that hold for all nodes, and `system` with a block for each node, in which \
its roles and transports are described. `kozo check` says all that is wrong with a file.";

const EXAMPLE: &str = "\
system:
  clock:
    privateKey: /var/lib/kozo/keys/node.key
    publicKey: ssh-ed25519 AAAA... clock
    roles:
      timer:
        tick: 10
    transports:
      tcp:
        address: clock.example.org
  scribe:
    privateKey: /var/lib/kozo/keys/node.key
    publicKey: ssh-ed25519 AAAA... scribe
    roles:
      logger:
        file: /var/log/kozo/kozo.log
    transports:
      tcp:
        address: scribe.example.org
heartbeat: 10
";

/// What the modules of this source tree say about themselves, roles first, by name.
pub(crate) fn shipped_modules() -> Result<Vec<Metadata>, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut modules = Vec::new();
    for kind in ["roles", "transports"] {
        let mut files = Vec::new();
        for folder in std::fs::read_dir(root.join(kind))? {
            files.push(folder?.path().join("module.yaml"));
        }
        files.sort();
        for file in files.iter().filter(|file| file.exists()) {
            let text = std::fs::read_to_string(file)?;
            let metadata = Metadata::parse(&text)
                .map_err(|problems| format!("{}: {problems}", file.display()))?;
            modules.push(metadata);
        }
    }
    Ok(modules)
}

/// The page, with the options of these modules at its end.
pub(crate) fn page(modules: &[Metadata]) -> String {
    let mut page = Roff::new();
    let version = format!("kozo {}", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["kozo.yml", "5", "", version.as_str()]);
    heading(&mut page, "Name");
    page.text([roman("kozo.yml - the configuration file of a Kōzō network")]);
    heading(&mut page, "Description");
    paragraphs(&mut page, DESCRIPTION);
    paragraphs(&mut page, INTRODUCTION);
    for section in Section::all(modules) {
        heading(&mut page, &section.title);
        page.text(marked(&section.introduction));
        if section.options.is_empty() {
            page.control("PP", []);
            page.text([roman("It has no options of its own.")]);
        }
        for option in section.options {
            entry(&mut page, option);
        }
    }
    heading(&mut page, "Example");
    page.control("nf", []);
    for line in EXAMPLE.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    heading(&mut page, "See also");
    page.text([roman("kozo(1), kozo-check(1), kozo-modules(1)")]);
    page.render()
}

fn heading(page: &mut Roff, title: &str) {
    let title = title.replace('`', "").to_uppercase();
    page.control("SH", [title.as_str()]);
}

fn paragraphs(page: &mut Roff, text: &str) {
    for paragraph in text.split("\n\n") {
        page.control("PP", []);
        page.text(marked(&paragraph.replace('\n', " ")));
    }
}

/// Name, type and default of an option, then what it is for and what it may be.
fn entry(page: &mut Roff, option: &OptionSpec) {
    page.control("TP", []);
    let mut title = vec![bold(&option.name), roman(": "), italic(option.kind.name())];
    if option.default == DefaultValue::Required {
        title.push(roman(", required"));
    } else {
        title.push(roman(", default: "));
        title.extend(marked(&default(option)));
    }
    page.text(title);
    let words: Vec<_> = option.description.split_whitespace().collect();
    let mut text = words.join(" ");
    let allowed = allowed(option);
    if !allowed.is_empty() {
        text.push_str(&format!(" Allowed: {allowed}."));
    }
    page.text(marked(&text));
}

/// A text in which what stands in backticks is bold.
fn marked(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate();
    parts
        .map(|(index, part)| match index % 2 {
            0 => roman(part),
            _ => bold(part),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_that_the_checker_knows_is_on_the_page() {
        let modules = shipped_modules().unwrap();
        let page = page(&modules);
        let sections = Section::all(&modules);
        let options = sections.iter().flat_map(|section| section.options);
        for option in options {
            let title = format!(".TP\n\\fB{}\\fR: ", option.name.replace('-', "\\-"));
            assert!(page.contains(&title), "{}", option.name);
        }
        assert!(modules.iter().any(|module| module.name.as_str() == "timer"));
        assert!(page.contains("THE ROLE TIMER"));
    }

    #[test]
    fn an_option_shows_what_it_is_and_may_be() {
        let page = page(&[]);
        assert!(
            page.contains("\\fBheartbeat\\fR: \\fInumber\\fR, default: \\fB10\\fR"),
            "{page}"
        );
        assert!(page.contains("Allowed: from 0.1 to 86400 seconds."));
        assert!(page.contains("\\fBprivateKey\\fR: \\fIpath\\fR, required"));
    }
}
