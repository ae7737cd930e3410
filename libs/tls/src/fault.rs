//! What is wrong, in words.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io;
use std::path::Path;

use rustls::{AlertDescription, CertificateError};

/// Why there is no encrypted connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Its certificate is from somebody who is not known here.
    #[error(
        "its certificate is from an authority that is not known here: the file of `caFile` has to have that one's"
    )]
    UnknownAuthority,
    /// Its certificate has expired.
    #[error("its certificate has expired, or this machine's clock is wrong")]
    Expired,
    /// Its certificate is not valid yet.
    #[error("its certificate is not valid yet, or this machine's clock is wrong")]
    NotYetValid,
    /// Its certificate is for another name.
    #[error("its certificate is for another name than the one that it was called by")]
    OtherName,
    /// Its certificate cannot be used.
    #[error("its certificate cannot be used: {0}")]
    Certificate(String),
    /// It does not take the certificate of this end.
    #[error("it does not take this end's certificate (`certificateFile`, `keyFile`): {0}")]
    OwnCertificate(String),
    /// Something else about the encryption.
    #[error("no encrypted connection: {0}")]
    Other(String),
    /// There is nobody to believe.
    #[error("this machine knows no authorities: install `ca-certificates`, or name a `caFile`")]
    NoAuthorities,
    /// A file that cannot be used.
    #[error(transparent)]
    File(#[from] FileFault),
}

impl Fault {
    /// What an error of TLS means.
    pub fn of(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(reason) => match reason {
                // The second: an authority here has the same name, and another key.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Self::UnknownAuthority
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Self::Expired
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotYetValid
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
                reason => Self::Certificate(reason.to_string()),
            },
            rustls::Error::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRevoked
                | AlertDescription::AccessDenied => Self::OwnCertificate(format!("{alert:?}")),
                alert => Self::Other(format!("the other end says {alert:?}")),
            },
            error => Self::Other(error.to_string()),
        }
    }

    /// The error of TLS among an error and its causes, if there is one.
    pub fn among(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Some(Self::of(tls));
            }
            // An error that is in one of I/O is none of its causes.
            if let Some(inner) = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                return Self::among(inner);
            }
            cause = error.source();
        }
        None
    }
}

/// A file that an option names, and that cannot be used: with the option, the path and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FileFault(String);

impl FileFault {
    /// What is in it is of no use.
    pub fn unusable(option: &str, path: &Path, reason: &dyn Display) -> Self {
        let path = path.display();
        Self(format!("`{option}`, {path}, cannot be used: {reason}"))
    }

    pub(crate) fn unreadable(option: &str, path: &Path, reason: &dyn Display) -> Self {
        let path = path.display();
        Self(format!("`{option}`, {path}, cannot be read: {reason}"))
    }
}
