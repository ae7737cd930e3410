//! TLS towards servers, as modules have it in their options: whom to believe (`caFile`), who one is
//! (`certificateFile`, `keyFile`), and what is wrong, in words. The same for other files that options name.

mod fault;
mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

pub use fault::{Fault, FileFault};
pub use files::{first_line, read, read_secret};

/// The files that the options name.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// `caFile`: the authorities to believe; none: those of this machine.
    pub authorities: Option<PathBuf>,
    /// `certificateFile` and `keyFile`, which holds a secret: who this end is.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl Identity {
    /// Whether the options name anything at all.
    pub fn is_given(&self) -> bool {
        self.authorities.is_some() || self.certificate.is_some()
    }

    /// What TLS is to be done with. The files are read anew each time: certificates are renewed.
    ///
    /// # Errors
    /// A file cannot be read, or has not in it what it should; or others could read or change the key.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, Fault> {
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(path) => {
                for certificate in certificates("caFile", path)? {
                    let added = roots.add(certificate);
                    added.map_err(|error| FileFault::unusable("caFile", path, &error))?;
                }
            }
            // Some that cannot be read spoil nothing.
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    return Err(Fault::NoAuthorities);
                }
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault::Other(error.to_string()))?
            .with_root_certificates(roots);
        let config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates("certificateFile", certificate)?;
                let found = PrivateKeyDer::from_pem_slice(&read_secret("keyFile", key)?);
                let found = found.map_err(|error| FileFault::unusable("keyFile", key, &error))?;
                let config = builder.with_client_auth_cert(chain, found);
                config.map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => {
                        let certificate = certificate.display();
                        let reason =
                            format!("it is not the key of `certificateFile`, {certificate}");
                        FileFault::unusable("keyFile", key, &reason)
                    }
                    error => FileFault::unusable("certificateFile", certificate, &error),
                })?
            }
        };
        Ok(Arc::new(config))
    }
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, FileFault> {
    let text = read(option, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| FileFault::unusable(option, path, &error))?;
    match found.is_empty() {
        true => Err(FileFault::unusable(
            option,
            path,
            &"there is no certificate in it",
        )),
        false => Ok(found),
    }
}
