//! The thin loop: an [`Endpoint`] with real interfaces, sockets and clocks, for a plain thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::candidate::{Candidate, Credentials};
use crate::endpoint::{Endpoint, NotSent, PeerRefused};
use crate::event::{Event, PeerId};
use crate::settings::{PeerSettings, Settings};
use crate::status::{EndpointDrops, PeerStatus};

/// An [`Endpoint`] with the machine's interfaces and sockets.
pub struct Driver {
    endpoint: Endpoint,
    wake: Arc<OwnedFd>,
}

/// Ends a [`Driver::wait`] from another thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// The wait that is under way, or else the next one, ends at once.
    pub fn wake(&self) {
        // It fails only when it has been woken so often that it is awake anyway.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// Why a wait has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ready {
    /// For each of the caller's own descriptors, whether there is something to read, or an error to fetch.
    pub others: Vec<bool>,
    /// Whether somebody has called [`Waker::wake`].
    pub woken: bool,
}

impl Driver {
    /// Opens a socket for each address of the machine that can be used. That there is none is no error: one may come.
    ///
    /// # Errors
    ///
    /// When the system refuses descriptors or the list of its interfaces.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            endpoint: Endpoint::new(settings),
            wake: Arc::new(wake),
        })
    }

    /// What ends a wait from another thread.
    pub fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }

    /// Sends what there is to send, then waits until something has happened: an event, something to read from one of
    /// `others` (the caller's own descriptors), a call of [`Waker::wake`], or the time `until` (`None`: no matter how
    /// long). What came for links has been read then, and [`Self::next_event`] has it.
    ///
    /// # Errors
    ///
    /// When the system refuses to wait, which it does only for want of memory or for wrong descriptors.
    pub fn wait(&mut self, others: &[BorrowedFd<'_>], until: Option<Instant>) -> io::Result<Ready> {
        let mut descriptors = vec![PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        descriptors.extend(
            others
                .iter()
                .map(|other| PollFd::from_borrowed_fd(*other, PollFlags::IN)),
        );
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        poll(&mut descriptors, timeout.map(to_timespec).as_ref())?;
        Ok(Ready {
            woken: !descriptors[0].revents().is_empty(),
            others: descriptors[1..]
                .iter()
                .map(|other| !other.revents().is_empty())
                .collect(),
        })
    }

    /// What happened next. Fetch all before the next wait: datagrams are dropped when too many wait.
    pub fn next_event(&mut self) -> Option<Event> {
        self.endpoint.poll_event()
    }

    /// As [`Endpoint::add_peer`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn add_peer(&mut self, settings: PeerSettings) -> Result<PeerId, PeerRefused> {
        self.endpoint.add_peer(Instant::now(), settings)
    }

    /// As [`Endpoint::remove_peer`].
    pub fn remove_peer(&mut self, peer: PeerId) {
        self.endpoint.remove_peer(Instant::now(), peer);
    }

    /// As [`Endpoint::add_remote`].
    pub fn add_remote(
        &mut self,
        peer: PeerId,
        credentials: &Credentials,
        candidates: impl IntoIterator<Item = Candidate>,
    ) {
        self.endpoint
            .add_remote(Instant::now(), peer, credentials, candidates);
    }

    /// As [`Endpoint::candidates`].
    pub fn candidates(&self, peer: PeerId) -> Vec<Candidate> {
        self.endpoint.candidates(peer)
    }

    /// As [`Endpoint::send`]. What is sent between two waits goes out together.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send(&mut self, peer: PeerId, contents: &[u8]) -> Result<(), NotSent> {
        self.endpoint.send(Instant::now(), peer, contents)
    }

    /// Sends now what waits for the next [`Self::wait`]; worth it after a long batch only.
    pub fn flush(&mut self) {}

    /// Other interfaces are to be ignored from now on.
    pub fn ignore_interfaces(&mut self, _names: Vec<String>) {}

    /// As [`Endpoint::status`].
    pub fn status(&self, peer: PeerId) -> Option<PeerStatus> {
        self.endpoint.status(Instant::now(), peer)
    }

    /// As [`Endpoint::drops`].
    pub fn drops(&self) -> EndpointDrops {
        self.endpoint.drops()
    }
}

fn to_timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
