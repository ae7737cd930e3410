//! The thin loop: an [`Endpoint`] with real interfaces, sockets and clocks, for a plain thread.

mod changes;
mod interfaces;
mod lookup;
mod socket;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::candidate::{Candidate, Credentials};
use crate::endpoint::{Endpoint, NotSent, PeerRefused, Transmit};
use crate::event::{Event, PeerId};
use crate::settings::{PeerSettings, Settings};
use crate::status::{EndpointDrops, PeerStatus};
use changes::Changes;
use lookup::Lookups;
use socket::{Buffers, Socket};

/// After a change of interfaces, how long until they are looked at: there are often several.
const SETTLING: Duration = Duration::from_millis(200);
/// How long until an address is tried again that could not be used; one of IPv6 is not ready for a second or two.
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// How many bytes are sent at a time: a datagram of UDP has no more.
const BATCH: usize = 60_000;

/// An [`Endpoint`] with the machine's interfaces and sockets. When it is dropped, peers and relays are told.
pub struct Driver {
    endpoint: Endpoint,
    settings: Settings,
    sockets: Vec<Socket>,
    buffers: Buffers,
    changes: Changes,
    lookups: Lookups,
    looked_up: Waker,
    wake: Waker,
    /// When interfaces are looked at again.
    scan: Option<Instant>,
    failures: u32,
    /// What is to be sent next: it did not fit to what was sent last, or there was no room.
    next: Option<Transmit>,
    batch: Vec<u8>,
    /// The socket that has no room, and its batch.
    stuck: Option<Stuck>,
}

struct Stuck {
    transmit: Transmit,
    segment: usize,
}

/// Ends a [`Driver::wait`] from another thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    fn new() -> io::Result<Self> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(descriptor)))
    }

    /// The wait that is under way, or else the next one, ends at once.
    pub fn wake(&self) {
        // It fails only when it has been woken so often that it is awake anyway.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    fn take(&self) {
        let _ = rustix::io::read(&*self.0, &mut [0; 8]);
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
        let looked_up = Waker::new()?;
        let mut driver = Self {
            endpoint: Endpoint::new(settings.clone()),
            settings,
            sockets: Vec::new(),
            buffers: Buffers::new(),
            // Before the list is read, so that no change is missed.
            changes: Changes::open()?,
            lookups: Lookups::new(looked_up.clone()),
            looked_up,
            wake: Waker::new()?,
            scan: None,
            failures: 0,
            next: None,
            batch: Vec::new(),
            stuck: None,
        };
        driver.scan_interfaces(Instant::now())?;
        Ok(driver)
    }

    /// What ends a wait from another thread.
    pub fn waker(&self) -> Waker {
        self.wake.clone()
    }

    /// Sends what there is to send, then waits until something has happened: an event, something to read from one of
    /// `others` (the caller's own descriptors), a call of [`Waker::wake`], or the time `until` (`None`: no matter how
    /// long). What came for links has been read then, and [`Self::next_event`] has it.
    ///
    /// # Errors
    ///
    /// When the system refuses to wait, which it does only for want of memory or for wrong descriptors.
    pub fn wait(&mut self, others: &[BorrowedFd<'_>], until: Option<Instant>) -> io::Result<Ready> {
        loop {
            let now = Instant::now();
            self.run_timers(now);
            self.flush();
            let over = self.endpoint.has_events() || until.is_some_and(|until| until <= now);
            let next = [until, self.endpoint.poll_timeout(), self.scan]
                .into_iter()
                .flatten()
                .min();
            let timeout = if over {
                Some(Duration::ZERO)
            } else {
                next.map(|next| next.saturating_duration_since(now))
            };
            let ready = self.poll(others, timeout)?;
            if over || self.endpoint.has_events() || ready.woken || ready.others.contains(&true) {
                return Ok(ready);
            }
        }
    }

    fn poll(&mut self, others: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Ready> {
        const OWN: usize = 3;
        let stuck = self.stuck.as_ref().map(|stuck| stuck.transmit.from);
        let input = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
        let mut descriptors = Vec::with_capacity(OWN + self.sockets.len() + others.len());
        descriptors.push(input(self.wake.0.as_fd()));
        descriptors.push(input(self.looked_up.0.as_fd()));
        descriptors.push(input(self.changes.as_fd()));
        descriptors.extend(self.sockets.iter().map(|socket| {
            let room = if Some(socket.address()) == stuck {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN | room)
        }));
        descriptors.extend(others.iter().map(|other| input(*other)));
        match poll(&mut descriptors, timeout.map(to_timespec).as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let happened: Vec<bool> = descriptors
            .iter()
            .map(|descriptor| !descriptor.revents().is_empty())
            .collect();
        drop(descriptors);
        let now = Instant::now();
        let [woken, looked_up, changed] = [happened[0], happened[1], happened[2]];
        if woken {
            self.wake.take();
        }
        if looked_up {
            self.looked_up.take();
            while let Some((name, found)) = self.lookups.answer() {
                self.endpoint.looked_up(now, &name, found);
            }
        }
        if changed && self.changes.take() {
            self.failures = 0;
            self.scan = Some(self.scan.unwrap_or(now + SETTLING).min(now + SETTLING));
        }
        let endpoint = &mut self.endpoint;
        for (socket, _) in self
            .sockets
            .iter()
            .zip(&happened[OWN..])
            .filter(|(_, happened)| **happened)
        {
            let local = socket.address();
            socket.receive(&mut self.buffers, |remote, datagram| {
                endpoint.handle(now, local, remote, datagram);
            });
        }
        Ok(Ready {
            others: happened[OWN + self.sockets.len()..].to_vec(),
            woken,
        })
    }

    fn run_timers(&mut self, now: Instant) {
        if self.scan.is_some_and(|scan| scan <= now) {
            self.scan = None;
            // What the system refuses now, it may allow later.
            if self.scan_interfaces(now).is_err() {
                self.retry_scan(now);
            }
        }
        if self
            .endpoint
            .poll_timeout()
            .is_some_and(|timeout| timeout <= now)
        {
            self.endpoint.handle_timeout(now);
        }
        while let Some(name) = self.endpoint.poll_lookup() {
            if let Some((name, found)) = self.lookups.begin(name) {
                self.endpoint.looked_up(now, &name, found);
            }
        }
    }

    fn retry_scan(&mut self, now: Instant) {
        let rest = RETRY
            .saturating_mul(1 << self.failures.min(8))
            .min(LONGEST_RETRY);
        self.failures += 1;
        self.scan = Some(now + rest);
    }

    /// Closes sockets whose addresses are gone, and opens some for those that have come.
    fn scan_interfaces(&mut self, now: Instant) -> io::Result<()> {
        let addresses = interfaces::addresses(&self.settings)?;
        let endpoint = &mut self.endpoint;
        self.sockets.retain(|socket| {
            let kept = addresses.contains_key(&socket.address().ip());
            if !kept {
                endpoint.remove_address(now, socket.address());
            }
            kept
        });
        let mut failed = false;
        for (ip, interface) in addresses {
            if self
                .sockets
                .iter()
                .any(|socket| socket.address().ip() == ip)
            {
                continue;
            }
            match Socket::open(ip) {
                Ok(socket) => {
                    if self.endpoint.add_address(now, socket.address(), &interface) {
                        self.sockets.push(socket);
                    }
                }
                Err(_) => failed = true,
            }
        }
        if failed {
            self.retry_scan(now);
        }
        Ok(())
    }

    /// Sends now what waits for the next [`Self::wait`]; worth it after a long batch only.
    pub fn flush(&mut self) {
        if let Some(stuck) = self.stuck.take()
            && !self.send_batch(stuck.transmit, stuck.segment)
        {
            return;
        }
        while let Some(mut transmit) = self.next.take().or_else(|| self.endpoint.poll_transmit()) {
            let segment = transmit.contents.len();
            let segments = self.socket(&transmit).map_or(1, Socket::segments);
            // Datagrams of one length for one peer go out together; a shorter one ends it.
            let mut count = 1;
            self.batch.clear();
            while count < segments
                && let Some(next) = self.endpoint.poll_transmit()
            {
                let length = next.contents.len();
                let fits = (next.from, next.to) == (transmit.from, transmit.to)
                    && (1..=segment).contains(&length)
                    && (count + 1) * segment <= BATCH;
                if !fits {
                    self.next = Some(next);
                    break;
                }
                if count == 1 {
                    self.batch.extend_from_slice(&transmit.contents);
                }
                self.batch.extend_from_slice(&next.contents);
                count += 1;
                if length < segment {
                    break;
                }
            }
            if count > 1 {
                std::mem::swap(&mut transmit.contents, &mut self.batch);
            }
            if !self.send_batch(transmit, segment) {
                return;
            }
        }
    }

    fn socket(&self, transmit: &Transmit) -> Option<&Socket> {
        self.sockets
            .iter()
            .find(|socket| socket.address() == transmit.from)
    }

    /// False when there is no room; it is then kept until there is.
    fn send_batch(&mut self, transmit: Transmit, segment: usize) -> bool {
        let Some(socket) = self.socket(&transmit) else {
            self.endpoint
                .not_sent(transmit.contents.chunks(segment.max(1)).count() as u64);
            return true;
        };
        match socket.send(transmit.to, &transmit.contents, segment) {
            Ok(lost) => {
                self.endpoint.not_sent(lost);
                true
            }
            Err(_) => {
                self.stuck = Some(Stuck { transmit, segment });
                false
            }
        }
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

    /// Other interfaces are to be ignored from now on.
    pub fn ignore_interfaces(&mut self, names: Vec<String>) {
        self.settings.ignored_interfaces = names;
        self.scan = Some(Instant::now());
    }

    /// As [`Endpoint::status`].
    pub fn status(&self, peer: PeerId) -> Option<PeerStatus> {
        self.endpoint.status(Instant::now(), peer)
    }

    /// As [`Endpoint::drops`].
    pub fn drops(&self) -> EndpointDrops {
        self.endpoint.drops()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.endpoint.close(Instant::now());
        self.flush();
    }
}

fn to_timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
