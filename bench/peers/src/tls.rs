//! A certificate for the loopback interface, made for one measurement.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Failure;

/// The name that the certificate is for.
pub(crate) const HOST: &str = "localhost";

/// The folder with the certificate and its key.
pub(crate) struct Tls {
    folder: PathBuf,
    /// Removed with this.
    _owner: Option<TempDir>,
}

impl Tls {
    /// A new certificate that vouches for itself.
    pub(crate) fn new() -> Result<Self, Failure> {
        let owner = TempDir::new()?;
        let names = vec![HOST.to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names)?;
        let tls = Self {
            folder: owner.path().to_owned(),
            _owner: Some(owner),
        };
        fs::write(tls.certificate(), made.cert.pem())?;
        fs::write(tls.key(), made.signing_key.serialize_pem())?;
        Ok(tls)
    }

    /// The certificate that another process has made.
    pub(crate) fn in_folder(folder: &str) -> Self {
        Self {
            folder: PathBuf::from(folder),
            _owner: None,
        }
    }

    /// Where it all is; servers may put their own files there.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file with the certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// The file with its key.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }
}
