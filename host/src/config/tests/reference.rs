//! `docs/options.md` is printed from the tables.

use std::fs;
use std::path::Path;

use kozo_description::{DefaultValue, Metadata};

use super::{Document, Modules};
use crate::config::{options, options_reference};

/// What the shipped modules say about themselves, roles first, by name.
pub(super) fn shipped() -> Vec<Metadata> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut modules = Vec::new();
    for kind in ["roles", "transports"] {
        let folders = fs::read_dir(root.join(kind)).unwrap();
        let files = folders.map(|folder| folder.unwrap().path().join("module.yaml"));
        let mut files: Vec<_> = files.filter(|file| file.exists()).collect();
        files.sort();
        modules.extend(files.iter().map(|file| {
            let text = fs::read_to_string(file).unwrap();
            Metadata::parse(&text).unwrap()
        }));
    }
    modules
}

#[test]
fn the_page_of_options_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/options.md");
    let generated = options_reference(&shipped());
    if std::env::var_os("KOZO_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/options.md is not what the tables of options and the modules' metadata say: \
         `KOZO_BLESS=1 cargo test -p kozo the_page_of_options` writes it anew"
    );
}

/// The manual's example, with the modules as they are shipped.
#[test]
fn the_example_of_the_manual_needs_nothing_that_the_shipped_modules_lack() {
    let modules = Modules(shipped());
    let text = include_str!("../../../tests/data/manual.yaml");
    let document = Document::parse("manual.yaml", "/etc/kozo", text.as_bytes()).unwrap();
    let (_, warnings) = document.network(&modules, None).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
}

#[test]
fn the_page_has_the_options_of_modules_as_well() {
    let page = options_reference(&Modules::all().0);
    assert!(page.contains("\n## The role `cuckoo`\n\nListens for ticks and prints them. Needs the `roleStorage` of its node.\n"));
    assert!(page.contains("\n| `tick` | number | `1` | from 0.001 to 31536000 seconds | The time between two ticks. |\n"));
    assert!(page.contains("\n| `address` | list | required |  | The addresses and names under which other nodes reach this one. |\n"));
    assert!(page.contains("\n| `bindAddress` | text | empty |  |"));
}

#[test]
fn every_option_is_described_and_every_default_is_allowed() {
    let tables = [
        options::root(),
        options::node(),
        options::role(),
        options::transport(),
    ];
    for option in tables.into_iter().flatten() {
        assert!(option.description.ends_with('.'), "{}", option.name);
        if let DefaultValue::Value(value) = &option.default
            && let Some(number) = value.as_number()
        {
            assert!(
                option.minimum.is_some_and(|minimum| minimum <= number),
                "{}",
                option.name
            );
            assert!(
                option.maximum.is_some_and(|maximum| maximum >= number),
                "{}",
                option.name
            );
        }
    }
}
