//! How the two ends of an SSH session agree on the keys for Noise: an offer and an answer, both inside SSH.
//!
//! Who is at the other end, SSH has proven, and nobody between can read or change what is said here. So the
//! pattern is `NN`, without keys of the nodes, with a secret (`psk0`) that the end which dials chooses: what
//! SSH's key exchange protects against, the secret brings along, also somebody who records today and has a
//! quantum computer later, if that exchange was one against such.
//!
//! Copies that are made here are overwritten when they are no longer needed. Those that russh and snow make on the way are not.

use base64ct::{Base64Unpadded, Encoding};
use ring::rand::{SecureRandom, SystemRandom};
use snow::params::{DHChoice, NoiseParams};
use snow::resolvers::{CryptoResolver, RingResolver};
use snow::types::{Cipher as SnowCipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, StatelessTransportState};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::secured::Refused;

/// The environment variable that an offer is put into, as `ssh` puts `LANG`: whoever does not know it
/// passes over it.
pub(crate) const VARIABLE: &str = "KOZO_NOISE";

/// What an answer begins with. No frame does: it would be one of 4 GiB.
const ANSWER: [u8; 4] = [0xff; 4];

/// What both ends have to mean: it is part of the keys.
const PROLOGUE: &[u8] = b"kozo-link-v1";

/// A secret's length, in bytes, as Noise has it.
const SECRET_LEN: usize = 32;

/// The length of a key of X25519, private or public, in bytes.
const KEY_LEN: usize = 32;

/// How long an end's part of the key exchange is: its public key, and the length of its records, sealed.
const PART_LEN: usize = KEY_LEN + size_of::<u16>() + 16;

/// The longest offer that is looked at, in characters.
pub(crate) const MAX_OFFER_LEN: usize = 256;

/// The shortest record that an end may ask for, in bytes: below it the seals are most of what goes over.
pub(crate) const MIN_RECORD: usize = 1024;

/// The longest record, in bytes, its seal included: Noise has no longer ones.
pub(crate) const MAX_RECORD: usize = 65535;

/// What seals the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cipher {
    /// AES-256-GCM.
    Aes256Gcm,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
}

impl Cipher {
    pub(crate) const ALL: [Self; 2] = [Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// The one that an SSH session uses, if Noise has it: what people have chosen for SSH is not weakened, and
    /// nothing else put in its place.
    pub(crate) fn of_ssh(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|cipher| cipher.ssh_name() == name)
    }

    /// Its name in SSH.
    pub(crate) fn ssh_name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes256-gcm@openssh.com",
            Self::ChaCha20Poly1305 => "chacha20-poly1305@openssh.com",
        }
    }

    /// The name of the whole protocol, as Noise has them.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "Noise_NNpsk0_25519_AESGCM_SHA256",
            Self::ChaCha20Poly1305 => "Noise_NNpsk0_25519_ChaChaPoly_SHA256",
        }
    }
}

/// What two ends have agreed on.
pub(crate) struct Agreement {
    pub(crate) cipher: Cipher,
    pub(crate) keys: StatelessTransportState,
    /// The longest record that the other end takes, in bytes.
    pub(crate) longest: usize,
}

/// What the end that dials has offered.
pub(crate) struct Offer {
    cipher: Cipher,
    handshake: HandshakeState,
    /// It has the secret in it.
    text: Zeroizing<String>,
}

impl Offer {
    /// Offers records of at most `longest` bytes towards this end. None: this machine gives no random numbers, or
    /// something else is wrong with it that SSH does without.
    pub(crate) fn new(cipher: Cipher, longest: usize) -> Option<Self> {
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        SystemRandom::new().fill(&mut *secret).ok()?;
        let mut handshake = builder(cipher, &secret)?.build_initiator().ok()?;
        let mut told = Zeroizing::new([0; SECRET_LEN + PART_LEN]);
        told[..SECRET_LEN].copy_from_slice(&*secret);
        let part = &mut told[SECRET_LEN..];
        handshake.write_message(&length(longest), part).ok()?;
        let told = Zeroizing::new(Base64Unpadded::encode_string(&*told));
        let text = Zeroizing::new(format!("{} {}", cipher.protocol(), *told));
        Some(Self {
            cipher,
            handshake,
            text,
        })
    }

    /// What to put into [`VARIABLE`].
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether these bytes, the first that came on the channel, are an answer. If not, the other end does not know
    /// offers, or takes none.
    pub(crate) fn is_answer(bytes: &[u8]) -> bool {
        bytes.starts_with(&ANSWER)
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// [`Refused`] when it does not fit the offer.
    pub(crate) fn conclude(mut self, answer: &[u8]) -> Result<Agreement, Refused> {
        let unfit = || Refused::new("an answer that does not fit the offer of Noise");
        let part = answer.strip_prefix(&ANSWER).ok_or_else(unfit)?;
        let longest = read_part(&mut self.handshake, part).ok_or_else(unfit)?;
        let keys = self.handshake.into_stateless_transport_mode();
        Ok(Agreement {
            cipher: self.cipher,
            keys: keys.map_err(|_| unfit())?,
            longest,
        })
    }
}

/// Answers what [`VARIABLE`] says, for records of at most `longest` bytes towards this end, with one of `ciphers`. None: it is
/// no offer that this end knows, or may take, and the link stays with SSH.
pub(crate) fn answer(
    offer: &str,
    longest: usize,
    ciphers: &[Cipher],
) -> Option<(Vec<u8>, Agreement)> {
    let (protocol, told) = offer.split_once(' ')?;
    let mut ciphers = ciphers.iter().copied();
    let cipher = ciphers.find(|cipher| cipher.protocol() == protocol)?;
    let told = Zeroizing::new(Base64Unpadded::decode_vec(told).ok()?);
    let (secret, part) = told.split_first_chunk::<SECRET_LEN>()?;
    let mut handshake = builder(cipher, secret)?.build_responder().ok()?;
    let theirs = read_part(&mut handshake, part)?;
    let mut answer = vec![0; ANSWER.len() + PART_LEN];
    answer[..ANSWER.len()].copy_from_slice(&ANSWER);
    let part = &mut answer[ANSWER.len()..];
    handshake.write_message(&length(longest), part).ok()?;
    let keys = handshake.into_stateless_transport_mode().ok()?;
    let agreement = Agreement {
        cipher,
        keys,
        longest: theirs,
    };
    Some((answer, agreement))
}

fn builder(cipher: Cipher, secret: &[u8; SECRET_LEN]) -> Option<Builder<'_>> {
    let params: NoiseParams = cipher.protocol().parse().ok()?;
    let builder = Builder::with_resolver(params, Box::new(Primitives));
    builder.prologue(PROLOGUE).ok()?.psk(0, secret).ok()
}

fn length(longest: usize) -> [u8; 2] {
    let longest = longest.clamp(MIN_RECORD, MAX_RECORD);
    u16::try_from(longest).unwrap_or(u16::MAX).to_be_bytes()
}

/// Reads the other end's part, which says how long the records may be that it takes.
fn read_part(handshake: &mut HandshakeState, part: &[u8]) -> Option<usize> {
    let mut payload = vec![0; part.len()];
    let length = handshake.read_message(part, &mut payload).ok()?;
    // Later versions may say more behind it.
    let longest = payload[..length].first_chunk()?;
    let longest = usize::from(u16::from_be_bytes(*longest));
    (longest >= MIN_RECORD).then_some(longest)
}

/// Ring's ciphers and hashes, and a curve that is there already.
struct Primitives;

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        RingResolver.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::new(X25519::default())),
            _ => None,
        }
    }

    fn resolve_hash(&self, choice: &snow::params::HashChoice) -> Option<Box<dyn Hash>> {
        RingResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &snow::params::CipherChoice) -> Option<Box<dyn SnowCipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

/// X25519 as Noise asks for it. Ring's own is used up by one exchange, which snow has no place for.
struct X25519 {
    secret: StaticSecret,
    public: PublicKey,
}

impl Default for X25519 {
    fn default() -> Self {
        // Nothing is done with it before there is another one.
        Self {
            secret: StaticSecret::from([0; KEY_LEN]),
            public: PublicKey::from([0; KEY_LEN]),
        }
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY_LEN
    }

    fn priv_len(&self) -> usize {
        KEY_LEN
    }

    fn set(&mut self, private: &[u8]) {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        bytes.copy_from_slice(private);
        self.secret = StaticSecret::from(*bytes);
        self.public = PublicKey::from(&self.secret);
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), snow::Error> {
        let mut private = Zeroizing::new([0; KEY_LEN]);
        random.try_fill_bytes(&mut *private)?;
        self.set(&*private);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn privkey(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let public: &[u8; KEY_LEN] = public.first_chunk().ok_or(snow::Error::Dh)?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(*public));
        // A point of small order gives nothing but zeros, whatever the private key.
        if !shared.was_contributory() {
            return Err(snow::Error::Dh);
        }
        out[..KEY_LEN].copy_from_slice(shared.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_come_to_the_same_keys_and_know_how_long_records_may_be() {
        for cipher in Cipher::ALL {
            let offer = Offer::new(cipher, 4096).unwrap();
            let (answer, far) = answer(offer.text(), 100_000, &[cipher]).unwrap();
            assert!(Offer::is_answer(&answer));
            let near = offer.conclude(&answer).unwrap();
            assert_eq!((near.cipher, far.cipher), (cipher, cipher));
            assert_eq!((near.longest, far.longest), (MAX_RECORD, 4096));
            for (writer, reader) in [(&near.keys, &far.keys), (&far.keys, &near.keys)] {
                let mut sealed = [0; 100];
                let length = writer.write_message(7, b"tick", &mut sealed).unwrap();
                let mut opened = [0; 100];
                let count = reader.read_message(7, &sealed[..length], &mut opened);
                assert_eq!(&opened[..count.unwrap()], b"tick");
                assert!(
                    reader
                        .read_message(8, &sealed[..length], &mut opened)
                        .is_err()
                );
            }
        }
    }

    #[test]
    fn what_is_no_offer_is_not_answered() {
        let offer = Offer::new(Cipher::Aes256Gcm, 4096).unwrap();
        let (protocol, told) = offer.text().split_once(' ').unwrap();
        let short = &told[..told.len() - 4];
        let other = if told.ends_with('A') { "B" } else { "A" };
        let changed = format!("{}{other}", &told[..told.len() - 1]);
        for text in [
            String::new(),
            protocol.to_owned(),
            format!("{protocol} "),
            format!("{protocol} {short}"),
            format!("{protocol} {changed}"),
            format!("{protocol} {told}{told}"),
            format!("Noise_NN_25519_AESGCM_SHA256 {told}"),
            format!("{} {told}", Cipher::ChaCha20Poly1305.protocol()),
        ] {
            assert!(answer(&text, 4096, &Cipher::ALL).is_none(), "{text}");
        }
        let other = [Cipher::ChaCha20Poly1305];
        assert!(
            answer(offer.text(), 4096, &other).is_none(),
            "it is not allowed"
        );
        assert!(answer(offer.text(), 4096, &Cipher::ALL).is_some());
    }

    #[test]
    fn an_answer_to_another_offer_does_not_fit() {
        let [first, second] = [(); 2].map(|()| Offer::new(Cipher::Aes256Gcm, 4096).unwrap());
        let (to_second, _) = answer(second.text(), 4096, &Cipher::ALL).unwrap();
        assert!(first.conclude(&to_second).is_err());
        assert!(second.conclude(&to_second[..20]).is_err());
    }

    #[test]
    fn only_ciphers_that_noise_has_are_offered() {
        let known = crate::algorithms::CIPHERS.map(Cipher::of_ssh);
        assert_eq!(known.iter().flatten().count(), Cipher::ALL.len());
        assert_eq!(Cipher::of_ssh("aes128-gcm@openssh.com"), None);
    }
}
