//! Values of the wrong type, and numbers that are none.

use super::{and, assert_report, report, with};

#[test]
fn an_octal_looking_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: 012"),
        r#"
error: net.yaml:23:12: heartbeat: `012` is not a number of seconds: a number may not start with a zero, as it could be meant as decimal or as octal: leave the zero out, or write `0o` for octal
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_negative_octal_looking_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: -012"),
        r#"
error: net.yaml:23:12: heartbeat: `-012` is not a number of seconds: a number may not start with a zero, as it could be meant as decimal or as octal: leave the zero out, or write `0o` for octal
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_number_in_base_sixty_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: 10:20"),
        r#"
error: net.yaml:23:12: heartbeat: `10:20` is not a number of seconds: `:` is not read as base 60: write the number out
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_binary_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: 0b11"),
        r#"
error: net.yaml:23:12: heartbeat: `0b11` is not a number of seconds: binary numbers are not read: write it in decimal, or with `0x` in hexadecimal
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_number_with_underscores_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: 1_000"),
        r#"
error: net.yaml:23:12: heartbeat: `1_000` is not a number of seconds: `_` may not stand in a number: leave it out
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_negative_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: -5"),
        r#"
error: net.yaml:23:12: heartbeat: `-5` is too small: the least is 0.1 seconds
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn zero_is_refused_as_a_time() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: 0"),
        r#"
error: net.yaml:23:12: heartbeat: `0` is too small: the least is 0.1 seconds
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn an_absurd_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: 1e300"),
        r#"
error: net.yaml:23:12: heartbeat: `1e300` is too large: the most is 86400 seconds
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_number_that_no_float_holds_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: 1e999"),
        r#"
error: net.yaml:23:12: heartbeat: `1e999` is not a number of seconds: it is too large for a number
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn infinity_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: .inf"),
        r#"
error: net.yaml:23:12: heartbeat: `.inf` is not a number of seconds: it is not a finite number
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn not_a_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: .nan"),
        r#"
error: net.yaml:23:12: heartbeat: `.nan` is not a number of seconds: it is not a finite number
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_text_for_a_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: soon"),
        r#"
error: net.yaml:23:12: heartbeat: expected a number of seconds, found the text `soon`
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_boolean_for_a_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: true"),
        r#"
error: net.yaml:23:12: heartbeat: expected a number of seconds, found the boolean `true`
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_quoted_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: \"30\""),
        r#"
error: net.yaml:23:12: heartbeat: expected a number of seconds, found the text `30` in quotes
    help: remove the quotes"#,
    );
}

#[test]
fn no_value_for_a_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: "),
        r#"
error: net.yaml:23:10: heartbeat: it has no value
    help: write a number from 0.1 to 86400 seconds, or remove the line for the default, `10`"#,
    );
}

#[test]
fn a_list_for_a_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: [1]"),
        r#"
error: net.yaml:23:12: heartbeat: expected a number of seconds, found a list
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_mapping_for_a_number_is_refused() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: {a: 1}"),
        r#"
error: net.yaml:23:12: heartbeat: expected a number of seconds, found a mapping
    help: write a number from 0.1 to 86400 seconds"#,
    );
}

#[test]
fn a_fraction_for_a_whole_number_is_refused() {
    assert_report(
        &and("outgoingQueueLength: 1.5\n"),
        r#"
error: net.yaml:24:22: outgoingQueueLength: expected a whole number of messages, found the number `1.5`
    help: write a whole number from 1 to 1000000 messages"#,
    );
}

#[test]
fn a_negative_size_is_refused() {
    assert_report(
        &and("outgoingQueueSize: -1\n"),
        r#"
error: net.yaml:24:20: outgoingQueueSize: `-1` is too small: the least is 1024 bytes
    help: write a whole number from 1024 to 1073741824 bytes, or a size such as `64 KiB` or `4 MiB`"#,
    );
}

#[test]
fn a_size_beyond_its_range_is_refused() {
    assert_report(
        &and("outgoingQueueSize: 2 GiB\n"),
        r#"
error: net.yaml:24:20: outgoingQueueSize: `2 GiB` is too large: the most is 1073741824 bytes
    help: write a whole number from 1024 to 1073741824 bytes, or a size such as `64 KiB` or `4 MiB`"#,
    );
}

#[test]
fn a_size_that_no_integer_holds_is_refused() {
    assert_report(
        &and("outgoingQueueSize: 99999999999999999999\n"),
        r#"
error: net.yaml:24:20: outgoingQueueSize: `99999999999999999999` is not a whole number of bytes: it is too large for a number
    help: write a whole number from 1024 to 1073741824 bytes, or a size such as `64 KiB` or `4 MiB`"#,
    );
}

#[test]
fn a_decimal_unit_is_refused() {
    assert_report(
        &and("outgoingQueueSize: 4 MB\n"),
        r#"
error: net.yaml:24:20: outgoingQueueSize: expected a whole number of bytes, found the text `4 MB`
    help: write `4 MiB`, in units of 1024 bytes"#,
    );
}

#[test]
fn an_octal_looking_size_is_refused() {
    assert_report(
        &and("outgoingQueueSize: 04 MiB\n"),
        r#"
error: net.yaml:24:20: outgoingQueueSize: expected a whole number of bytes, found the text `04 MiB`
    help: write `4 MiB`, in units of 1024 bytes"#,
    );
}

#[test]
fn a_boolean_misspelt_is_refused() {
    assert_report(
        &with("clearLog: yes", "clearLog: maybe"),
        r#"
error: net.yaml:19:19: system.scribe.roles.logger.clearLog: expected `true` or `false`, found the text `maybe`
    help: write `true` or `false`"#,
    );
}

#[test]
fn a_number_for_a_boolean_is_refused() {
    assert_report(
        &with("clearLog: yes", "clearLog: 1"),
        r#"
error: net.yaml:19:19: system.scribe.roles.logger.clearLog: expected `true` or `false`, found the number `1`
    help: write `true` or `false`"#,
    );
}

#[test]
fn a_quoted_boolean_is_refused() {
    assert_report(
        &with("clearLog: yes", "clearLog: \"yes\""),
        r#"
error: net.yaml:19:19: system.scribe.roles.logger.clearLog: expected `true` or `false`, found the text `yes` in quotes
    help: remove the quotes"#,
    );
}

#[test]
fn a_list_for_a_text_is_refused() {
    assert_report(
        &with("tick: 60", "message: [a]"),
        r#"
error: net.yaml:8:18: system.clock.roles.timer1.message: expected a text, found a list
    help: write a text"#,
    );
}

#[test]
fn a_mapping_for_a_text_is_refused() {
    assert_report(
        &with("tick: 60", "message: {a: b}"),
        r#"
error: net.yaml:8:18: system.clock.roles.timer1.message: expected a text, found a mapping
    help: write a text"#,
    );
}

#[test]
fn a_mapping_for_a_list_is_refused() {
    assert_report(
        &with("address: clock.local", "address: {a: b}"),
        r#"
error: net.yaml:11:18: system.clock.transports.tcp.address: expected a text or a list of texts, found a mapping
    help: write a text or a list of texts"#,
    );
}

#[test]
fn a_mapping_in_a_list_is_refused() {
    assert_report(
        &with("address: clock.local", "address: [a, {b: c}]"),
        r#"
error: net.yaml:11:22: system.clock.transports.tcp.address: expected a text in the list, found a mapping
    help: write a text or a list of texts"#,
    );
}

#[test]
fn nothing_in_a_list_is_refused() {
    assert_report(
        &with("address: clock.local", "address: [a, ~]"),
        r#"
error: net.yaml:11:22: system.clock.transports.tcp.address: expected a text in the list, found nothing
    help: write a text or a list of texts"#,
    );
}

#[test]
fn an_empty_list_for_a_required_option_is_refused() {
    assert_report(
        &with("address: clock.local", "address: []"),
        r#"
error: net.yaml:11:18: system.clock.transports.tcp.address: the list is empty
    help: write a text or a list of texts"#,
    );
}

#[test]
fn a_text_of_commas_for_a_required_list_is_refused() {
    assert_report(
        &with("address: clock.local", "address: \", ,\""),
        r#"
error: net.yaml:11:18: system.clock.transports.tcp.address: the list is empty
    help: write a text or a list of texts"#,
    );
}

#[test]
fn an_empty_path_is_refused() {
    assert_report(
        &with("privateKey: /var/lib/kozo/key", "privateKey: \"\""),
        r#"
error: net.yaml:3:17: system.clock.privateKey: a path may not be empty
    help: write a path"#,
    );
}

#[test]
fn a_path_in_a_home_folder_is_refused() {
    assert_report(
        &with("privateKey: /var/lib/kozo/key", "privateKey: ~/key"),
        r#"
error: net.yaml:3:17: system.clock.privateKey: `~` does not stand for a home folder here
    help: write the path out"#,
    );
}

#[test]
fn a_cipher_that_is_none_is_refused() {
    assert_report(
        &and("cipher: aes256-ctr, aes128-cbc\n"),
        r#"
error: net.yaml:24:9: cipher: `aes128-cbc` is not one of the possible values
    help: did you mean `aes128-ctr`? it may be `aes256-gcm@openssh.com`, `aes128-gcm@openssh.com`, `chacha20-poly1305@openssh.com`, `aes256-ctr`, `aes192-ctr` or `aes128-ctr`"#,
    );
}

#[test]
fn a_cipher_without_its_owner_is_recognised() {
    assert_report(
        &and("cipher: AES256-gcm\n"),
        r#"
error: net.yaml:24:9: cipher: `AES256-gcm` is not one of the possible values
    help: did you mean `aes256-gcm@openssh.com`? it may be `aes256-gcm@openssh.com`, `aes128-gcm@openssh.com`, `chacha20-poly1305@openssh.com`, `aes256-ctr`, `aes192-ctr` or `aes128-ctr`"#,
    );
}

#[test]
fn a_mac_that_is_none_is_refused() {
    assert_report(
        &and("hmac: [hmac-md5]\n"),
        r#"
error: net.yaml:24:8: hmac: `hmac-md5` is not one of the possible values
    help: write `hmac-sha2-256-etm@openssh.com`, `hmac-sha2-512-etm@openssh.com`, `hmac-sha2-256`, `hmac-sha2-512`, `hmac-sha1-etm@openssh.com` or `hmac-sha1`"#,
    );
}

#[test]
fn a_number_with_a_unit_gets_the_one_to_write() {
    assert_report(
        &with("heartbeat: 30", "heartbeat: 30s"),
        r#"
error: net.yaml:23:12: heartbeat: expected a number of seconds, found the text `30s`
    help: write `30`, since it counts seconds"#,
    );
    for (value, help) in [
        ("2min", "write `120`, since it counts seconds"),
        ("1 m", "write `60`, since it counts seconds"),
        ("\"30 s\"", "write `30`, since it counts seconds"),
        ("500ms", "write `0.5`, since it counts seconds"),
        ("0,5", "write `0.5`, since it counts seconds"),
        (
            "20 ms",
            "that is 0.02 seconds; write a number from 0.1 to 86400 seconds",
        ),
    ] {
        let report = report(&with("heartbeat: 30", &format!("heartbeat: {value}")));
        assert!(
            report.contains(&format!("help: {help}")),
            "{value}: {report}"
        );
    }
    let report = report(&and("maxBufferReadSize: 64 KB\n"));
    assert!(
        report.contains("help: write `64 KiB`, in units of 1024 bytes"),
        "{report}"
    );
}
