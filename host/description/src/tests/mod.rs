//! The whole crate through its public door: a text goes in, values or a report come out.

mod faces;
mod listed_interests;
mod module_block;
mod yaml;

use std::path::Path;

use crate::{Block, CheckedBlock, Metadata, ModuleBlock, Place, Problems, Severity, parse_yaml};

/// A file without mistakes, in which tests make one.
const GOOD: &str = "\
system:
  clock:
    privateKey: /var/lib/kozo/key
    publicKey: KEY_A
    roles:
      timer1:
        type: timer
        tick: 60
    transports:
      tcp:
        address: clock.local
  scribe:
    privateKey: /var/lib/kozo/key
    publicKey: KEY_B
    roleStorage: /var/lib/kozo/storage
    roles:
      cuckoo:
      logger:
        clearLog: yes
    transports:
      tcp:
        address: scribe.local, 10.13.37.51
heartbeat: 30
";

/// What is wrong with the file as YAML, as text.
fn report(text: &str) -> String {
    let mut problems = Problems::new("net.yaml");
    parse_yaml(text.as_bytes(), &mut problems);
    problems.to_string()
}

/// [`GOOD`] with one text in place of another.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    GOOD.replacen(old, new, 1)
}

/// [`GOOD`] with more lines at its end.
fn and(more: &str) -> String {
    format!("{GOOD}{more}")
}

/// That this is what is said about the file: the text behind the first line break of `expected`.
fn assert_report(file: &str, expected: &str) {
    assert_eq!(report(file), expected.trim_start_matches('\n'), "\n{file}");
}

/// The block of the role `door` on the node `hall`, as its module has it checked.
fn checked_block(metadata: &Metadata, text: &str, severity: Severity) -> (CheckedBlock, Problems) {
    let mut problems = Problems::new("net.yaml");
    let tree = parse_yaml(text.as_bytes(), &mut problems).unwrap();
    let what = format!("a role of type `{}`", metadata.name);
    let block = ModuleBlock {
        block: Block {
            tree: &tree,
            place: Place { line: 1, column: 1 },
            path: "roles.door",
            what: &what,
            noun: "option",
        },
        node: "hall",
        name: "door",
        folder: Some(Path::new("/etc/kozo")),
        severity,
    };
    let checked = block.check(metadata, &mut problems);
    (checked, problems)
}
