//! What is wrong with the document as a whole, and where YAML and options meet.

use super::{assert_report, with};

#[test]
fn an_empty_file_is_refused() {
    assert_report(
        "",
        r#"
error: net.yaml: the file is empty
    help: begin with `system:` and describe the network below it"#,
    );
}

#[test]
fn a_file_of_comments_is_refused() {
    assert_report(
        "# nothing yet\n",
        r#"
error: net.yaml: the file is empty
    help: begin with `system:` and describe the network below it"#,
    );
}

#[test]
fn a_document_without_content_is_refused() {
    assert_report(
        "---\n",
        r#"
error: net.yaml: the file is empty
    help: begin with `system:` and describe the network below it"#,
    );
}

#[test]
fn a_text_is_not_a_configuration() {
    assert_report(
        "hello\n",
        r#"
error: net.yaml:1:1: expected a mapping, found the text `hello`
    help: begin with `system:` and describe the network below it"#,
    );
}

#[test]
fn a_list_is_not_a_configuration() {
    assert_report(
        "- a\n",
        r#"
error: net.yaml:1:1: expected a mapping, found a list
    help: begin with `system:` and describe the network below it"#,
    );
}

#[test]
fn an_alias_inside_of_its_own_anchor_is_refused() {
    assert_report(
        &with("tick: 60", "message: &m [*m]"),
        r#"
error: net.yaml:8:21: system.clock.roles.timer1.message: expected a text, found a list
    help: write a text
error: net.yaml:8:22: system.clock.roles.timer1.message[0]: an alias may not stand inside the value that it repeats"#,
    );
}
