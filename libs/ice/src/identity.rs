//! Who a node is to its peers: a certificate of its own making, known by its fingerprint.

use std::fmt;
use std::str::FromStr;

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use ring::digest;
use thiserror::Error;

/// A certificate with its key, made for this process. It is worth nothing to anyone but for its fingerprint.
pub struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Identity {
    /// Makes a key (P-256) and a certificate signed with it, for a common name such as a uid.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers, or the name is none that a certificate can have.
    pub fn generate(common_name: &str) -> Result<Self, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut parameters = CertificateParams::default();
        parameters
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let certificate = parameters.self_signed(&key)?;
        Ok(Self {
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
        })
    }

    /// What peers know it by.
    pub fn fingerprint(&self, digest: Digest) -> Fingerprint {
        Fingerprint::of(&self.certificate, digest)
    }

    pub(crate) fn to_dtls(&self) -> dimpl::DtlsCertificate {
        dimpl::DtlsCertificate {
            certificate: self.certificate.clone(),
            private_key: self.key.clone(),
        }
    }
}

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Identity")
            .field("fingerprint", &self.fingerprint(Digest::Sha256))
            .finish_non_exhaustive()
    }
}

/// Why there is no certificate.
#[derive(Debug, Error)]
#[error("cannot make a certificate")]
pub struct IdentityError(#[from] rcgen::Error);

/// What a fingerprint is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// 20 bytes; what IPOP's interface has. It is still hard to find a second certificate for a given one.
    Sha1,
    /// 32 bytes.
    Sha256,
}

/// The digest of a certificate, as pairs of upper-case hexadecimal digits with colons between (`12:AB:…`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    digest: Digest,
    bytes: Vec<u8>,
}

impl Fingerprint {
    /// That of a certificate in DER.
    pub fn of(certificate: &[u8], digest: Digest) -> Self {
        let algorithm = match digest {
            Digest::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Digest::Sha256 => &digest::SHA256,
        };
        Self {
            digest,
            bytes: digest::digest(algorithm, certificate).as_ref().to_vec(),
        }
    }

    /// What it is made with.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether it is all zeros, which IPOP's peers without a certificate say.
    pub fn is_null(&self) -> bool {
        self.bytes.iter().all(|byte| *byte == 0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.bytes.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(formatter, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// Why a text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a fingerprint is 20 (SHA-1) or 32 (SHA-256) pairs of hexadecimal digits with colons between"
)]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads one in either digest; the case of letters does not matter.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digest = match text.len() {
            59 => Digest::Sha1,
            95 => Digest::Sha256,
            _ => return Err(FingerprintError),
        };
        let byte = |pair: &str| {
            let only_digits =
                pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            only_digits
                .then(|| u8::from_str_radix(pair, 16).ok())
                .flatten()
                .ok_or(FingerprintError)
        };
        Ok(Self {
            digest,
            bytes: text.split(':').map(byte).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_written_as_they_are_read() {
        // SHA-1 and SHA-256 of `abc`.
        let sha1 = "A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D";
        assert_eq!(Fingerprint::of(b"abc", Digest::Sha1).to_string(), sha1);
        let sha256 = Fingerprint::of(b"abc", Digest::Sha256);
        assert!(sha256.to_string().starts_with("BA:78:16:BF:8F:01:CF:EA:41"));
        assert_eq!(sha256.to_string().parse(), Ok(sha256));
        assert_eq!(
            sha1.to_lowercase().parse(),
            Ok(Fingerprint::of(b"abc", Digest::Sha1))
        );
        assert!(
            ["00"; 20]
                .join(":")
                .parse::<Fingerprint>()
                .unwrap()
                .is_null()
        );
    }

    #[test]
    fn other_texts_are_no_fingerprints() {
        let right = ["00"; 20].join(":");
        for text in [
            "",
            &right[1..],
            &right.replace("00:00:00", "00:0:000"),
            &right.replace("00:00:00", "00:+1:00"),
            &["000"; 15].join(":"),
            &"é".repeat(59),
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn identities_differ_and_hide_their_keys() {
        let first = Identity::generate("a").unwrap();
        let second = Identity::generate("a").unwrap();
        assert_ne!(
            first.fingerprint(Digest::Sha1),
            second.fingerprint(Digest::Sha1)
        );
        assert!(!format!("{first:?}").contains("key"));
    }
}
