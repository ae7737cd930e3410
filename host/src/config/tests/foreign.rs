//! Characters that do not belong into the file, and merge keys, which do not either.

use super::{GOOD, KEY_A, assert_report, load_bytes, network, report, with};

/// That `found` is called by its name, at `place`, and that nothing else is said.
#[track_caller]
fn assert_named(file: &str, place: &str, found: &str) {
    let report = report(file);
    assert!(
        report.contains(&format!(": net.yaml:{place}")),
        "{place}: {report}"
    );
    assert!(report.contains(found), "{found}: {report}");
    assert_eq!(report.matches(": net.yaml:").count(), 1, "{report}");
}

#[test]
fn what_nobody_sees_in_a_key_is_named_with_its_place() {
    for (character, name) in [
        ('\u{a0}', "a no-break space (U+00A0)"),
        ('\u{200b}', "a zero-width space (U+200B)"),
        ('\u{2060}', "a word joiner (U+2060)"),
        ('\u{202f}', "a narrow no-break space (U+202F)"),
    ] {
        let key = format!("{character}heartbeat: 30");
        assert_named(&with("heartbeat: 30", &key), "23:1: heartbeat: ", name);
        let key = format!("heartbeat{character}: 30");
        assert_named(&with("heartbeat: 30", &key), "23:10: heartbeat: ", name);
    }
    // A required one is not missing, and an indented one is at its place all the same.
    let file = with("    privateKey", "    privateKey\u{a0}");
    assert_named(&file, "3:15: system.clock.privateKey: ", "a no-break space");
    let file = with("heartbeat: 30", "\"heart\u{200b}beat\": 30");
    assert_named(&file, "23:1: heartbeat: ", "a zero-width space");
}

#[test]
fn what_nobody_sees_around_a_value_is_left_out_and_told() {
    for value in [
        "30\u{a0}",
        "\u{200b}30",
        "3\u{200b}0",
        "30\u{feff}",
        "30\u{2009}",
    ] {
        let file = with("heartbeat: 30", &format!("heartbeat: {value}"));
        let report = report(&file);
        assert!(
            report.starts_with("warning: net.yaml:23:"),
            "{value:?}: {report}"
        );
        assert!(
            report.contains(" stands here, where it cannot be seen; it is left out"),
            "{report}"
        );
        assert!(!report.contains("error"), "{value:?}: {report}");
    }
    let file = with("type: timer", "type: timer\u{200b}");
    assert_report(
        &file,
        r#"
warning: net.yaml:7:20: system.clock.roles.timer1.type: a zero-width space (U+200B) stands here, where it cannot be seen; it is left out
    help: delete it: with what stands around it, if your editor does not show it"#,
    );
}

#[test]
fn what_writing_needs_may_stand_in_a_text() {
    for text in [
        "10\u{a0}%",
        "\u{5e9}\u{200f}\u{5dc}",
        "\u{1f468}\u{200d}\u{1f469}",
        "\"\u{200b}x\u{a0}\"",
    ] {
        network(&with(
            "type: timer",
            &format!("type: timer\n        description: {text}"),
        ));
    }
}

#[test]
fn in_a_value_that_is_wrong_it_is_named() {
    let report = report(&with("heartbeat: 30", "heartbeat: \"30\u{a0}\""));
    let found = "found the text `30\\u{a0}` with a no-break space (U+00A0) in it";
    assert!(report.contains(found), "{report}");
}

#[test]
fn a_syntax_error_of_what_nobody_sees_is_blamed_on_it() {
    for (text, place) in [
        ("heartbeat:\u{a0}30", "23:11: "),
        ("heartbeat:\u{200b}30", "23:11: "),
        ("heartbeat: 30\n\u{feff}x: y", "24:1: "),
    ] {
        let report = report(&with("heartbeat: 30", text));
        assert!(
            report.contains(&format!("error: net.yaml:{place}")),
            "{text:?}: {report}"
        );
        assert!(
            report.contains("stands here, where it cannot be seen; "),
            "{report}"
        );
    }
}

#[test]
fn what_a_power_cut_leaves_behind_is_named() {
    let said = |bytes: &[u8]| load_bytes(bytes, None).unwrap_err().to_string();
    let help = "\n    help: what was in their place is lost: put a copy of the file in its place";
    let expected =
        "error: net.yaml:1:1: the file holds nothing but NUL bytes, as after a power cut";
    assert_eq!(said(&[0; 4096]), format!("{expected}{help}"));
    let mut cut = GOOD.as_bytes()[..30].to_vec();
    cut.extend([0; 500]);
    let expected =
        "error: net.yaml:3:14: the first of 500 NUL bytes stands here, as after a power cut";
    assert_eq!(said(&cut), format!("{expected}{help}"));
    let one = GOOD.replace("heartbeat: 30", "heartbeat: 3\0");
    let expected = "error: net.yaml:23:13: a NUL byte stands here, as after a power cut";
    assert_eq!(said(one.as_bytes()), format!("{expected}{help}"));
}

#[test]
fn another_encoding_is_named() {
    let utf16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let expected =
        "error: net.yaml: the file is written in UTF-16\n    help: save the file as UTF-8";
    for bytes in [[&[0xff, 0xfe], &utf16[..]].concat(), utf16] {
        assert_eq!(load_bytes(&bytes, None).unwrap_err().to_string(), expected);
    }
}

/// What a merge key was to bring is not missing: only the merge is wrong.
#[test]
fn a_merge_key_is_the_only_mistake() {
    let base = "clock: &base\n    privateKey: key\n    publicKey: KEY_A\n    roleStorage: s";
    let merges = ["<<: *base", "<<: [*base]", "<<: [{roleStorage: x}, *base]"];
    for merge in merges {
        let file = format!("system:\n  {base}\n  scribe:\n    {merge}\n    publicKey: KEY_B\n");
        let report = report(&file);
        assert_eq!(report.matches("error: ").count(), 1, "{merge}: {report}");
        assert!(
            report.contains("net.yaml:7:5: system.scribe: merge keys (`<<`)"),
            "{report}"
        );
    }
    // What it brings is no excuse for what is wrong besides.
    let file = format!(
        "system:\n  {base}\n  scribe:\n    <<: *base\n    publicKey: KEY_B\n    pivateKey: x\n"
    );
    let found = report(&file);
    assert!(
        found.contains("`pivateKey`") && found.contains("`<<`"),
        "{found}"
    );
    assert_eq!(found.matches("error: ").count(), 2, "{found}");
    let file =
        format!("system:\n  clock:\n    <<: 5\n    privateKey: key\n    publicKey: {KEY_A}\n");
    assert_eq!(
        report(&file).matches("error: ").count(),
        1,
        "{}",
        report(&file)
    );
}
