//! Node keys: making, reading, writing and comparing them.
//!
//! A private key is a file on its node alone; its public half is the option `publicKey` of the
//! network file, in the one-line form that `ssh-keygen` prints.

mod error;
mod files;
#[cfg(test)]
mod tests;

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};

use crate::log::error_text;

pub use error::KeyError;
pub use files::{MAX_KEY_FILE_LEN, load_private, public_path, write_private};
pub use russh::keys::{PrivateKey, PublicKey};

/// The shortest RSA key that is accepted, in bits.
pub const MIN_RSA_BITS: usize = 2048;

/// The longest RSA key that is accepted, in bits; longer ones only cost time.
pub const MAX_RSA_BITS: usize = 8192;

/// The length of a new RSA key when nobody says another, in bits.
pub const DEFAULT_RSA_BITS: usize = 3072;

/// The longest public key line that is parsed, in bytes (an RSA key of [`MAX_RSA_BITS`] needs
/// some 1,500).
pub const MAX_PUBLIC_LINE_LEN: usize = 16 * 1024;

/// The kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewKey {
    /// `ssh-ed25519`: small, fast, nothing to choose. The default.
    #[default]
    Ed25519,
    /// `ssh-rsa`, for clients that know nothing newer; signatures are SHA-2 ones only.
    Rsa {
        /// Its length in bits, from [`MIN_RSA_BITS`] to [`MAX_RSA_BITS`]; [`DEFAULT_RSA_BITS`]
        /// is a good choice.
        bits: usize,
    },
    /// `ecdsa-sha2-nistp256`.
    EcdsaP256,
}

/// Makes a key. `comment` stands at the end of the public line; by custom it says whose key it is.
///
/// # Errors
/// [`KeyError::RsaBits`] when an RSA length is out of range, [`KeyError::Generation`] when the
/// system gives no randomness.
pub fn generate(kind: NewKey, comment: &str) -> Result<PrivateKey, KeyError> {
    let mut rng = safe_rng();
    let made = match kind {
        NewKey::Ed25519 => PrivateKey::random(&mut rng, Algorithm::Ed25519),
        NewKey::EcdsaP256 => {
            let curve = EcdsaCurve::NistP256;
            PrivateKey::random(&mut rng, Algorithm::Ecdsa { curve })
        }
        NewKey::Rsa { bits } => {
            check_rsa_bits("a new RSA key", bits)?;
            RsaKeypair::random(&mut rng, bits)
                .and_then(|pair| PrivateKey::new(KeypairData::from(pair), ""))
        }
    };
    let mut key = made.map_err(|error| KeyError::Generation(error_text(&error)))?;
    key.set_comment(comment);
    Ok(key)
}

/// The line for the option `publicKey`: algorithm, key and comment.
pub fn public_line(key: &PrivateKey) -> String {
    // Encoding fails only for lengths beyond 32 bits, which no key has.
    key.public_key().to_openssh().unwrap_or_default()
}

/// Reads the value of the option `publicKey`.
///
/// # Errors
/// [`KeyError::NotPublic`] when it is not a public key line, [`KeyError::PrivateGiven`] when it is
/// a private key, [`KeyError::Unsupported`] and [`KeyError::RsaBits`] when the kind of key is not
/// accepted.
pub fn parse_public(line: &str) -> Result<PublicKey, KeyError> {
    let line = line.trim();
    if line.contains("PRIVATE KEY-----") {
        return Err(KeyError::PrivateGiven);
    }
    if line.len() > MAX_PUBLIC_LINE_LEN {
        return Err(KeyError::NotPublic(format!(
            "it is longer than {MAX_PUBLIC_LINE_LEN} bytes"
        )));
    }
    let key =
        PublicKey::from_openssh(line).map_err(|error| KeyError::NotPublic(error_text(&error)))?;
    check_kind("the public key", &key)?;
    Ok(key)
}

/// The key's fingerprint as `ssh-keygen -l` prints it (`SHA256:…`).
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Checks that a private key is the other half of one of `publics`.
///
/// # Errors
/// [`KeyError::Mismatch`] with all the fingerprints, when it belongs to none.
pub fn matches(private: &PrivateKey, publics: &[PublicKey]) -> Result<(), KeyError> {
    let own = private.public_key();
    if publics.iter().any(|key| key.key_data() == own.key_data()) {
        return Ok(());
    }
    let expected = match publics {
        [] => "none".to_owned(),
        keys => keys.iter().map(fingerprint).collect::<Vec<_>>().join(", "),
    };
    Err(KeyError::Mismatch {
        private: fingerprint(own),
        expected,
    })
}

/// Checks that a key is of a kind that nodes use; `subject` says in the error which key it is.
fn check_kind(subject: &str, key: &PublicKey) -> Result<(), KeyError> {
    match key.key_data() {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) => Ok(()),
        KeyData::Rsa(rsa) => check_rsa_bits(subject, rsa.key_size() as usize),
        _ => Err(KeyError::Unsupported {
            subject: subject.to_owned(),
            algorithm: key.algorithm().to_string(),
        }),
    }
}

fn check_rsa_bits(subject: &str, bits: usize) -> Result<(), KeyError> {
    if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Ok(());
    }
    Err(KeyError::RsaBits {
        subject: subject.to_owned(),
        bits,
    })
}
