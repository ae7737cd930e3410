//! `kozo keygen`: the keys of a node.

use kozo_auth::keys::{self, DEFAULT_RSA_BITS, NewKey};

use super::arguments::{KeyKind, KeygenArguments};
use super::failure::Failure;
use super::output;

/// The longest comment of a key, in bytes.
const MAX_COMMENT_LEN: usize = 256;

/// Why a text cannot stand behind a public key.
#[derive(Debug, thiserror::Error)]
enum CommentError {
    #[error("the comment is longer than {MAX_COMMENT_LEN} bytes: choose a shorter one")]
    TooLong,
    #[error("the comment has {0:?} in it: leave control characters out")]
    Control(char),
}

pub(super) fn keygen(arguments: &KeygenArguments) -> Result<(), Failure> {
    let kind = match arguments.kind {
        KeyKind::Ed25519 => NewKey::Ed25519,
        KeyKind::Rsa => NewKey::Rsa {
            bits: DEFAULT_RSA_BITS,
        },
        KeyKind::Ecdsa => NewKey::EcdsaP256,
    };
    let given = arguments.comment.as_deref().map(str::trim);
    let comment = given.map_or_else(default_comment, str::to_owned);
    check_comment(&comment).map_err(Failure::other)?;
    let shown = arguments.path.display();
    if let Some(node) = &arguments.member
        && arguments.path.symlink_metadata().is_ok()
    {
        // Packages make a key when they are installed; its line is wanted all the same.
        let mut key = keys::load_private(&arguments.path).map_err(Failure::other)?;
        if let Some(comment) = given {
            key.set_comment(comment);
        }
        note(&format!("the key is there already, and stays: {shown}\n"));
        return output::print(&format!("{node} {}\n", keys::public_line(&key)));
    }
    let key = keys::generate(kind, &comment).map_err(Failure::other)?;
    keys::write_private(&arguments.path, &key).map_err(Failure::other)?;
    let public = keys::public_path(&arguments.path);
    note(&format!(
        "private key: {shown} (for this node alone)\npublic key:  {}\n",
        public.display(),
    ));
    let line = keys::public_line(&key);
    output::print(&match &arguments.member {
        Some(node) => format!("{node} {line}\n"),
        None => format!("publicKey: {}\n", yaml(&line)),
    })
}

/// Tells people something beside what is asked for; that nobody reads it is no failure.
fn note(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), text.as_bytes());
}

fn default_comment() -> String {
    let machine = rustix::system::uname();
    format!("kozo@{}", machine.nodename().to_string_lossy())
}

fn check_comment(comment: &str) -> Result<(), CommentError> {
    if comment.len() > MAX_COMMENT_LEN {
        return Err(CommentError::TooLong);
    }
    match comment.chars().find(|c| c.is_control()) {
        Some(character) => Err(CommentError::Control(character)),
        None => Ok(()),
    }
}

/// A line as a value in YAML; it begins with the name of an algorithm.
fn yaml(line: &str) -> String {
    if !line.contains(": ") && !line.contains(" #") && !line.ends_with(':') {
        return line.to_owned();
    }
    // A text of JSON is one of YAML, too.
    serde_json::Value::from(line).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_that_yaml_would_misread_has_quotation_marks() {
        assert_eq!(yaml("ssh-rsa AAAA me@here"), "ssh-rsa AAAA me@here");
        assert_eq!(
            yaml("ssh-rsa AAAA no: it is"),
            r#""ssh-rsa AAAA no: it is""#
        );
        assert_eq!(yaml("ssh-rsa AAAA key #1"), r#""ssh-rsa AAAA key #1""#);
        assert_eq!(yaml("ssh-rsa AAAA key:"), r#""ssh-rsa AAAA key:""#);
    }

    #[test]
    fn a_comment_is_one_line_of_a_sensible_length() {
        assert!(check_comment("the clock in the hall").is_ok());
        assert!(check_comment("two\nlines").is_err());
        assert!(check_comment(&"x".repeat(MAX_COMMENT_LEN + 1)).is_err());
    }
}
