//! What announcements, asks and answers are veiled with, so that with a secret for subjects nobody without it reads
//! the names in them.
//!
//! ```text
//! ┌──────┬──────┐┌─────────────────┐┌─────┐
//! │ 0x81 │ salt ││ what is veiled  ││ tag │
//! │    1 │   32 ││               … ││  16 │
//! └──────┴──────┘└─────────────────┘└─────┘
//! ```
//!
//! A key of its own for each, an HMAC of the salt, so no nonce is ever used twice. The subject is associated data:
//! nothing that was veiled for one subject is uncovered at another. A veil proves nothing about who wrote
//! something; without a secret, everybody can.

use ring::aead::{self, Aad, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use ring::hmac;

use crate::random::{NoRandom, Random, draw};
use crate::refusal::Refusal;
use crate::sender_key::TAG_LEN;
use crate::subject::SubjectKey;

/// The first byte of what is veiled. Datagrams begin with another one.
pub const FORMAT: u8 = 0x81;
/// By how many bytes something grows when it is veiled.
pub const VEIL_OVERHEAD: usize = 1 + SALT_LEN + TAG_LEN;
/// The most that is uncovered, in bytes.
pub const MAX_VEILED_LEN: usize = 128 * 1024;

const SALT_LEN: usize = 32;

/// Veils what goes over one bus, and uncovers it.
#[derive(Debug, Clone)]
pub struct Veil(hmac::Key);

impl Veil {
    /// The veil of a bus with this key for subjects.
    pub fn new(key: &SubjectKey) -> Self {
        Self(key.for_use(b"veil"))
    }

    /// Veils `plain` for this subject.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn cover(
        &self,
        subject: &str,
        plain: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, NoRandom> {
        let salt: [u8; SALT_LEN] = draw(random)?;
        let mut covered = Vec::with_capacity(VEIL_OVERHEAD + plain.len());
        covered.push(FORMAT);
        covered.extend_from_slice(&salt);
        covered.extend_from_slice(plain);
        let tag = self
            .cipher(&salt)
            .seal_in_place_separate_tag(
                nonce(),
                Aad::from(subject.as_bytes()),
                &mut covered[1 + SALT_LEN..],
            )
            // It fails for more than 2^38 bytes alone.
            .expect("what is veiled is shorter than the limit of its cipher");
        covered.extend_from_slice(tag.as_ref());
        Ok(covered)
    }

    /// Uncovers what came with this subject.
    ///
    /// # Errors
    /// [`Refusal::Length`], [`Refusal::Format`] or [`Refusal::Veil`].
    pub fn uncover(&self, subject: &str, covered: &[u8]) -> Result<Vec<u8>, Refusal> {
        if !(VEIL_OVERHEAD..=MAX_VEILED_LEN).contains(&covered.len()) {
            return Err(Refusal::Length);
        }
        let (head, rest) = covered.split_at(1 + SALT_LEN);
        let (format, salt) = head.split_at(1);
        if format != [FORMAT] {
            return Err(Refusal::Format);
        }
        let mut plain = rest.to_vec();
        let length = self
            .cipher(salt)
            .open_in_place(nonce(), Aad::from(subject.as_bytes()), &mut plain)
            .map_err(|_| Refusal::Veil)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    fn cipher(&self, salt: &[u8]) -> LessSafeKey {
        let key = hmac::sign(&self.0, salt);
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_ref());
        // An HMAC-SHA-256 has as many bytes as the key of this cipher, which is all that can be wrong.
        LessSafeKey::new(key.expect("a key of 32 bytes"))
    }
}

/// Each key is used once.
fn nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn what_is_veiled_is_uncovered_with_the_same_secret_at_the_same_subject() {
        let random = &mut SeededRandom::new(1);
        let secret = SubjectKey::from_secret(&[1; 16]).unwrap();
        let veil = Veil::new(&secret);
        let covered = veil.cover("subject", b"sensor-0812", random).unwrap();
        assert_eq!(covered.len(), 11 + VEIL_OVERHEAD);
        assert_eq!(veil.uncover("subject", &covered).unwrap(), b"sensor-0812");
        assert_eq!(veil.uncover("subjecT", &covered), Err(Refusal::Veil));
        let other = Veil::new(&SubjectKey::public());
        assert_eq!(other.uncover("subject", &covered), Err(Refusal::Veil));
        for place in 0..covered.len() {
            let mut changed = covered.clone();
            changed[place] ^= 1;
            assert!(veil.uncover("subject", &changed).is_err(), "{place}");
            assert!(veil.uncover("subject", &covered[..place]).is_err());
        }
        let long = vec![FORMAT; MAX_VEILED_LEN + 1];
        assert_eq!(veil.uncover("subject", &long), Err(Refusal::Length));
        assert_ne!(
            veil.cover("subject", b"sensor-0812", random).unwrap(),
            covered
        );
    }

    #[test]
    fn the_bytes_are_pinned() {
        let veil = Veil::new(&SubjectKey::public());
        let covered = veil
            .cover("kozo.fleet.here.x", b"text", &mut Sevens)
            .unwrap();
        let hex: String = covered.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "8107070707070707070707070707070707070707070707070707070707070707073c6105e993cb89e4dcf6fcf933d29e5b966f8849"
        );
    }

    struct Sevens;

    impl Random for Sevens {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandom> {
            bytes.fill(7);
            Ok(())
        }
    }
}
