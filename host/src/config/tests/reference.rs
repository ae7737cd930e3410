//! `docs/options.md` is printed from the tables.

use std::fs;
use std::path::Path;

use super::Modules;
use crate::config::{DefaultValue, options, options_reference};

#[test]
fn the_page_of_options_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/options.md");
    let generated = options_reference(&[]);
    if std::env::var_os("KOZO_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/options.md is not what the tables of options say: \
         `KOZO_BLESS=1 cargo test -p kozo the_page_of_options` writes it anew"
    );
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
