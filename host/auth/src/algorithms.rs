//! Which algorithms are offered: the options `cipher` and `hmac`, and what stands in their place.

use std::borrow::Cow;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher, compression, kex, mac};

/// The names that the option `cipher` takes.
pub const CIPHERS: [&str; 6] = [
    "aes256-gcm@openssh.com",
    "aes128-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
];

/// The names that the option `hmac` takes.
pub const MACS: [&str; 6] = [
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1-etm@openssh.com",
    "hmac-sha1",
];

/// What is offered when the file gives no `hmac`. `hmac-sha1` stands last: as a MAC it is not
/// broken, and it is the default of the networks that are to be joined.
const DEFAULT_MACS: [mac::Name; 5] = [
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256,
    mac::HMAC_SHA512,
    mac::HMAC_SHA1,
];

/// Key exchanges, the first one against an attacker who records today and has a quantum computer
/// later. None uses SHA-1. The last four are no methods: they announce the signature algorithms,
/// and the strict key exchange that closes the Terrapin attack.
const KEX: [kex::Name; 8] = [
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// Signatures of host keys and node keys. RSA is there with SHA-2 only.
const SIGNATURES: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

/// A name that is no algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a name that `{option}` takes: use one or more of {allowed}")]
pub struct AlgorithmError {
    /// The option: `cipher` or `hmac`.
    pub option: &'static str,
    /// The name.
    pub name: String,
    /// The names that the option takes.
    pub allowed: String,
}

/// The ciphers and MACs that a node offers, the most wanted first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms {
    ciphers: Vec<cipher::Name>,
    macs: Vec<mac::Name>,
}

impl Algorithms {
    /// Takes the names of the options `cipher` and `hmac`, in order of preference.
    ///
    /// An empty list means that the option is not given. Then every cipher is offered: AES-GCM
    /// first where the processor has instructions for AES, ChaCha20-Poly1305 first where it has
    /// not. These two authenticate what they encrypt and use no MAC, whatever `hmac` says. Which
    /// cipher is used is for the node that dials to say, from what both offer.
    ///
    /// # Errors
    /// [`AlgorithmError`] for a name that is not in [`CIPHERS`] or [`MACS`].
    pub fn new<N: AsRef<str>>(ciphers: &[N], macs: &[N]) -> Result<Self, AlgorithmError> {
        let ciphers = if ciphers.is_empty() {
            default_ciphers(has_aes_instructions())
        } else {
            parse("cipher", &CIPHERS, ciphers)?
        };
        let macs = if macs.is_empty() {
            DEFAULT_MACS.to_vec()
        } else {
            parse("hmac", &MACS, macs)?
        };
        Ok(Self { ciphers, macs })
    }

    /// Whether a cipher of this name is offered.
    pub(crate) fn offers(&self, cipher: &str) -> bool {
        self.ciphers.iter().any(|name| name.as_ref() == cipher)
    }

    /// All that is offered in a key exchange.
    pub(crate) fn preferred(&self) -> Preferred {
        Preferred {
            kex: Cow::Borrowed(&KEX),
            key: Cow::Owned(SIGNATURES.to_vec()),
            // A certificate would prove that some authority vouches for the peer, which the
            // network file does not know.
            host_key_certificates: Cow::Borrowed(&[]),
            cipher: Cow::Owned(self.ciphers.clone()),
            mac: Cow::Owned(self.macs.clone()),
            // Messages are small, and compressing secrets next to what others chose leaks them.
            compression: Cow::Borrowed(&[compression::NONE]),
        }
    }
}

impl Default for Algorithms {
    fn default() -> Self {
        Self {
            ciphers: default_ciphers(has_aes_instructions()),
            macs: DEFAULT_MACS.to_vec(),
        }
    }
}

/// Whether a cipher authenticates what it encrypts, so that no MAC is used with it.
pub fn needs_no_mac(cipher: &str) -> bool {
    cipher.contains("-gcm@") || cipher.starts_with("chacha20-poly1305")
}

/// Whether a signature algorithm is accepted from a node.
pub(crate) fn accepts_signature(algorithm: &Algorithm) -> bool {
    SIGNATURES.contains(algorithm)
}

fn default_ciphers(aes_instructions: bool) -> Vec<cipher::Name> {
    let gcm = [cipher::AES_256_GCM, cipher::AES_128_GCM];
    let chacha = [cipher::CHACHA20_POLY1305];
    let ctr = [
        cipher::AES_256_CTR,
        cipher::AES_192_CTR,
        cipher::AES_128_CTR,
    ];
    if aes_instructions {
        [&gcm[..], &chacha, &ctr].concat()
    } else {
        [&chacha[..], &gcm, &ctr].concat()
    }
}

fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let has = std::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("aes");
    // The small 32-bit boards have none; elsewhere ChaCha20 is never a bad choice.
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

fn parse<'n, N, T>(
    option: &'static str,
    allowed: &[&str],
    names: &'n [N],
) -> Result<Vec<T>, AlgorithmError>
where
    N: AsRef<str>,
    T: TryFrom<&'n str> + PartialEq,
{
    let mut parsed = Vec::with_capacity(names.len());
    for name in names {
        let name = name.as_ref();
        let algorithm = allowed
            .contains(&name)
            .then(|| T::try_from(name).ok())
            .flatten()
            .ok_or_else(|| AlgorithmError {
                option,
                name: name.to_owned(),
                allowed: allowed.join(", "),
            })?;
        if !parsed.contains(&algorithm) {
            parsed.push(algorithm);
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_options_the_processor_decides_what_comes_first() {
        let first = |aes| default_ciphers(aes)[0];
        assert_eq!(first(true), cipher::AES_256_GCM);
        assert_eq!(first(false), cipher::CHACHA20_POLY1305);
        for aes in [true, false] {
            assert_eq!(default_ciphers(aes).len(), CIPHERS.len());
        }
    }

    #[test]
    fn the_old_defaults_are_among_what_is_offered() {
        let offered = Algorithms::new::<&str>(&[], &[]).unwrap();
        assert!(offered.ciphers.contains(&cipher::AES_256_CTR));
        assert_eq!(offered.macs.last(), Some(&mac::HMAC_SHA1));
        assert_eq!(offered, Algorithms::default());
    }

    #[test]
    fn an_option_gives_exactly_what_it_names_in_its_order() {
        let chosen =
            Algorithms::new(&["aes128-ctr", "aes256-ctr", "aes128-ctr"], &["hmac-sha1"]).unwrap();
        assert_eq!(chosen.ciphers, [cipher::AES_128_CTR, cipher::AES_256_CTR]);
        assert_eq!(chosen.macs, [mac::HMAC_SHA1]);
    }

    #[test]
    fn every_documented_name_is_known_and_no_weak_one_is() {
        assert!(Algorithms::new(&CIPHERS, &MACS).is_ok());
        for weak in ["none", "clear", "aes256-cbc", "3des-cbc", "AES256-CTR", ""] {
            let error = Algorithms::new(&[weak], &[]).unwrap_err();
            assert_eq!((error.option, error.name.as_str()), ("cipher", weak));
        }
        let error = Algorithms::new(&[], &["none"]).unwrap_err();
        assert_eq!(error.option, "hmac");
        assert!(error.to_string().contains("hmac-sha2-256"), "{error}");
    }

    #[test]
    fn no_signature_rests_on_sha_1() {
        assert!(!accepts_signature(&Algorithm::Rsa { hash: None }));
        assert!(!accepts_signature(&Algorithm::Dsa));
        assert!(accepts_signature(&Algorithm::Ed25519));
        let kex = Algorithms::default().preferred().kex;
        assert!(kex.iter().all(|name| !name.as_ref().ends_with("sha1")));
    }

    #[test]
    fn a_cipher_with_its_own_authentication_needs_no_mac() {
        let without: Vec<_> = CIPHERS
            .into_iter()
            .filter(|name| needs_no_mac(name))
            .collect();
        assert_eq!(without, CIPHERS[..3]);
    }
}
