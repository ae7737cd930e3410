//! Public keys that no node can have.

use super::{assert_report, with};

#[test]
fn a_key_without_value_is_refused() {
    assert_report(
        &with("KEY_A", ""),
        r#"
error: net.yaml:4:14: system.clock.publicKey: it has no value
    help: write an OpenSSH public key or a list of them"#,
    );
}

#[test]
fn an_empty_list_of_keys_is_refused() {
    assert_report(
        &with("KEY_A", "[]"),
        r#"
error: net.yaml:4:16: system.clock.publicKey: the list is empty
    help: write an OpenSSH public key or a list of them"#,
    );
}

#[test]
fn a_mapping_for_a_key_is_refused() {
    assert_report(
        &with("KEY_A", "{a: b}"),
        r#"
error: net.yaml:4:16: system.clock.publicKey: expected an OpenSSH public key or a list of them, found a mapping
    help: write an OpenSSH public key or a list of them"#,
    );
}

#[test]
fn a_key_of_one_word_is_refused() {
    assert_report(
        &with("KEY_A", "ssh-ed25519"),
        r#"
error: net.yaml:4:16: system.clock.publicKey: this is not a public key of OpenSSH: it has only one word
    help: copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`"#,
    );
}

#[test]
fn a_key_cut_short_is_refused() {
    assert_report(
        &with("KEY_A", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG/rmCrM8J69"),
        r#"
error: net.yaml:4:16: system.clock.publicKey: this is not a public key of OpenSSH: length invalid
    help: copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`"#,
    );
}

#[test]
fn a_key_that_is_prose_is_refused() {
    assert_report(
        &with("KEY_A", "the key of clock"),
        r#"
error: net.yaml:4:16: system.clock.publicKey: this is not a public key of OpenSSH: Base64 encoding error: invalid Base64 encoding
    help: copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`"#,
    );
}

#[test]
fn a_key_of_another_type_than_it_says_is_refused() {
    assert_report(
        &with(
            "KEY_A",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIG/rmCrM8J69xo8l6Ge7BLSiFmyJA9CWAiwEDJoBalpF",
        ),
        r#"
error: net.yaml:4:16: system.clock.publicKey: this is not a public key of OpenSSH: its type is not known, or not the one that the key has
    help: copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`"#,
    );
}

#[test]
fn a_private_key_is_refused() {
    assert_report(
        &with(
            "KEY_A",
            "|\n      -----BEGIN OPENSSH PRIVATE KEY-----\n      b3BlbnNzaC1rZXk=\n      -----END OPENSSH PRIVATE KEY-----",
        ),
        r#"
error: net.yaml:5:7: system.clock.publicKey: this is a private key, and the file is for all to read
    help: put the line of its `.pub` file here, and make a new key if this file was shared"#,
    );
}

#[test]
fn a_key_of_two_lines_is_refused() {
    assert_report(
        &with("KEY_A", "|\n      KEY_A\n      KEY_B"),
        r#"
error: net.yaml:5:7: system.clock.publicKey: this is not a public key of OpenSSH: it has more than one line
    help: copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`"#,
    );
}

#[test]
fn a_weak_rsa_key_is_refused() {
    assert_report(
        &with(
            "KEY_A",
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7csf8IONz+G4n+YI7ccxZyPkRjnOzRBR0L+tVD8drRMA/rWLoUVeiDcoRAGMDMQBTIpUUEnBap/ei3p/S6SaV3AZaFaPJ+Djnir+KczW1N+R2bFC2JuViSfwBCCGJvlHNZmWeOw2tRsrxF18pvhCL0sHOFmypdwHvw/aTrXJIyw== old",
        ),
        r#"
error: net.yaml:4:16: system.clock.publicKey: this RSA key has 1024 bits, and 2048 are the least
    help: use an `ssh-ed25519` key, or `ssh-rsa` of 2048 bits or more, or `ecdsa-sha2-nistp256`"#,
    );
}

#[test]
fn a_dsa_key_is_refused() {
    assert_report(
        &with(
            "KEY_A",
            "ssh-dss AAAAB3NzaC1kc3MAAACBAPEOP1Ij1H9ee3ySc/BMpihd5f0uGfw1k5hJXypwxkMNFnXW1TJaP+jnfBJ7DC1tINJdshimKPjeMNukvbHavAzD/EwFrbLFiZplYHe9cgmBFlYGMvdmJTCKVDJ2lZd8rQdfzlkXfuBOl8DT+0B9FD8/mQNKUxP6QZgAR1GEugS7AAAAFQD4el9IepywZ39qQYYX/JwKjtu8pQAAAIBRYJ1ntbLu2S2gczsGd4TWGeh3hDsmMh5WWMk8AuuhcCgh7ItEeLgH8eE5tPC+EBrfAKswgj/poYnfxPb3ffHCbIJbEHe9JtuX2k8W7Lhk1KBR6YIqur7ECmPUed1gjxKJ7uj+la3QNxR8SiTs1pH2zVXVATXv1kiTETUVvTIGggAAAIB7NXKPWEBx48hVIcppeiMwdY28IsOGZ3mcbG5C4l2zIqTPYKfoi50gfeIo7uwr3KrMqQMITj50CF0cI1Otl48XH9JextO6NdW2v4E8sprmB40XEH6IYZDva6/Hs//z4lynuJp8bnywGI0F9yoHnxSjLjBDjFTRXaYVNzuuDi9U1A==",
        ),
        r#"
error: net.yaml:4:16: system.clock.publicKey: keys of type `ssh-dss` are not used here
    help: use an `ssh-ed25519` key, or `ssh-rsa` of 2048 bits or more, or `ecdsa-sha2-nistp256`"#,
    );
}

#[test]
fn a_wrong_key_in_a_list_is_named() {
    assert_report(
        &with("KEY_A", "[KEY_A, nonsense]"),
        r#"
error: net.yaml:4:99: system.clock.publicKey[1]: this is not a public key of OpenSSH: it has only one word
    help: copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`"#,
    );
}

#[test]
fn two_nodes_with_one_key_are_both_named() {
    assert_report(
        &with("KEY_B", "KEY_A with a comment"),
        r#"
error: net.yaml:14:16: system.scribe.publicKey: the nodes `clock` and `scribe` have the same public key
    help: make a key pair for each node: it is what tells them apart"#,
    );
}

#[test]
fn a_key_given_twice_is_a_warning() {
    assert_report(
        &with("KEY_A", "[KEY_A, KEY_A again]"),
        r#"
warning: net.yaml:4:99: system.clock.publicKey[1]: the same key stands here twice
    help: remove one of them"#,
    );
}
