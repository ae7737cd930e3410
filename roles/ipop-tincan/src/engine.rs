//! The thread that does what the core decides: the control port, the device, links, XMPP.
//!
//! It waits in one place for all of them, and takes so much of each in turn that none keeps another waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use std::net::SocketAddr;
use std::os::fd::AsFd;

use kozo_abi::RoleHost;
use kozo_ice::Event;
use kozo_ipop::candidate::Candidate;
use kozo_ipop::notification::Stats;
use kozo_ipop::{MAX_DATAGRAM, Uid};
use thiserror::Error;

use crate::core::{Account, Became, Change, Core, Level, Node, Outside, Status, Wishes, Xmpp};
use crate::frames::{HEADER, MAX_FRAME};
use crate::links::Links;
use crate::port::Port;
use crate::signalling::{Signal, Signalling};
use crate::tap::Tap;
use crate::troubles::Troubles;

/// The event that tells of a link.
const PEER_EVENT: &str = "ipop-peer";

/// The event that tells how this node is on the whole.
const STATUS_EVENT: &str = "ipop-status";

/// How many frames, datagrams or events of one source are taken before the others have their turn.
const BATCH: usize = 64;

/// How often it is looked whether there is something to tell of the whole.
const STATUS_PERIOD: Duration = Duration::from_secs(5);

/// What the role is ordered to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Ask a peer for a link.
    Connect(Uid),
    /// End the link with a peer.
    Trim(Uid),
}

/// Why the thread has ended by itself.
#[derive(Debug, Error)]
pub(crate) enum EngineError {
    #[error("cannot wait for sockets: {0}")]
    Wait(std::io::Error),
    #[error("cannot read from the network device, which is gone perhaps: {0}")]
    Device(std::io::Error),
}

/// All that the core acts on.
pub(crate) struct Machine {
    pub(crate) port: Port,
    pub(crate) tap: Tap,
    pub(crate) links: Links,
    pub(crate) signalling: Signalling,
    pub(crate) host: RoleHost,
}

/// The core, what it acts on, and what it is told by the role.
pub(crate) struct Engine {
    core: Core,
    machine: Machine,
    orders: Receiver<Order>,
    stopping: Arc<AtomicBool>,
    told: Option<Status>,
    status_at: Instant,
    xmpp_trouble: Option<String>,
    troubles: Troubles,
    troubles_at: Instant,
}

impl Engine {
    pub(crate) fn new(
        core: Core,
        machine: Machine,
        orders: Receiver<Order>,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        Self {
            core,
            machine,
            orders,
            stopping,
            told: None,
            status_at: Instant::now(),
            xmpp_trouble: None,
            troubles: Troubles::default(),
            troubles_at: Instant::now(),
        }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) -> Result<(), EngineError> {
        let mut datagram = vec![0; MAX_DATAGRAM];
        let mut frame = vec![0; HEADER + MAX_FRAME];
        let mut has_more = false;
        while !self.stopping.load(Ordering::Acquire) {
            // What is left from the last turn is not waited for.
            let until = if has_more {
                Instant::now()
            } else {
                self.status_at
            };
            let ready = {
                let Machine {
                    port, tap, links, ..
                } = &mut self.machine;
                let others: Vec<_> = port.descriptors().chain([tap.as_fd()]).collect();
                let ready = links
                    .wait(&others, Some(until))
                    .map_err(EngineError::Wait)?;
                ready.others
            };
            has_more = self.link_events();
            if let Some((is_device_ready, ports)) = ready.split_last() {
                if *is_device_ready {
                    self.frames(&mut frame)?;
                }
                for (number, is_ready) in ports.iter().enumerate() {
                    if *is_ready {
                        self.datagrams(number, &mut datagram);
                    }
                }
            }
            has_more |= self.signals();
            while let Ok(order) = self.orders.try_recv() {
                self.order(&order);
            }
            if Instant::now() >= self.status_at {
                self.tell_status();
                self.tell_troubles();
                self.status_at = Instant::now() + STATUS_PERIOD;
            }
        }
        self.machine.links.end_all();
        Ok(())
    }

    /// Takes what has come through links; whether more waits.
    fn link_events(&mut self) -> bool {
        // More than the other sources, since it is fetched in large batches.
        for _ in 0..16 * BATCH {
            let Some((uid, event)) = self.machine.links.next_event() else {
                return false;
            };
            let machine = &mut self.machine;
            // What changes how the node is, is told at once.
            let is_change = matches!(
                event,
                Event::Online { .. } | Event::Offline { .. } | Event::Failed { .. }
            );
            if is_change {
                self.status_at = Instant::now();
            }
            match event {
                Event::Datagram { mut contents, .. } => {
                    self.core.frame_from_peer(&uid, &mut contents, machine);
                }
                Event::Gathered { .. } | Event::CandidatesChanged { .. } => {
                    let candidates = machine.links.candidates(&uid);
                    self.core.gathered(&uid, &candidates, machine);
                }
                Event::Online { path, .. } | Event::PathChanged { path, .. } => {
                    machine
                        .host
                        .info(&format!("the link with {uid} is up: {path}"));
                    self.core.up(&uid, path.kind().name(), machine);
                    self.troubles.is_up(&uid);
                }
                Event::Offline { reason, .. } => {
                    machine
                        .host
                        .info(&format!("the link with {uid} is down: {reason}"));
                    self.core.down(&uid, machine);
                }
                Event::Failed { reason, .. } => {
                    machine
                        .host
                        .warn(&format!("the link with {uid} has failed: {reason}"));
                    self.core.down(&uid, machine);
                }
            }
        }
        true
    }

    fn frames(&mut self, buffer: &mut [u8]) -> Result<(), EngineError> {
        for _ in 0..BATCH {
            let read = self.machine.tap.read(&mut buffer[HEADER..]);
            let Some(length) = read.map_err(EngineError::Device)? else {
                return Ok(());
            };
            let data = &mut buffer[..HEADER + length];
            self.core
                .frame_from_kernel(data, Instant::now(), &mut self.machine);
        }
        Ok(())
    }

    fn datagrams(&mut self, number: usize, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            let Some((length, sender)) = self.machine.port.read(number, buffer) else {
                return;
            };
            let machine = &mut self.machine;
            self.core
                .datagram(sender, &buffer[..length], Instant::now(), machine);
        }
    }

    /// Takes what has come over XMPP; whether more waits.
    fn signals(&mut self) -> bool {
        for _ in 0..BATCH {
            let Some(signal) = self.machine.signalling.next() else {
                return false;
            };
            let machine = &mut self.machine;
            match signal {
                Signal::LoggedIn(Ok(jid)) => {
                    self.xmpp_trouble = None;
                    machine.host.info(&format!("logged in to XMPP as {jid}"));
                    self.core.xmpp(Xmpp::Online);
                    self.tell_status();
                }
                Signal::LoggedIn(Err(reason)) => {
                    let reason = reason.to_string();
                    // It comes again with every try.
                    if self.xmpp_trouble.as_ref() != Some(&reason) {
                        machine
                            .host
                            .warn(&format!("not logged in to XMPP: {reason}"));
                        self.xmpp_trouble = Some(reason.clone());
                    }
                    self.core.xmpp(Xmpp::Offline(reason));
                    // Why it is not may have changed where nothing else has.
                    let status = self.core.status();
                    machine
                        .host
                        .set_status(&status.text(self.xmpp_trouble.as_deref()));
                }
                Signal::Seen { uid, status } => {
                    let now = Instant::now();
                    self.core.seen(uid, now, machine);
                    if let Some(status) = status {
                        self.core.offered(uid, &status, now, machine);
                    }
                }
                Signal::Heard { uid, kind, data } => {
                    self.core.heard(uid, &kind, &data, Instant::now(), machine);
                }
            }
        }
        true
    }

    fn order(&mut self, order: &Order) {
        let machine = &mut self.machine;
        match order {
            Order::Connect(uid) => {
                if let Err(reason) = self.core.connect(uid, machine) {
                    machine
                        .host
                        .warn(&format!("`ipop-connect` of {uid}: {reason}"));
                }
            }
            Order::Trim(uid) => {
                if !self.core.trim(uid, machine) {
                    machine
                        .host
                        .warn(&format!("`ipop-trim` of {uid}: there is no link with it"));
                }
            }
        }
    }

    /// Tells why links are not up, where that is new.
    fn tell_troubles(&mut self) {
        let now = Instant::now();
        // The status is told more often than that where links come and go.
        if now < self.troubles_at {
            return;
        }
        self.troubles_at = now + STATUS_PERIOD;
        for (uid, reasons) in self.machine.links.not_up() {
            if let Some(text) = self.troubles.is_not_up(now, uid, &reasons) {
                self.machine.host.info(&text);
            }
        }
    }

    /// Tells how this node is, if that has changed.
    fn tell_status(&mut self) {
        let machine = &self.machine;
        let mut status = self.core.status();
        let links = machine.links.drops();
        for (name, count) in [
            ("STUN messages of strangers", links.foreign_stun),
            ("STUN messages that were repeated", links.replayed_stun),
            ("datagrams of strangers", links.foreign_datagrams),
            ("datagrams that the system did not take", links.unsendable),
            ("messages over XMPP", machine.signalling.dropped()),
        ] {
            if count > 0 {
                status.dropped.insert(name, count);
            }
        }
        if self.told.as_ref() == Some(&status) {
            return;
        }
        let before = self
            .told
            .take()
            .map(|told| told.dropped)
            .unwrap_or_default();
        let dropped = status.dropped.iter().filter_map(|(name, count)| {
            // An account that took the place of another counts anew.
            let more = count.saturating_sub(before.get(name).copied().unwrap_or_default());
            (more > 0).then(|| format!("{more} {name}"))
        });
        let dropped = dropped.collect::<Vec<_>>().join(", ");
        if !dropped.is_empty() {
            machine
                .host
                .debug(&format!("dropped since the last status: {dropped}"));
        }
        send(&machine.host, STATUS_EVENT, &status);
        machine
            .host
            .set_status(&status.text(self.xmpp_trouble.as_deref()));
        self.told = Some(status);
    }
}

fn send(host: &RoleHost, event: &str, data: &impl serde::Serialize) {
    if let Err(error) = host.send_event(event, data) {
        host.warn(&format!("cannot send the event `{event}`: {error}"));
    }
}

impl Outside for Machine {
    fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> bool {
        self.port.send(to, datagram)
    }

    fn become_node(&mut self, node: &Node) -> Result<Became, String> {
        let without_ipv6 = self
            .tap
            .configure(node)
            .map_err(|error| error.to_string())?;
        if let Some(error) = without_ipv6 {
            self.host
                .warn(&format!("the overlay is without IPv6: {error}"));
        }
        Ok(Became {
            mac: self.tap.mac(),
            fingerprint: self.links.make_identity(&node.uid)?,
        })
    }

    fn to_kernel(&mut self, frame: &[u8]) -> bool {
        self.tap.write(frame)
    }

    fn log_in(&mut self, account: &Account) -> Result<(), String> {
        self.signalling.log_in(account)
    }

    fn signal(&mut self, uid: &Uid, kind: &str, data: &str) -> bool {
        self.signalling.send(uid, kind, data)
    }

    fn begin_link(&mut self, uid: Uid, wishes: &Wishes<'_>) -> Result<(), String> {
        self.links.begin(uid, wishes)
    }

    fn add_candidates(&mut self, uid: &Uid, candidates: Vec<Candidate>) {
        self.links.add_candidates(uid, candidates);
    }

    fn end_link(&mut self, uid: &Uid) {
        self.links.end(uid);
    }

    fn to_peer(&mut self, uid: &Uid, data: &[u8]) -> bool {
        self.links.send(uid, data)
    }

    fn figures(&self, uid: &Uid) -> Vec<Stats> {
        self.links.figures(uid)
    }

    fn ignore_interfaces(&mut self, names: Vec<String>) {
        self.links.ignore_interfaces(names);
    }

    fn report(&mut self, change: Change) {
        send(&self.host, PEER_EVENT, &change);
    }

    fn say(&mut self, level: Level, text: &str) {
        match level {
            Level::Debug => self.host.debug(text),
            Level::Info => self.host.info(text),
            Level::Warn => self.host.warn(text),
        }
    }
}
