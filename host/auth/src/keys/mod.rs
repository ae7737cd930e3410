//! Node keys: making, reading, writing and comparing them.
//!
//! A private key is a file on its node alone; its public half is the option `publicKey` of the
//! network file, in the one-line form that `ssh-keygen` prints.

mod error;
mod files;
mod form;
mod kind;
mod line;
mod pair;
#[cfg(test)]
mod tests;

pub use error::{Damage, KeyError};
pub use files::{load_private, public_path, write_private};
pub use kind::{KindError, MAX_RSA_BITS, MIN_RSA_BITS};
pub use line::{LineError, parse_public};
pub use pair::{DEFAULT_RSA_BITS, NewKey, fingerprint, generate, matches, public_line};
pub use russh::keys::{PrivateKey, PublicKey};
