//! What TLS needs: whom to believe, and who one is.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::fault::Fault;
use crate::options::{Reach, read_file};

/// As the options say. The files are read anew each time: certificates are renewed.
///
/// # Errors
/// A file cannot be read, or has not in it what it should.
pub(crate) fn config(reach: &Reach) -> Result<Arc<ClientConfig>, Fault> {
    let mut roots = RootCertStore::empty();
    match &reach.ca_file {
        Some(path) => {
            for certificate in certificates("caFile", path)? {
                let added = roots.add(certificate);
                added.map_err(|error| file("caFile", path, &error))?;
            }
        }
        // Some that cannot be read spoil nothing.
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let reason = "this machine knows no authorities: install `ca-certificates`, or name a `caFile`";
                return Err(Fault::File(reason.to_owned()));
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Tls(error.to_string()))?
        .with_root_certificates(roots);
    let config = match &reach.certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates("certificateFile", certificate)?;
            let found = PrivateKeyDer::from_pem_slice(&read_file("keyFile", key)?);
            let found = found.map_err(|error| file("keyFile", key, &error))?;
            let config = builder.with_client_auth_cert(chain, found);
            config.map_err(|error| file("certificateFile", certificate, &error))?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(
    option: &str,
    path: &std::path::Path,
) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let text = read_file(option, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| file(option, path, &error))?;
    match found.is_empty() {
        true => Err(file(option, path, &"there is no certificate in it")),
        false => Ok(found),
    }
}

fn file(option: &str, path: &std::path::Path, error: &dyn std::fmt::Display) -> Fault {
    let path = path.display();
    Fault::File(format!("`{option}`, {path}, cannot be used: {error}"))
}
