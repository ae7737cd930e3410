//! Authorities for TLS, and certificates by them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair, SanType,
};

/// An authority, and what it has signed.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// One with a key of its own.
    ///
    /// # Panics
    /// There is no randomness.
    #[allow(clippy::new_without_default)] // Two are never alike.
    pub fn new() -> Self {
        // Each has a name of its own, or it is taken for another one.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self::called(&format!(
            "authority {}",
            COUNT.fetch_add(1, Ordering::Relaxed)
        ))
    }

    /// One with a key of its own, and a name that another one may have as well.
    ///
    /// # Panics
    /// There is no randomness.
    pub fn called(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("there is randomness");
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).expect("a key signs"),
        }
    }

    /// Writes its own certificate, in PEM.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, file: &Path) {
        fs::write(file, self.issuer.pem()).expect("a file can be written");
    }

    /// A certificate for this name or address, and its key, beside each other: `FILE.crt` and `FILE.key`.
    ///
    /// # Panics
    /// They cannot be written.
    pub fn sign(&self, folder: &Path, file: &str, name: &str, expired: bool) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = match name.parse() {
            Ok(address) => vec![SanType::IpAddress(address)],
            Err(_) => vec![SanType::DnsName(
                name.to_owned().try_into().expect("a name"),
            )],
        };
        if expired {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().expect("there is randomness");
        let issuer: &Issuer<'_, KeyPair> = &self.issuer;
        let certificate = params.signed_by(&key, issuer).expect("an authority signs");
        fs::write(folder.join(format!("{file}.crt")), certificate.pem())
            .expect("a file can be written");
        let mut options = OpenOptions::new();
        // Nobody else may read it.
        let opened = options.write(true).create(true).truncate(true).mode(0o600);
        opened
            .open(folder.join(format!("{file}.key")))
            .and_then(|mut file| file.write_all(key.serialize_pem().as_bytes()))
            .expect("a file can be written");
    }
}
