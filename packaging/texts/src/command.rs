//! `kozo.1`, a page for each of its commands, and completions for shells.

use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use super::completion;

/// What the page says of files: path and meaning.
const FILES: [(&str, &str); 5] = [
    (
        "/etc/kozo/kozo.yml",
        "The network that the nodes of kozo@.service belong to; see kozo.yml(5).",
    ),
    (
        "/usr/lib/kozo/roles, /usr/lib/kozo/transports",
        "Modules: what lies there is found by all nodes.",
    ),
    (
        "/var/lib/kozo",
        "Keys, and what roles remember, of the nodes of kozo@.service.",
    ),
    (
        "/run/kozo/NODE.sock",
        "Where a running node is asked and steered.",
    ),
    (
        "/usr/share/kozo/abi",
        "What modules are built with, from the package kozo-dev.",
    ),
];

/// What it says of variables.
const ENVIRONMENT: [(&str, &str); 4] = [
    (
        "KOZOROLEPATH, KOZOTRANSPORTPATH",
        "Folders with modules, with colons between them, looked through before all others.",
    ),
    (
        "KOZOIMPORTPATH",
        "Folders with libraries that modules need.",
    ),
    (
        "RUNTIME_DIRECTORY, XDG_RUNTIME_DIR",
        "Folders for control sockets, as `kozo run --help` describes.",
    ),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC",
        "Set by systemd, which is told when a node is there, how it is, and that it still works.",
    ),
];

const SEE_ALSO: &str = "kozo.yml(5), systemd.service(5), ssh-keygen(1)";

/// Writes all of them into a folder.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    // Without `kozo help`, which has no page.
    let command = kozo::cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command.clone(), folder)?;
    // In place of what was made for the command as a whole.
    std::fs::write(folder.join("kozo.1"), page(command.clone())?)?;
    completion::write(folder, &command)
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let exit_codes = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    more.control("nf", []);
    for line in exit_codes.unwrap_or_default().lines().skip(1) {
        more.text([roman(line)]);
    }
    more.control("fi", []);
    for (title, entries) in [("FILES", &FILES[..]), ("ENVIRONMENT", &ENVIRONMENT[..])] {
        more.control("SH", [title]);
        for (name, meaning) in entries {
            more.control("TP", []);
            more.text([bold(*name)]);
            more.text([roman(*meaning)]);
        }
    }
    more.control("SH", ["SEE ALSO"]);
    more.text([roman(SEE_ALSO)]);
    more.to_writer(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_for_people_has_a_page_and_is_completed() {
        let folder = std::env::temp_dir().join(format!("kozo-texts-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        write(&folder).unwrap();
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let command = kozo::cli::command();
        let names = command.get_subcommands().filter(|one| !one.is_hide_set());
        for name in names.map(Command::get_name) {
            assert!(
                text(&format!("kozo-{name}.1")).contains(".SH OPTIONS"),
                "{name}"
            );
            for completion in ["kozo.bash", "_kozo", "kozo.fish"] {
                assert!(text(completion).contains(name), "{completion}: {name}");
            }
        }
        let page = text("kozo.1");
        for part in ["FILES", "ENVIRONMENT", "KOZOROLEPATH", "kozo.yml(5)"] {
            assert!(page.contains(part), "{part}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
