//! Passwords as the network's file has them: hashed with Argon2id, so that who reads the file does not know them.
//! `kozo password` makes such a hash, and modules that let people in check against it.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// How much memory one hash takes, in KiB; with [`PASSES`] as much work as OWASP's password storage cheat sheet asks
/// for, and little enough for small boards.
const MEMORY_KIB: u32 = 7 * 1024;

/// How often the memory is passed over.
const PASSES: u32 = 5;

/// How much memory a hash of somebody else's making may take, in KiB.
const MAX_MEMORY_KIB: u32 = 64 * 1024;

/// How often one of somebody else's making may pass over it.
const MAX_PASSES: u32 = 32;

/// The longest password, in bytes. Longer ones are no better, and take their time.
pub const MAX_PASSWORD_LEN: usize = 1024;

/// The shortest password that a hash is made of, in characters.
pub const MIN_PASSWORD_LEN: usize = 8;

/// Why a text is no hash of a password, or a password is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is something else: the password itself, perhaps.
    #[error(
        "it is no hash of a password, but perhaps the password itself: `kozo password` makes the hash"
    )]
    NoHash,
    /// It is one of another kind.
    #[error("it is a hash of another kind than Argon2id: `kozo password` makes one")]
    OtherKind,
    /// It takes too much.
    #[error(
        "to check it takes more than 64 MiB or 32 passes: `kozo password` makes one that takes less"
    )]
    TooExpensive,
    /// The password is too short.
    #[error("the password has fewer than {MIN_PASSWORD_LEN} characters: choose a longer one")]
    TooShort,
    /// The password is too long.
    #[error("the password has more than {MAX_PASSWORD_LEN} bytes: choose a shorter one")]
    TooLong,
    /// The system has no random bytes, or no memory.
    #[error("the hash cannot be made: the system has no random bytes or no memory for it")]
    System,
}

/// The hash of a password. It is shown to nobody: not in logs either.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(String);

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

impl Hash {
    /// The hash that a text of the file is, in the form `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`.
    ///
    /// # Errors
    /// It is none, or one that costs too much.
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        let hash = PasswordHash::new(text).map_err(|_| PasswordError::NoHash)?;
        if hash.algorithm.as_str() != "argon2id" || hash.salt.is_none() || hash.hash.is_none() {
            return Err(PasswordError::OtherKind);
        }
        let params = Params::try_from(&hash).map_err(|_| PasswordError::OtherKind)?;
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES {
            return Err(PasswordError::TooExpensive);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether it is the hash of this password. It takes some tens of milliseconds and 7 MiB, on purpose.
    pub fn fits(&self, password: &str) -> bool {
        if password.len() > MAX_PASSWORD_LEN {
            return false;
        }
        let Ok(hash) = PasswordHash::new(&self.0) else {
            return false;
        };
        hasher().is_ok_and(|hasher| hasher.verify_password(password.as_bytes(), &hash).is_ok())
    }
}

/// The text that stands for a password in the network's file. Each time another one.
///
/// # Errors
/// The password is too short or too long, or the system has no random bytes.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < MIN_PASSWORD_LEN {
        return Err(PasswordError::TooShort);
    }
    if password.len() > MAX_PASSWORD_LEN {
        return Err(PasswordError::TooLong);
    }
    let hash = hasher()?.hash_password(password.as_bytes());
    let hash: PasswordHash = hash.map_err(|_| PasswordError::System)?;
    Ok(hash.to_string())
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| PasswordError::System)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_and_no_other() {
        let text = hash("correct horse").unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{text}");
        assert_ne!(text, hash("correct horse").unwrap());
        let hash = Hash::parse(&text).unwrap();
        assert!(hash.fits("correct horse"));
        assert!(!hash.fits("correct horsf") && !hash.fits("") && !hash.fits(&"x".repeat(5000)));
        assert_eq!(format!("{hash:?}"), "Hash(…)");
    }

    #[test]
    fn hashes_of_other_programs_are_taken_within_limits() {
        for (text, expected) in [
            ("correct horse", Some(PasswordError::NoHash)),
            ("", Some(PasswordError::NoHash)),
            (
                "$argon2i$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                Some(PasswordError::OtherKind),
            ),
            (
                "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                Some(PasswordError::TooExpensive),
            ),
            (
                "$argon2id$v=19$m=1024,t=2000,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                Some(PasswordError::TooExpensive),
            ),
            (
                "$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                None,
            ),
        ] {
            assert_eq!(Hash::parse(text).err(), expected, "{text}");
        }
        assert_eq!(hash("short"), Err(PasswordError::TooShort));
        assert_eq!(hash(&"x".repeat(5000)), Err(PasswordError::TooLong));
    }
}
