//! The public keys of a node, as OpenSSH writes them.

use russh::keys::ssh_key::public::{EcdsaPublicKey, KeyData};
use russh::keys::{HashAlg, PublicKey};

/// The smallest RSA modulus that still protects anything, in bits.
pub const MIN_RSA_BITS: u32 = 2048;

/// The largest RSA modulus taken, in bits: each handshake has to compute with it.
pub const MAX_RSA_BITS: u32 = 16384;

/// Why a text is not a public key that a node may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("this is a private key, and the file is for all to read")]
    Private,
    #[error("this is not a public key of OpenSSH: {0}")]
    Malformed(String),
    #[error("keys of type `{0}` are not used here")]
    Type(String),
    #[error("this RSA key has {0} bits, and {MIN_RSA_BITS} are the least")]
    Weak(u32),
    #[error("this RSA key has {0} bits, and {MAX_RSA_BITS} are the most")]
    Heavy(u32),
}

impl KeyError {
    /// What to do about it.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::Private => {
                "put the line of its `.pub` file here, and make a new key if this file was shared"
            }
            Self::Malformed(_) => {
                "copy the whole line of the `.pub` file: `ssh-ed25519 AAAA... comment`, \
                 `ssh-rsa AAAA...` or `ecdsa-sha2-nistp256 AAAA...`"
            }
            Self::Type(_) | Self::Weak(_) | Self::Heavy(_) => {
                "use an `ssh-ed25519` key, or `ssh-rsa` of 2048 bits or more, or `ecdsa-sha2-nistp256`"
            }
        }
    }
}

/// Reads one line of a `.pub` file. The comment at its end may be missing.
pub(crate) fn parse(line: &str) -> Result<PublicKey, KeyError> {
    let line = line.trim();
    if line.contains("PRIVATE KEY-----") {
        return Err(KeyError::Private);
    }
    if line.contains(['\n', '\r']) {
        return Err(KeyError::Malformed("it has more than one line".to_owned()));
    }
    let key = PublicKey::from_openssh(line).map_err(|error| {
        KeyError::Malformed(match line.split_whitespace().count() {
            0 => "it is empty".to_owned(),
            1 => "it has only one word".to_owned(),
            _ => error.to_string(),
        })
    })?;
    match key.key_data() {
        KeyData::Ed25519(_) => Ok(key),
        KeyData::Ecdsa(
            EcdsaPublicKey::NistP256(_) | EcdsaPublicKey::NistP384(_) | EcdsaPublicKey::NistP521(_),
        ) => Ok(key),
        KeyData::Rsa(rsa) => match rsa.key_size() {
            bits if bits < MIN_RSA_BITS => Err(KeyError::Weak(bits)),
            bits if bits > MAX_RSA_BITS => Err(KeyError::Heavy(bits)),
            _ => Ok(key),
        },
        other => Err(KeyError::Type(other.algorithm().to_string())),
    }
}

/// What tells keys apart: the key itself, without its comment.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
