//! The certificate of the page: the user's, or one that the node makes for itself and keeps.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use kozo_abi::RoleHost;
use ring::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

use crate::options::Protection;

/// A certificate that the node has made and cannot keep: so it is the same at least as long as the process runs.
static MADE: Mutex<Option<Kept>> = Mutex::new(None);

/// Why connections cannot be protected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("cannot read `{path}`: {source}")]
    Read { path: String, source: pem::Error },
    #[error("`{0}` has no certificate in it")]
    Empty(String),
    #[error("the certificate and its key cannot be used: {0}")]
    Use(#[from] rustls::Error),
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// What is kept of a certificate that the node has made.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    names: Vec<String>,
    #[serde(with = "serde_bytes")]
    certificate: Vec<u8>,
    /// By its name the host knows that it is to be shown to nobody.
    #[serde(with = "serde_bytes")]
    secret_key: Vec<u8>,
}

/// What protects connections.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// SHA-256 of the certificate, as browsers show it.
    pub(crate) fingerprint: String,
}

impl Tls {
    /// As the options say; none without protection. A certificate of the node's own is for these names.
    pub(crate) fn new(
        protection: &Protection,
        names: &[String],
        host: &RoleHost,
    ) -> Result<Option<Self>, TlsError> {
        let (chain, key) = match protection {
            Protection::None => return Ok(None),
            Protection::Given(certificate, key) => given(certificate, key)?,
            Protection::Own => {
                let kept = own(names, host)?;
                let key = PrivatePkcs8KeyDer::from(kept.secret_key);
                (vec![kept.certificate.into()], key.into())
            }
        };
        let fingerprint = chain.first().map(fingerprint).unwrap_or_default();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            fingerprint,
        }))
    }
}

type Certificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn given(certificate: &Path, key: &Path) -> Result<Certificate, TlsError> {
    let failed = |path: &Path, source| TlsError::Read {
        path: path.display().to_string(),
        source,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| failed(certificate, source))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(certificate.display().to_string()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| failed(key, source))?;
    Ok((chain, key))
}

/// The node's own certificate for these names: the one that is kept, or a new one.
fn own(names: &[String], host: &RoleHost) -> Result<Kept, TlsError> {
    // What cannot be read is made anew; there is a warning when it cannot be kept either.
    let kept = host.load::<Kept>().ok().flatten();
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = kept.or_else(|| made.clone());
    if let Some(known) = known.filter(|known| known.names == names) {
        return Ok(known);
    }
    let pair = rcgen::generate_simple_self_signed(names)?;
    let new = Kept {
        names: names.to_vec(),
        certificate: pair.cert.der().to_vec(),
        secret_key: pair.signing_key.serialize_der(),
    };
    if let Err(error) = host.store(&new) {
        host.warn(&format!(
            "the certificate of the page will be another one after the next start, since it cannot be kept: {error}"
        ));
    }
    *made = Some(new.clone());
    Ok(new)
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = digest(&SHA256, certificate);
    let pairs: Vec<String> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}
