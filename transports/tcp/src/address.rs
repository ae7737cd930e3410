//! Addresses as people write them.

use std::fmt;
use std::net::Ipv6Addr;

/// How long a name is at most: DNS has no longer ones.
const MAX_HOST: usize = 253;

/// A host, by name or number, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// An IPv6 address has no brackets here.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressError {
    address: String,
    reason: &'static str,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.address.escape_debug(), self.reason)
    }
}

impl std::error::Error for AddressError {}

impl Endpoint {
    /// Reads `host`, `host:port`, an IPv6 address, or `[IPv6 address]:port`.
    ///
    /// # Errors
    /// The text is none of these, or has no port though there is no default.
    pub(crate) fn parse(text: &str, default_port: Option<u16>) -> Result<Self, AddressError> {
        let text = text.trim();
        let error = |reason| AddressError {
            address: text.to_owned(),
            reason,
        };
        let (host, port) = split(text).map_err(error)?;
        let port = match port {
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(error("has a port that is not a number from 1 to 65535")),
            },
            None => default_port.ok_or_else(|| error("has no port: write `host:port`"))?,
        };
        let strange = |c: char| c.is_whitespace() || c.is_control() || "/\\@[]".contains(c);
        if host.is_empty() {
            return Err(error("has no host"));
        }
        if host.len() > MAX_HOST || host.contains(strange) {
            return Err(error("is no IP address and no name of a host"));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether only Tor can reach it. Such a name must not be given to DNS (RFC 7686).
    pub(crate) fn is_onion(&self) -> bool {
        let name = self.host.trim_end_matches('.').to_ascii_lowercase();
        name == "onion" || name.ends_with(".onion")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn split(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or("has a `[` without a `]`")?;
        if !is_ipv6(host) {
            return Err("has no IPv6 address between its brackets");
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err("has something behind `]` that is no port"),
        };
    }
    match text.split_once(':') {
        Some(_) if is_ipv6(text) => Ok((text, None)),
        Some((_, port)) if port.contains(':') => {
            Err("is no IPv6 address: write `[address]:port` for one with a port")
        }
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

/// Also with the interface of a link-local address behind `%`.
fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written() {
        for (text, written) in [
            ("clock.local", "clock.local:6020"),
            (" clock.local:7000 ", "clock.local:7000"),
            ("192.0.2.1", "192.0.2.1:6020"),
            ("192.0.2.1:7000", "192.0.2.1:7000"),
            ("2001:db8::1", "[2001:db8::1]:6020"),
            ("[2001:db8::1]", "[2001:db8::1]:6020"),
            ("[2001:db8::1]:7000", "[2001:db8::1]:7000"),
            ("fe80::1%eth0", "[fe80::1%eth0]:6020"),
            ("[fe80::1%eth0]:7000", "[fe80::1%eth0]:7000"),
            ("Example.onion.", "Example.onion.:6020"),
        ] {
            let endpoint = Endpoint::parse(text, Some(6020)).expect(text);
            assert_eq!(endpoint.to_string(), written);
            assert_eq!(Endpoint::parse(written, None), Ok(endpoint));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "has no host"),
            (":7000", "has no host"),
            ("host:", "has a port that is not a number from 1 to 65535"),
            ("host:0", "has a port that is not a number from 1 to 65535"),
            (
                "host:65536",
                "has a port that is not a number from 1 to 65535",
            ),
            ("host:x", "has a port that is not a number from 1 to 65535"),
            ("[::1", "has a `[` without a `]`"),
            ("[host]:1", "has no IPv6 address between its brackets"),
            ("[::1]7000", "has something behind `]` that is no port"),
            (
                "::1::2",
                "is no IPv6 address: write `[address]:port` for one with a port",
            ),
            ("a host", "is no IP address and no name of a host"),
            ("tcp//host", "is no IP address and no name of a host"),
        ] {
            let error = Endpoint::parse(text, Some(6020)).expect_err(text);
            assert_eq!(error.to_string(), format!("`{text}` {reason}"));
        }
        let error = Endpoint::parse("host", None).expect_err("no port");
        assert_eq!(error.to_string(), "`host` has no port: write `host:port`");
        Endpoint::parse(&"x".repeat(254), Some(1)).expect_err("too long");
    }

    #[test]
    fn onion_names_are_known_however_they_are_written() {
        let is_onion = |host| Endpoint::parse(host, Some(1)).expect(host).is_onion();
        for host in ["a.onion", "A.ONION", "a.onion.", "b.a.Onion:80", "onion"] {
            assert!(is_onion(host), "{host}");
        }
        for host in ["a.onion.example", "onion.example", "anonion", "192.0.2.1"] {
            assert!(!is_onion(host), "{host}");
        }
    }
}
