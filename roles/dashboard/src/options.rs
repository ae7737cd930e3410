//! What the file says, checked as a whole.

use std::net::IpAddr;
use std::path::PathBuf;

use kozo_password::{Hash, PasswordError};
use serde::Deserialize;

use crate::access::MIN_TOKEN;

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    pub(crate) bind_address: String,
    pub(crate) port: u16,
    pub(crate) names: Vec<String>,
    pub(crate) password: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) tls: String,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) certificate_key: Option<PathBuf>,
    pub(crate) send: bool,
}

/// Why there is no page with these options.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OptionsError {
    #[error(
        "on `{0}` others reach the page: give `password` (`kozo password` makes it) or `token`, or let `bindAddress` be \
         127.0.0.1"
    )]
    Open(String),
    #[error(
        "`names` has `{0}`, which no browser calls the page: give a name alone, without `https://`, port and path, and \
         letters beyond ASCII as browsers send them (`xn--…`)"
    )]
    Name(String),
    #[error("`password`: {0}")]
    Password(#[from] PasswordError),
    #[error(
        "`token` has fewer than {MIN_TOKEN} characters: `openssl rand -hex 16` makes one that nobody guesses"
    )]
    Token,
    #[error("`certificate` and `certificateKey` belong together: give both or none")]
    HalfACertificate,
    #[error("there is a certificate, and `tls` is off: remove one of the two")]
    UnusedCertificate,
}

/// How connections are protected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// They are not.
    None,
    /// By a certificate that the node makes.
    Own,
    /// By one of the user's: the files of the certificate and of its key.
    Given(PathBuf, PathBuf),
}

impl Options {
    /// The hash of the password, where there is one.
    pub(crate) fn hash(&self) -> Result<Option<Hash>, OptionsError> {
        let hash = self.password.as_deref().map(Hash::parse);
        Ok(hash.transpose()?)
    }

    /// How connections are protected, if all that has to be known is there.
    pub(crate) fn protection(&self) -> Result<Protection, OptionsError> {
        if let Some(name) = self.names.iter().find(|name| !is_name(name)) {
            return Err(OptionsError::Name(name.clone()));
        }
        let token = self.token.as_ref();
        if token.is_some_and(|token| token.chars().count() < MIN_TOKEN) {
            return Err(OptionsError::Token);
        }
        let is_local = is_local(&self.bind_address);
        if !is_local && self.password.is_none() && self.token.is_none() {
            return Err(OptionsError::Open(self.bind_address.clone()));
        }
        let given = match (&self.certificate, &self.certificate_key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => return Err(OptionsError::HalfACertificate),
        };
        match (self.tls.as_str(), given) {
            ("off", Some(_)) => Err(OptionsError::UnusedCertificate),
            ("off", None) => Ok(Protection::None),
            (_, Some((certificate, key))) => Ok(Protection::Given(certificate, key)),
            ("on", None) => Ok(Protection::Own),
            (_, None) if is_local => Ok(Protection::None),
            (_, None) => Ok(Protection::Own),
        }
    }
}

/// Whether browsers can call a page so. An address is one that the node's certificate is to be for.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    name.parse::<IpAddr>().is_ok() || (!name.is_empty() && name.bytes().all(is_plain))
}

/// Whether only this machine reaches an address. What a name leads to may change, but for this one.
fn is_local(address: &str) -> bool {
    kozo_addresses::is_loopback(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(address: &str) -> Options {
        Options {
            bind_address: address.to_owned(),
            port: 7055,
            names: Vec::new(),
            password: None,
            token: None,
            tls: "auto".to_owned(),
            certificate: None,
            certificate_key: None,
            send: false,
        }
    }

    #[test]
    fn only_the_machine_itself_needs_nothing() {
        for local in ["127.0.0.1", "::1", "localhost", "127.3.2.1"] {
            assert_eq!(options(local).protection(), Ok(Protection::None), "{local}");
        }
        for other in ["0.0.0.0", "::", "192.0.2.1", "hub.lan"] {
            let open = OptionsError::Open(other.to_owned());
            assert_eq!(options(other).protection(), Err(open));
            let token = Some("0123456789abcdef0123".to_owned());
            let guarded = Options {
                token,
                ..options(other)
            };
            assert_eq!(guarded.protection(), Ok(Protection::Own), "{other}");
            let tls = "off".to_owned();
            assert_eq!(
                Options { tls, ..guarded }.protection(),
                Ok(Protection::None)
            );
        }
    }

    #[test]
    fn what_no_browser_calls_the_page_is_no_name() {
        let named = |name: &str| Options {
            names: vec!["hub.lan".to_owned(), name.to_owned()],
            ..options("::1")
        };
        for wrong in [
            "",
            "küche.lan",
            "hub.lan:7055",
            "https://hub.lan",
            "hub.lan/",
        ] {
            let error = OptionsError::Name(wrong.to_owned());
            assert_eq!(named(wrong).protection(), Err(error));
        }
        for fine in ["xn--kche-0ra.lan", "my_hub", "192.0.2.7", "2001:db8::7"] {
            assert_eq!(named(fine).protection(), Ok(Protection::None), "{fine}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let short = Some("short".to_owned());
        let token = Options {
            token: short.clone(),
            ..options("::1")
        };
        assert_eq!(token.protection(), Err(OptionsError::Token));
        let password = Options {
            password: short,
            ..options("::1")
        };
        assert_eq!(
            password.hash().err(),
            Some(OptionsError::Password(PasswordError::NoHash))
        );
        let half = Options {
            certificate: Some("a.pem".into()),
            ..options("::1")
        };
        assert_eq!(half.protection(), Err(OptionsError::HalfACertificate));
        let whole = Options {
            certificate_key: Some("a.key".into()),
            ..half
        };
        assert!(matches!(whole.protection(), Ok(Protection::Given(..))));
        let off = Options {
            tls: "off".to_owned(),
            ..whole
        };
        assert_eq!(off.protection(), Err(OptionsError::UnusedCertificate));
    }
}
