//! Which kinds of keys nodes have. Public and private ones are held to the same rule.

use russh::keys::PublicKey;
use russh::keys::ssh_key::public::{EcdsaPublicKey, KeyData};

/// The shortest RSA key that is accepted, in bits.
pub const MIN_RSA_BITS: usize = 2048;

/// The longest RSA key that is accepted, in bits; longer ones only cost time, at each handshake.
pub const MAX_RSA_BITS: usize = 8192;

/// Why no node may have a key of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// Its type is not accepted.
    #[error(
        "is of the type `{0}`, which is not accepted: \
         use ssh-ed25519, ecdsa-sha2-nistp256 or ssh-rsa"
    )]
    Type(String),
    /// It is an RSA key that is too short to be safe or too long to be of use.
    #[error("has {0} bits: RSA keys must have {MIN_RSA_BITS} to {MAX_RSA_BITS}")]
    RsaBits(usize),
}

/// Checks that a key is of a kind that nodes use.
///
/// # Errors
/// What is the matter with it; the text goes on where the name of the key ends.
pub(super) fn check_kind(key: &PublicKey) -> Result<(), KindError> {
    match key.key_data() {
        KeyData::Ed25519(_) => Ok(()),
        KeyData::Ecdsa(
            EcdsaPublicKey::NistP256(_) | EcdsaPublicKey::NistP384(_) | EcdsaPublicKey::NistP521(_),
        ) => Ok(()),
        KeyData::Rsa(rsa) => check_rsa_bits(rsa.key_size() as usize),
        _ => Err(KindError::Type(key.algorithm().to_string())),
    }
}

/// Checks the length of an RSA key.
///
/// # Errors
/// [`KindError::RsaBits`] when it is out of range.
pub(super) fn check_rsa_bits(bits: usize) -> Result<(), KindError> {
    if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Ok(());
    }
    Err(KindError::RsaBits(bits))
}
