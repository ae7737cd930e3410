//! A host and a port.

use std::fmt;
use std::net::IpAddr;

use crate::error::{AddressError, Reason};
use crate::host::{self, Purpose, is_ipv6};
use crate::onion;

const NO_PORT: &str = "has a port that is not a number from 1 to 65535";

/// A host, by name or number, and a port, to connect to or to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The host; an IPv6 address has no brackets here.
    pub host: String,
    /// The port; never 0.
    pub port: u16,
}

impl Endpoint {
    /// Reads `host`, `host:port`, an IPv6 address, or `[IPv6 address]:port`.
    ///
    /// # Errors
    /// The text is none of these, or has no port though there is no default; or nothing can be
    /// connected to at it: `0.0.0.0`, say.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, AddressError> {
        Self::parse_for(text, default_port, Purpose::Dialling)
    }

    /// Reads where to listen: a host as [`check_listening`] takes it and a port, as `host:port` or
    /// `[IPv6 address]:port`.
    ///
    /// # Errors
    /// The text is none of these, or nothing can listen there.
    pub fn parse_listening(text: &str) -> Result<Self, AddressError> {
        Self::parse_for(text, None, Purpose::Listening)
    }

    fn parse_for(
        text: &str,
        default_port: Option<u16>,
        purpose: Purpose,
    ) -> Result<Self, AddressError> {
        let text = text.trim();
        let error = |reason: Reason| AddressError::new(text, reason);
        let (host, port) = split(text).map_err(error)?;
        host::check(host, purpose).map_err(error)?;
        let port = match port {
            Some(port) => parse_port(port).ok_or_else(|| error(NO_PORT.into()))?,
            None => default_port.ok_or_else(|| error("has no port: write `host:port`".into()))?,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether only this machine itself can reach it. A name but `localhost` may be anything.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether only Tor can reach it. Such a name must not be given to DNS (RFC 7686).
    pub fn is_onion(&self) -> bool {
        onion::is_onion(&self.host)
    }
}

/// Whether only this machine itself reaches what listens on an address, which has no port. A name but `localhost`
/// may be anything, and the empty text is all addresses.
pub fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    address.is_ok_and(|address| address.to_canonical().is_loopback())
        || host.eq_ignore_ascii_case("localhost")
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

/// Checks that a text is an address or a name to listen on; a port stands elsewhere.
///
/// # Errors
/// What is wrong with it.
pub fn check_listening(text: &str) -> Result<(), AddressError> {
    let error = |reason: Reason| AddressError::new(text, reason);
    if text.contains("://") {
        return Err(error(scheme(text)));
    }
    if text.starts_with('[') {
        return Err(error(
            "has brackets: write the address alone, the port is an option of its own".into(),
        ));
    }
    match text.split_once(':') {
        Some((before, port)) if !port.contains(':') && !before.is_empty() => Err(error(
            "has a port behind it: leave that out, it is an option of its own".into(),
        )),
        _ => host::check(text, Purpose::Listening).map_err(error),
    }
}

/// `u16`'s own parser takes `+7000` and `07000`.
fn parse_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    is_plain.then(|| text.parse().ok())?
}

fn split(text: &str) -> Result<(&str, Option<&str>), Reason> {
    if text.contains("://") {
        return Err(scheme(text));
    }
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or("has a `[` without a `]`")?;
        if !is_ipv6(host) {
            return Err("has no IPv6 address between its brackets".into());
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err("has something behind `]` that is no port".into()),
        };
    }
    match text.split_once(':') {
        Some(_) if is_ipv6(text) => Ok((text, None)),
        Some((_, port)) if port.contains(':') => {
            Err("is no IPv6 address: write `[address]:port` for one with a port".into())
        }
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

fn scheme(text: &str) -> Reason {
    let end = text.find("://").map_or(0, |place| place + "://".len());
    let scheme = text[..end].escape_debug();
    format!("begins with `{scheme}`: leave that out, an address is a host, or `host:port`").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONION: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    fn error(text: &str) -> String {
        Endpoint::parse(text, Some(6020))
            .expect_err(text)
            .to_string()
    }

    #[test]
    fn every_form_is_read_and_written() {
        for (text, written) in [
            ("clock.local", "clock.local:6020"),
            (" clock.local:7000 ", "clock.local:7000"),
            ("clock", "clock:6020"),
            ("clock_2.example.org.", "clock_2.example.org.:6020"),
            ("8ball.x--y.example", "8ball.x--y.example:6020"),
            ("kōzō.local", "kōzō.local:6020"),
            ("192.0.2.1", "192.0.2.1:6020"),
            ("192.0.2.1:7000", "192.0.2.1:7000"),
            ("127.0.0.1", "127.0.0.1:6020"),
            ("169.254.1.2", "169.254.1.2:6020"),
            ("2001:db8::1", "[2001:db8::1]:6020"),
            ("::1", "[::1]:6020"),
            ("[2001:db8::1]", "[2001:db8::1]:6020"),
            ("[2001:db8::1]:7000", "[2001:db8::1]:7000"),
            ("fe80::1%eth0", "[fe80::1%eth0]:6020"),
            ("[fe80::1%eth0.2]:7000", "[fe80::1%eth0.2]:7000"),
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
            ("host:", NO_PORT),
            ("host:0", NO_PORT),
            ("host:65536", NO_PORT),
            ("host:x", NO_PORT),
            ("host:+7000", NO_PORT),
            ("host:07000", NO_PORT),
            ("[::1", "has a `[` without a `]`"),
            ("[host]:1", "has no IPv6 address between its brackets"),
            ("[::1]7000", "has something behind `]` that is no port"),
            (
                "::1::2",
                "is no IPv6 address: write `[address]:port` for one with a port",
            ),
        ] {
            assert_eq!(error(text), format!("`{text}` {reason}"));
        }
        let no_port = Endpoint::parse("host", None).expect_err("no port");
        assert_eq!(no_port.to_string(), "`host` has no port: write `host:port`");
    }

    #[test]
    fn what_no_host_can_be_called_is_refused() {
        let long = format!("{}.example", "x".repeat(64));
        let longer = "abcdefg.".repeat(32) + "org";
        for (text, reason) in [
            ("a host", "has a space in it"),
            ("tcp//host", "has `/` in it"),
            ("tcp://192.0.2.5:6020", "begins with `tcp://`"),
            ("me@host", "has `@` in it"),
            ("192.0.2.*", "has `*` in it"),
            ("“192.0.2.1”", "has `“` (U+201C) in it"),
            ("'192.0.2.1'", "has `'` in it"),
            ("192.0.2\u{a0}.1", "U+00A0"),
            ("clock\u{200b}.local", "U+200B"),
            ("192.0.2.1;", "has `;` in it"),
            ("１９２.0.2.1", "U+FF11"),
            ("<ADDRESS>", "a placeholder"),
            ("${ADDRESS}", "a placeholder"),
            ("{{ address }}:6020", "a placeholder"),
            ("a..b", "a dot with nothing beside it"),
            (".b", "a dot with nothing beside it"),
            ("b..", "a dot with nothing beside it"),
            (".", "a dot with nothing beside it"),
            ("-b", "a hyphen"),
            ("a.b-", "a hyphen"),
            (&long, "more than 63 bytes"),
            (&longer, "longer than the 253 bytes"),
        ] {
            let error = error(text);
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn numbers_that_are_no_ipv4_address_are_no_names_either() {
        for text in [
            "192.0.2.300",
            "192.0.2",
            "192.0.2.1.1",
            "1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "192.0.2.1.",
            "clock.1",
            "192.0.2.0x1",
        ] {
            assert!(error(text).contains("is no IPv4 address"), "{text}");
        }
        for text in ["127.0.0.010", "192.168.001.001:7000", "00.0.0.1"] {
            assert!(error(text).contains("a zero before it"), "{text}");
        }
    }

    #[test]
    fn what_nobody_can_connect_to_is_refused() {
        for text in [
            "0.0.0.0",
            "0.0.0.0:7000",
            "0.1.2.3",
            "::",
            "[::]:7000",
            "::ffff:0.0.0.0",
        ] {
            assert!(error(text).contains("is for listening only"), "{text}");
        }
        for text in ["224.0.0.1", "255.255.255.255", "ff02::1"] {
            assert!(error(text).contains("many machines at once"), "{text}");
        }
        assert!(error("fe80::1").contains("write `fe80::1%eth0`, say"));
        assert!(error("[fe80::1]:7000").contains("link-local"));
        assert!(error("2001:db8::1%eth0").contains("not link-local"));
        assert!(error("fe80::1%").contains("no name of an interface"));
        assert!(error("fe80::1%a b").contains("no name of an interface"));
    }

    #[test]
    fn onion_names_are_known_however_they_are_written_and_whole_ones_have_to_be_right() {
        let endpoint = |host: &str| Endpoint::parse(host, Some(1)).expect(host);
        for host in [
            ONION.to_owned(),
            ONION.to_uppercase(),
            format!("{ONION}."),
            format!("b.{ONION}:80"),
        ] {
            assert!(endpoint(&host).is_onion(), "{host}");
        }
        for host in ["a.onion.example", "onion.example", "anonion", "192.0.2.1"] {
            assert!(!endpoint(host).is_onion(), "{host}");
        }
        for host in ["onion", "a.onion", "A.ONION.", "b.a.Onion:80"] {
            assert!(endpoint(host).is_onion(), "{host}");
        }
        assert!(error("expyuzz4wqqyqhjn.onion:80").contains("version 2"));
        assert!(error(&format!("x{}", &ONION[1..])).contains("misspelt"));
    }

    #[test]
    fn to_listen_with_a_port_needs_both_and_tells_whom_it_lets_in() {
        for (text, written, is_loopback) in [
            ("127.0.0.1:9464", "127.0.0.1:9464", true),
            ("127.9.9.9:1", "127.9.9.9:1", true),
            ("[::1]:9464", "[::1]:9464", true),
            ("[::ffff:127.0.0.1]:9464", "[::ffff:127.0.0.1]:9464", true),
            (" LocalHost:9464 ", "LocalHost:9464", true),
            ("0.0.0.0:9464", "0.0.0.0:9464", false),
            ("[::]:9464", "[::]:9464", false),
            ("192.0.2.1:9464", "192.0.2.1:9464", false),
            ("[fe80::1%eth0]:9464", "[fe80::1%eth0]:9464", false),
            ("hall.local:9464", "hall.local:9464", false),
            ("localhost.example:9464", "localhost.example:9464", false),
        ] {
            let endpoint = Endpoint::parse_listening(text).expect(text);
            assert_eq!(endpoint.to_string(), written);
            assert_eq!(endpoint.is_loopback(), is_loopback, "{text}");
        }
        for (text, reason) in [
            ("127.0.0.1", "has no port"),
            ("::1", "has no port"),
            ("9464", "is no IPv4 address"),
            (":9464", "has no host"),
            ("127.0.0.1:0", NO_PORT),
            ("224.0.0.1:9464", "many machines at once"),
            ("http://127.0.0.1:9464", "begins with `http://`"),
            ("127.0.0.1:9464/metrics", NO_PORT),
        ] {
            let error = Endpoint::parse_listening(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn to_listen_needs_an_address_without_brackets_and_port() {
        for good in [
            "0.0.0.0",
            "::",
            "127.0.0.1",
            "::1",
            "localhost",
            "192.0.2.1",
            "fe80::1%eth0",
            "hall.local",
        ] {
            check_listening(good).expect(good);
        }
        for (text, reason) in [
            ("", "has no host"),
            ("999.1.1.1", "is no IPv4 address"),
            ("127.0.0.010", "a zero before it"),
            ("[::1]", "has brackets"),
            ("[::1]:6020", "has brackets"),
            ("127.0.0.1:6020", "has a port behind it"),
            ("localhost:6020", "has a port behind it"),
            ("tcp://127.0.0.1", "begins with `tcp://`"),
            ("fe80::1", "link-local"),
            ("::1::", "is no IPv6 address"),
            ("224.0.0.1", "many machines at once"),
            ("0.0.0.1", "the address of no machine"),
            ("*", "has `*` in it"),
            (ONION, "no machine listens"),
        ] {
            let error = check_listening(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
