//! The key that a session seals its datagrams with, one an epoch.
//!
//! Everybody who may hear a session gets it (`ask`), so that a datagram is sealed once however many hear it. It
//! keeps strangers out and nothing more: that a datagram is of its sender, among those who have the key, is what the
//! session's signature proves (`datagram`).
//!
//! ```text
//!   SenderKeys ── current ──▶ seals            the epoch that new datagrams are of
//!       │
//!       └────── earlier ────▶ only given out   for repairs, until nothing that they sealed has a meaning
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use kozo_ground::clock::Moment;
use ring::aead::{self, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use zeroize::Zeroizing;

use crate::random::{NoRandom, Random, draw};
use crate::refusal::Refusal;
use crate::session::SessionId;

/// How many bytes a sender key has.
pub const SENDER_KEY_LEN: usize = 32;
/// How many bytes the tag of a seal has.
pub const TAG_LEN: usize = 16;
/// For how long a sender key is used at most.
pub const MAX_EPOCH_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many datagrams are sealed with one key at most. Far from where either cipher becomes weak.
pub const MAX_DATAGRAMS: u64 = 1 << 32;
/// How many earlier epochs a session gives out keys of; those before are gone, and what they sealed is missed.
pub const MAX_EARLIER_EPOCHS: usize = 8;

/// Which of a session's sender keys: they are counted from 1.
pub type Epoch = u32;

/// In an ask for a key: the present epoch, whichever that is.
pub const PRESENT_EPOCH: Epoch = 0;

/// A cipher that datagrams are sealed with. Its number stands in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Suite {
    /// AES-256-GCM.
    Aes256Gcm = 1,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305 = 2,
}

impl Suite {
    /// The suite with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Aes256Gcm),
            2 => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// What this processor seals with fastest; every node opens both.
    pub fn of_this_processor() -> Self {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        let has_aes = std::is_x86_feature_detected!("aes");
        #[cfg(target_arch = "aarch64")]
        let has_aes = std::arch::is_aarch64_feature_detected!("aes");
        // The small 32-bit boards have no instructions for AES.
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
        let has_aes = false;
        match has_aes {
            true => Self::Aes256Gcm,
            false => Self::ChaCha20Poly1305,
        }
    }

    fn algorithm(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes256Gcm => &AES_256_GCM,
            Self::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        }
    }
}

/// A sender key as it is given out: the cipher that it is for, and its bytes.
#[derive(Clone)]
pub struct SenderKey {
    suite: Suite,
    bytes: Zeroizing<[u8; SENDER_KEY_LEN]>,
}

impl SenderKey {
    /// A key for this cipher.
    pub fn new(suite: Suite, bytes: [u8; SENDER_KEY_LEN]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self { suite, bytes }
    }

    /// The cipher that it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key itself, for who may have it.
    pub(crate) fn bytes(&self) -> &[u8; SENDER_KEY_LEN] {
        &self.bytes
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(self.suite.algorithm(), &*self.bytes);
        // Both ciphers have keys of `SENDER_KEY_LEN` bytes, which is all that can be wrong.
        LessSafeKey::new(key.expect("a key of 32 bytes"))
    }
}

impl fmt::Debug for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SenderKey").field(&self.suite).finish()
    }
}

/// Opens the datagrams of one epoch of another node's session.
pub struct OpeningKey {
    suite: Suite,
    cipher: LessSafeKey,
}

impl OpeningKey {
    /// Opens what was sealed with this key.
    pub fn new(key: &SenderKey) -> Self {
        Self {
            suite: key.suite,
            cipher: key.cipher(),
        }
    }

    /// The cipher that it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Opens `sealed` in its place, from `from` on; what stands there then is the plain text, which is returned by
    /// its length.
    pub(crate) fn open(
        &self,
        counter: u64,
        associated: &[u8],
        sealed: &mut [u8],
        from: usize,
    ) -> Result<usize, Refusal> {
        let sealed = sealed.get_mut(from..).ok_or(Refusal::Length)?;
        self.cipher
            .open_in_place(nonce(counter), Aad::from(associated), sealed)
            .map(|plain| plain.len())
            .map_err(|_| Refusal::Seal)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpeningKey").field(&self.suite).finish()
    }
}

/// Seals the datagrams of this node's present epoch. It counts them itself, so no nonce comes twice.
pub(crate) struct SealingKey {
    pub(crate) session: SessionId,
    pub(crate) epoch: Epoch,
    pub(crate) suite: Suite,
    cipher: LessSafeKey,
    next: u64,
}

impl SealingKey {
    /// The counter of the datagram that is sealed now; `None` when the key has sealed all that it may.
    pub(crate) fn count(&mut self) -> Option<u64> {
        let counter = self.next;
        if counter >= MAX_DATAGRAMS {
            return None;
        }
        self.next += 1;
        Some(counter)
    }

    /// Seals `buffer` from `from` on, and adds the tag. `counter` is one that [`count`](Self::count) gave.
    pub(crate) fn seal(&self, counter: u64, associated: &[u8], buffer: &mut Vec<u8>, from: usize) {
        let plain = &mut buffer[from..];
        let tag = self
            .cipher
            .seal_in_place_separate_tag(nonce(counter), Aad::from(associated), plain)
            // It fails for more than 2^36 bytes alone.
            .expect("a datagram is shorter than any limit of its cipher");
        buffer.extend_from_slice(tag.as_ref());
    }
}

/// The sender keys of this node's own session: the present one, and those that are still given out.
pub struct SenderKeys {
    suite: Suite,
    current: SealingKey,
    key: SenderKey,
    began: Moment,
    earlier: VecDeque<Earlier>,
}

struct Earlier {
    epoch: Epoch,
    key: SenderKey,
    ended: Moment,
}

impl SenderKeys {
    /// The keys of a session that begins now, sealing with `suite`.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn new(
        session: SessionId,
        suite: Suite,
        random: &mut dyn Random,
        now: Moment,
    ) -> Result<Self, NoRandom> {
        let key = SenderKey::new(suite, draw(random)?);
        Ok(Self {
            suite,
            current: sealing(session, 1, &key),
            key,
            began: now,
            earlier: VecDeque::new(),
        })
    }

    /// The present epoch.
    pub fn epoch(&self) -> Epoch {
        self.current.epoch
    }

    /// Whether the present key has been used for as long, or for as much, as it may.
    pub fn is_due(&self, now: Moment) -> bool {
        now.since(self.began) >= MAX_EPOCH_AGE || self.current.next >= MAX_DATAGRAMS
    }

    /// When the present key will have been used for as long as it may.
    pub fn due(&self) -> Moment {
        self.began + MAX_EPOCH_AGE
    }

    /// Begins a new epoch: because [`is_due`](Self::is_due), because somebody who has the key shall not hear what
    /// comes, or because a person wants it.
    ///
    /// # Errors
    /// There is no randomness; the old key stays.
    pub fn renew(&mut self, random: &mut dyn Random, now: Moment) -> Result<Epoch, NoRandom> {
        let next = SenderKey::new(self.suite, draw(random)?);
        // Every renewal takes a second at least of somebody's time; 2^32 of them are 136 years.
        let epoch = self.current.epoch.saturating_add(1);
        let before = std::mem::replace(&mut self.key, next);
        self.earlier.push_front(Earlier {
            epoch: self.current.epoch,
            key: before,
            ended: now,
        });
        self.earlier.truncate(MAX_EARLIER_EPOCHS);
        self.current = sealing(self.current.session, epoch, &self.key);
        self.began = now;
        Ok(epoch)
    }

    /// The key of an epoch, for somebody who may have it; `None` when it has not been yet, or is gone.
    pub fn key(&self, epoch: Epoch) -> Option<&SenderKey> {
        if epoch == self.current.epoch {
            return Some(&self.key);
        }
        let earlier = self.earlier.iter().find(|earlier| earlier.epoch == epoch);
        earlier.map(|earlier| &earlier.key)
    }

    /// Whether there are keys that [`forget`](Self::forget) will forget.
    pub fn has_earlier(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// Forgets the keys of epochs that ended longer ago than a message means anything, `max_age`.
    pub fn forget(&mut self, max_age: Duration, now: Moment) {
        self.earlier
            .retain(|earlier| now.since(earlier.ended) <= max_age);
    }

    pub(crate) fn current(&mut self) -> &mut SealingKey {
        &mut self.current
    }
}

impl fmt::Debug for SenderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderKeys")
            .field("epoch", &self.current.epoch)
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

fn sealing(session: SessionId, epoch: Epoch, key: &SenderKey) -> SealingKey {
    SealingKey {
        session,
        epoch,
        suite: key.suite,
        cipher: key.cipher(),
        next: 0,
    }
}

/// The counter of a datagram as a nonce of 96 bits.
fn nonce(counter: u64) -> aead::Nonce {
    let mut bytes = [0; aead::NONCE_LEN];
    bytes[4..].copy_from_slice(&counter.to_be_bytes());
    aead::Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    fn keys(random: &mut SeededRandom) -> SenderKeys {
        let session = SessionId([7; 16]);
        SenderKeys::new(session, Suite::Aes256Gcm, random, Moment::ZERO).unwrap()
    }

    #[test]
    fn an_epoch_ends_with_a_day_and_with_2_to_the_32_datagrams() {
        let random = &mut SeededRandom::new(1);
        let mut keys = keys(random);
        assert!(!keys.is_due(Moment::ZERO + MAX_EPOCH_AGE - Duration::from_secs(1)));
        assert!(keys.is_due(keys.due()));
        keys.current().next = MAX_DATAGRAMS - 1;
        assert_eq!(keys.current().count(), Some(MAX_DATAGRAMS - 1));
        assert_eq!(keys.current().count(), None);
        assert_eq!(keys.current().count(), None, "never again from 0");
        assert!(keys.is_due(Moment::ZERO));
        assert_eq!(keys.renew(random, Moment::ZERO), Ok(2));
        assert!(!keys.is_due(Moment::ZERO));
        assert_eq!(keys.current().count(), Some(0), "the key is another one");
    }

    #[test]
    fn an_earlier_key_is_given_out_until_it_is_too_old_and_a_few_of_them_only() {
        let random = &mut SeededRandom::new(1);
        let mut keys = keys(random);
        let first = *keys.key(1).unwrap().bytes();
        keys.renew(random, Moment::ZERO).unwrap();
        assert_eq!(keys.key(1).unwrap().bytes(), &first);
        assert_ne!(keys.key(2).unwrap().bytes(), &first);
        assert!(keys.key(3).is_none());
        let age = Duration::from_secs(60);
        keys.forget(age, Moment::ZERO + age);
        assert!(keys.key(1).is_some());
        keys.forget(age, Moment::ZERO + age + Duration::from_millis(1));
        assert!(keys.key(1).is_none());
        for _ in 0..20 {
            keys.renew(random, Moment::ZERO).unwrap();
        }
        assert_eq!(keys.earlier.len(), MAX_EARLIER_EPOCHS);
        assert!(keys.key(keys.epoch()).is_some());
    }

    #[test]
    fn both_ciphers_open_what_they_sealed_and_nothing_else() {
        for suite in [Suite::Aes256Gcm, Suite::ChaCha20Poly1305] {
            let key = SenderKey::new(suite, [1; 32]);
            let mut sealing = sealing(SessionId([0; 16]), 1, &key);
            let counter = sealing.count().unwrap();
            let mut sealed = b"head plain".to_vec();
            sealing.seal(counter, b"associated", &mut sealed, 5);
            let open = |key: &OpeningKey, counter, associated: &[u8]| {
                let mut sealed = sealed.clone();
                let length = key.open(counter, associated, &mut sealed, 5)?;
                Ok::<_, Refusal>(sealed[5..5 + length].to_vec())
            };
            let opening = OpeningKey::new(&key);
            assert_eq!(open(&opening, 0, b"associated").unwrap(), b"plain");
            assert_eq!(open(&opening, 1, b"associated"), Err(Refusal::Seal));
            assert_eq!(open(&opening, 0, b"other"), Err(Refusal::Seal));
            let other = OpeningKey::new(&SenderKey::new(suite, [2; 32]));
            assert_eq!(open(&other, 0, b"associated"), Err(Refusal::Seal));
        }
    }

    #[test]
    fn no_key_is_shown() {
        let random = &mut SeededRandom::new(1);
        let shown = format!(
            "{:?}",
            (keys(random), SenderKey::new(Suite::Aes256Gcm, [0; 32]))
        );
        assert!(!shown.contains('['), "{shown}");
    }
}
