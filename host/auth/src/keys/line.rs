//! Public keys, as people copy them: one line of a `.pub` file. What surely means the same is taken
//! (spaces, tabs, line ends, a byte order mark); anything else is called by its name.

use kozo_ground::text::Invisible;
use kozo_ground::text::error_text;
use russh::keys::PublicKey;
use russh::keys::ssh_key::Error as DecodeError;

use super::form::OPENSSH_START;
use super::kind::{KindError, check_kind};

/// The longest public key line that is parsed, in bytes (an RSA key of
/// [`MAX_RSA_BITS`](super::MAX_RSA_BITS) needs some 1,500).
pub(super) const MAX_PUBLIC_LINE_LEN: usize = 16 * 1024;

/// What a message repeats of a word at most, in characters.
const MAX_REPEATED: usize = 40;

/// The first characters of every key: the length of its type is below 2^24.
const KEY_START: &str = "AAAA";

/// What types of keys begin with.
const TYPE_STARTS: [&str; 4] = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];

/// Why a text is not a public key that a node may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It is the secret half.
    #[error("this is a private key, and the file is for all to read")]
    Private,
    /// It is a public key that is not written as a line.
    #[error("this is a public key in another form than OpenSSH's line")]
    OtherForm,
    /// It is what `ssh-keygen -l` prints of a key.
    #[error("this is the fingerprint of a key, and not the key")]
    Fingerprint,
    /// It is the name of a file.
    #[error("this is the path of a file, and not the key")]
    Path,
    /// A certificate names a key, and who vouches for it.
    #[error("this is a certificate, of the type `{0}`, and not the key")]
    Certificate(String),
    /// There is something before the type of the key.
    #[error("before the type `{kind}` stands `{before}`, {belongs}")]
    Before {
        /// The type.
        kind: String,
        /// What stands before it.
        before: String,
        /// Where such a thing belongs.
        belongs: &'static str,
    },
    /// The key goes on after a space or a line end.
    #[error("the key is broken into parts, by {0}")]
    Broken(&'static str),
    /// There are several lines, each with a key.
    #[error("these are {0} keys in one text")]
    Several(usize),
    /// Two characters stand for a line end.
    #[error("it holds `\\n` as two characters, which only some programs read as the end of a line")]
    EscapedLineEnd,
    /// It holds a character that nobody sees.
    #[error("there is {0} in it, which cannot be seen")]
    Invisible(Invisible),
    /// It is no public key line at all.
    #[error("this is not a public key of OpenSSH: {0}")]
    Malformed(String),
    /// The kind of key is not accepted.
    #[error("this key {0}")]
    Kind(#[from] KindError),
}

impl LineError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Private => {
                "put the line of its `.pub` file here, and make a new key if this file was shared"
            }
            Self::OtherForm => {
                "let `ssh-keygen -i -f FILE` print its line, or `ssh-keygen -i -m PKCS8 -f FILE` for \
                 one that begins with `-----BEGIN PUBLIC KEY-----`"
            }
            Self::Certificate(_) => {
                "put the line of the `.pub` file without `-cert` in its name here"
            }
            Self::Before { .. } => {
                "begin with the type of the key, and leave out what stands before it"
            }
            Self::Broken(_) => "write the key on one line, without spaces in it",
            Self::Several(_) => "make a list of them: one key an item",
            Self::EscapedLineEnd => "remove the `\\n`, with what follows it",
            Self::Invisible(_) => "remove it, or copy the line of the `.pub` file again",
            Self::Fingerprint | Self::Path | Self::Malformed(_) => {
                "copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, \
                 `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`"
            }
            Self::Kind(_) => "make another key: `kozo keygen` makes one of the type `ssh-ed25519`",
        }
    }
}

/// Reads the value of the option `publicKey`: the type, the key and, perhaps, a comment, with any
/// number of spaces and tabs around them.
///
/// # Errors
/// What else it is, or what is wrong with it.
pub fn parse_public(text: &str) -> Result<PublicKey, LineError> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if is_private(text) {
        return Err(LineError::Private);
    }
    if text.len() > MAX_PUBLIC_LINE_LEN {
        let why = format!("it is longer than {MAX_PUBLIC_LINE_LEN} bytes");
        return Err(LineError::Malformed(why));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if text.lines().count() > 1 {
        return Err(of_several_lines(text, &words));
    }
    let key = PublicKey::from_openssh(&words.join(" ")).map_err(|error| explain(&words, &error))?;
    check_kind(&key)?;
    Ok(key)
}

/// Whether a text is, or was meant to be, a public key: for who expected a private one.
pub(super) fn is_public(text: &str) -> bool {
    match parse_public(text) {
        Ok(_) => true,
        Err(LineError::Malformed(_) | LineError::Private | LineError::Path) => false,
        Err(LineError::Kind(_) | LineError::OtherForm | LineError::Certificate(_)) => true,
        // Something that has a type and a key in it.
        Err(_) => text.split_whitespace().any(is_type),
    }
}

fn is_private(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
        || text.contains("PuTTY-User-Key-File-")
        || text
            .split_whitespace()
            .any(|word| word.starts_with(OPENSSH_START))
}

fn is_type(word: &str) -> bool {
    TYPE_STARTS.iter().any(|start| word.starts_with(start))
}

/// What is wrong with a text of more than one line.
fn of_several_lines(text: &str, words: &[&str]) -> LineError {
    if is_of_other_form(text) {
        return LineError::OtherForm;
    }
    if is_broken(words) {
        return LineError::Broken("a line end");
    }
    let keys = text
        .lines()
        .filter(|line| parse_public(line).is_ok())
        .count();
    match keys {
        2.. => LineError::Several(keys),
        _ => LineError::Malformed("it has more than one line".to_owned()),
    }
}

fn is_of_other_form(text: &str) -> bool {
    text.contains("BEGIN SSH2 PUBLIC KEY") || text.contains("PUBLIC KEY-----")
}

/// Whether the words behind the type are one key when they are put together.
fn is_broken(words: &[&str]) -> bool {
    let [kind, parts @ ..] = words else {
        return false;
    };
    let mut joined = String::new();
    parts.iter().enumerate().any(|(index, part)| {
        joined.push_str(part);
        index > 0 && PublicKey::from_openssh(&format!("{kind} {joined}")).is_ok()
    })
}

/// Why the words of one line are no key.
fn explain(words: &[&str], error: &DecodeError) -> LineError {
    let malformed = |why: &str| LineError::Malformed(why.to_owned());
    let Some(&first) = words.first() else {
        return malformed("it is empty");
    };
    if is_of_other_form(&words.join(" ")) {
        return LineError::OtherForm;
    }
    if words.iter().take(3).any(|word| is_fingerprint(word)) {
        return LineError::Fingerprint;
    }
    let kind = words
        .windows(2)
        .position(|pair| is_type(pair[0]) && pair[1].starts_with(KEY_START));
    if let Some(at @ 1..) = kind {
        return LineError::Before {
            kind: words[at].to_owned(),
            before: shortened(&words[..at].join(" ")),
            belongs: where_it_belongs(&words[..at]),
        };
    }
    let key_word = words.get(1).copied().unwrap_or(first);
    if key_word.contains("\\n") {
        return LineError::EscapedLineEnd;
    }
    if let Some(found) = words
        .iter()
        .take(2)
        .find_map(|word| Invisible::first_in(word))
    {
        return LineError::Invisible(found);
    }
    if is_type(first) && first.contains("-cert-v01@") {
        return LineError::Certificate(shortened(first));
    }
    if is_broken(words) {
        return LineError::Broken("a space, or a line end that YAML reads as one");
    }
    if is_type(first) && first.contains(KEY_START) {
        return malformed("a space is missing between the type and the key");
    }
    if first.starts_with(KEY_START) {
        return malformed("the type of the key is missing before it");
    }
    if words.len() == 1 {
        return match first.contains('/') || first.ends_with(".pub") {
            true => LineError::Path,
            false => malformed("it has only one word"),
        };
    }
    if !is_type(first) {
        return malformed(&format!("`{}` is no type of keys", shortened(first)));
    }
    LineError::Malformed(match error {
        DecodeError::AlgorithmUnknown => {
            "its type is not known, or not the one that the key has".to_owned()
        }
        DecodeError::AlgorithmUnsupported { .. } => {
            format!("`{}` is no type of keys", shortened(first))
        }
        _ if !key_word.starts_with(KEY_START) => {
            format!(
                "behind its type stands `{}`, which is no key",
                shortened(key_word)
            )
        }
        _ => format!(
            "the key is cut short or has a wrong character ({})",
            error_text(error)
        ),
    })
}

/// `SHA256:…` or, older, `MD5:…`.
fn is_fingerprint(word: &str) -> bool {
    word.starts_with("SHA256:") || word.starts_with("MD5:")
}

/// What the words before the type of a key are there for.
fn where_it_belongs(words: &[&str]) -> &'static str {
    let first = words[0];
    let is_option = |word: &str| {
        let name = word.split(['=', ',']).next().unwrap_or(word).to_lowercase();
        word.contains("=\"")
            || name.starts_with("no-")
            || matches!(
                name.as_str(),
                "restrict" | "cert-authority" | "pty" | "port-forwarding"
            )
    };
    if first == "@revoked" {
        "which marks a key that must not be trusted any more"
    } else if first.starts_with('@') {
        "a marker for the file `known_hosts`"
    } else if is_option(first) {
        "options for the file `authorized_keys`"
    } else if first.starts_with("|1|") {
        "the hashed name of a host, for the file `known_hosts`"
    } else if first.ends_with(':') {
        "which is no part of the key"
    } else if words.len() == 1 {
        "which may be the name of a host, for the file `known_hosts`"
    } else {
        "which is no part of the key"
    }
}

fn shortened(text: &str) -> String {
    kozo_ground::text::visible(text, MAX_REPEATED)
}
