//! Encryption of the connection with the server, and whose certificates are believed.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, RootCertStore,
    SignatureScheme,
};

use crate::{Reason, Trust};

/// The label under which both ends have the same secret of a connection (RFC 9266), and its length.
pub(crate) const BINDING: (&[u8], usize) = (b"EXPORTER-Channel-Binding", 32);

/// What connections are made with.
///
/// # Errors
/// The authorities' certificates cannot be had.
pub(crate) fn config(trust: &Trust) -> Result<Arc<ClientConfig>, Reason> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Reason::Tls(error.to_string()))?;
    let config = match trust {
        Trust::System => builder.with_root_certificates(of_system()?),
        Trust::File(path) => builder.with_root_certificates(of_file(path)?),
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    };
    Ok(Arc::new(config.with_no_client_auth()))
}

fn of_system() -> Result<RootCertStore, Reason> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        let why = found.errors.first().map(ToString::to_string);
        return Err(Reason::NoSystemAuthorities(
            why.unwrap_or_else(|| "none found".to_owned()),
        ));
    }
    Ok(roots)
}

fn of_file(path: &Path) -> Result<RootCertStore, Reason> {
    let fault = |why: String| Reason::Authorities {
        path: path.to_owned(),
        why,
    };
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| fault(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fault("there is no certificate in it (PEM)".to_owned()));
    }
    Ok(roots)
}

/// Why there is no encrypted connection.
pub(crate) fn reason(error: &Error, domain: &str) -> Reason {
    let Error::InvalidCertificate(fault) = error else {
        return Reason::Tls(error.to_string());
    };
    match fault {
        CertificateError::UnknownIssuer => Reason::UnknownAuthority,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Reason::WrongName {
                expected: domain.to_owned(),
            }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Reason::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Reason::NotYetValid
        }
        _ => Reason::Tls(error.to_string()),
    }
}

/// Whether both ends of such a connection have a secret that nobody between can have.
pub(crate) fn binds(version: Option<ProtocolVersion>) -> bool {
    version == Some(ProtocolVersion::TLSv1_3)
}

/// Takes any certificate whose owner is at the other end.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
