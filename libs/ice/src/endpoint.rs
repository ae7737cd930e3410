//! All links of a process, without I/O: what came in, and when, goes in; what is to be sent, and what happened, comes
//! out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use thiserror::Error;

use crate::candidate::{Candidate, Credentials};
use crate::event::{Event, PeerId};
use crate::limits;
use crate::settings::{PeerSettings, Settings};
use crate::status::{EndpointDrops, PeerStatus};

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// From which socket: one of the addresses given to [`Endpoint::add_address`].
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub contents: Vec<u8>,
}

/// All links of a process.
pub struct Endpoint {
    settings: Settings,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    drops: EndpointDrops,
}

/// Why a peer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PeerRefused {
    /// There are too many.
    #[error("there are {} peers already, which is the limit", limits::PEERS)]
    TooMany,
    /// Its credentials cannot be used.
    #[error(
        "the user name or the password for checks cannot be used: printable ASCII without a colon, 256 bytes at most"
    )]
    UnusableCredentials,
    /// Another peer has these credentials.
    #[error("another peer has the same user name for checks")]
    SameCredentials,
}

/// Why a datagram was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotSent {
    /// There is no such peer.
    #[error("there is no such peer")]
    UnknownPeer,
    /// It is not online.
    #[error("the link is not online")]
    NotOnline,
    /// It is too long.
    #[error("a datagram may have {} bytes at most", limits::DATAGRAM)]
    TooLong,
    /// Too much is waiting to be sent.
    #[error("more is waiting to be sent than the queue holds")]
    QueueFull,
}

impl Endpoint {
    /// One without addresses and peers.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            drops: EndpointDrops::default(),
        }
    }

    /// How it behaves.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Begins a link: candidates of our own are gathered, and told of by [`Event::Gathered`].
    ///
    /// # Errors
    ///
    /// When there are too many peers, or these credentials cannot be used.
    pub fn add_peer(
        &mut self,
        _now: Instant,
        settings: PeerSettings,
    ) -> Result<PeerId, PeerRefused> {
        if !settings.credentials.are_usable() {
            return Err(PeerRefused::UnusableCredentials);
        }
        Err(PeerRefused::TooMany)
    }

    /// Ends a link. The peer is told, if it has DTLS.
    pub fn remove_peer(&mut self, _now: Instant, _peer: PeerId) {}

    /// What the peer said of itself: its credentials, and where it may be reached. May be called again with more;
    /// other credentials than before are those of a peer that has begun anew, and everything known of it is forgotten.
    pub fn add_remote(
        &mut self,
        _now: Instant,
        _peer: PeerId,
        _credentials: &Credentials,
        _candidates: impl IntoIterator<Item = Candidate>,
    ) {
    }

    /// Where we can be reached by this peer, as far as is known; complete after [`Event::Gathered`].
    pub fn candidates(&self, _peer: PeerId) -> Vec<Candidate> {
        Vec::new()
    }

    /// Sends a datagram, as soon as [`Self::poll_transmit`] is asked.
    ///
    /// # Errors
    ///
    /// When it cannot be sent; it is then counted as dropped.
    pub fn send(&mut self, _now: Instant, _peer: PeerId, _contents: &[u8]) -> Result<(), NotSent> {
        Err(NotSent::UnknownPeer)
    }

    /// How the link with a peer is.
    pub fn status(&self, _now: Instant, _peer: PeerId) -> Option<PeerStatus> {
        None
    }

    /// What was dropped that belongs to no peer.
    pub fn drops(&self) -> EndpointDrops {
        self.drops
    }

    /// What is to be sent next.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
