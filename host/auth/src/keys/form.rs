//! The text of a key file: what editors and copying do to it is undone where nothing else can be
//! meant, and otherwise called by its name.

use std::borrow::Cow;
use std::path::Path;

use kozo_ground::text::Invisible;
use russh::keys::ssh_key;

use super::error::{Damage, KeyError};
use super::kind::KindError;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The first bytes of OpenSSH's private keys, `openssh-key-v1`, in Base64.
pub(super) const OPENSSH_START: &str = "b3BlbnNzaC1rZXktdj";

/// The bytes of a key file as text.
///
/// # Errors
/// What they are instead.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, Damage> {
    if matches!(bytes.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) && bytes.len() > 3 {
        let why = "it is written in UTF-16, as PowerShell does: save it as UTF-8, or as ASCII";
        return Err(Damage::Known(why.into()));
    }
    if !bytes.is_empty() && bytes.iter().all(|&byte| byte == 0) {
        let why = "it holds nothing but NUL bytes, as after a power cut: put a copy in its place, or \
                   make a new key";
        return Err(Damage::Known(why.into()));
    }
    String::from_utf8(bytes).map_err(|_| Damage::Known("it is not text".into()))
}

/// The same text without a byte order mark, and its lines without what stands around them.
pub(super) fn tidied(text: &str) -> String {
    let is_around = |c: char| c.is_whitespace() || c == BYTE_ORDER_MARK;
    let lines = text
        .split(['\n', '\r'])
        .map(|line| line.trim_matches(is_around));
    let mut tidied = String::new();
    for line in lines.filter(|line| !line.is_empty()) {
        tidied.push_str(line);
        tidied.push('\n');
    }
    tidied
}

/// Says what is wrong with a key file that does not decode.
pub(super) fn explain(path: &Path, text: &str, error: russh::keys::Error) -> KeyError {
    use russh::keys::Error;
    let unsupported = |algorithm: &str| KeyError::Kind {
        subject: format!("the private key `{}`", path.display()),
        reason: KindError::Type(algorithm.to_owned()),
    };
    match &error {
        Error::KeyIsEncrypted | Error::SshKey(ssh_key::Error::Encrypted) => KeyError::Encrypted {
            path: path.to_owned(),
        },
        _ if is_encrypted_putty(text) => KeyError::EncryptedPutty {
            path: path.to_owned(),
        },
        // PKCS#8 with a passphrase fails as an unreadable structure.
        _ if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
            || text.contains("Proc-Type: 4,ENCRYPTED") =>
        {
            KeyError::Encrypted {
                path: path.to_owned(),
            }
        }
        _ if text.contains("-----BEGIN DSA PRIVATE KEY-----") => unsupported("ssh-dss"),
        Error::UnsupportedKeyType {
            key_type_string, ..
        } => unsupported(key_type_string),
        Error::SshKey(ssh_key::Error::AlgorithmUnsupported { algorithm }) => {
            unsupported(algorithm.as_str())
        }
        _ => KeyError::NotPrivate {
            path: path.to_owned(),
            reason: damage(text).map_or(Damage::Undecodable(error), Damage::Known),
        },
    }
}

fn is_encrypted_putty(text: &str) -> bool {
    let encryption = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Encryption:"));
    text.contains("PuTTY-User-Key-File-") && encryption.is_some_and(|name| name.trim() != "none")
}

/// What happened to the text of a key, if that shows.
fn damage(text: &str) -> Option<Cow<'static, str>> {
    let text = text.trim();
    let why = if text.is_empty() {
        "it is empty"
    } else if let Some(found) = tidied(text).chars().find_map(Invisible::new) {
        let why = format!("there is {found} in it, which cannot be seen: copy it again");
        return Some(why.into());
    } else if text.contains("\\n") {
        "it holds `\\n` as two characters where its lines should end: \
         write it anew with `printf '%b' \"$(cat FILE)\" >NEW`"
    } else if text.contains("PuTTY-User-Key-File-") {
        "it is a file of PuTTY's that was cut short or changed"
    } else if text.starts_with(OPENSSH_START) {
        "its first line, `-----BEGIN OPENSSH PRIVATE KEY-----`, is missing"
    } else if !text.contains("PRIVATE KEY-----") {
        "it has no `BEGIN … PRIVATE KEY` line"
    } else if text.lines().count() == 1 {
        "it is all on one line: the lines with `BEGIN` and `END` have to be lines of their own"
    } else if !text
        .lines()
        .any(|line| line.trim().starts_with("-----BEGIN"))
    {
        "`-----BEGIN` is not the first of its line: take away what stands before it, \
         quotation marks or the `>` of a mail, there and in the other lines"
    } else if !text.contains("-----END") {
        "its end is missing"
    } else {
        return None;
    };
    Some(why.into())
}
