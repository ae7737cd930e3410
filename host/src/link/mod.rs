//! The hands of the link core: what it decides is done here, on one thread's runtime.
//!
//! ```text
//!   role threads ──▶ PeerLink::open ─┐      ┌─▶ role thread (`peer_link/direct`) ─▶ socket
//!                                    ▼      │      or writer ─▶ SSH or Noise ─▶ socket
//!   accept ─▶ SSH ─────────▶ ┌──────────────┐
//!   dial ───▶ SSH ─────────▶ │ Mutex<Peer>  │ ─▶ driver: dials, closes, timers
//!   socket ────────▶ feed ─▶ └──────────────┘ ─▶ deliveries ──▶ router ──▶ inboxes
//! ```
//!
//! At any moment one thread writes on a link: its writer, or the role's that sends what comes alone. Meanwhile role threads
//! leave messages beside the queue (`peer_link/intake`), and wait for nobody.
//!
//! Bytes that arrive are decrypted, cut into frames, and put into the inboxes where they arrive;
//! the lock around a [`Peer`](kozo_link::Peer) is held for moments only, and never across I/O.

mod accept;
mod alarm;
mod arrivals;
mod calls;
mod dial;
mod driver;
mod entrance;
mod error;
mod feed;
mod peer_link;
mod stream;
mod threshold;
mod writer;

pub(crate) use accept::{AcceptLimits, Listener, Peers};
pub(crate) use arrivals::{Arrivals, BusEar, PeerQuestions};
pub(crate) use calls::Calls;
pub(crate) use dial::{Dialling, Route};
pub(crate) use driver::{Driver, LinkObserver};
pub(crate) use entrance::Entrance;
pub(crate) use peer_link::{
    DirectWrite, NamedWay, NoAnswer, PeerAnswer, PeerLink, SendingToPeer, WatchedMessage,
};
