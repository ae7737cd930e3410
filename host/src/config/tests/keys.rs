//! Public keys that no node can have.

use kozo_auth::keys::MAX_RSA_BITS;

use super::{KEY_A, assert_report, network, report, with};

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
error: net.yaml:4:16: system.clock.publicKey: this is not a public key of OpenSSH: the key is cut short or has a wrong character (length invalid)
    help: copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`"#,
    );
}

#[test]
fn a_key_that_is_prose_is_refused() {
    assert_report(
        &with("KEY_A", "the key of clock"),
        r#"
error: net.yaml:4:16: system.clock.publicKey: this is not a public key of OpenSSH: `the` is no type of keys
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
error: net.yaml:5:7: system.clock.publicKey: these are 2 keys in one text
    help: make a list of them: one key an item"#,
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
error: net.yaml:4:16: system.clock.publicKey: this key has 1024 bits: RSA keys must have 2048 to 8192
    help: make another key: `kozo keygen` makes one of the type `ssh-ed25519`"#,
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
error: net.yaml:4:16: system.clock.publicKey: this key is of the type `ssh-dss`, which is not accepted: use ssh-ed25519, ecdsa-sha2-nistp256 or ssh-rsa
    help: make another key: `kozo keygen` makes one of the type `ssh-ed25519`"#,
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

/// The key of `clock` as this text, between quotes in which escapes are understood.
fn pasted(text: &str) -> String {
    with("KEY_A", &format!("\"{}\"", text.replace('"', "\\\"")))
}

#[test]
fn what_copying_adds_to_a_key_is_taken() {
    let (kind, key) = KEY_A.split_once(' ').unwrap();
    for text in [
        format!("{kind}   {key}"),
        format!("{kind}\\t\\t{key}"),
        format!("  {KEY_A}  "),
        format!("{KEY_A}\\r\\n"),
        format!("\\ufeff{KEY_A}"),
        format!("{kind}\\u00a0{key}\\tkozo   of  attic "),
    ] {
        let network = network(&pasted(&text));
        let clock = network.nodes.values().next().unwrap();
        let shown = clock.public_keys[0].to_openssh().unwrap();
        assert!(shown.starts_with(KEY_A), "{text}: {shown}");
    }
    let block = format!("|\n\n        {KEY_A}\n\n");
    network(&with("KEY_A", &block));
}

#[test]
fn what_else_was_pasted_in_place_of_a_key_is_named() {
    let (kind, key) = KEY_A.split_once(' ').unwrap();
    let (start, end) = key.split_at(40);
    for (text, why) in [
        (
            format!("from=\"10.0.0.0/8\",no-pty {KEY_A}"),
            "before the type `ssh-ed25519` stands `from=\"10.0.0.0/8\",no-pty`, options for the file `authorized_keys`",
        ),
        (
            format!("command=\"echo a b\" {KEY_A} x"),
            "before the type `ssh-ed25519` stands `command=\"echo a b\"`, options for the file `authorized_keys`",
        ),
        (
            format!("no-pty {KEY_A}"),
            "stands `no-pty`, options for the file `authorized_keys`",
        ),
        (
            format!("attic.example,192.0.2.1 {KEY_A}"),
            "stands `attic.example,192.0.2.1`, which may be the name of a host, for the file `known_hosts`",
        ),
        (
            format!("@cert-authority *.example {KEY_A}"),
            "stands `@cert-authority *.example`, a marker for the file `known_hosts`",
        ),
        (
            format!("@revoked x {KEY_A}"),
            "which marks a key that must not be trusted any more",
        ),
        (
            format!("|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= {KEY_A}"),
            "the hashed name of a host, for the file `known_hosts`",
        ),
        (
            format!("publicKey: {KEY_A}"),
            "stands `publicKey:`, which is no part of the key",
        ),
        (
            format!("{kind} {start} {end} attic"),
            "the key is broken into parts, by a space",
        ),
        (
            format!("{kind} {start}\\n{end}"),
            "the key is broken into parts, by a line end",
        ),
        (format!("{KEY_A}\\\\n"), "it holds `\\n` as two characters"),
        (
            format!("{kind} {start}\\u200b{end}"),
            "there is a zero-width space (U+200B) in it, which cannot be seen",
        ),
        (
            format!("{kind}{key}"),
            "a space is missing between the type and the key",
        ),
        (key.to_owned(), "the type of the key is missing before it"),
        (format!("{kind} {end}"), "which is no key"),
        (
            "/home/me/.ssh/id_ed25519.pub".to_owned(),
            "this is the path of a file, and not the key",
        ),
        (
            "256 SHA256:abc attic (ED25519)".to_owned(),
            "this is the fingerprint of a key",
        ),
        ("SHA256:abc".to_owned(), "this is the fingerprint of a key"),
        (
            format!("ssh-ed25519-cert-v01@openssh.com {key}"),
            "this is a certificate",
        ),
        (
            "-----BEGIN PUBLIC KEY-----\\nAAAA".to_owned(),
            "in another form than OpenSSH's line",
        ),
        (
            "---- BEGIN SSH2 PUBLIC KEY ----\\nAAAA".to_owned(),
            "in another form than OpenSSH's line",
        ),
        (
            "PuTTY-User-Key-File-3: ssh-ed25519".to_owned(),
            "this is a private key",
        ),
        (
            "b3BlbnNzaC1rZXktdjEAAAAA".to_owned(),
            "this is a private key",
        ),
    ] {
        let report = report(&pasted(&text));
        assert!(report.contains(why), "{text}:\n{report}");
        assert_eq!(report.matches("error: ").count(), 1, "{report}");
    }
}

/// What another node could not load as its own key is no key for it.
#[test]
fn an_rsa_key_that_no_node_can_load_is_refused_for_every_node() {
    use russh::keys::ssh_key::{
        Mpint,
        public::{KeyData, RsaPublicKey},
    };
    let of_bits = |bits: usize| {
        let modulus = Mpint::from_positive_bytes(&vec![0xff; bits / 8]);
        let exponent = Mpint::from_positive_bytes(&[1, 0, 1]);
        let key = KeyData::Rsa(RsaPublicKey::new(exponent, modulus).unwrap());
        russh::keys::PublicKey::from(key).to_openssh().unwrap()
    };
    network(&with("KEY_B", &of_bits(MAX_RSA_BITS)));
    for bits in [MAX_RSA_BITS + 8, 16384] {
        let report = report(&with("KEY_B", &of_bits(bits)));
        let why = format!("this key has {bits} bits: RSA keys must have 2048 to 8192");
        assert!(report.contains(&why), "{report}");
    }
}
