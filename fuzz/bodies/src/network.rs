//! The network's file.

use std::sync::LazyLock;

use kozo::config::{Catalog, Document, Lookup};
use kozo_description::{Metadata, Problems};
use kozo_ground::names::NodeName;

/// Characters that YAML gives a meaning, and some that it does not.
pub(crate) const YAML_PIECES: [&str; 44] = [
    "\n", "\n  ", "\n    ", " ", "\t", ": ", ":", "- ", "-", "? ", "?", "[", "]", "{", "}", ",",
    "&a ", "*a", "!", "!!str ", "!<x> ", "|\n", ">-\n", "'", "\"", "#", " #", "%", "@", "---\n",
    "...\n", "<<", "<<: *a", "~", "012", "1e999", "-0", "yes", "\\x", "\u{0}", "\u{feff}", "é",
    "\r", "\u{2028}",
];

/// The network's file, as the node `clock` reads it. A place that a problem names lies in the file.
pub fn network_file(bytes: &[u8]) {
    let clock = NodeName::new("clock").expect("a node's name");
    let read = Document::parse("net.yaml", "/etc/kozo", bytes)
        .and_then(|document| document.network(&*MODULES, Some(&clock)));
    let text = String::from_utf8_lossy(bytes);
    match read {
        Ok((_, warnings)) => {
            assert!(!warnings.has_errors(), "{warnings}");
            assert_sound(&warnings, &text);
        }
        Err(problems) => {
            assert!(problems.has_errors(), "{problems}");
            assert_sound(&problems, &text);
        }
    }
}

/// Checks that all places lie in the text, or right behind its end.
pub(crate) fn assert_sound(problems: &Problems, text: &str) {
    let lines: Vec<&str> = text.split(['\n', '\r']).collect();
    let longest = lines.iter().map(|line| line.chars().count()).max();
    for problem in problems.iter() {
        assert!(!problem.message.is_empty());
        if let Some(place) = problem.place {
            let fits = (1..=lines.len() + 1).contains(&place.line)
                && (1..=longest.unwrap_or(0) + 2).contains(&place.column);
            assert!(fits, "{problem:?} in {} lines", lines.len());
        }
    }
}

struct Modules(Vec<Metadata>);

static MODULES: LazyLock<Modules> = LazyLock::new(|| {
    let texts = [
        include_str!("../../../host/tests/data/modules/timer.yaml"),
        include_str!("../../../host/tests/data/modules/cuckoo.yaml"),
        include_str!("../../../host/tests/data/modules/logger.yaml"),
        include_str!("../../../host/tests/data/modules/tcp.yaml"),
    ];
    let metadata = texts.map(|text| Metadata::parse(text).expect("good metadata"));
    Modules(metadata.into())
});

impl Modules {
    fn lookup(&self, module: &str) -> Lookup<'_> {
        match self.0.iter().find(|known| known.name.as_str() == module) {
            Some(metadata) => Lookup::Found(metadata),
            None => Lookup::Missing {
                looked_in: vec!["/usr/lib/kozo/roles".into()],
                reason: None,
            },
        }
    }
}

impl Catalog for Modules {
    fn role(&self, module: &str) -> Lookup<'_> {
        self.lookup(module)
    }

    fn transport(&self, module: &str) -> Lookup<'_> {
        self.lookup(module)
    }

    fn bus(&self, module: &str) -> Lookup<'_> {
        self.lookup(module)
    }
}
