//! What NATS's `nsc` makes: keys, accounts, and credentials of users.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const OPERATOR: u8 = 14 << 3;
const ACCOUNT: u8 = 0;
const USER: u8 = 20 << 3;
const SEED: u8 = 18 << 3;

/// An nkey.
#[derive(Debug)]
pub struct NatsKey {
    kind: u8,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl NatsKey {
    /// One of a user.
    ///
    /// # Panics
    /// There is no randomness.
    pub fn user() -> Self {
        Self::new(USER)
    }

    fn new(kind: u8) -> Self {
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .expect("there is randomness");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed is a key");
        Self { kind, seed, pair }
    }

    /// What the server's configuration has of it: `U…`.
    pub fn public(&self) -> String {
        let mut bytes = vec![self.kind];
        bytes.extend_from_slice(self.pair.public_key().as_ref());
        checked(bytes)
    }

    /// What whoever has it keeps: `SU…`.
    pub fn seed(&self) -> String {
        let mut bytes = vec![SEED | self.kind >> 5, (self.kind & 31) << 3];
        bytes.extend_from_slice(&self.seed);
        checked(bytes)
    }

    fn token(&self, subject: &Self, nats: Value, until: Option<SystemTime>) -> String {
        let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut claims = json!({
            "jti": subject.public(), "iat": seconds(SystemTime::now()), "iss": self.public(), "name": "kozo",
            "sub": subject.public(), "nats": nats,
        });
        if let Some(until) = until {
            claims["exp"] = json!(seconds(until));
        }
        let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
        let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
        let text = format!("{}.{}", part(&header), part(&claims));
        let signature = Base64UrlUnpadded::encode_string(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}.{signature}")
    }
}

/// An operator with one account.
#[derive(Debug)]
pub struct NatsOperator {
    operator: NatsKey,
    account: NatsKey,
}

impl NatsOperator {
    /// One with keys of its own.
    ///
    /// # Panics
    /// There is no randomness.
    #[allow(clippy::new_without_default)] // Two are never alike.
    pub fn new() -> Self {
        Self {
            operator: NatsKey::new(OPERATOR),
            account: NatsKey::new(ACCOUNT),
        }
    }

    /// The lines of a server that believes it.
    pub fn lines(&self) -> String {
        let own = json!({"type": "operator", "version": 2});
        let limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        });
        let account = json!({"type": "account", "version": 2, "limits": limits});
        format!(
            "operator: {}\nresolver: MEMORY\nresolver_preload {{ {}: {} }}\n",
            self.operator.token(&self.operator, own, None),
            self.account.public(),
            self.operator.token(&self.account, account, None),
        )
    }

    /// Writes the credentials of a new user into a file that only its owner can read; they hold for so long, or for
    /// ever.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write_user(&self, file: &Path, holds: Option<Duration>) {
        let user = NatsKey::user();
        let nats = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}});
        let until = holds.map(|holds| SystemTime::now() + holds);
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            self.account.token(&user, nats, until),
            user.seed(),
        );
        fs::write(file, text).expect("a file can be written");
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("a file has a mode");
    }
}

/// With a checksum (CRC-16 as XMODEM has it), in base32.
fn checked(mut bytes: Vec<u8>) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let sum = bytes.iter().fold(0u16, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| match sum & 0x8000 {
            0 => sum << 1,
            _ => sum << 1 ^ 0x1021,
        })
    });
    bytes.extend_from_slice(&sum.to_le_bytes());
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    bits.chunks(5)
        .map(|bits| {
            let value = (0..5).fold(0, |value, at| value << 1 | bits.get(at).unwrap_or(&0));
            char::from(ALPHABET[usize::from(value)])
        })
        .collect()
}
