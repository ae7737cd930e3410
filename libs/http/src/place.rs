//! The places that connections have, for as long as they last.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::{Door, Entry, Limits};

/// The places of one server, and what all its connections have in common.
pub struct Places<S> {
    shared: S,
    held: Mutex<Held>,
}

struct Held {
    door: Door,
    /// What tells a connection that its place is another one's.
    losing: HashMap<u64, Arc<Notify>>,
}

/// Why there is no place for a connection: all are taken, and something happens on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its address has as many as it may have.
    #[error(
        "refused a connection of {0}, which has as many as one address may have, and all are busy"
    )]
    TooManyOfOne(IpAddr),
    /// There are as many as there may be.
    #[error(
        "refused a connection of {0}, since there are as many as there may be, and all are busy"
    )]
    TooMany(IpAddr),
}

impl<S> Places<S> {
    /// No connection yet.
    pub fn new(limits: Limits, shared: S) -> Arc<Self> {
        Arc::new(Self {
            shared,
            held: Mutex::new(Held {
                door: Door::new(limits),
                losing: HashMap::new(),
            }),
        })
    }

    /// A place for a new connection of `client`, which one on which nothing happens may lose for it.
    ///
    /// # Errors
    /// There is none to be had.
    pub fn take(self: &Arc<Self>, client: SocketAddr) -> Result<Place<S>, Refused> {
        // A socket for both kinds of addresses shows those of IPv4 as ones of IPv6.
        let client = SocketAddr::new(client.ip().to_canonical(), client.port());
        let ip = client.ip();
        let mut held = self.held();
        let (id, closing) = match held.door.enter(ip, Instant::now()) {
            Entry::Admitted { id, closing } => (id, closing),
            Entry::TooManyOfOne => return Err(Refused::TooManyOfOne(ip)),
            Entry::TooMany => return Err(Refused::TooMany(ip)),
        };
        if let Some(lost) = closing.and_then(|id| held.losing.remove(&id)) {
            lost.notify_one();
        }
        let lost = Arc::new(Notify::new());
        held.losing.insert(id, Arc::clone(&lost));
        drop(held);
        Ok(Place {
            places: Arc::clone(self),
            client,
            id,
            lost,
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> fmt::Debug for Places<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Places").field(&self.held().door).finish()
    }
}

/// The place of a connection, until it is dropped.
pub struct Place<S> {
    places: Arc<Places<S>>,
    client: SocketAddr,
    id: u64,
    lost: Arc<Notify>,
}

impl<S> Place<S> {
    /// What it has in common with all others.
    pub fn shared(&self) -> &S {
        &self.places.shared
    }

    /// The other end's address.
    pub fn client(&self) -> SocketAddr {
        self.client
    }

    /// Says that a request is being answered, until what this returns is dropped.
    pub fn busy(self: &Arc<Self>) -> Busy<S> {
        self.set_busy(true);
        Busy(Arc::clone(self))
    }

    /// How long it is until the connection has been silent for too long; none when it has to go, as when its
    /// place is another one's.
    pub fn patience(&self) -> Option<Duration> {
        self.places.held().door.patience(self.id, Instant::now())
    }

    /// Waits until its place is another one's.
    pub async fn lost(&self) {
        self.lost.notified().await;
    }

    fn set_busy(&self, busy: bool) {
        let now = Instant::now();
        self.places.held().door.set_busy(self.id, busy, now);
    }
}

impl<S> fmt::Debug for Place<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({} of {})", self.id, self.client)
    }
}

impl<S> Drop for Place<S> {
    fn drop(&mut self) {
        let mut held = self.places.held();
        held.door.leave(self.id);
        held.losing.remove(&self.id);
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Busy<S>(Arc<Place<S>>);

impl<S> Drop for Busy<S> {
    fn drop(&mut self) {
        self.0.set_busy(false);
    }
}
