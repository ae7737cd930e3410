//! What the core has done: by the thread that has the sockets, or by a test.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use kozo_ipop::notification::Stats;
use kozo_ipop::request::{CreateLink, Password};
use kozo_ipop::{Uid, candidate::Candidate};
use serde::Serialize;

use crate::frames::Mac;

/// The world around the core.
pub(crate) trait Outside {
    /// Sends a datagram from the control port; whether the system took it.
    fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> bool;

    /// Makes this node somebody: a certificate, and addresses for the network device.
    ///
    /// # Errors
    /// Why not, in words for the log.
    fn become_node(&mut self, node: &Node) -> Result<Became, String>;

    /// Hands a frame to the kernel; whether it took it.
    fn to_kernel(&mut self, frame: &[u8]) -> bool;

    /// Logs in to XMPP, in place of an earlier account.
    ///
    /// # Errors
    /// Why not, in words for the log.
    fn log_in(&mut self, account: &Account) -> Result<(), String>;

    /// Sends a message over XMPP; whether the peer is there to get it.
    fn signal(&mut self, uid: &Uid, kind: &str, data: &str) -> bool;

    /// Begins a link. Once its candidates are known, [`super::Core::gathered`] is called.
    ///
    /// # Errors
    /// Why not, in words for the log.
    fn begin_link(&mut self, uid: Uid, wishes: &Wishes<'_>) -> Result<(), String>;

    /// Tells a link of the candidates of its other end.
    fn add_candidates(&mut self, uid: &Uid, candidates: Vec<Candidate>);

    /// Ends a link.
    fn end_link(&mut self, uid: &Uid);

    /// Sends a frame with its header through a link; whether that took it.
    fn to_peer(&mut self, uid: &Uid, data: &[u8]) -> bool;

    /// The figures of a link, the way that is used first.
    fn figures(&self, uid: &Uid) -> Vec<Stats>;

    /// Says which interfaces' addresses are no candidates.
    fn ignore_interfaces(&mut self, names: Vec<String>);

    /// Tells the network that a link is up, or is so no longer.
    fn report(&mut self, change: Change);

    /// A line for the log.
    fn say(&mut self, level: Level, text: &str);
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
}

/// Who this node is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) uid: Uid,
    pub(crate) ip4: Ipv4Addr,
    /// How many leading bits of addresses are those of the overlay's network.
    pub(crate) ip4_bits: u8,
    pub(crate) ip6: Ipv6Addr,
    pub(crate) ip6_bits: u8,
}

/// What has become of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Became {
    /// The hardware address of the device.
    pub(crate) mac: Mac,
    /// The fingerprint of the certificate, as others are told.
    pub(crate) fingerprint: String,
}

/// Where to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: Uid,
    /// What peers are told by the account's presence: see [`super::Core::offered`].
    pub(crate) fingerprint: String,
    pub(crate) username: String,
    pub(crate) password: Password,
    /// The server, with a port perhaps.
    pub(crate) host: String,
}

/// How a link is wanted.
#[derive(Debug)]
pub(crate) struct Wishes<'a> {
    pub(crate) request: &'a CreateLink,
    /// Whether this node decides which pair of addresses is used.
    pub(crate) controlling: bool,
    /// Whether this node begins the handshake of DTLS.
    pub(crate) client: bool,
}

/// The event `ipop-peer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub(crate) uid: String,
    pub(crate) ip4: Option<String>,
    pub(crate) ip6: Option<String>,
    /// `online` or `offline`.
    pub(crate) status: &'static str,
    /// `dtls` or `none`, while it is online.
    pub(crate) security: Option<&'static str>,
    /// `direct`, `through NAT` or `relayed`, while it is online.
    pub(crate) path: Option<&'static str>,
}
