//! Where a peer may be reached, and what its checks are signed with.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ring::rand::{SecureRandom, SystemRandom};

/// How long a password of ICE may be at most, in bytes (RFC 8839).
pub const LONGEST_CREDENTIAL: usize = 256;

/// How long a user name of ICE may be at most, in bytes. RFC 8839 lets it have 256, but a check carries two of them with a
/// colon between, and the agent writes no text of more than 128 bytes: it panics. Nobody has more than 32 or so.
pub const LONGEST_USER: usize = 63;

/// A place where a node may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it comes from.
    pub kind: CandidateKind,
    /// Where to send to.
    pub address: SocketAddr,
    /// The socket behind it: for one through NAT, the address on this side of it. `None` where nobody said.
    pub base: Option<SocketAddr>,
    /// As RFC 8445 computes it; greater is better.
    pub priority: u32,
    /// The same for candidates of one kind from one address and one server: letters, digits, `+` and `/`, 32 at most.
    pub foundation: String,
    /// The name of the interface; empty where nobody said. It is for people only.
    pub interface: String,
}

/// Where a candidate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CandidateKind {
    /// An address of the machine itself (`local` in IPOP's text, `host` in RFC 8445).
    Host,
    /// What a STUN server saw of it (`stun`, `srflx`).
    ServerReflexive,
    /// What the peer saw of it, or we of the peer (`prflx`). It is never told to anyone.
    PeerReflexive,
    /// An address of a TURN server that relays (`relay`).
    Relayed,
}

impl CandidateKind {
    /// The name that RFC 8445 uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What one side of ICE proves itself with: the peer has to know both before it can be reached.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The user name (`ufrag`). It tells peers apart, so no two peers of an [`crate::Endpoint`] may share one.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// New ones that nobody can guess: 8 and 24 letters and digits.
    pub fn random() -> Self {
        Self {
            user: random_text(8),
            password: random_text(24),
        }
    }

    /// Whether checks can carry them: neither empty nor too long, and of printable ASCII without a colon, since a
    /// colon separates the two user names of a check.
    pub fn are_usable(&self) -> bool {
        [
            (&self.user, LONGEST_USER),
            (&self.password, LONGEST_CREDENTIAL),
        ]
        .iter()
        .all(|(text, longest)| {
            (1..=*longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        }) && !self.user.contains(':')
    }
}

impl fmt::Debug for Credentials {
    /// Without the password, which is a secret of the two peers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Letters and digits that nobody can guess.
fn random_text(length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = vec![0; length];
    fill_with_random(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 64)]))
        .collect()
}

/// Bytes that nobody can guess.
///
/// # Panics
///
/// When the system has no random numbers, with which nothing of this can be safe.
pub(crate) fn fill_with_random(bytes: &mut [u8]) {
    SystemRandom::new()
        .fill(bytes)
        .expect("the system has no random numbers");
}

/// Why packets can never be sent to an address that a peer calls its own, or may do harm there; `None` when nothing
/// speaks against it.
pub(crate) fn unusable(address: SocketAddr, loopback_allowed: bool) -> Option<&'static str> {
    if address.port() == 0 {
        return Some("its port is 0");
    }
    let ip = address.ip().to_canonical();
    if ip.is_unspecified() {
        return Some("it is no address of anyone");
    }
    if ip.is_multicast() {
        return Some("it is a multicast address");
    }
    if ip.is_loopback() && !loopback_allowed {
        return Some("it is a loopback address");
    }
    match ip {
        IpAddr::V4(ip) if ip.is_broadcast() => Some("it is the broadcast address"),
        // `0.0.0.0/8` is this network, and `240.0.0.0/4` is reserved.
        IpAddr::V4(ip) if ip.octets()[0] == 0 || ip.octets()[0] >= 240 => {
            Some("it is a reserved address")
        }
        // Which of the interfaces is meant, only the peer knows.
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some("it is a link-local address"),
        _ if address.is_ipv6() && ip.is_ipv4() => {
            Some("it is an IPv4 address written as one of IPv6")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_different_each_time_and_fit_what_peers_take() {
        let (first, second) = (Credentials::random(), Credentials::random());
        assert_ne!(first, second);
        // RFC 8445: 24 and 128 bits at least.
        assert_eq!((first.user.len(), first.password.len()), (8, 24));
        assert!(first.are_usable());
        assert!(!format!("{first:?}").contains(&first.password));
    }

    #[test]
    fn credentials_that_no_check_can_carry_are_found_out() {
        let with = |user: &str, password: &str| Credentials {
            user: user.into(),
            password: password.into(),
        };
        assert!(with("u", "p").are_usable());
        for (user, password) in [
            ("", "p"),
            ("u", ""),
            ("u:v", "p"),
            ("u v", "p"),
            ("ü", "p"),
            ("u", "p\n"),
        ] {
            assert!(!with(user, password).are_usable(), "{user:?} {password:?}");
        }
        assert!(!with(&"u".repeat(LONGEST_USER + 1), "p").are_usable());
        assert!(!with("u", &"p".repeat(LONGEST_CREDENTIAL + 1)).are_usable());
    }

    #[test]
    fn addresses_that_are_nobodys_are_refused() {
        for address in [
            "192.0.2.1:1",
            "10.0.0.1:5000",
            "[2001:db8::1]:5000",
            "[fd00::1]:1",
            "169.254.1.1:1",
        ] {
            assert_eq!(unusable(address.parse().unwrap(), false), None, "{address}");
        }
        for address in [
            "192.0.2.1:0",
            "0.0.0.0:1",
            "0.1.2.3:1",
            "127.0.0.1:1",
            "127.1.2.3:1",
            "224.0.0.1:1",
            "239.1.2.3:1",
            "240.0.0.1:1",
            "255.255.255.255:1",
            "[::]:1",
            "[::1]:1",
            "[ff02::1]:1",
            "[fe80::1]:1",
            "[::ffff:127.0.0.1]:1",
            "[::ffff:192.0.2.1]:1",
        ] {
            assert!(
                unusable(address.parse().unwrap(), false).is_some(),
                "{address}"
            );
        }
        assert_eq!(unusable("127.0.0.1:1".parse().unwrap(), true), None);
    }
}
