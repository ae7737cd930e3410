//! What two share that only one can have: an address and port to listen on, or to be reached at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::endpoint::Endpoint;

/// Where a program listens on some port, as far as it matters for who else can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening(Where);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Where {
    Everywhere,
    AllV4,
    /// These addresses, and the interface behind a link-local one.
    Some(Vec<IpAddr>, Option<String>),
    Name(String),
}

impl Listening {
    /// On this address or name. The empty text is every address; so is `::`, at which some listen for
    /// IPv4, too.
    pub fn on(text: &str) -> Self {
        let name = plain_name(text);
        if name == "localhost" {
            let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            return Self(Where::Some(both.to_vec(), None));
        }
        Self(match ip(text) {
            _ if text.is_empty() => Where::Everywhere,
            Some((IpAddr::V6(address), _)) if address.is_unspecified() => Where::Everywhere,
            Some((IpAddr::V4(address), _)) if address.is_unspecified() => Where::AllV4,
            Some((address, interface)) => Where::Some(vec![address], interface),
            None => Where::Name(name),
        })
    }

    /// Whether another one on the same port would be in the way. A name is not looked up: but for
    /// `localhost`, it overlaps with itself and with all addresses.
    pub fn overlaps(&self, other: &Self) -> bool {
        use Where::{AllV4, Everywhere, Name, Some};
        match (&self.0, &other.0) {
            (Everywhere, _) | (_, Everywhere) | (AllV4, AllV4 | Name(_)) | (Name(_), AllV4) => true,
            (AllV4, Some(some, _)) | (Some(some, _), AllV4) => some.iter().any(IpAddr::is_ipv4),
            (Some(one, at), Some(other, there)) => {
                at == there && one.iter().any(|address| other.contains(address))
            }
            (Name(one), Name(other)) => one == other,
            (Some(..), Name(_)) | (Name(_), Some(..)) => false,
        }
    }
}

impl Endpoint {
    /// The same endpoint in the one form that all ways to write it have in common: an IPv6 address
    /// in short, a name in lower case and without a dot at its end.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let host = match ip(&self.host) {
            Some((address, Some(interface))) => format!("{address}%{interface}"),
            Some((address, None)) => address.to_string(),
            None => plain_name(&self.host),
        };
        Self {
            host,
            port: self.port,
        }
    }
}

/// An IP address, and the interface behind it.
fn ip(text: &str) -> Option<(IpAddr, Option<String>)> {
    let (address, interface) = match text.split_once('%') {
        Some((address, interface)) => (address, Some(interface.to_owned())),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    Some((address.to_canonical(), interface))
}

fn plain_name(text: &str) -> String {
    text.strip_suffix('.').unwrap_or(text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_on_all_addresses_leaves_none_to_others() {
        for (one, other, overlap) in [
            ("", "", true),
            ("", "127.0.0.1", true),
            ("", "hall.local", true),
            ("::", "0.0.0.0", true),
            ("::", "192.0.2.1", true),
            ("0:0::0", "::1", true),
            ("0.0.0.0", "0.0.0.0", true),
            ("0.0.0.0", "192.0.2.1", true),
            ("0.0.0.0", "::ffff:192.0.2.1", true),
            ("0.0.0.0", "localhost", true),
            ("0.0.0.0", "hall.local", true),
            ("0.0.0.0", "::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "::1", false),
            ("localhost", "127.0.0.1", true),
            ("LOCALHOST.", "::1", true),
            ("localhost", "127.0.0.2", false),
            ("2001:db8::1", "2001:DB8:0::1", true),
            ("fe80::1%eth0", "fe80::1%eth0", true),
            ("fe80::1%eth0", "fe80::1%eth1", false),
            ("hall.local", "Hall.local", true),
            ("hall.local", "attic.local", false),
            ("hall.local", "192.0.2.1", false),
        ] {
            let (here, there) = (Listening::on(one), Listening::on(other));
            assert_eq!(here.overlaps(&there), overlap, "{one}, {other}");
            assert_eq!(there.overlaps(&here), overlap, "{other}, {one}");
        }
    }

    #[test]
    fn endpoints_that_are_written_differently_have_one_form() {
        for (text, form) in [
            ("192.0.2.1", "192.0.2.1:6020"),
            ("Clock.LOCAL.:7000", "clock.local:7000"),
            ("2001:DB8:0:0::1", "[2001:db8::1]:6020"),
            ("::ffff:192.0.2.1", "192.0.2.1:6020"),
            ("FE80:0::1%eth0", "[fe80::1%eth0]:6020"),
        ] {
            let endpoint = Endpoint::parse(text, Some(6020)).expect(text);
            assert_eq!(endpoint.canonical().to_string(), form);
        }
    }
}
