//! The key by which clients know the server again.

use std::sync::{Mutex, PoisonError};

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, HashAlg, PrivateKey};

/// Made at the first opening, and kept as long as the process runs, whatever becomes of the role: a
/// client that has seen it warns of another one.
static KEY: Mutex<Option<PrivateKey>> = Mutex::new(None);

/// The key.
///
/// # Errors
/// The system gives no randomness.
pub(crate) fn host_key() -> Result<PrivateKey, String> {
    let mut key = KEY.lock().unwrap_or_else(PoisonError::into_inner);
    match &*key {
        Some(key) => Ok(key.clone()),
        None => {
            let made = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)
                .map_err(|error| format!("cannot make a key: {error}"))?;
            Ok(key.insert(made).clone())
        }
    }
}

/// What `ssh` shows of a key: `SHA256:…`.
pub(crate) fn fingerprint(key: &PrivateKey) -> String {
    key.public_key().fingerprint(HashAlg::Sha256).to_string()
}
