//! Interests that an option lists: from the text of a block to what the role wants and its module gets.

use kozo_ground::interest::Interest;
use kozo_ground::names::{NodeName, RoleName};

use super::checked_block;
use crate::{Metadata, Severity};

const METADATA: &str = r#"
format: "1.1"
kind: role
name: runner
version: "1.0"
author: Somebody
description: Runs something.
options:
  wanted: {type: any, default: [], description: What it wants.}
  free: {type: any, default: null, description: Anything.}
interests:
  - {kind: order, type: run, channel: "{role}"}
  - {from: wanted}
"#;

fn interests_of(metadata: &Metadata, text: &str) -> Vec<Interest> {
    let (checked, problems) = checked_block(metadata, text, Severity::Error);
    assert!(problems.is_empty(), "{problems}");
    let (node, role) = (
        NodeName::new("hall").unwrap(),
        RoleName::new("door").unwrap(),
    );
    metadata.interests(&checked.options.unwrap(), node.as_str(), &role)
}

fn json(interests: &[Interest]) -> String {
    serde_json::to_string(interests).unwrap()
}

fn report(text: &str) -> String {
    let metadata = Metadata::parse(METADATA).unwrap();
    checked_block(&metadata, text, Severity::Error)
        .1
        .to_string()
}

const OWN: &str = r#"{"kind":"order","type":["run"],"channel":["door"]}"#;

#[test]
fn a_role_wants_what_its_option_lists_beside_what_its_module_says() {
    let metadata = Metadata::parse(METADATA).unwrap();
    assert_eq!(json(&interests_of(&metadata, "{}")), format!("[{OWN}]"));
    assert_eq!(
        json(&interests_of(&metadata, "wanted: []")),
        format!("[{OWN}]")
    );
    let text = "wanted:\n  - {kind: event, type: [tick, 12], channel: 1.10}\n  - {node: \"h*\", role: \"{x}\"}\n  - {}\n";
    let expected = r#"{"kind":"event","type":["tick","12"],"channel":["1.10"]},{"role":["{x}"],"node":["h*"]},{}"#;
    assert_eq!(
        json(&interests_of(&metadata, text)),
        format!("[{OWN},{expected}]")
    );
    // The module gets them in one form, whichever way they are written.
    let (checked, _) = checked_block(&metadata, text, Severity::Error);
    let options = serde_json::to_string(&checked.options.unwrap()).unwrap();
    assert_eq!(options, format!(r#"{{"wanted":[{expected}],"free":null}}"#));
}

#[test]
fn the_default_of_such_an_option_is_what_is_wanted_when_nothing_is_given() {
    let metadata = METADATA.replace("default: []", "default: [{kind: log}, {type: ring}]");
    let metadata = Metadata::parse(&metadata).unwrap();
    let expected = format!(r#"[{OWN},{{"kind":"log"}},{{"type":["ring"]}}]"#);
    assert_eq!(json(&interests_of(&metadata, "{}")), expected);
    let optional = METADATA.replace("default: []", "default: null");
    let optional = Metadata::parse(&optional).unwrap();
    assert_eq!(json(&interests_of(&optional, "{}")), format!("[{OWN}]"));
    assert_eq!(
        json(&interests_of(&optional, "wanted: null")),
        format!("[{OWN}]")
    );
}

#[test]
fn a_mistake_in_the_list_is_told_with_its_place() {
    assert_eq!(
        report(
            "wanted:\n  - {kind: event, typ: tick}\n  - {kind: noise}\n  - tick\n  - {type: {a: 1}}\n"
        ),
        "error: net.yaml:2:19: roles.door.wanted[0].typ: an interest has no key `typ`\n    \
         help: did you mean `type`? allowed here: `kind`, `type`, `channel`, `role` and `node`\n\
         error: net.yaml:3:12: roles.door.wanted[1].kind: `noise` is not one of the possible values\n    \
         help: write `event`, `order` or `log`\n\
         error: net.yaml:4:5: roles.door.wanted[2]: expected an interest, found the text `tick`\n    \
         help: write `- {kind: event, type: tick}` lines, or `[]` for none\n\
         error: net.yaml:5:12: roles.door.wanted[3].type: expected a text or a list of texts, found a mapping\n    \
         help: write a text or a list of texts"
    );
    assert_eq!(
        report("wanted: {kind: event}\n"),
        "error: net.yaml:1:9: roles.door.wanted: expected a list of interests, found a mapping\n    \
         help: write `- {kind: event, type: tick}` lines, or `[]` for none"
    );
    let many = format!("wanted:\n{}", "  - {type: x}\n".repeat(257));
    assert_eq!(
        report(&many),
        "error: net.yaml:258:5: roles.door.wanted: an option may list 256 interests at most\n    \
         help: let one entry stand for several: a list for any of its texts, `*` for anything"
    );
}

#[test]
fn with_a_mistake_the_module_gets_no_options_and_another_node_only_warns() {
    let metadata = Metadata::parse(METADATA).unwrap();
    let (checked, problems) = checked_block(&metadata, "wanted: [{knd: log}]", Severity::Warning);
    assert_eq!(
        checked.options.unwrap_err(),
        "`wanted`: an interest has no key `knd`"
    );
    assert!(!problems.has_errors() && !problems.is_empty(), "{problems}");
}

#[test]
fn a_host_of_the_format_before_lets_everything_in() {
    let mut metadata = Metadata::parse(METADATA).unwrap();
    metadata.leave_rules_to_the_module();
    assert_eq!(
        json(&interests_of(&metadata, "wanted: 7")),
        format!("[{OWN},{{}}]")
    );
}

#[test]
fn an_entry_that_names_an_option_wrongly_is_refused() {
    let text = METADATA
        .replace("  free: {type: any", "  free: {type: list")
        .replace("default: []", "default: [{knd: log}]")
        + "  - {from: gone, kind: event}\n  - {from: free}\n";
    assert_eq!(
        Metadata::parse(&text).unwrap_err().to_string(),
        "error: metadata:9:34: options.wanted.default[0].knd: an interest has no key `knd`\n    \
         help: did you mean `kind`? allowed here: `kind`, `type`, `channel`, `role` and `node`\n\
         error: metadata:14:5: interests[2]: one option may list interests, and there is one already\n\
         error: metadata:14:12: interests[2].from: the module has no option `gone`\n\
         error: metadata:14:18: interests[2].kind: beside `from` stands no other key: write a second entry\n\
         error: metadata:15:5: interests[3]: one option may list interests, and there is one already\n\
         error: metadata:15:12: interests[3].from: the option `free` is of type `list`, and one that lists interests is of type `any`"
    );
    let old = METADATA.replace("1.1", "1.0");
    assert_eq!(
        Metadata::parse(&old).unwrap_err().to_string(),
        "error: metadata:13:6: interests[1].from: an interest has no key `from`\n    \
         help: it is a key of the format 1.1: write `format: \"1.1\"`"
    );
}
