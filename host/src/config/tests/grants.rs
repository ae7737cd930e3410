//! What a node grants its roles, against what their modules ask for.

use kozo_description::Metadata;
use kozo_ground::grant::Grant;

use super::{Document, KEY_A, Modules, Problems};

/// What is said of a `timer` with this block, if its module needs and uses these.
fn check(block: &str, needs: &[Grant], uses: &[Grant]) -> Result<String, Problems> {
    let timer = include_str!("../../../tests/data/modules/timer.yaml");
    let mut timer = Metadata::parse(timer).unwrap();
    timer.needs = needs.iter().copied().collect();
    timer.uses = uses.iter().copied().collect();
    let text = format!(
        "system:\n  hall:\n    privateKey: key\n    publicKey: {KEY_A}\n    roles: {{timer: {block}}}\n"
    );
    let document = Document::parse("net.yaml", "/etc/kozo", text.as_bytes())?;
    let (_, warnings) = document.network(&Modules(vec![timer]), None)?;
    Ok(warnings.to_string())
}

#[test]
fn a_role_has_to_be_granted_what_it_needs() {
    let needs = [Grant::Status, Grant::Control];
    assert_eq!(
        check("{grant: [status, control]}", &needs, &[]).unwrap(),
        ""
    );
    let problems = check("{grant: [status]}", &needs, &[])
        .unwrap_err()
        .to_string();
    assert!(
        problems.contains("a role of type `timer` needs to be granted control of its node"),
        "{problems}"
    );
    let warnings = check("{grant: [status, control, messages]}", &needs, &[]).unwrap();
    assert!(
        warnings.contains("a role of type `timer` does not ask for messages"),
        "{warnings}"
    );
}

#[test]
fn what_a_role_uses_may_be_granted_or_not() {
    for block in [
        "{}",
        "{grant: [messages]}",
        "{grant: [status, messages, control]}",
    ] {
        assert_eq!(check(block, &[], &Grant::ALL).unwrap(), "", "{block}");
    }
    check("{}", &[Grant::Status], &[Grant::Control]).unwrap_err();
}
