//! What is wrong with the YAML itself.

use super::{and, assert_report, with};

#[test]
fn an_unclosed_bracket_is_refused() {
    assert_report(
        "system: [\n",
        r#"
error: net.yaml:1:9: this is not YAML: unclosed bracket '['
    help: close the bracket"#,
    );
}

#[test]
fn an_unclosed_quote_is_refused() {
    assert_report(
        "system: \"clock\n",
        r#"
error: net.yaml:2:1: this is not YAML: invalid indentation in multiline quoted scalar
    help: close the quotes on the line where the text ends"#,
    );
}

#[test]
fn a_quote_in_single_quotes_is_explained() {
    assert_report(
        "system: 'it's'\n",
        r#"
error: net.yaml:1:13: this is not YAML: invalid trailing content after single-quoted scalar
    help: a single quote inside of single quotes is written twice"#,
    );
}

#[test]
fn tabs_for_indentation_are_refused() {
    assert_report(
        "system:\n	clock: {}\n",
        r#"
error: net.yaml:2:2: this is not YAML: tabs disallowed within this context (block indentation)
    help: indent with spaces"#,
    );
}

#[test]
fn a_second_colon_on_a_line_is_explained() {
    assert_report(
        "system: clock: {}\n",
        r#"
error: net.yaml:1:14: this is not YAML: mapping values are not allowed in this context
    help: a text that holds `: ` needs quotes; keys of one block have the same indentation"#,
    );
}

#[test]
fn a_missing_colon_is_refused() {
    assert_report(
        "system\n  clock: {}\n",
        r#"
error: net.yaml:2:8: this is not YAML: mapping values are not allowed in this context
    help: a text that holds `: ` needs quotes; keys of one block have the same indentation"#,
    );
}

#[test]
fn uneven_indentation_is_refused() {
    assert_report(
        "system:\n  a: {}\n b: {}\n",
        r#"
error: net.yaml:3:2: this is not YAML: while parsing a block mapping, did not find expected key
    help: write `key: value`, with a space behind the colon and the same indentation for all keys of a block"#,
    );
}

#[test]
fn an_unquoted_star_is_explained() {
    assert_report(
        &with("tick: 60", "message: *"),
        r#"
error: net.yaml:8:18: this is not YAML: while scanning an anchor or alias, did not find expected alphabetic or numeric character
    help: a text that begins with `*` or `&` needs quotes"#,
    );
}

#[test]
fn an_unquoted_special_character_is_explained() {
    assert_report(
        &with("tick: 60", "message: @home"),
        r#"
error: net.yaml:8:18: this is not YAML: unexpected character: `@'
    help: a text that begins with a special character needs quotes"#,
    );
}

#[test]
fn an_alias_without_anchor_is_refused() {
    assert_report(
        &with("tick: 60", "message: *home"),
        r#"
error: net.yaml:8:18: system.clock.roles.timer1.message: the alias `*home` has no anchor above it
    help: a text that begins with `*` needs quotes"#,
    );
}

#[test]
fn a_tag_is_refused() {
    assert_report(
        &with("tick: 60", "message: !env HOME"),
        r#"
error: net.yaml:8:23: system.clock.roles.timer1.message: the tag `!env` means nothing here
    help: remove it; a text that begins with `!` needs quotes"#,
    );
}

#[test]
fn a_second_document_is_refused() {
    assert_report(
        &and("---\nheartbeat: 3\n"),
        r#"
error: net.yaml:24:1: a second YAML document begins here, and there may be only one
    help: remove the `---` line, or move what follows to a file of its own"#,
    );
}

#[test]
fn a_duplicate_root_key_names_both_lines() {
    assert_report(
        &and("heartbeat: 4\n"),
        r#"
error: net.yaml:24:1: heartbeat: `heartbeat` stands here for the second time: the first is on line 23, this one on line 24
    help: remove one of them, or give it another name"#,
    );
}

#[test]
fn a_duplicate_node_names_both_lines() {
    assert_report(
        &with("  scribe:", "  clock:"),
        r#"
error: net.yaml:12:3: system.clock: `clock` stands here for the second time: the first is on line 2, this one on line 12
    help: remove one of them, or give it another name"#,
    );
}

#[test]
fn a_duplicate_option_names_both_lines() {
    assert_report(
        &with("        tick: 60\n", "        tick: 60\n        tick: 61\n"),
        r#"
error: net.yaml:9:9: system.clock.roles.timer1.tick: `tick` stands here for the second time: the first is on line 8, this one on line 9
    help: remove one of them, or give it another name"#,
    );
}

#[test]
fn a_merge_key_is_refused() {
    assert_report(
        &with("        tick: 60\n", "        <<: {tick: 60}\n"),
        r#"
error: net.yaml:8:9: system.clock.roles.timer1: merge keys (`<<`) are not part of YAML 1.2 and are not read
    help: write the options out; a whole value may be repeated with `&name` and `*name`"#,
    );
}

#[test]
fn a_list_as_a_key_is_refused() {
    assert_report(
        &and("[a, b]: c\n"),
        r#"
error: net.yaml:24:1: a key must be a text, and this is a list or a mapping
    help: put a text that begins with `[` or `{` in quotes"#,
    );
}

#[test]
fn a_mapping_as_a_key_is_refused() {
    assert_report(
        &and("? {a: b}\n: c\n"),
        r#"
error: net.yaml:24:3: a key must be a text, and this is a list or a mapping
    help: put a text that begins with `[` or `{` in quotes"#,
    );
}

#[test]
fn a_missing_key_is_refused() {
    assert_report(
        &and(": c\n"),
        r#"
error: net.yaml:24:1: a key is missing before the `:`
    help: write `name: value`"#,
    );
}

#[test]
fn a_key_that_stands_for_nothing_is_refused() {
    assert_report(
        &and("null: c\n"),
        r#"
error: net.yaml:24:1: a key must be a text, and this stands for nothing at all
    help: put it in quotes if it is a name"#,
    );
}
