//! What the transport's threads have in common: the host's calls on one side, the thread that does all on the other.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kozo_abi::Connection;
use kozo_ice::Waker;
use kozo_xmpp::Jid;
use rustix::event::{EventfdFlags, eventfd};

/// How many connections wait to be accepted by the host, which never lets them wait for long.
const MAX_ACCEPTED: usize = 16;

/// How many calls wait for the thread. The host makes few at a time.
const MAX_CALLS: usize = 256;

/// A call of the host's that wants a connection.
pub(crate) struct Call {
    /// The session of the node's transport.
    pub(crate) session: Jid,
    pub(crate) deadline: Instant,
    pub(crate) answer: SyncSender<Result<Connection, String>>,
}

pub(crate) struct Shared {
    held: Mutex<Held>,
    /// Readable while there is something to accept.
    accepted: OwnedFd,
}

#[derive(Default)]
struct Held {
    calls: VecDeque<Call>,
    accepted: VecDeque<Connection>,
    waker: Option<Waker>,
    stopping: bool,
}

impl Shared {
    /// # Errors
    /// The system has no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            held: Mutex::default(),
            accepted: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the thread something to do. False if it has too much already, or has ended.
    pub(crate) fn call(&self, call: Call) -> bool {
        let mut held = self.held();
        if held.stopping || held.calls.len() >= MAX_CALLS {
            return false;
        }
        held.calls.push_back(call);
        held.wake();
        true
    }

    /// The thread can be woken by this from now on.
    pub(crate) fn set_waker(&self, waker: Waker) {
        self.held().waker = Some(waker);
    }

    /// Ends the thread, and all calls.
    pub(crate) fn stop(&self) {
        let mut held = self.held();
        held.stopping = true;
        // Who waits for an answer sees that none will come.
        held.calls.clear();
        held.wake();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.held().stopping
    }

    /// What the host wants.
    pub(crate) fn next_call(&self) -> Option<Call> {
        self.held().calls.pop_front()
    }

    /// Hands a connection to the host. False if too many wait already.
    pub(crate) fn accept(&self, connection: Connection) -> bool {
        let mut held = self.held();
        if held.accepted.len() >= MAX_ACCEPTED {
            return false;
        }
        held.accepted.push_back(connection);
        // It fails only when it has been told so often that it is readable anyway.
        let _ = rustix::io::write(&self.accepted, &1_u64.to_ne_bytes());
        true
    }

    /// A connection that waits.
    pub(crate) fn next_accepted(&self) -> Option<Connection> {
        let mut held = self.held();
        if held.accepted.len() <= 1 {
            // It fails when it has not been told.
            let _ = rustix::io::read(&self.accepted, &mut [0_u8; 8]);
        }
        held.accepted.pop_front()
    }

    /// Readable while there may be something to accept.
    pub(crate) fn accepted_fd(&self) -> BorrowedFd<'_> {
        self.accepted.as_fd()
    }
}

impl Held {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }
}
