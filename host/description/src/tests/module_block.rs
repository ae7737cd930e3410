//! A block of a role, from its text to what the module gets.

use super::checked_block;
use crate::{CheckedBlock, Metadata, Problems, Severity, Value};

const METADATA: &str = r#"
format: "1.1"
kind: role
name: bell
version: "1.0"
author: Somebody
description: Rings.
options:
  label: {type: text, default: "{role}@{node}", description: A label.}
  sounds: {type: path, default: sounds, description: Where they are.}
  to: {type: list, format: address, default: null, description: Whom to tell.}
  size: {type: integer, unit: bytes, default: 1024, minimum: 1, description: Room.}
  few: {type: integer, default: 1, atMost: many, description: A small number.}
  many: {type: integer, default: 5, description: A larger one.}
conflicts:
  - {when: {to: "*", many: 0}, message: "nobody is told"}
claims:
  - {resource: "bell {few}"}
"#;

fn check(text: &str, severity: Severity) -> (CheckedBlock, Problems) {
    let metadata = Metadata::parse(METADATA).unwrap();
    checked_block(&metadata, text, severity)
}

fn report(text: &str) -> String {
    check(text, Severity::Error).1.to_string()
}

#[test]
fn what_is_not_given_is_filled_in() {
    let (checked, problems) = check("size: 64 KiB\nmessageQueueLength: 3\n", Severity::Error);
    assert!(problems.is_empty(), "{problems}");
    let options = checked.options.unwrap();
    let all: Vec<String> = options
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        all.join(" "),
        "label=door@hall sounds=/etc/kozo/sounds to=null size=65536 few=1 many=5"
    );
    assert_eq!(checked.values.count("messageQueueLength"), 3);
    let [(_, place, path)] = checked.claims.as_slice() else {
        panic!("{:?}", checked.claims);
    };
    assert_eq!((place.line, path.as_str()), (1, "roles.door"));
}

#[test]
fn all_mistakes_are_told() {
    let said = report("size: 0 B\nfew: 6\nto: [192.0.2.300]\nlabels: x\n");
    for expected in [
        "error: net.yaml:1:7: roles.door.size: `0 B` is too small: the least is 1 bytes",
        "error: net.yaml:2:6: roles.door.few: `few` is 6, which is more than `many`, 5: make it smaller",
        "error: net.yaml:3:6: roles.door.to: `192.0.2.300` is no IPv4 address",
        "error: net.yaml:4:1: roles.door.labels: a role of type `bell` has no option `labels`",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(said.matches("error: ").count(), 4, "{said}");
    let said = report("to: 192.0.2.3\nmany: 0\nfew: 0\n");
    assert_eq!(said, "error: net.yaml:2:7: roles.door.many: nobody is told");
}

#[test]
fn another_nodes_block_keeps_the_items_that_are_right() {
    let text = "to: [192.0.2.300, 192.0.2.3]\n";
    let (checked, problems) = check(text, Severity::Warning);
    assert!(!problems.has_errors() && !problems.is_empty(), "{problems}");
    let to = checked.options.unwrap().value("to").cloned();
    assert_eq!(
        to,
        Some(Value::List(vec![Value::Text("192.0.2.3".to_owned())]))
    );
    let (checked, _) = check(text, Severity::Error);
    assert!(checked.options.unwrap_err().contains("`to`: `192.0.2.300`"));
}
