//! URLs of servers.

use std::fmt;

use crate::Endpoint;
use crate::error::{AddressError, Reason};

/// The longest URL, in bytes.
const MAX_URL: usize = 2048;

/// Any port: whether a text is a host does not depend on it.
const SOME_PORT: u16 = 1;

/// Where a server is, and how it is spoken to: `scheme://host`, perhaps with `:port` and `/path` behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// What is spoken, in lower case.
    pub scheme: String,
    /// The host; an IPv6 address has no brackets here.
    pub host: String,
    /// The port, where one is given; never 0.
    pub port: Option<u16>,
    /// What stands behind: empty, or beginning with `/`.
    pub path: String,
}

impl Url {
    /// Reads a URL with one of these schemes; any scheme will do when there are none.
    ///
    /// # Errors
    /// The text is none: it has another scheme, no host that can be connected to, a user (which is an option of
    /// its own wherever there are URLs), or a character that may not stand in one.
    pub fn parse(text: &str, schemes: &[impl AsRef<str>]) -> Result<Self, AddressError> {
        let shown = without_user(text);
        let error = |reason: Reason| AddressError::new(&shown, reason);
        if text.len() > MAX_URL {
            return Err(error(format!("has more than {MAX_URL} bytes").into()));
        }
        let odd = |c: char| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(c);
        if let Some(odd) = text.chars().find(|c| odd(*c)) {
            let reason = format!("has a character that may not stand in a URL: {odd:?}");
            return Err(error(reason.into()));
        }
        let named = |scheme: &str| format!("begin with {}", expected(schemes, scheme));
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(error(format!("is no URL: {}", named("scheme")).into()));
        };
        let scheme = scheme.to_ascii_lowercase();
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let known = schemes.is_empty() || schemes.iter().any(|known| known.as_ref() == scheme);
        if !known
            || !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            || !scheme.chars().all(is_scheme)
        {
            let reason = format!("has a scheme that is not known here: {}", named("scheme"));
            return Err(error(reason.into()));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(error(
                "has a user before the host: leave that out, it is an option of its own".into(),
            ));
        }
        if path.contains('#') {
            return Err(error(
                "has a `#`, behind which a server sees nothing".into(),
            ));
        }
        if path.starts_with('?') {
            return Err(error("has a `?` without a `/` before it".into()));
        }
        let parse = |default| Endpoint::parse(authority, default);
        let (host, port) = match parse(None) {
            Ok(endpoint) => (endpoint.host, Some(endpoint.port)),
            // Only for want of a port, or there is something wrong with the host or the port.
            Err(_) => match parse(Some(SOME_PORT)) {
                Ok(endpoint) => (endpoint.host, None),
                // The `/` may stand in a password, of which nothing is shown.
                Err(_) if path.contains('@') => {
                    return Err(error("is no URL: write a host, without a user".into()));
                }
                Err(error) => return Err(error),
            },
        };
        Ok(Self {
            scheme,
            host,
            port,
            path: path.to_owned(),
        })
    }
}

/// The URL as it may be shown: what stands before an `@` may be a password.
fn without_user(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, behind))) if rest.contains('@') => {
            format!("{scheme}://…@{behind}")
        }
        (None, Some((_, behind))) => format!("…@{behind}"),
        _ => text.to_owned(),
    }
}

fn expected(schemes: &[impl AsRef<str>], none: &str) -> String {
    let mut words: Vec<_> = schemes
        .iter()
        .map(|scheme| format!("`{}://`", scheme.as_ref()))
        .collect();
    let last = words.pop().unwrap_or_else(|| format!("`{none}://`"));
    match words.is_empty() {
        true => last,
        false => format!("{} or {last}", words.join(", ")),
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            host,
            port,
            path,
        } = self;
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]")?,
            false => write!(f, "{scheme}://{host}")?,
        }
        if let Some(port) = port {
            write!(f, ":{port}")?;
        }
        f.write_str(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: [&str; 3] = ["mqtt", "mqtts", "ws"];

    #[test]
    fn a_url_has_a_scheme_a_host_and_perhaps_more() {
        for (text, host, port, path) in [
            ("mqtt://hub", "hub", None, ""),
            ("MQTTS://hub.local:8883", "hub.local", Some(8883), ""),
            (
                "ws://[2001:db8::7]:9001/mqtt?a=b",
                "2001:db8::7",
                Some(9001),
                "/mqtt?a=b",
            ),
            ("mqtt://192.0.2.7/", "192.0.2.7", None, "/"),
        ] {
            let url = Url::parse(text, &SCHEMES).unwrap();
            assert_eq!(
                (&*url.host, url.port, &*url.path),
                (host, port, path),
                "{text}"
            );
            let scheme = text.split(':').next().unwrap();
            assert_eq!(
                url.to_string(),
                text.replace(scheme, &scheme.to_lowercase())
            );
        }
        assert!(Url::parse("https://hub", &[] as &[&str]).is_ok());
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "mqtt://me:secret@hub",
            "mqtt://me:se/secret@hub",
            "mqtt://me:secret@x@hub",
            "http://me:secret@hub",
            "mqtt://me:secret{}@hub",
            "me:secret@hub",
        ] {
            let error = Url::parse(text, &SCHEMES).unwrap_err().to_string();
            assert!(
                !error.contains("secret") && error.contains("@hub"),
                "{error}"
            );
        }
        let error = Url::parse("mqtt://me:secret@hub", &SCHEMES).unwrap_err();
        let expected =
            "`mqtt://…@hub` has a user before the host: leave that out, it is an option of its own";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_is_none_is_told_with_the_reason() {
        let long = format!("mqtt://{}", "a".repeat(MAX_URL));
        for (text, reason) in [
            (
                "hub",
                "`hub` is no URL: begin with `mqtt://`, `mqtts://` or `ws://`",
            ),
            ("http://hub", "has a scheme that is not known here"),
            ("mqtt://", "has no host"),
            ("mqtt://hub:0", "has a port that is not a number"),
            ("mqtt://hub:99999", "has a port that is not a number"),
            ("mqtt://me:secret@hub", "has a user before the host"),
            ("mqtt://hub/a#b", "has a `#`"),
            ("mqtt://hub?x", "has a `?`"),
            ("mqtt://hu b", "may not stand in a URL"),
            ("mqtt://{host}", "may not stand in a URL"),
            ("mqtt://0.0.0.0", "0.0.0.0"),
            (&long, "bytes"),
        ] {
            let error = Url::parse(text, &SCHEMES).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
