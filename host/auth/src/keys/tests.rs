//! Keys in memory and on disk, and everything that can be wrong with them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::error::MAX_KEY_FILE_LEN;
use super::line::MAX_PUBLIC_LINE_LEN;
use super::*;

const KINDS: [(NewKey, &str); 3] = [
    (NewKey::Ed25519, "ssh-ed25519"),
    (NewKey::Rsa { bits: MIN_RSA_BITS }, "ssh-rsa"),
    (NewKey::EcdsaP256, "ecdsa-sha2-nistp256"),
];

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes `text` as a key file that only its owner may read.
fn file(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("key");
    fs::write(&path, text).unwrap();
    set_mode(&path, 0o600);
    path
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Runs `ssh-keygen`; `None` where it is not installed.
fn ssh_keygen(arguments: &[&str]) -> Option<String> {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no `ssh-keygen` here");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ssh-keygen: {said}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_written_key_is_the_one_that_is_loaded() {
    for (kind, algorithm) in KINDS {
        let folder = folder();
        let path = folder.path().join("node.key");
        let key = generate(kind, "kozo@attic").unwrap();
        write_private(&path, &key).unwrap();
        let loaded = load_private(&path).unwrap();
        assert_eq!(loaded.public_key(), key.public_key());
        assert_eq!(mode(&path), 0o600);
        let public = public_path(&path);
        assert_eq!(mode(&public), 0o644);
        let line = fs::read_to_string(&public).unwrap();
        assert_eq!(line.trim_end(), public_line(&key));
        assert!(line.starts_with(algorithm), "{line}");
        assert!(line.ends_with(" kozo@attic\n"), "{line}");
        matches(&loaded, &[parse_public(&line).unwrap()], "`publicKey`").unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "nothing else is left behind: {left:?}");
    }
}

#[test]
fn ssh_keygen_reads_the_keys_and_sees_the_same_fingerprint() {
    for (kind, _) in KINDS {
        let folder = folder();
        let path = folder.path().join("key");
        let key = generate(kind, "attic").unwrap();
        write_private(&path, &key).unwrap();
        fs::remove_file(public_path(&path)).unwrap();
        let name = path.to_str().unwrap();
        let Some(shown) = ssh_keygen(&["-l", "-f", name]) else {
            return;
        };
        assert!(shown.contains(&fingerprint(key.public_key())), "{shown}");
        let public = ssh_keygen(&["-y", "-f", name]).unwrap();
        assert_eq!(
            parse_public(&public).unwrap().key_data(),
            key.public_key().key_data()
        );
    }
}

#[test]
fn keys_of_ssh_keygen_are_loaded_in_every_format() {
    let formats: [&[&str]; 6] = [
        &["-t", "ed25519"],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM"],
        &["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
        &["-t", "ecdsa", "-b", "256", "-m", "PKCS8"],
    ];
    for format in formats {
        let folder = folder();
        let path = folder.path().join("key");
        let name = path.to_str().unwrap();
        let made = ssh_keygen(&[&["-q", "-N", "", "-f", name], format].concat());
        if made.is_none() {
            return;
        }
        let key = load_private(&path).unwrap_or_else(|error| panic!("{format:?}: {error}"));
        let line = fs::read_to_string(public_path(&path)).unwrap();
        matches(&key, &[parse_public(&line).unwrap()], "`publicKey`").unwrap();
    }
}

#[test]
fn a_key_with_a_passphrase_is_refused_with_the_remedy() {
    for format in ["RFC4716", "PEM", "PKCS8"] {
        let folder = folder();
        let path = folder.path().join("key");
        let name = path.to_str().unwrap();
        let arguments = [
            "-q", "-t", "rsa", "-b", "2048", "-m", format, "-N", "secret", "-f", name,
        ];
        if ssh_keygen(&arguments).is_none() {
            return;
        }
        let error = load_private(&path).unwrap_err();
        assert!(
            matches!(error, KeyError::Encrypted { .. }),
            "{format}: {error}"
        );
        assert!(error.to_string().contains("ssh-keygen -p"), "{error}");
    }
}

#[test]
fn a_short_rsa_key_is_refused_with_its_length() {
    let folder = folder();
    let path = folder.path().join("key");
    let name = path.to_str().unwrap();
    if ssh_keygen(&["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", name]).is_none() {
        return;
    }
    let error = load_private(&path).unwrap_err();
    assert!(
        matches!(
            error,
            KeyError::Kind {
                reason: KindError::RsaBits(1024),
                ..
            }
        ),
        "{error}"
    );
    let line = fs::read_to_string(public_path(&path)).unwrap();
    let error = parse_public(&line).unwrap_err();
    assert_eq!(error, LineError::Kind(KindError::RsaBits(1024)));
    for bits in [0, 1024, MAX_RSA_BITS + 1] {
        let error = generate(NewKey::Rsa { bits }, "").unwrap_err();
        assert!(
            matches!(
                error,
                KeyError::Kind {
                    reason: KindError::RsaBits(_),
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn kinds_that_nodes_do_not_use_are_refused_by_name() {
    let security_key = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIC\
                        HyV2C1ws0Ej/ay9mtdaVQYQcWYxUpt3C7nUXXGWn4YAAAABHNzaDo= attic";
    let error = parse_public(security_key).unwrap_err();
    assert!(
        matches!(error, LineError::Kind(KindError::Type(_))),
        "{error}"
    );
    assert!(error.to_string().contains("sk-ssh-ed25519"), "{error}");
    let folder = folder();
    let dsa = "-----BEGIN DSA PRIVATE KEY-----\nMIIBugIBAAKBgQ==\n-----END DSA PRIVATE KEY-----\n";
    let error = load_private(&file(&folder, dsa)).unwrap_err();
    assert!(
        matches!(
            error,
            KeyError::Kind {
                reason: KindError::Type(_),
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("ssh-dss"), "{error}");
}

#[test]
fn a_key_that_others_may_read_or_write_is_refused_with_the_remedy() {
    let folder = folder();
    let path = folder.path().join("key");
    write_private(&path, &generate(NewKey::Ed25519, "").unwrap()).unwrap();
    for open in [0o640, 0o604, 0o620, 0o601] {
        set_mode(&path, open);
        let error = load_private(&path).unwrap_err();
        assert!(
            matches!(error, KeyError::Exposed { mode, .. } if mode == open),
            "{error}"
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    set_mode(&path, 0o400);
    load_private(&path).unwrap();
}

#[test]
fn what_is_no_key_file_is_named_as_what_it_is() {
    let folder = folder();
    let missing = load_private(&folder.path().join("absent")).unwrap_err();
    assert!(matches!(missing, KeyError::Missing { .. }), "{missing}");
    let a_folder = load_private(folder.path()).unwrap_err();
    assert!(matches!(a_folder, KeyError::NotAFile { .. }), "{a_folder}");
    let beyond_a_file = load_private(&file(&folder, "x").join("key")).unwrap_err();
    assert!(
        matches!(beyond_a_file, KeyError::Unreadable { .. }),
        "{beyond_a_file}"
    );
    let large = "x".repeat(MAX_KEY_FILE_LEN as usize + 1);
    let large = load_private(&file(&folder, &large)).unwrap_err();
    assert!(matches!(large, KeyError::TooLarge { .. }), "{large}");
    let key = generate(NewKey::Ed25519, "attic").unwrap();
    let path = file(&folder, &public_line(&key));
    set_mode(&path, 0o644);
    let public = load_private(&path).unwrap_err();
    assert!(matches!(public, KeyError::PublicGiven { .. }), "{public}");
    let damaged = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    for text in ["", "hello", damaged, "-----BEGIN PRIVATE KEY-----\n!\n"] {
        let error = load_private(&file(&folder, text)).unwrap_err();
        assert!(
            matches!(error, KeyError::NotPrivate { .. }),
            "{text:?}: {error}"
        );
    }
    fs::write(folder.path().join("key"), [0xff, 0xfe, 0]).unwrap();
    let binary = load_private(&folder.path().join("key")).unwrap_err();
    assert!(matches!(binary, KeyError::NotPrivate { .. }), "{binary}");
}

#[test]
fn a_pipe_in_place_of_a_key_does_not_hang() {
    let folder = folder();
    let path = folder.path().join("key");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let error = load_private(&path).unwrap_err();
    assert!(matches!(error, KeyError::NotAFile { .. }), "{error}");
}

#[test]
fn nothing_is_overwritten() {
    let folder = folder();
    let path = folder.path().join("key");
    let key = generate(NewKey::Ed25519, "").unwrap();
    fs::write(&path, "mine").unwrap();
    let error = write_private(&path, &key).unwrap_err();
    assert!(matches!(error, KeyError::Exists { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    fs::rename(&path, public_path(&path)).unwrap();
    let error = write_private(&path, &key).unwrap_err();
    assert!(matches!(error, KeyError::Exists { .. }), "{error}");
    assert!(!path.exists(), "no half of a pair is left behind");
}

#[test]
fn a_key_needs_a_folder_that_exists() {
    let folder = folder();
    let path = folder.path().join("absent").join("key");
    let key = generate(NewKey::Ed25519, "").unwrap();
    let error = write_private(&path, &key).unwrap_err();
    assert!(matches!(error, KeyError::NoFolder { .. }), "{error}");
}

#[test]
fn a_key_of_another_node_is_told_from_the_right_one() {
    let key = generate(NewKey::Ed25519, "").unwrap();
    let other = generate(NewKey::EcdsaP256, "").unwrap();
    let publics = [other.public_key().clone(), key.public_key().clone()];
    matches(&key, &publics, "`publicKey`").unwrap();
    let error = matches(&key, &publics[..1], "`publicKey`").unwrap_err();
    assert!(matches!(error, KeyError::Mismatch { .. }), "{error}");
    for key in [&key, &other] {
        let fingerprint = fingerprint(key.public_key());
        assert!(error.to_string().contains(&fingerprint), "{error}");
    }
    assert!(
        matches(&key, &[], "`publicKey`")
            .unwrap_err()
            .to_string()
            .contains("none")
    );
}

/// What a file may look like that holds this key.
fn disguises(text: &str) -> Vec<String> {
    let each_line = |change: &dyn Fn(&str) -> String| {
        text.lines()
            .map(|line| change(line) + "\n")
            .collect::<String>()
    };
    vec![
        format!("\u{feff}{text}"),
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        text.trim_end().to_owned(),
        format!("\n\n{text}\n\n"),
        each_line(&|line| format!("    {line}")),
        each_line(&|line| format!("\t{line}  \t")),
        each_line(&|line| format!("{line} ")),
        each_line(&|line| format!("{line}\n")),
        format!("\u{feff}  {}", text.replace('\n', "\r\n  ")),
    ]
}

#[test]
fn what_editors_do_to_a_key_file_is_undone() {
    for (kind, _) in KINDS {
        let key = generate(kind, "attic").unwrap();
        let text = key
            .to_openssh(russh::keys::ssh_key::LineEnding::LF)
            .unwrap();
        for text in disguises(&text) {
            let folder = folder();
            let loaded = load_private(&file(&folder, &text));
            let loaded = loaded.unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(loaded.public_key(), key.public_key());
        }
    }
}

/// An Ed25519 key as PuTTYgen writes it, of version 3. What `encryption` would do to it is left out.
fn putty(key: &PrivateKey, encryption: &str) -> String {
    use russh::keys::ssh_key::private::KeypairData;
    let KeypairData::Ed25519(pair) = key.key_data() else {
        panic!("this test knows Ed25519 only");
    };
    let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let comment = "kozo";
    let public = key.public_key().to_bytes().unwrap();
    let private = string(&pair.private.to_bytes());
    let signed: Vec<u8> = [
        b"ssh-ed25519",
        encryption.as_bytes(),
        comment.as_bytes(),
        &public,
        &private,
    ]
    .iter()
    .flat_map(|part| string(part))
    .collect();
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"");
    let mac = ring::hmac::sign(&secret, &signed);
    let mac: String = mac
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let lines = |bytes: &[u8]| {
        let text = base64(bytes);
        let lines: Vec<&str> = (0..text.len())
            .step_by(64)
            .map(|at| &text[at..text.len().min(at + 64)])
            .collect();
        (lines.len(), lines.join("\n"))
    };
    let ((publics, public), (privates, private)) = (lines(&public), lines(&private));
    format!(
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: {encryption}\nComment: {comment}\n\
         Public-Lines: {publics}\n{public}\nPrivate-Lines: {privates}\n{private}\nPrivate-MAC: {mac}\n"
    )
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(*group.get(at).unwrap_or(&0))
        });
        for digit in 0..4 {
            text.push(match digit > group.len() {
                true => '=',
                false => DIGITS[bits >> (18 - 6 * digit) & 63].into(),
            });
        }
    }
    text
}

#[test]
fn putty_s_files_are_taken_unless_they_have_a_passphrase() {
    let key = generate(NewKey::Ed25519, "kozo").unwrap();
    for text in disguises(&putty(&key, "none")) {
        let folder = folder();
        let loaded = load_private(&file(&folder, &text));
        let loaded = loaded.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(loaded.public_key(), key.public_key());
    }
    for text in disguises(&putty(&key, "aes256-cbc")) {
        let folder = folder();
        let error = load_private(&file(&folder, &text)).unwrap_err();
        assert!(
            matches!(error, KeyError::EncryptedPutty { .. }),
            "{text:?}: {error}"
        );
        let text = error.to_string();
        assert!(
            text.contains("passphrase") && text.contains("PuTTYgen"),
            "{text}"
        );
    }
    let text = putty(&key, "none");
    let cut = text.lines().take(6).collect::<Vec<_>>().join("\n");
    let folder = folder();
    let error = load_private(&file(&folder, &cut)).unwrap_err().to_string();
    assert!(error.contains("PuTTY's that was cut short"), "{error}");
}

#[test]
fn what_cannot_be_undone_in_a_key_file_is_named() {
    let key = generate(NewKey::Ed25519, "attic").unwrap();
    let text = key
        .to_openssh(russh::keys::ssh_key::LineEnding::LF)
        .unwrap();
    let first_lines = |count| text.lines().take(count).collect::<Vec<_>>().join("\n");
    for (text, why) in [
        (text.replace('\n', "\\n"), "`\\n` as two characters"),
        (text.replace('\n', " "), "all on one line"),
        (
            format!("\"{}\"", &*text),
            "`-----BEGIN` is not the first of its line: take away what stands before it",
        ),
        (
            text.lines().map(|line| format!("> {line}\n")).collect(),
            "`-----BEGIN` is not the first of its line",
        ),
        (first_lines(3), "its end is missing"),
        (
            text.lines().skip(1).collect::<Vec<_>>().join("\n"),
            "its first line, ",
        ),
        (
            text.replacen("AAAA", "AA\u{200b}AA", 1),
            "a zero-width space (U+200B)",
        ),
        (
            text.replacen("AAAA", "AA\u{a0}AA", 1),
            "a no-break space (U+00A0)",
        ),
        ("\0".repeat(400), "nothing but NUL bytes"),
        (String::new(), "it is empty"),
    ] {
        let folder = folder();
        let error = load_private(&file(&folder, &text)).unwrap_err();
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    let folder = folder();
    let path = file(&folder, "");
    let utf16: Vec<u8> = "\u{feff}----"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    fs::write(&path, utf16).unwrap();
    let error = load_private(&path).unwrap_err().to_string();
    assert!(error.contains("UTF-16"), "{error}");
}

#[test]
fn a_public_key_in_place_of_a_private_one_is_known_in_any_form() {
    let line = public_line(&generate(NewKey::Ed25519, "attic").unwrap());
    for text in [
        line.replace(' ', "  \t"),
        format!("\u{feff}{line}\r\n"),
        format!("no-pty,from=\"10.0.0.0/8\" {line}"),
        format!("attic.example,192.0.2.1 {line}"),
        "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n".to_owned(),
        "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n".to_owned(),
    ] {
        let folder = folder();
        let error = load_private(&file(&folder, &text)).unwrap_err();
        assert!(
            matches!(error, KeyError::PublicGiven { .. }),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn a_text_that_is_no_public_key_is_refused() {
    let key = generate(NewKey::Ed25519, "attic").unwrap();
    let line = public_line(&key);
    assert_eq!(
        &parse_public(&format!("  {line}\n")).unwrap(),
        key.public_key()
    );
    for text in [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "hello world",
        &line[..60],
    ] {
        let error = parse_public(text).unwrap_err();
        assert!(
            matches!(error, LineError::Malformed(_)),
            "{text:?}: {error}"
        );
    }
    let long = format!("{line}{}", "x".repeat(MAX_PUBLIC_LINE_LEN));
    assert!(matches!(parse_public(&long), Err(LineError::Malformed(_))));
    let folder = folder();
    let path = folder.path().join("key");
    write_private(&path, &key).unwrap();
    let private = parse_public(&fs::read_to_string(&path).unwrap()).unwrap_err();
    assert_eq!(private, LineError::Private);
    assert!(
        !private.to_string().contains("AAAA"),
        "a secret is not repeated"
    );
}
