//! `copyright`, in the format of DEP 5: whose the crates are that a package holds, and under which
//! terms.
//!
//! Where a crate may be had under the Expat licence (which crates call MIT), the Apache or the Mozilla
//! licence, that is what is chosen, in this order. Whatever else holds for a crate is quoted as it stands in its files.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;

const HEAD: &str = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Kozo
Comment: Besides Kōzō's own files, this names the crates that are linked into
 the program and its modules, or come along as sources.

Files: *
Copyright: The Kōzō developers
License: Expat or Apache-2.0
";

const EXPAT: &str = include_str!("../../../LICENSE-MIT");

/// What the page of the role `dashboard` is made with, which comes as it was built.
const PAGE: &str = include_str!("../../../roles/dashboard/web/vendor/copyright");

const APACHE: &str = "\
License: Apache-2.0
 On Debian systems the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
";

const MOZILLA: &str = "\
License: MPL-2.0
 On Debian systems the text of the Mozilla Public License, version 2.0, is in
 /usr/share/common-licenses/MPL-2.0.
";

/// Licences whose text names nobody, for crates that leave it out.
const COMMON: [(&str, &str); 1] = [("Zlib", include_str!("zlib.txt"))];

/// Long licences that every Debian system has: their first line, how the last one ends, and what is
/// quoted in their place.
const ELSEWHERE: [(&str, &str, &str); 2] = [
    (
        "Apache License",
        "END OF TERMS AND CONDITIONS",
        "The text of the Apache License, version 2.0, is in
/usr/share/common-licenses/Apache-2.0.
",
    ),
    (
        "GNU GENERAL PUBLIC LICENSE",
        "Public License instead of this License.",
        "The text of the GNU General Public License, version 2, is in
/usr/share/common-licenses/GPL-2.
",
    ),
];

/// Libraries in C that crates bring and link in, under terms that are not the crate's: the crate, the
/// library's folder in it, whose it is, and the file with the terms.
const LIBRARIES: [(&str, &str, &str, &str); 1] = [(
    "libdbus-sys",
    "vendor/dbus",
    "the authors of D-Bus, whom its file AUTHORS names",
    "COPYING",
)];

/// How the names of files begin that hold terms or say whose the work is.
const LICENCE_FILES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// What `cargo metadata` says, as far as it matters here.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
}

/// A crate.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// Empty for those of this project.
    source: Option<String>,
    license: Option<String>,
    authors: Vec<String>,
    manifest_path: PathBuf,
}

/// The terms that are made use of.
#[derive(Debug, PartialEq, Eq)]
enum Terms {
    Expat,
    Apache,
    Mozilla,
    /// Others, or several that hold together.
    Own,
}

/// The text of the file, for the crates that `wanted` lists, one `name-version` a line.
pub(crate) fn copyright(metadata: Metadata, wanted: &str) -> Result<String, Box<dyn Error>> {
    let wanted: BTreeSet<_> = wanted.lines().map(str::trim).collect();
    let mut packages = metadata.packages;
    packages.retain(|package| package.source.is_some() && wanted.contains(&*package.id()));
    packages.sort_by_key(Package::id);
    let mut page = format!("{HEAD}\n{PAGE}");
    let mut own_terms = String::new();
    for package in &packages {
        let expression = package.license.as_deref().unwrap_or_default();
        let short = match terms(expression) {
            Terms::Expat => "Expat".to_owned(),
            Terms::Apache => "Apache-2.0".to_owned(),
            Terms::Mozilla => "MPL-2.0".to_owned(),
            Terms::Own => {
                let short = format!("{}-terms", package.id());
                let text = quoted(&package.texts()?);
                let _ = write!(own_terms, "\nLicense: {short}\n{text}");
                short
            }
        };
        let (id, holders) = (package.id(), package.holders()?.join("\n "));
        let _ = write!(
            page,
            "\nFiles: vendor/{id}/*\nCopyright: {holders}\nLicense: {short}\n"
        );
        for (_, folder, holders, file) in LIBRARIES.iter().filter(|of| of.0 == package.name) {
            let text = read(&package.folder().join(folder).join(file))?;
            let _ = write!(
                page,
                "\nFiles: vendor/{id}/{folder}/*\nCopyright: {holders}\nLicense: {id}-library-terms\n"
            );
            let text = quoted(&without_common(&text));
            let _ = write!(own_terms, "\nLicense: {id}-library-terms\n{text}");
        }
    }
    let _ = write!(page, "\nLicense: Expat\n{}", quoted(terms_alone(EXPAT)));
    let of = |package: &Package| terms(package.license.as_deref().unwrap_or_default());
    let _ = match packages.iter().any(|package| of(package) == Terms::Mozilla) {
        true => write!(page, "\n{APACHE}\n{MOZILLA}"),
        false => write!(page, "\n{APACHE}"),
    };
    Ok(page + &own_terms)
}

/// What to make use of, where there is a choice.
fn terms(expression: &str) -> Terms {
    if expression.contains(" AND ") {
        return Terms::Own;
    }
    let choices: Vec<_> = expression
        .split(" OR ")
        .flat_map(|part| part.split('/'))
        .map(str::trim)
        .collect();
    match () {
        () if choices.contains(&"MIT") => Terms::Expat,
        () if choices.contains(&"Apache-2.0") => Terms::Apache,
        () if choices.contains(&"MPL-2.0") => Terms::Mozilla,
        () => Terms::Own,
    }
}

/// The licence without the lines that say whose the work is.
fn terms_alone(text: &str) -> &str {
    text.find("Permission is")
        .map_or(text, |start| &text[start..])
}

impl Package {
    fn id(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }

    /// The files that hold its terms, by name.
    fn licence_files(&self) -> Result<Vec<PathBuf>, Box<dyn Error>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.folder())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.to_uppercase();
            if path.is_file() && LICENCE_FILES.iter().any(|start| name.starts_with(start)) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    fn texts(&self) -> Result<String, Box<dyn Error>> {
        let mut texts = String::new();
        for file in self.licence_files()? {
            texts.push_str(&without_common(&read(&file)?));
            texts.push('\n');
        }
        let common = COMMON
            .iter()
            .find(|(name, _)| self.license.as_deref() == Some(*name));
        if let Some((_, text)) = common.filter(|_| texts.is_empty()) {
            return Ok((*text).to_owned());
        }
        if texts.is_empty() {
            let (id, licence) = (self.id(), self.license.as_deref().unwrap_or("unknown"));
            return Err(format!("`{id}` ({licence}) comes without the text of its licence").into());
        }
        Ok(texts)
    }

    /// Whose it is: what its files say, or else its manifest.
    fn holders(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let mut holders = Vec::new();
        for file in self.licence_files()? {
            for line in read(&file)?.lines().map(str::trim) {
                if is_notice(line) && !holders.iter().any(|known| known == line) {
                    holders.push(line.to_owned());
                }
            }
        }
        if holders.is_empty() {
            holders.extend(self.authors.iter().cloned());
        }
        if holders.is_empty() {
            holders.push(format!("the authors of the crate {}", self.name));
        }
        Ok(holders)
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    let bytes = std::fs::read(file)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The text without the long licences that every Debian system has.
fn without_common(text: &str) -> String {
    let mut kept = String::new();
    let mut end = None;
    for line in text.lines() {
        let line_alone = line.trim();
        if let Some(last) = end {
            if line_alone.ends_with(last) {
                end = None;
            }
        } else if let Some((_, last, place)) =
            ELSEWHERE.iter().find(|(first, ..)| line_alone == *first)
        {
            kept.push_str(place);
            end = Some(*last);
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Whether a line names somebody, and is no sentence about copyright.
fn is_notice(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("Copyright") else {
        return false;
    };
    rest.trim_start()
        .starts_with(|first: char| first.is_ascii_digit() || "(©".contains(first))
}

/// A text in the way that the format wants it.
fn quoted(text: &str) -> String {
    let lines = text.trim().lines().map(str::trim_end);
    lines
        .map(|line| match line {
            "" => " .\n".to_owned(),
            line => format!(" {line}\n"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_a_choice_the_plainest_terms_are_taken() {
        assert_eq!(terms("MIT OR Apache-2.0"), Terms::Expat);
        assert_eq!(
            terms("Apache-2.0 WITH LLVM-exception OR Apache-2.0"),
            Terms::Apache
        );
        assert_eq!(terms("Unlicense/MIT"), Terms::Expat);
        assert_eq!(terms("(MIT OR Apache-2.0) AND Unicode-3.0"), Terms::Own);
        assert_eq!(terms("LGPL-3.0-or-later OR MPL-2.0"), Terms::Mozilla);
        assert_eq!(terms("BSD-3-Clause"), Terms::Own);
    }

    #[test]
    fn licences_that_every_system_has_are_not_quoted() {
        let [apache, gpl] = ELSEWHERE.map(|(.., place)| place);
        let text = "One\n  Apache License\n Version 2.0\n END OF TERMS AND CONDITIONS\nTwo\n";
        assert_eq!(without_common(text), format!("One\n{apache}Two\n"));
        let text = "\tGNU GENERAL PUBLIC LICENSE\nVersion 2\nEND OF TERMS AND CONDITIONS\nHow to\n\
                    Public License instead of this License.\nTwo\n";
        assert_eq!(without_common(text), format!("{gpl}Two\n"));
    }

    #[test]
    fn a_notice_names_somebody() {
        assert!(is_notice("Copyright (c) 2015 Some Body"));
        assert!(is_notice("Copyright 2020 Some Body"));
        assert!(!is_notice("Copyright [yyyy] [name of copyright owner]"));
        assert!(!is_notice("Copyright License. Subject to the terms"));
    }

    #[test]
    fn terms_of_its_own_are_quoted_and_may_not_be_missing() {
        let folder = std::env::temp_dir().join(format!("kozo-licences-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let metadata = |licence: &str| Metadata {
            packages: vec![Package {
                name: "knot".to_owned(),
                version: "1.0.0".to_owned(),
                source: Some("a registry".to_owned()),
                license: Some(licence.to_owned()),
                authors: vec!["Some Body".to_owned()],
                manifest_path: folder.join("Cargo.toml"),
            }],
        };
        let error = copyright(metadata("ISC"), "knot-1.0.0").unwrap_err();
        assert!(error.to_string().contains("`knot-1.0.0` (ISC)"), "{error}");
        assert!(!copyright(metadata("ISC"), "").unwrap().contains("knot"));
        let text = copyright(metadata("Zlib"), "knot-1.0.0").unwrap();
        assert!(text.contains("\nLicense: knot-1.0.0-terms\n This software is provided 'as-is'"));
        let text = copyright(metadata("MIT"), "knot-1.0.0").unwrap();
        assert!(
            text.contains("knot-1.0.0/*\nCopyright: Some Body\nLicense: Expat\n"),
            "{text}"
        );
        std::fs::write(
            folder.join("LICENSE"),
            "Copyright 2020 Knot\n\nDo as you like.\n",
        )
        .unwrap();
        let text = copyright(metadata("ISC"), "knot-1.0.0").unwrap();
        assert!(text.contains("\nCopyright: Copyright 2020 Knot\nLicense: knot-1.0.0-terms\n"));
        assert!(
            text.contains(
                "\nLicense: knot-1.0.0-terms\n Copyright 2020 Knot\n .\n Do as you like.\n"
            )
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
