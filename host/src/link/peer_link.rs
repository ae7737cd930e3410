//! One peer, shared between all that have to do with it.

mod direct;
mod intake;
mod questions;
mod watched;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kozo_auth::secured::{Direct, Negotiated, Traffic};
use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::NodeName;
use kozo_link::{Action, Candidate, LinkKey, LinkOutput, Peer, Receipt};
use kozo_status::{AttemptStatus, LinkStatus, PeerStatus};
use kozo_wire::{Draft, FrameWriter, Likeness, Message};
use tokio::sync::Notify;

use super::arrivals::BusEar;
pub(crate) use direct::DirectWrite;
use direct::{ALONE, MOST_WAITING};
use intake::{Intake, Taken};
use questions::Waiting;
pub(crate) use questions::{NoAnswer, PeerAnswer};
pub(crate) use watched::WatchedMessage;

/// One peer, shared between the role threads that send to it, the links that bring what it
/// sends, and the driver that does what it wants done.
pub(crate) struct PeerLink {
    name: NodeName,
    state: Mutex<PeerLinkState>,
    /// Locked by itself, or while the state is.
    intake: Intake,
    /// Those who wait for answers of the peer.
    waiting: Mutex<Waiting>,
    /// Wakes the driver.
    changed: Notify,
}

struct PeerLinkState {
    peer: Peer,
    /// When the driver wakes by itself.
    armed: Option<Moment>,
    writers: Vec<ServedLink>,
    /// Those who carry for buses over the links.
    ears: Vec<Arc<dyn BusEar>>,
    /// Bytes sent and received over links that are gone.
    past_bytes: (u64, u64),
    /// Empty, with memory for what comes from the intake.
    taken: Taken,
}

/// A link that is being served.
struct ServedLink {
    key: LinkKey,
    wake: Arc<Notify>,
    /// The writer found nothing to write then, and was not woken since, nor has anybody taken its place: so a
    /// burst of messages wakes it once.
    idle: Option<Moment>,
    traffic: Traffic,
    negotiated: Option<Negotiated>,
    direct: Option<Arc<dyn Direct>>,
}

/// A way to the peer, with the names that people know.
#[derive(Debug, Clone)]
pub(crate) struct NamedWay {
    /// The way, as the link core knows it.
    pub(crate) candidate: Candidate,
    /// The name of this node's transport.
    pub(crate) transport: String,
    /// The name of the peer's.
    pub(crate) peer_transport: String,
}

impl PeerLink {
    /// Shares a peer.
    pub(crate) fn new(peer: Peer) -> Arc<Self> {
        Arc::new(Self {
            name: peer.settings().peer.clone(),
            state: Mutex::new(PeerLinkState {
                peer,
                armed: Some(Moment::ZERO),
                writers: Vec::new(),
                ears: Vec::new(),
                past_bytes: (0, 0),
                taken: Taken::default(),
            }),
            intake: Intake::default(),
            waiting: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// The node's name.
    pub(crate) fn name(&self) -> &NodeName {
        &self.name
    }

    /// From now on, `ear` hears of what is carried for buses.
    pub(crate) fn tell_of_buses(&self, ear: Arc<dyn BusEar>) {
        self.lock().ears.push(ear);
    }

    /// Queues messages of this node's roles where a writer is at work and there is room for all of them; nobody has to be
    /// woken for them then. False: it has not.
    pub(crate) fn take(&self, messages: &[Message], now: Moment) -> bool {
        self.intake.take(messages, now)
    }

    /// The same for what is to be a message, and is like these.
    pub(crate) fn take_draft(&self, draft: &Draft<'_>, likeness: &Likeness, now: Moment) -> bool {
        self.intake.is_open()
            && draft.fits_into_row()
            && self.intake.take_draft(draft, likeness, now)
    }

    /// Keeps the queue from all others until messages are in it, or have no room.
    pub(crate) fn open(&self) -> SendingToPeer<'_> {
        SendingToPeer {
            link: self,
            state: self.lock_and_close(),
            queued: None,
        }
    }

    /// Wakes whoever has something to do since a message was queued.
    fn wake_for_message(&self, state: &mut PeerLinkState, now: Moment) {
        if state.peer.is_linked() {
            // The driver has no part in it then.
            state.wake_writers(now);
        } else {
            self.wake(state, now);
        }
    }

    /// Whether there is nothing more to write on a link. If so its writer, whose place somebody has
    /// taken, has it again.
    pub(super) fn is_written(&self, key: LinkKey) -> bool {
        let now = clock::now();
        let mut state = self.lock_and_close();
        let is_written = !state.peer.wants_output(key, now);
        if is_written {
            state.set_idle(key, now);
        }
        state.open_intake(&self.intake);
        is_written
    }

    /// Looks at the peer.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Peer) -> T) -> T {
        look(&self.lock().peer)
    }

    /// The peer as it is now. `ways` are those that are dialled; which of the peer's transports cannot
    /// be used is for others to add.
    pub(crate) fn status(&self, ways: &[NamedWay], now: Moment) -> PeerStatus {
        let state = self.lock();
        let mut status = state.peer.status(now);
        (status.bytes_sent, status.bytes_received) = state.past_bytes;
        for writer in &state.writers {
            status.bytes_sent += writer.traffic.sent();
            status.bytes_received += writer.traffic.received();
        }
        for (key, link) in state.peer.link_keys().zip(&mut status.links) {
            if let Some(writer) = state.writers.iter().find(|writer| writer.key == key) {
                writer.describe(link);
            }
        }
        let attempts = state.peer.attempts().map(|(candidate, since)| {
            let way = ways.iter().find(|way| way.candidate == candidate);
            AttemptStatus {
                transport: way.map_or(String::new(), |way| way.transport.clone()),
                peer_transport: way.map_or(String::new(), |way| way.peer_transport.clone()),
                seconds: now.since(since).as_secs_f64(),
            }
        });
        status.dialling = attempts.collect();
        status
    }

    /// Changes the peer, and wakes whoever has something to do because of it.
    pub(crate) fn change<T>(&self, now: Moment, change: impl FnOnce(&mut Peer) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state.peer);
        self.wake(&mut state, now);
        result
    }

    fn wake(&self, state: &mut PeerLinkState, now: Moment) {
        // A writer that works on a link that carries nothing any more may do so for long.
        if self.intake.is_open() && !state.is_worked_on() {
            state.close_intake(&self.intake);
        }
        state.wake_writers(now);
        if state.peer.take_bus_news() {
            state.ears.iter().for_each(|ear| ear.ring());
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

    /// What is to be done now, and when there may be more; `has_callers`: whether somebody has
    /// connected to this node who has not proven yet who that is.
    pub(super) fn take_actions(
        &self,
        has_callers: impl FnOnce() -> bool,
        now: Moment,
    ) -> (Vec<Action>, Option<Moment>) {
        let mut state = self.lock();
        state.peer.defer_to_callers(has_callers, now);
        state.look_at_streams(now);
        state.peer.tick(now);
        let actions = std::iter::from_fn(|| state.peer.next_action()).collect();
        state.armed = state.peer.timeout(now);
        self.wake(&mut state, now);
        (actions, state.armed)
    }

    /// Waits until there is something to do before the moment that was told last.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn output(&self, key: LinkKey, writer: &mut FrameWriter) -> LinkOutput {
        let now = clock::now();
        let mut state = self.lock();
        let mut output = state.peer.output(key, writer, now);
        if writer.is_empty() && output == LinkOutput::Continue {
            state.close_intake(&self.intake);
            // There may have been something in it.
            output = state.peer.output(key, writer, now);
        }
        if writer.is_empty() {
            state.set_idle(key, now);
        }
        state.open_intake(&self.intake);
        self.wake(&mut state, now);
        output
    }

    pub(super) fn add_writer(
        &self,
        key: LinkKey,
        traffic: Traffic,
        negotiated: Option<Negotiated>,
        direct: Option<Arc<dyn Direct>>,
    ) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        self.lock().writers.push(ServedLink {
            key,
            wake: Arc::clone(&wake),
            idle: None,
            traffic,
            negotiated,
            direct,
        });
        wake
    }

    pub(super) fn remove_writer(&self, key: LinkKey) {
        let mut state = self.lock_and_close();
        let Some(place) = state.writers.iter().position(|writer| writer.key == key) else {
            return;
        };
        let traffic = state.writers.remove(place).traffic;
        state.past_bytes.0 += traffic.sent();
        state.past_bytes.1 += traffic.received();
    }

    fn lock(&self) -> MutexGuard<'_, PeerLinkState> {
        // The core does not panic; if it did, its state would still be the best there is.
        let mut state = self.state.lock_anyway();
        self.intake.move_to(&mut state.taken);
        state.queue_taken();
        state
    }

    /// The same, and the intake takes nothing any more.
    fn lock_and_close(&self) -> MutexGuard<'_, PeerLinkState> {
        let mut state = self.state.lock_anyway();
        state.close_intake(&self.intake);
        state
    }
}

/// A peer whose queue nobody else changes meanwhile.
pub(crate) struct SendingToPeer<'a> {
    link: &'a PeerLink,
    state: MutexGuard<'a, PeerLinkState>,
    /// When a message was queued last, if one was.
    queued: Option<Moment>,
}

impl<'a> SendingToPeer<'a> {
    /// Whether a message that counts so many bytes would push nothing out.
    pub(crate) fn has_room(&self, cost: usize) -> bool {
        self.state.peer.has_room(cost)
    }

    /// Whether so many messages, which count `cost` bytes together, would push nothing out, themselves included.
    pub(crate) fn has_room_for(&self, count: usize, cost: usize) -> bool {
        self.state.peer.has_room_for(count, cost)
    }

    /// Queues a message of this node's roles.
    pub(crate) fn queue(&mut self, message: Message, now: Moment) {
        self.state.peer.send(message, now);
        self.queued = Some(now);
    }

    /// The same, and remembers what becomes of it, if not too many are remembered already.
    fn queue_watched(&mut self, message: Message, now: Moment) -> Option<Receipt> {
        self.queued = Some(now);
        self.state.peer.send_watched(message, now)
    }

    /// Lets go of the peer. The result has to be written by this thread, as soon as it holds no peer; none: the
    /// writer does it.
    pub(crate) fn close(mut self) -> Option<DirectWrite<'a>> {
        let (key, outlet, writer) = self.state.take_writers_place(self.queued?)?;
        // Nobody is to be woken for it.
        self.queued = None;
        Some(DirectWrite::new(self.link, key, outlet, writer))
    }
}

impl Drop for SendingToPeer<'_> {
    /// Wakes the writer once, whatever was queued: it would only wait for the queue before.
    fn drop(&mut self) {
        if let Some(now) = self.queued {
            self.link.wake_for_message(&mut self.state, now);
        }
        self.state.open_intake(&self.link.intake);
    }
}

impl PeerLinkState {
    /// Whether somebody is at work on the link that carries messages, or was woken for it.
    fn is_worked_on(&self) -> bool {
        let mut writers = self.writers.iter();
        writers.any(|writer| writer.idle.is_none() && self.peer.carries(writer.key))
    }

    /// Lets the intake take messages as long as somebody works on the link that carries them.
    fn open_intake(&self, intake: &Intake) {
        if self.is_worked_on() {
            intake.open(self.peer.free());
        }
    }

    /// Queues what the intake has, which takes nothing any more.
    fn close_intake(&mut self, intake: &Intake) {
        intake.close(&mut self.taken);
        self.queue_taken();
    }

    fn queue_taken(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        for (message, at) in self.taken.drain() {
            self.peer.send(message, at);
        }
        self.taken.shrink();
    }

    /// Tells the core what it is not told by what arrives: when bytes moved, and that the driver did
    /// not run when it was to.
    fn look_at_streams(&mut self, now: Moment) {
        let late = self.armed.map_or(Duration::ZERO, |armed| now.since(armed));
        self.peer.overslept(late, now);
        for writer in &self.writers {
            self.peer.moved(writer.key, writer.traffic.moved());
        }
    }

    /// Wakes the writers that wait and have something to write now.
    fn wake_writers(&mut self, now: Moment) {
        let waiting = self.writers.iter_mut();
        for writer in waiting.filter(|writer| writer.idle.is_some()) {
            if self.peer.wants_output(writer.key, now) {
                writer.idle = None;
                writer.wake.notify_one();
            }
        }
    }

    /// Takes the place of a writer that has had nothing to write for a while and would be woken for the little
    /// that waits now.
    fn take_writers_place(
        &mut self,
        now: Moment,
    ) -> Option<(LinkKey, Arc<dyn Direct>, Arc<Notify>)> {
        // With two links, one of them is about to end.
        let [writer] = &mut *self.writers else {
            return None;
        };
        let outlet = writer.direct.as_ref()?;
        let is_alone = now.since(writer.idle?) >= ALONE
            && self.peer.waiting_bytes() <= MOST_WAITING
            && self.peer.wants_output(writer.key, now)
            && outlet.has_room();
        is_alone.then(|| {
            writer.idle = None;
            (writer.key, outlet.clone(), writer.wake.clone())
        })
    }

    fn set_idle(&mut self, key: LinkKey, now: Moment) {
        let mut writers = self.writers.iter_mut();
        if let Some(writer) = writers.find(|writer| writer.key == key) {
            writer.idle = Some(now);
        }
    }
}

impl ServedLink {
    /// Adds what the link's stream has carried, and what protects it.
    fn describe(&self, link: &mut LinkStatus) {
        link.bytes_sent = self.traffic.sent();
        link.bytes_received = self.traffic.received();
        if let Some(agreed) = &self.negotiated {
            link.noise = agreed.noise.map(str::to_owned);
            link.cipher = Some(agreed.cipher.clone());
            link.mac.clone_from(&agreed.mac);
        }
    }
}

#[cfg(test)]
mod tests;
