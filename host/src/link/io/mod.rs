//! The hands of the link core: what it decides is done here, on one thread's runtime.
//!
//! ```text
//!   role threads ──▶ PeerLink::send ─┐                      ┌─▶ writer ─▶ SSH ─▶ socket
//!                                    ▼                      │
//!   accept ─▶ SSH ─────────▶ ┌──────────────┐ ──────────────┤
//!   dial ───▶ SSH ─────────▶ │ Mutex<Peer>  │               └─▶ driver: dials, closes, timers
//!   socket ─▶ SSH ─▶ feed ─▶ └──────────────┘ ──▶ deliveries ──▶ router ──▶ inboxes
//! ```
//!
//! Bytes that arrive are decrypted, cut into frames, and put into the inboxes where they arrive;
//! the lock around a [`Peer`] is held for moments only, and never across I/O.

mod accept;
mod dial;
mod driver;
mod feed;
mod stream;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub use accept::{AcceptLimits, Listener, Peers};
pub use dial::{Dialling, Route};
pub use driver::{Driver, LinkObserver, MAX_DIALS};

use super::{Delivery, LinkKey, Output, Peer};
use crate::clock::{self, Moment};
use crate::names::NodeName;
use crate::wire::{FrameWriter, Message, RoleInterests};

/// Where links hand over what came: the router.
pub trait Arrivals: Send + Sync + 'static {
    /// A message of a role of `node`, for the roles of this node. Must not block.
    fn deliver(&self, node: &NodeName, delivery: Delivery, now: Moment);

    /// What the roles of `node` want to hear of.
    fn learn(&self, node: &NodeName, interests: Vec<RoleInterests>);

    /// There may be room again for messages to `node`.
    fn room(&self, node: &NodeName);
}

/// One peer, shared between the role threads that send to it, the links that bring what it
/// sends, and the [`Driver`] that does what it wants done.
pub struct PeerLink {
    name: NodeName,
    state: Mutex<State>,
    /// Wakes the driver.
    changed: Notify,
}

struct State {
    peer: Peer,
    /// When the driver wakes by itself.
    armed: Option<Moment>,
    writers: Vec<(LinkKey, Arc<Notify>)>,
}

impl PeerLink {
    /// Shares a peer.
    pub fn new(peer: Peer) -> Arc<Self> {
        Arc::new(Self {
            name: peer.settings().peer.clone(),
            state: Mutex::new(State {
                peer,
                armed: Some(Moment::ZERO),
                writers: Vec::new(),
            }),
            changed: Notify::new(),
        })
    }

    /// The node's name.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// Queues a message of this node's roles.
    pub fn send(&self, message: Message, now: Moment) {
        self.change(now, |peer| peer.send(message, now));
    }

    /// Queues a message for all of `peers`, if all of them have room for it.
    pub fn send_if_room(peers: &[&Arc<Self>], message: &Message, now: Moment) -> bool {
        let cost = message.cost();
        // Always locked in the order of the router's list, so that two senders never wait for
        // each other.
        let mut states: Vec<_> = peers.iter().map(|link| link.lock()).collect();
        if !states.iter().all(|state| state.peer.has_room(cost)) {
            return false;
        }
        for (link, state) in peers.iter().zip(&mut states) {
            state.peer.send(message.clone(), now);
            link.wake(state, now);
        }
        true
    }

    /// Looks at the peer.
    pub fn look<T>(&self, look: impl FnOnce(&Peer) -> T) -> T {
        look(&self.lock().peer)
    }

    /// Changes the peer, and wakes whoever has something to do because of it.
    pub fn change<T>(&self, now: Moment, change: impl FnOnce(&mut Peer) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state.peer);
        self.wake(&state, now);
        result
    }

    fn wake(&self, state: &State, now: Moment) {
        for (key, writer) in &state.writers {
            if state.peer.wants_output(*key, now) {
                writer.notify_one();
            }
        }
        let sooner = match (state.peer.timeout(now), state.armed) {
            (Some(timeout), Some(armed)) => timeout < armed,
            (timeout, None) => timeout.is_some(),
            (None, Some(_)) => false,
        };
        if sooner || state.peer.has_actions() {
            self.changed.notify_one();
        }
    }

    fn output(&self, key: LinkKey, writer: &mut FrameWriter) -> Output {
        let now = clock::now();
        self.change(now, |peer| peer.output(key, writer, now))
    }

    fn add_writer(&self, key: LinkKey) -> Arc<Notify> {
        let writer = Arc::new(Notify::new());
        self.lock().writers.push((key, Arc::clone(&writer)));
        writer
    }

    fn remove_writer(&self, key: LinkKey) {
        self.lock().writers.retain(|(other, _)| *other != key);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The core does not panic; if it did, its state would still be the best there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
