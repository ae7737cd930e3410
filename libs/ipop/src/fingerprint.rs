//! Fingerprints of certificates, by which the two ends of a link know each other.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

/// How a fingerprint is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// SHA-1: what the interface says.
    Sha1,
    /// SHA-256. Controllers take it as well, as long as both ends of a link have it: where the fingerprint ends in
    /// a message, they know from the length of their own.
    Sha256,
}

impl Digest {
    /// How many bytes it has.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// How many characters the text of a fingerprint has: 59 or 95.
    pub const fn text_len(self) -> usize {
        3 * self.bytes() - 1
    }
}

/// The hash of a certificate in DER, written as pairs of hexadecimal digits in upper case with colons between.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(Vec<u8>);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8], how: Digest) -> Self {
        let algorithm = match how {
            Digest::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Digest::Sha256 => &SHA256,
        };
        Self(digest(algorithm, certificate).as_ref().to_vec())
    }

    /// What stands for no fingerprint: a link without DTLS.
    pub fn null() -> Self {
        Self(vec![0; Digest::Sha1.bytes()])
    }

    /// Whether it stands for none.
    pub fn is_null(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// How it was made.
    pub fn digest(&self) -> Digest {
        if self.0.len() == Digest::Sha256.bytes() {
            Digest::Sha256
        } else {
            Digest::Sha1
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    /// Digits may be in lower case.
    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        if text.len() != Digest::Sha1.text_len() && text.len() != Digest::Sha256.text_len() {
            return Err(NoFingerprint);
        }
        let pair = |pair: &str| match pair.as_bytes() {
            [a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                u8::from_str_radix(pair, 16).map_err(|_| NoFingerprint)
            }
            _ => Err(NoFingerprint),
        };
        text.split(':')
            .map(pair)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, byte) in self.0.iter().enumerate() {
            let colon = if number == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// A text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 20 or 32 pairs of hexadecimal digits with colons between")]
pub struct NoFingerprint;

/// The two parts of the data of `con_req` and `con_resp`: a fingerprint, which is as long as one's own, and behind
/// one character the candidates, which may be empty.
pub fn split(data: &str, own: &str) -> (String, String) {
    // By characters: what a peer sent may have others than those of ASCII in it.
    let fingerprint = data.chars().take(own.len()).collect();
    let candidates = data.chars().skip(own.len() + 1).collect();
    (fingerprint, candidates)
}

/// The data of `con_req` (without candidates) or `con_resp`.
pub fn join(fingerprint: &Fingerprint, candidates: &str) -> String {
    if candidates.is_empty() {
        fingerprint.to_string()
    } else {
        format!("{fingerprint} {candidates}")
    }
}
