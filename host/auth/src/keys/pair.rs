//! Pairs of keys: making one, showing it, and telling whether its halves belong together.

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey, PublicKey};

use super::error::KeyError;
use super::kind::check_rsa_bits;

/// The length of a new RSA key when nobody says another, in bits.
pub const DEFAULT_RSA_BITS: usize = 3072;

/// The kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewKey {
    /// `ssh-ed25519`: small, fast, nothing to choose. The default.
    #[default]
    Ed25519,
    /// `ssh-rsa`, for clients that know nothing newer; signatures are SHA-2 ones only.
    Rsa {
        /// Its length in bits, from [`MIN_RSA_BITS`](super::MIN_RSA_BITS) to [`MAX_RSA_BITS`](super::MAX_RSA_BITS); [`DEFAULT_RSA_BITS`]
        /// is a good choice.
        bits: usize,
    },
    /// `ecdsa-sha2-nistp256`.
    EcdsaP256,
}

/// Makes a key. `comment` stands at the end of the public line; by custom it says whose key it is.
///
/// # Errors
/// [`KeyError::Kind`] when an RSA length is out of range, [`KeyError::Generation`] when the
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
            check_rsa_bits(bits).map_err(|reason| KeyError::Kind {
                subject: "a new RSA key".to_owned(),
                reason,
            })?;
            RsaKeypair::random(&mut rng, bits)
                .and_then(|pair| PrivateKey::new(KeypairData::from(pair), ""))
        }
    };
    let mut key = made.map_err(KeyError::Generation)?;
    key.set_comment(comment);
    Ok(key)
}

/// The line for the option `publicKey`: algorithm, key and comment.
pub fn public_line(key: &PrivateKey) -> String {
    // Encoding fails only for lengths beyond 32 bits, which no key has.
    key.public_key().to_openssh().unwrap_or_default()
}

/// The key's fingerprint as `ssh-keygen -l` prints it (`SHA256:…`).
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Checks that a private key is the other half of one of `publics`, which stand at this place, in words: "`publicKey`",
/// say.
///
/// # Errors
/// [`KeyError::Mismatch`] with all the fingerprints, when it belongs to none.
pub fn matches(private: &PrivateKey, publics: &[PublicKey], stands: &str) -> Result<(), KeyError> {
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
        stands: stands.to_owned(),
        expected,
    })
}
