//! What callers give: how an endpoint behaves, and what is known of a peer before there is a link.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::candidate::Credentials;
use crate::identity::{Fingerprint, Identity};

/// How an [`crate::Endpoint`] behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of interfaces whose addresses are not used, as `ipop` for a TAP device that the links themselves carry.
    /// Default: none.
    pub ignored_interfaces: Vec<String>,
    /// Whether loopback addresses count as addresses, of this machine and of peers. For tests on one machine.
    /// Default: false.
    pub loopback: bool,
    /// How long STUN and TURN servers are waited for, before candidates count as complete without them. Answers that
    /// come later are still of use. Default: 3 seconds.
    pub gathering_time: Duration,
    /// How many bytes a datagram has at most on the way, without the headers of IP and UDP: DTLS cuts its handshake
    /// into parts of that length. Default: 1,400, which holds a frame of 1,280 bytes with Ethernet's header and 40
    /// bytes more.
    pub mtu: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ignored_interfaces: Vec::new(),
            loopback: false,
            gathering_time: Duration::from_secs(3),
            mtu: 1400,
        }
    }
}

/// What is known of a peer when a link with it is begun.
#[derive(Debug, Clone)]
pub struct PeerSettings {
    /// What *we* prove ourselves with to this peer. Keep them for as long as the peer is the same: what it sends to an
    /// earlier link of the two fits the next one then.
    pub credentials: Credentials,
    /// Whether we decide which pair of addresses is used. One of the two has to; if both or neither do, they find out.
    pub controlling: bool,
    /// What protects datagrams.
    pub security: Security,
    /// STUN servers, as `host:port`; IPv6 addresses in brackets.
    pub stun: Vec<String>,
    /// TURN servers, over UDP.
    pub turn: Vec<TurnServer>,
    /// Whether only relayed candidates are used, so that the peer does not learn our addresses.
    pub relay_only: bool,
}

/// A server that relays, for those that cannot be reached otherwise.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// `host:port`; an IPv6 address in brackets.
    pub server: String,
    /// Who asks.
    pub user: String,
    /// The password (RFC 8489's long-term credentials).
    pub password: String,
}

impl fmt::Debug for TurnServer {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TurnServer")
            .field("server", &self.server)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What protects the datagrams of a link.
#[derive(Debug, Clone)]
pub enum Security {
    /// Nothing: datagrams go as they are, for peers that agreed on that, and for what brings its own protection, as QUIC
    /// does. Whoever sees packets can then forge some.
    None,
    /// DTLS 1.2, in which both ends show a certificate.
    Dtls {
        /// Ours.
        identity: Arc<Identity>,
        /// That of the certificate that the peer has to have.
        fingerprint: Fingerprint,
        /// Whether we begin the handshake. Exactly one of the two has to.
        client: bool,
    },
}
