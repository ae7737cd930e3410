//! All that this node knows of one other node, and what it decides about it.
//!
//! **Which link carries messages.** The one that became live last. Of two links the *arbiter*,
//! which is the node whose name comes first, closes one: so both sides never close both. It keeps
//! the newer one, unless the older one is better and the peer still holds it for alive (each hello
//! lists the links that its sender holds for alive, so that a half-open link is found out as
//! soon as the peer comes back).

mod arrivals;
mod buses;
mod output;
mod questions;
mod settings;
#[cfg(test)]
mod small;
mod status;
mod twins;

pub use output::OUTPUT_CHUNK;
pub use settings::PeerSettings;

use std::collections::VecDeque;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::queue::QueueLimits;
use kozo_wire::{LinkId, Message, RoleInterests};

use super::allowance::Allowance;
use super::dialer::{Dialer, Want};
use super::history::History;
use super::inbound::Inbound;
use super::live::{Link, LinkStage};
use super::outbox::Outbox;
use super::receipts::{Fate, Receipt};
use super::terms::{
    Action, AttemptId, ByeReason, Candidate, LinkEnding, LinkKey, LinkPath, Notice, Occurrence,
};
use twins::TwinWatch;

/// How long a link has to stand before its loss is answered by dialling at once, and the back-off
/// starts anew.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// How long the node that is not the arbiter leaves the first dial to the other one, where both
/// want a link at all times: saves most double links.
const DEFERENCE: Duration = Duration::from_millis(100);

/// How long it does so at most while callers have not proven yet who they are: the other node may be
/// one of them, and key exchanges take their time where many nodes start at once.
const DEFERENCE_TO_CALLERS: Duration = Duration::from_secs(2);

/// How many links with one peer there may be at once: one that is used, one that replaces it, and
/// a few half-open ones.
const MAX_LINKS: usize = 4;

/// All that this node knows of one other node.
#[derive(Debug)]
pub struct Peer {
    settings: PeerSettings,
    outbox: Outbox,
    inbound: Inbound,
    links: Vec<Link>,
    dialer: Dialer,
    /// Until when the first dial is left to the peer at most.
    deference_ends: Moment,
    history: History,
    twins: TwinWatch,
    actions: VecDeque<Action>,
    random: fastrand::Rng,
    own_interests: Vec<RoleInterests>,
    next_key: u64,
    next_turn: u64,
    /// When a message last crossed a link, or a link became live.
    used: Moment,
    /// The peer's last hello was of another configuration file.
    other_config: bool,
    /// What the peer may ask.
    allowance: Allowance,
    /// Something happened that who carries for buses may want to know.
    has_bus_news: bool,
    /// How much came for buses and was not taken.
    bus_frames_refused: u64,
    stopping: bool,
}

impl Peer {
    /// A peer that nothing is known of yet.
    pub fn new(settings: PeerSettings, own_interests: Vec<RoleInterests>, now: Moment) -> Self {
        let mut peer = Self {
            outbox: Outbox::new(settings.queue),
            inbound: Inbound::default(),
            links: Vec::new(),
            dialer: Dialer::new(settings.connection_retry),
            deference_ends: now,
            history: History::default(),
            twins: TwinWatch::default(),
            actions: VecDeque::new(),
            random: fastrand::Rng::with_seed(settings.seed),
            own_interests,
            next_key: 1,
            next_turn: 1,
            used: now,
            other_config: false,
            allowance: Allowance::default(),
            has_bus_news: false,
            bus_frames_refused: 0,
            stopping: false,
            settings,
        };
        peer.defer(now);
        peer
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &PeerSettings {
        &self.settings
    }

    /// Sets the ways to the peer, best first.
    pub fn set_candidates(&mut self, candidates: Vec<Candidate>) {
        self.dialer.set_candidates(candidates);
    }

    /// Queues a message of this node's roles. Nothing is queued where the policies allow no link
    /// from this node to the peer.
    pub fn send(&mut self, message: Message, now: Moment) {
        if self.settings.outgoing == ConnectPolicy::Never {
            return;
        }
        let age = self.settings.max_ages.of(message.kind());
        self.outbox.push(message, now + age, now);
    }

    /// Queues a message as [`send`](Self::send) does, and remembers what becomes of it until it is
    /// [not watched](Self::unwatch) any more; none: it is not remembered, since nothing was queued, or too many are.
    pub fn send_watched(&mut self, message: Message, now: Moment) -> Option<Receipt> {
        self.send(message, now);
        let is_queued = self.settings.outgoing != ConnectPolicy::Never;
        is_queued.then(|| self.outbox.watch_last()).flatten()
    }

    /// What has become of a message that is watched.
    pub fn fate(&self, receipt: Receipt) -> Fate {
        self.outbox.fate(receipt)
    }

    /// The message is not watched any more.
    pub fn unwatch(&mut self, receipt: Receipt) {
        self.outbox.unwatch(receipt);
    }

    /// Whether a message that counts `cost` bytes would push nothing out.
    pub fn has_room(&self, cost: usize) -> bool {
        self.settings.outgoing == ConnectPolicy::Never || self.outbox.has_room(cost)
    }

    /// Whether so many messages, which count `cost` bytes together, would push nothing out, themselves included.
    pub fn has_room_for(&self, count: usize, cost: usize) -> bool {
        self.settings.outgoing == ConnectPolicy::Never || self.outbox.has_room_for(count, cost)
    }

    /// How much may be queued for the peer before anything is pushed out.
    pub fn free(&self) -> QueueLimits {
        self.outbox.free()
    }

    /// Whether so much may be queued that it is worth while to wake who waits for room.
    pub fn is_roomy(&self) -> bool {
        self.outbox.is_roomy()
    }

    /// Whether messages go over this link.
    pub fn carries(&self, key: LinkKey) -> bool {
        self.carrier() == Some(key)
    }

    /// How many bytes of messages wait for the peer.
    pub fn waiting_bytes(&self) -> usize {
        self.outbox.queued().bytes
    }

    /// Whether nothing waits for the peer or is under way to it.
    pub fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Whether a message that is queued now leaves at once.
    pub fn is_linked(&self) -> bool {
        self.carrier().is_some()
    }

    /// The network changed, or the machine was suspended: the next try starts at once, and the
    /// links that there are have to show that they still stand.
    pub fn recheck(&mut self, now: Moment) {
        self.dialer.reset();
        for link in self.links.iter_mut().filter(|link| link.is_live()) {
            link.probe(now);
        }
    }

    /// An attempt made a link, encrypted and authenticated.
    pub fn linked(&mut self, attempt: AttemptId, path: LinkPath, now: Moment) -> Option<LinkKey> {
        let candidate = self.dialer.candidate(attempt)?;
        self.dialer.ended(attempt, true, now, &mut self.random);
        let id = LinkId(self.random.u64(..));
        self.add_link(path, Some(id), candidate.rank, now)
    }

    /// The peer made a link, encrypted and authenticated. None when there are too many already.
    pub fn accepted(&mut self, path: LinkPath, now: Moment) -> Option<LinkKey> {
        self.add_link(path, None, 0, now)
    }

    fn add_link(
        &mut self,
        path: LinkPath,
        id: Option<LinkId>,
        rank: u8,
        now: Moment,
    ) -> Option<LinkKey> {
        if self.stopping {
            return None;
        }
        if self.links.len() >= MAX_LINKS {
            let superfluous = self.superfluous()?;
            self.close(superfluous, "there are too many links", now);
        }
        let key = LinkKey(self.next_key);
        self.next_key += 1;
        let heartbeats = (self.settings.heartbeat, self.settings.peer_heartbeat);
        let mut link = Link::new(key, path, id, rank, heartbeats, now);
        if id.is_none() && self.settings.incoming == ConnectPolicy::Never {
            link.stage = LinkStage::Closing;
            link.bye = Some(ByeReason::Policy.text().to_owned());
        }
        self.links.push(link);
        Some(key)
    }

    /// The link to give up when there are too many: one over which no hello has come, and of those
    /// the oldest, which has had its time. The one that carries the messages is the last to go.
    fn superfluous(&self) -> Option<LinkKey> {
        let oldest = self.links.iter().min_by_key(|link| {
            let carries = self.carrier() == Some(link.key);
            (carries, link.is_live(), link.since)
        });
        oldest.map(|link| link.key)
    }

    /// An attempt failed, over the transport of this name.
    pub fn dial_failed(&mut self, attempt: AttemptId, transport: &str, reason: &str, now: Moment) {
        let failure = Occurrence::DialFailed {
            transport: transport.to_owned(),
            reason: reason.to_owned(),
        };
        self.happened(failure, now);
        self.dialer.ended(attempt, false, now, &mut self.random);
    }

    /// A link's socket or encryption ended, or the peer broke the protocol.
    pub fn closed(&mut self, key: LinkKey, ending: LinkEnding, reason: &str, now: Moment) {
        if let Some(link) = self.remove(key, now) {
            let (ending, reason) = match link.bye {
                Some(bye) => (LinkEnding::Orderly, bye),
                None => (ending, reason.to_owned()),
            };
            self.notice_end(link.path, link.stage, ending, reason, now);
        }
    }

    /// Says good-bye on all links, and opens none any more.
    pub fn stop(&mut self, now: Moment) {
        self.stopping = true;
        for attempt in self.dialer.cancel(u8::MAX) {
            self.actions.push_back(Action::CancelDial(attempt));
        }
        let keys: Vec<_> = self.links.iter().map(|link| link.key).collect();
        for key in keys {
            self.bid_farewell(key, ByeReason::Stopping, now);
        }
    }

    /// Does what the time demands.
    pub fn tick(&mut self, now: Moment) {
        let dead: Vec<_> = self
            .links
            .iter()
            .filter(|link| link.dead_at() <= now)
            .map(|link| link.key)
            .collect();
        for key in dead {
            self.close(key, "the peer is silent", now);
        }
        if self.idle_at().is_some_and(|idle| idle <= now)
            && let Some(key) = self.carrier()
        {
            self.bid_farewell(key, ByeReason::Idle, now);
        }
        if self.carrier().is_none() {
            self.outbox.expire(now);
        }
        let want = self.want(now);
        while let Some((attempt, candidate)) = self.dialer.poll(want, now, &mut self.random) {
            self.actions.push_back(Action::Dial(attempt, candidate));
        }
    }

    /// When `tick` or `output` may have something to do that they have not now.
    pub fn timeout(&self, now: Moment) -> Option<Moment> {
        let links = self.links.iter().flat_map(|link| {
            let heartbeat = link.is_live().then(|| link.heartbeat_due());
            heartbeat.into_iter().chain([link.dead_at()])
        });
        let acknowledgement = self.carrier().and_then(|_| self.inbound.acknowledge_by());
        links
            .chain(acknowledgement)
            // What is due already waits for a writer that is held up, and not for a moment.
            .filter(|due| *due > now)
            .chain(self.idle_at())
            .chain(self.dialer.timeout(self.want(now)))
            .min()
    }

    /// Whether there is something to do.
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Takes the next thing to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The links that may have something to write.
    pub fn links(&self) -> impl Iterator<Item = LinkKey> + '_ {
        self.links.iter().map(|link| link.key)
    }

    /// What to dial for.
    fn want(&self, now: Moment) -> Want {
        if self.stopping {
            return Want::Nothing;
        }
        let wanted = match self.settings.outgoing {
            ConnectPolicy::Never => false,
            ConnectPolicy::OnDemand => self.carrier().is_some() || self.outbox.has_business(now),
            ConnectPolicy::Constant => true,
        };
        match self.carrier().and_then(|key| self.link(key)) {
            _ if !wanted => Want::Nothing,
            Some(link) => Want::Better(link.rank),
            // A link that is greeting is as good as made.
            None => match self
                .links
                .iter()
                .filter(|link| link.stage == LinkStage::Greeting)
                .max_by_key(|link| link.rank)
            {
                Some(link) => Want::Better(link.rank),
                None => Want::Any,
            },
        }
    }

    /// The link that carries messages.
    fn carrier(&self) -> Option<LinkKey> {
        let live = self.links.iter().filter(|link| link.is_live());
        live.max_by_key(|link| link.turn).map(|link| link.key)
    }

    /// When the link will have been idle for too long; never where one side wants it at all times.
    fn idle_at(&self) -> Option<Moment> {
        if self.is_wanted_always() || !self.outbox.is_empty() {
            return None;
        }
        self.carrier()
            .map(|_| self.used + self.settings.idle_timeout)
    }

    /// Whether one side wants a link at all times.
    fn is_wanted_always(&self) -> bool {
        [self.settings.outgoing, self.settings.incoming].contains(&ConnectPolicy::Constant)
    }

    fn link(&self, key: LinkKey) -> Option<&Link> {
        self.links.iter().find(|link| link.key == key)
    }

    fn link_mut(&mut self, key: LinkKey) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.key == key)
    }

    /// Tells the peer why, then closes the link.
    fn bid_farewell(&mut self, key: LinkKey, reason: ByeReason, now: Moment) {
        let was_carrier = self.carrier() == Some(key);
        if let Some(link) = self.link_mut(key) {
            link.stage = LinkStage::Closing;
            link.bye = Some(reason.text().to_owned());
        }
        if was_carrier {
            self.carrier_lost(now, true);
        }
    }

    /// Closes a link without a word.
    fn close(&mut self, key: LinkKey, reason: &str, now: Moment) {
        self.closed(key, LinkEnding::Fault, reason, now);
        self.actions.push_back(Action::Close(key));
    }

    fn remove(&mut self, key: LinkKey, now: Moment) -> Option<Link> {
        let index = self.links.iter().position(|link| link.key == key)?;
        let was_carrier = self.carrier() == Some(key);
        let link = self.links.remove(index);
        self.give_up_questions(&link);
        let stable = link.is_live() && now.since(link.since) >= STABLE_AFTER;
        if was_carrier {
            self.carrier_lost(now, stable);
        } else if link.stage == LinkStage::Greeting && link.dialled {
            self.dialer.flapped(now, &mut self.random);
        }
        Some(link)
    }

    fn carrier_lost(&mut self, now: Moment, stable: bool) {
        self.bus_way_changed();
        // What was in flight goes over the next link, which may be there already.
        self.outbox.rewind();
        if self.carrier().is_some() {
            self.inbound.acknowledge_again(now);
            return;
        }
        if stable {
            self.dialer.reset();
        } else {
            self.dialer.flapped(now, &mut self.random);
        }
        self.defer(now);
    }

    /// Leaves the first dial to the peer, if that is its part.
    fn defer(&mut self, now: Moment) {
        if self.settings.defers() {
            self.dialer.hold(now + DEFERENCE);
            self.deference_ends = now + DEFERENCE_TO_CALLERS;
        }
    }

    /// Leaves a first dial that is left to the peer to it for longer, if there are callers: who has
    /// connected to this node and has not proven yet who that is may be the peer. Only where it
    /// matters it is asked whether there are any.
    pub fn defer_to_callers(&mut self, has_callers: impl FnOnce() -> bool, now: Moment) {
        if now < self.deference_ends && has_callers() {
            self.dialer.hold((now + DEFERENCE).min(self.deference_ends));
        }
    }

    fn notice_end(
        &mut self,
        path: LinkPath,
        stage: LinkStage,
        ending: LinkEnding,
        reason: String,
        now: Moment,
    ) {
        if stage == LinkStage::Closing && reason == ByeReason::Twin.text() {
            // It never carried anything, and of the daemon behind it is told once.
            return;
        }
        // The word that another link replaces this one may come before that one's hello.
        let replaced = self.carrier().is_some()
            || ending == LinkEnding::Orderly
                && self
                    .links
                    .iter()
                    .any(|link| link.stage == LinkStage::Greeting);
        let what = match stage {
            // Both dialled at once, and this one came second.
            LinkStage::Greeting if replaced => return,
            LinkStage::Greeting => Occurrence::Refused { path, reason },
            LinkStage::Live | LinkStage::Closing => Occurrence::Down {
                path,
                reason,
                orderly: ending == LinkEnding::Orderly,
                replaced,
            },
        };
        self.happened(what, now);
    }

    /// Remembers what happened with the peer's links, and tells of it.
    fn happened(&mut self, what: Occurrence, now: Moment) {
        self.history.note(what.clone(), now);
        self.actions.push_back(Action::Notice(Notice::Link(what)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use small::small_peer;

    const TCP: Candidate = Candidate {
        own: 0,
        peer: 0,
        rank: 8,
    };

    /// After how long a node that another dials dials that one by itself.
    fn dials_after(own: &str, other: &str, has_callers: impl Fn(Duration) -> bool) -> Duration {
        let start = Moment::ZERO + Duration::from_secs(1000);
        let mut peer = small_peer(own, other, 1, Duration::from_secs(10), start);
        peer.set_candidates(vec![TCP]);
        let steps = (0..10_000).map(Duration::from_millis);
        let dials = |after: &Duration| {
            let now = start + *after;
            peer.defer_to_callers(|| has_callers(*after), now);
            peer.tick(now);
            std::iter::from_fn(|| peer.next_action())
                .any(|action| matches!(action, Action::Dial(..)))
        };
        steps.into_iter().find(dials).expect("it dials")
    }

    #[test]
    fn the_first_dial_is_left_to_the_arbiter_for_as_long_as_it_may_be_at_the_door() {
        assert_eq!(dials_after("alice", "bob", |_| true), Duration::ZERO);
        assert_eq!(dials_after("bob", "alice", |_| false), DEFERENCE);
        let secured = Duration::from_millis(700);
        let left = dials_after("bob", "alice", |after| after < secured);
        assert!(secured <= left && left <= secured + DEFERENCE, "{left:?}");
        // Whoever stands there for ever keeps this node from dialling no longer.
        let never = dials_after("bob", "alice", |_| true);
        assert_eq!(never, DEFERENCE_TO_CALLERS);
    }
}
