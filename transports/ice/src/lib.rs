//! Reaches other nodes through NAT and firewalls.
//!
//! ```text
//!   Ice ─▶ Shared ─▶ Worker ─┬─ Account: offers and answers over XMPP (kozo-xmpp)
//!                            ├─ Driver: ways through NAT, over UDP (kozo-ice)
//!                            ├─ Meeting: what is decided about each other node (pure)
//!                            └─ Quic: streams over those ways, secured by this transport itself (quinn-proto)
//! ```
//!
//! The XMPP server and relays see who talks to whom and when, and nothing of what is said. Who is at the other end is
//! proven inside, with the nodes' own keys.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use kozo_abi::{
    Connection, Error, Peer, Priority, Readiness, Transport, TransportHost, export_transport,
};
use kozo_xmpp::Jid;

mod description;
mod keys;
mod meeting;
mod options;
mod pipe;
mod proof;
mod quic;
mod shared;
mod status;
#[cfg(test)]
mod tests;
mod worker;

use options::{Options, Settings};
use shared::{Call, Shared};
use worker::{Neighbour, Worker};

/// How long before the host gives a connection up it is told why there is none: its own clock for that began earlier.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How long the thread waits before it begins anew when the system has refused it something.
const RESTART: Duration = Duration::from_secs(5);

/// How long it may take to take leave.
const LEAVE: Duration = Duration::from_secs(2);

struct Ice {
    settings: Settings,
    host: TransportHost,
    /// The other nodes. The host asks of each whether it can be reached, before anything else.
    neighbours: Mutex<BTreeMap<(String, String), Neighbour>>,
    begun: OnceLock<Begun>,
}

/// What there is once the transport has begun.
struct Begun {
    shared: Arc<Shared>,
    /// Says that the thread has ended.
    ended: Mutex<Receiver<()>>,
}

/// The name of a node's session on the XMPP server, which has to be the only one of its account.
fn session(account: &Jid, node: &str, transport: &str) -> Result<Jid, Error> {
    Ok(account.with_resource(&format!("kozo/{node}/{transport}"))?)
}

impl Ice {
    fn neighbour(peer: &Peer<'_>) -> Result<Neighbour, Error> {
        let account = peer.options::<Options>()?.account()?;
        Ok(Neighbour {
            node: peer.node().to_owned(),
            jid: session(&account, peer.node(), peer.name())?,
        })
    }

    fn shared(&self) -> Result<&Arc<Shared>, Error> {
        let begun = self.begun.get().ok_or("it has not begun yet")?;
        Ok(&begun.shared)
    }
}

impl Transport for Ice {
    type Options = Options;

    fn init(options: Options, host: &TransportHost) -> Result<Self, Error> {
        Ok(Self {
            settings: options.checked()?,
            host: host.clone(),
            neighbours: Mutex::default(),
            begun: OnceLock::new(),
        })
    }

    fn local_init(&self) -> Result<(), Error> {
        if self.begun.get().is_some() {
            return Ok(());
        }
        let shared = Arc::new(Shared::new()?);
        let own = session(&self.settings.account, self.host.node(), self.host.name())?;
        let neighbours = self
            .neighbours
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let neighbours: Vec<Neighbour> = neighbours.values().cloned().collect();
        let make = {
            let (shared, host, settings) = (
                Arc::clone(&shared),
                self.host.clone(),
                self.settings.clone(),
            );
            move || {
                Worker::new(
                    Arc::clone(&shared),
                    host.clone(),
                    settings.clone(),
                    neighbours.clone(),
                    own.clone(),
                )
            }
        };
        let worker = make()?;
        let (host, stopping) = (self.host.clone(), Arc::clone(&shared));
        let (end, ended) = sync_channel::<()>(0);
        thread::Builder::new()
            .name("ice".to_owned())
            .spawn(move || {
                // With it, whoever waits for the end is told.
                let _end = end;
                let mut worker = Ok(worker);
                loop {
                    let ended = worker.and_then(|mut worker| unless_it_panics(|| worker.run()));
                    if stopping.is_stopping() {
                        return;
                    }
                    if let Err(error) = ended {
                        host.error(&format!("it begins anew: {error}"));
                        host.set_status(&format!(
                            "it begins anew in {} s: {error}",
                            RESTART.as_secs()
                        ));
                    }
                    thread::sleep(RESTART);
                    worker = make();
                }
            })?;
        let _ = self.begun.set(Begun {
            shared,
            ended: Mutex::new(ended),
        });
        Ok(())
    }

    fn accept(&self) -> Result<Option<Connection>, Error> {
        let shared = self.shared()?;
        loop {
            if let Some(connection) = shared.next_accepted() {
                return Ok(Some(connection));
            }
            if self.host.wait_readable(shared.accepted_fd(), None)? == Readiness::Stopping {
                return Ok(None);
            }
        }
    }

    fn addresses(&self, peer: &Peer<'_>) -> Result<Vec<String>, Error> {
        Ok(vec![Self::neighbour(peer)?.jid.to_string()])
    }

    fn connect(
        &self,
        peer: &Peer<'_>,
        _address: &str,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let limit = timeout - LAST_WORD.min(timeout / 10);
        let deadline = Instant::now()
            .checked_add(limit)
            .ok_or("the timeout is too long")?;
        let (answer, answered) = sync_channel(1);
        let call = Call {
            session: Self::neighbour(peer)?.jid,
            deadline,
            answer,
        };
        if !self.shared()?.call(call) {
            return Err("too much is to be done already, or it is being stopped".into());
        }
        match answered.recv_timeout(timeout) {
            Ok(result) => Ok(result?),
            Err(RecvTimeoutError::Timeout) => Err("there is no connection in time".into()),
            Err(RecvTimeoutError::Disconnected) => Err("it is being stopped".into()),
        }
    }

    fn priority(&self) -> Priority {
        Priority::Good
    }

    fn can_connect(&self, peer: &Peer<'_>) -> bool {
        if !peer.is_same_module() {
            return false;
        }
        match Self::neighbour(peer) {
            Ok(neighbour) => {
                let key = (peer.node().to_owned(), peer.name().to_owned());
                let mut neighbours = self
                    .neighbours
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                neighbours.insert(key, neighbour);
                true
            }
            Err(error) => {
                self.host
                    .warn(&format!("there is no way to {peer}: {error}"));
                false
            }
        }
    }

    fn stop(&self) {
        if let Some(begun) = self.begun.get() {
            begun.shared.stop();
            // Other nodes are told, and the XMPP server.
            let ended = begun.ended.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = ended.recv_timeout(LEAVE);
        }
    }
}

/// What comes of the thread's work. A panic is an error like any other: it shall not end the transport for good.
fn unless_it_panics(work: impl FnOnce() -> io::Result<()>) -> Result<(), Error> {
    // What it worked with is made anew.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Ok(done?),
        Err(payload) => {
            // Its own drop might panic.
            std::mem::forget(payload);
            Err("a fault of this program, which stands above in the log".into())
        }
    }
}

export_transport!(Ice);
