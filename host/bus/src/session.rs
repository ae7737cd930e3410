//! One run of a node: its id and its keys.
//!
//! The keys live in memory only, and end with the run: nothing on disk opens what was sent yesterday. The node key
//! signs once a run which session is its node's (`announcement`); all else is signed by the session.

use std::fmt;
use std::time::Duration;

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use kozo_ground::clock::Moment;
use ring::hmac;
use zeroize::Zeroizing;

use crate::random::{NoRandom, Random, draw};
use crate::refusal::Refusal;

/// How many bytes a session's id has.
pub const SESSION_ID_LEN: usize = 16;
/// How many bytes a signature of a session has.
pub const SIGNATURE_LEN: usize = 64;
/// How many bytes each public key of a session has.
pub const PUBLIC_KEY_LEN: usize = 32;
/// By how many bytes something grows when it is sealed to a session: an X25519 key and a tag.
pub const SEALED_OVERHEAD: usize = PUBLIC_KEY_LEN + 16;

/// Which run of a node something is of: a random number, chosen when it starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; SESSION_ID_LEN]);

impl SessionId {
    /// In an ask for a key: the present session, whichever that is.
    pub const PRESENT: Self = Self([0; SESSION_ID_LEN]);
}

impl fmt::Display for SessionId {
    /// Its first four bytes in hexadecimal digits: enough for people to tell two apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Milliseconds since a session began, by its node's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionTime(pub u64);

impl SessionTime {
    /// How long after `earlier` it is; zero when it is before it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The public keys of a session, as its announcement has them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionKeys {
    /// Ed25519: verifies what the session signed. The point of the curve that it is, so that it is worked out once.
    signing: VerifyingKey,
    /// X25519: what is sealed to it, only the session opens.
    agreement: [u8; PUBLIC_KEY_LEN],
}

impl SessionKeys {
    /// The keys with these bytes: Ed25519, then X25519.
    ///
    /// # Errors
    /// [`Refusal::Body`]: the first one is no key, or one with which anybody can sign.
    pub fn read(
        signing: &[u8; PUBLIC_KEY_LEN],
        agreement: [u8; PUBLIC_KEY_LEN],
    ) -> Result<Self, Refusal> {
        let signing = VerifyingKey::from_bytes(signing).map_err(|_| Refusal::Body)?;
        match signing.is_weak() {
            true => Err(Refusal::Body),
            false => Ok(Self { signing, agreement }),
        }
    }

    /// The bytes of the key that verifies.
    pub fn signing(&self) -> &[u8; PUBLIC_KEY_LEN] {
        self.signing.as_bytes()
    }

    /// The bytes of the key that is sealed to.
    pub fn agreement(&self) -> &[u8; PUBLIC_KEY_LEN] {
        &self.agreement
    }

    /// Checks the session's signature of `text`.
    ///
    /// # Errors
    /// [`Refusal::Signature`].
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let signature = Signature::from_slice(signature).map_err(|_| Refusal::Signature)?;
        self.signing
            .verify(text, &signature)
            .map_err(|_| Refusal::Signature)
    }

    /// Checks many signatures at once, in less than two thirds of the time that they would take one by one. When any is
    /// wrong nothing is said of the others: [`verify`](Self::verify) each.
    ///
    /// # Errors
    /// [`Refusal::Signature`]: one of them at least.
    pub(crate) fn verify_all(all: &[Signed<'_>]) -> Result<(), Refusal> {
        let signatures = all.iter().map(|one| Signature::from_slice(one.signature));
        let signatures: Result<Vec<_>, _> = signatures.collect();
        let signatures = signatures.map_err(|_| Refusal::Signature)?;
        let texts: Vec<&[u8]> = all.iter().map(|one| one.text).collect();
        let keys: Vec<VerifyingKey> = all.iter().map(|one| one.by.signing).collect();
        ed25519_dalek::verify_batch(&texts, &signatures, &keys).map_err(|_| Refusal::Signature)
    }

    /// Seals `plain` so that only this session opens it, by HPKE's base mode (RFC 9180) with DHKEM(X25519,
    /// HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. `info` says what it is and for whom; who opens it has to say the same.
    /// The result has [`SEALED_OVERHEAD`] bytes more: the encapsulated key, then what is sealed with its tag.
    ///
    /// # Errors
    /// There is no randomness, or the session's agreement key is none.
    pub fn seal(
        &self,
        info: &[u8],
        plain: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, SealError> {
        let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&self.agreement)
            .map_err(|_| SealError::Key)?;
        let mut stream = Stream::new(random)?;
        let (shared, sealed) = hpke::single_shot_seal_with_rng::<
            AesGcm256,
            HkdfSha256,
            X25519HkdfSha256,
        >(&OpModeS::Base, &key, info, plain, &[], &mut stream)
        .map_err(|_| SealError::Key)?;
        Ok([&shared.to_bytes()[..], &sealed].concat())
    }
}

/// What a session is to have signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) by: &'a SessionKeys,
    pub(crate) text: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys")
    }
}

/// Why something could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The other session's agreement key is none: a point of small order.
    #[error("the session's agreement key is none")]
    Key,
}

/// This node's own session.
pub struct Session {
    id: SessionId,
    signing: SigningKey,
    agreement: <X25519HkdfSha256 as Kem>::PrivateKey,
    keys: SessionKeys,
    began: Moment,
}

impl Session {
    /// A session that begins now, with new keys.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn new(random: &mut dyn Random, now: Moment) -> Result<Self, NoRandom> {
        let id = SessionId(draw(random)?);
        let seed = Zeroizing::new(draw::<32>(random)?);
        let signing = SigningKey::from_bytes(&seed);
        let material = Zeroizing::new(draw::<32>(random)?);
        let (agreement, public) = X25519HkdfSha256::derive_keypair(&*material);
        let mut keys = SessionKeys {
            signing: signing.verifying_key(),
            agreement: [0; PUBLIC_KEY_LEN],
        };
        keys.agreement.copy_from_slice(&public.to_bytes());
        Ok(Self {
            id,
            signing,
            agreement,
            keys,
            began: now,
        })
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Its public keys.
    pub fn keys(&self) -> &SessionKeys {
        &self.keys
    }

    /// How long the session has lasted at this moment.
    pub fn time(&self, now: Moment) -> SessionTime {
        let lasted = now.since(self.began).as_millis();
        SessionTime(u64::try_from(lasted).unwrap_or(u64::MAX))
    }

    /// Signs `text`, whose beginning says what it is, so that a signature of one thing is none of another.
    pub(crate) fn sign(&self, text: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.signing.sign(text).to_bytes()
    }

    /// Opens what [`SessionKeys::seal`] sealed to this session, with the same `info`.
    ///
    /// # Errors
    /// [`Refusal::Length`] or [`Refusal::Seal`].
    pub fn open(&self, info: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        if sealed.len() < SEALED_OVERHEAD {
            return Err(Refusal::Length);
        }
        let (shared, sealed) = sealed.split_at(PUBLIC_KEY_LEN);
        let shared = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(shared)
            .map_err(|_| Refusal::Length)?;
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.agreement,
            &shared,
            info,
            sealed,
            &[],
        );
        opened.map(Zeroizing::new).map_err(|_| Refusal::Seal)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.id).finish()
    }
}

/// Randomness for the crate `hpke`, which wants a source that cannot fail: a seed is drawn before, and stretched by
/// HMAC-SHA-256 in counter mode.
struct Stream {
    key: hmac::Key,
    block: u64,
}

impl Stream {
    fn new(random: &mut dyn Random) -> Result<Self, NoRandom> {
        let seed = Zeroizing::new(draw::<32>(random)?);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*seed);
        Ok(Self { key, block: 0 })
    }
}

impl TryRng for Stream {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(32) {
            let block = hmac::sign(&self.key, &self.block.to_be_bytes());
            self.block += 1;
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Stream {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    fn session(seed: u64) -> Session {
        Session::new(&mut SeededRandom::new(seed), Moment::ZERO).unwrap()
    }

    #[test]
    fn what_is_sealed_to_a_session_no_other_opens() {
        let random = &mut SeededRandom::new(9);
        let (hub, field) = (session(1), session(2));
        let sealed = hub.keys().seal(b"info", b"secret", random).unwrap();
        assert_eq!(sealed.len(), 6 + SEALED_OVERHEAD);
        assert_eq!(&**hub.open(b"info", &sealed).unwrap(), b"secret");
        assert_eq!(field.open(b"info", &sealed).unwrap_err(), Refusal::Seal);
        assert_eq!(hub.open(b"other", &sealed).unwrap_err(), Refusal::Seal);
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(hub.open(b"info", &changed).is_err(), "{place}");
            assert!(hub.open(b"info", &sealed[..place]).is_err(), "{place}");
        }
        let again = hub.keys().seal(b"info", b"secret", random).unwrap();
        assert_ne!(sealed, again, "each time another key");
    }

    #[test]
    fn a_key_of_small_order_is_not_sealed_to() {
        let mut keys = *session(1).keys();
        for byte in [0, 1] {
            keys.agreement = [0; PUBLIC_KEY_LEN];
            keys.agreement[0] = byte;
            let sealed = keys.seal(b"", b"secret", &mut SeededRandom::new(1));
            assert_eq!(sealed.unwrap_err(), SealError::Key);
        }
    }

    #[test]
    fn what_is_no_key_or_verifies_anything_is_none_of_a_session() {
        let keys = *session(1).keys();
        assert_eq!(
            SessionKeys::read(keys.signing(), *keys.agreement()),
            Ok(keys)
        );
        // No point of the curve has this y; the next two are of small order.
        for first in [2, 0, 1] {
            let mut signing = [0; PUBLIC_KEY_LEN];
            signing[0] = first;
            let read = SessionKeys::read(&signing, *keys.agreement());
            assert_eq!(read, Err(Refusal::Body), "{first}");
        }
    }

    #[test]
    fn two_sessions_have_nothing_in_common() {
        let (one, other) = (session(1), session(2));
        assert_ne!(one.id(), other.id());
        assert_ne!(one.keys(), other.keys());
        let signature = one.sign(b"text");
        one.keys().verify(b"text", &signature).unwrap();
        assert!(one.keys().verify(b"texT", &signature).is_err());
        assert!(other.keys().verify(b"text", &signature).is_err());
        assert!(one.keys().verify(b"text", &signature[..63]).is_err());
    }

    #[test]
    fn one_wrong_signature_among_many_is_found() {
        let sessions: Vec<Session> = (1..20).map(session).collect();
        let texts: Vec<String> = (1..20).map(|number| format!("text {number}")).collect();
        let signed = |text: &String, session: &Session| session.sign(text.as_bytes());
        let mut signatures: Vec<_> = texts
            .iter()
            .zip(&sessions)
            .map(|(text, by)| signed(text, by))
            .collect();
        let verify = |signatures: &[[u8; SIGNATURE_LEN]]| {
            let all = sessions.iter().zip(&texts).zip(signatures);
            let all: Vec<_> = all
                .map(|((session, text), signature)| Signed {
                    by: session.keys(),
                    text: text.as_bytes(),
                    signature,
                })
                .collect();
            SessionKeys::verify_all(&all)
        };
        assert_eq!(verify(&signatures), Ok(()));
        for place in 0..signatures.len() {
            // Another's signature, of another text.
            let right = std::mem::replace(&mut signatures[place], sessions[0].sign(b"text 2"));
            assert_eq!(verify(&signatures), Err(Refusal::Signature), "{place}");
            signatures[place] = right;
        }
        signatures.swap(3, 4);
        assert_eq!(verify(&signatures), Err(Refusal::Signature));
    }

    #[test]
    fn a_session_counts_its_own_milliseconds() {
        let began = Moment::ZERO + Duration::from_secs(100);
        let session = Session::new(&mut SeededRandom::new(1), began).unwrap();
        assert_eq!(session.time(began), SessionTime(0));
        assert_eq!(
            session.time(began + Duration::from_millis(1500)),
            SessionTime(1500)
        );
        assert_eq!(session.time(Moment::ZERO), SessionTime(0));
    }
}
