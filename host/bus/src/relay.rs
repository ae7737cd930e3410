//! What a gateway decides: a node that is on a bus and hands on what is from and for others, its *neighbours*, which
//! reach the bus through it. It can read nothing of that, and does not try.
//!
//! ```text
//!   neighbour ──subscribe, publish──▶       ──output──▶ engine
//!                                     Relay
//!   neighbour ◀──state, confirmed, …──      ◀──deliver, confirmed, nobody── engine
//! ```
//!
//! A neighbour may do what the engine would allow it if it were there itself, and nothing else. What comes of a
//! neighbour goes to the engine and to nobody else, so no two gateways can send anything in circles.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;

use crate::bus::{EngineLimits, MAX_EXPECTED, Published};
use crate::datagram::MAX_DATAGRAM_LEN;
use crate::subject::{Address, LANE_TOKENS, MAX_PATTERNS, Subjects, Token};

/// How many patterns one neighbour may subscribe to: those of its roles, the announcements of those that it expects,
/// and its own.
pub const MAX_NEIGHBOUR_PATTERNS: usize = MAX_PATTERNS + MAX_EXPECTED + 8;

/// How many datagrams of one neighbour wait to be published at most. More are left on the link meanwhile.
pub const MAX_NEIGHBOUR_DATAGRAMS: usize = 64;

/// How many datagrams of one neighbour are confirmed each by itself. Of more, several are confirmed with the last.
const MAX_UNCONFIRMED: usize = 4096;

/// How many asks of one neighbour are remembered, to be told that nobody listens.
const MAX_ASKED: usize = 64;

/// How long the module is left alone when it had no room.
const FULL_FOR: Duration = Duration::from_millis(5);

/// The node itself, among those that subscribe.
const OWN: usize = 0;

/// The gateway of one bus.
#[derive(Debug)]
pub struct Relay {
    subjects: Subjects,
    /// The node itself, then its neighbours.
    subscribers: Vec<Subscriber>,
    places: HashMap<NodeName, usize>,
    senders: HashSet<Token>,
    /// What each pattern is wanted by.
    wanted: Patterns<Vec<usize>>,
    /// What of that the engine is told: none of them holds another, so that it sends nothing twice.
    told: Patterns<()>,
    to_tell: VecDeque<(String, bool)>,
    engine: Option<EngineLimits>,
    reason: String,
    news: VecDeque<(NodeName, RelayNews)>,
    /// Whose turn it is to publish.
    turn: usize,
    offered: Option<usize>,
    hold: Option<Moment>,
    counts: RelayCounts,
}

/// What has become of what a gateway hands on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayCounts {
    /// Datagrams of neighbours that the engine took.
    pub published: u64,
    /// Datagrams that were handed to neighbours, once for each.
    pub delivered: u64,
    /// What neighbours may not do.
    pub refused: u64,
    /// Datagrams of neighbours that are longer than the engine takes.
    pub dropped_by_length: u64,
    /// Datagrams of a neighbour beyond those that may wait to be published.
    pub dropped_by_limit: u64,
    /// Datagrams of neighbours that waited when the engine was lost, or came before it was reached.
    pub dropped_by_engine: u64,
    /// Datagrams for neighbours that the links had no room for, and of neighbours that waited when their links were lost.
    pub dropped_by_link: u64,
}

/// A datagram that a neighbour publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publishing {
    /// The neighbour's number for it.
    pub number: u64,
    /// Where to.
    pub subject: String,
    /// Where answers are to go.
    pub reply: Option<String>,
    /// The datagram.
    pub data: Bytes,
}

/// Something to tell a neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayNews {
    /// The engine is reached.
    Up(EngineLimits),
    /// It is not.
    Down(String),
    /// It has all that the neighbour published up to this number.
    Confirmed(u64),
    /// Nobody is subscribed to a subject.
    Nobody(String),
}

/// Something for the engine to do. The relay wants to hear what became of a datagram
/// ([`Relay::published`]) before it gives the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayOutput {
    /// Publish this.
    Publish(Publishing),
    /// Subscribe, or do so no more.
    Subscribe {
        /// The pattern.
        pattern: String,
        /// Whether it is wanted from now on.
        on: bool,
    },
}

/// Whom a datagram is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fits {
    /// The node itself.
    pub own: bool,
    /// Its neighbours.
    pub neighbours: Vec<NodeName>,
}

#[derive(Debug)]
struct Subscriber {
    name: NodeName,
    token: Token,
    is_linked: bool,
    patterns: HashSet<String>,
    queue: VecDeque<Publishing>,
    /// The numbers of the module's and of the neighbour's for what the engine has not confirmed.
    unconfirmed: VecDeque<(u64, u64)>,
    /// The subjects of its last asks.
    asked: VecDeque<String>,
}

impl Relay {
    /// The gateway that the node `own` is on a bus for these.
    pub fn new(
        subjects: Subjects,
        own: &NodeName,
        neighbours: impl IntoIterator<Item = NodeName>,
    ) -> Self {
        let names = std::iter::once(own.clone()).chain(neighbours);
        let subscribers: Vec<_> = names
            .map(|name| Subscriber {
                token: subjects.node(&name),
                name,
                is_linked: false,
                patterns: HashSet::new(),
                queue: VecDeque::new(),
                unconfirmed: VecDeque::new(),
                asked: VecDeque::new(),
            })
            .collect();
        let places = subscribers.iter().enumerate().skip(1);
        Self {
            places: places
                .map(|(place, subscriber)| (subscriber.name.clone(), place))
                .collect(),
            senders: subscribers.iter().map(|known| known.token).collect(),
            subscribers,
            subjects,
            wanted: Patterns::default(),
            told: Patterns::default(),
            to_tell: VecDeque::new(),
            engine: None,
            reason: "it is not connected to the bus yet".to_owned(),
            news: VecDeque::new(),
            turn: OWN,
            offered: None,
            hold: None,
            counts: RelayCounts::default(),
        }
    }

    /// The engine is reached.
    pub fn up(&mut self, limits: EngineLimits) {
        self.forget_engine();
        self.engine = Some(limits);
        self.tell_state();
    }

    /// The engine is not reached, or not any more: what neighbours have published and was not confirmed, they publish
    /// again.
    pub fn down(&mut self, reason: &str) {
        let is_new = self.engine.take().is_some() || self.reason != reason;
        self.forget_engine();
        reason.clone_into(&mut self.reason);
        if is_new {
            self.tell_state();
        }
    }

    /// There is another link with a neighbour, or none: what it wanted before counts no longer.
    pub fn linked(&mut self, node: &NodeName, is_linked: bool) {
        let Some(place) = self.place(node) else {
            return;
        };
        let patterns: Vec<_> = self.subscribers[place].patterns.drain().collect();
        for pattern in patterns {
            self.unwant(&pattern, place);
        }
        if self.offered == Some(place) {
            self.offered = None;
        }
        let neighbour = &mut self.subscribers[place];
        self.counts.dropped_by_link += neighbour.queue.len() as u64;
        neighbour.queue.clear();
        neighbour.unconfirmed.clear();
        neighbour.asked.clear();
        neighbour.is_linked = is_linked;
        self.news.retain(|(to, _)| to != node);
        if is_linked {
            let state = self.state();
            self.news.push_back((node.clone(), state));
        }
    }

    /// A neighbour wants what fits a pattern, or no longer.
    pub fn subscribe(&mut self, node: &NodeName, pattern: &str, on: bool) {
        let Some(place) = self.place(node) else {
            self.counts.refused += 1;
            return;
        };
        let neighbour = &self.subscribers[place];
        let allowed = self.subjects.subscription(pattern, neighbour.token);
        let is_too_many = on && neighbour.patterns.len() >= MAX_NEIGHBOUR_PATTERNS;
        match allowed {
            Some(pattern) if !is_too_many => self.set(place, pattern, on),
            _ => self.counts.refused += 1,
        }
    }

    /// The node itself wants what fits a pattern, or no longer.
    pub fn subscribe_own(&mut self, pattern: &str, on: bool) {
        self.set(OWN, pattern.to_owned(), on);
    }

    /// Whether more of a neighbour's datagrams can be taken.
    pub fn takes(&self, node: &NodeName) -> bool {
        let place = self.place(node);
        place.is_some_and(|place| self.subscribers[place].queue.is_empty())
    }

    /// A neighbour publishes something.
    pub fn publish(&mut self, node: &NodeName, publishing: Publishing) {
        let Some(place) = self.place(node) else {
            self.counts.refused += 1;
            return;
        };
        let neighbour = &mut self.subscribers[place];
        if !may_publish(&self.subjects, neighbour.token, &publishing) {
            self.counts.refused += 1;
            return;
        }
        let Some(engine) = &self.engine else {
            // The neighbour hears of it, and publishes it again.
            self.counts.dropped_by_engine += 1;
            return;
        };
        if publishing.data.len() > engine.max_datagram.min(MAX_DATAGRAM_LEN) {
            self.counts.dropped_by_length += 1;
            return;
        }
        if neighbour.queue.len() >= MAX_NEIGHBOUR_DATAGRAMS {
            self.counts.dropped_by_limit += 1;
            return;
        }
        neighbour.queue.push_back(publishing);
    }

    /// What to do next at the engine.
    pub fn output(&mut self, now: Moment) -> Option<RelayOutput> {
        if let Some((pattern, on)) = self.to_tell.pop_front() {
            return Some(RelayOutput::Subscribe { pattern, on });
        }
        if self.engine.is_none() || self.hold.is_some_and(|until| until > now) {
            return None;
        }
        // Each in turn, so that no neighbour keeps the others waiting.
        let count = self.subscribers.len();
        let mut places = (0..count).map(|step| (self.turn + step) % count);
        let place = places.find(|place| !self.subscribers[*place].queue.is_empty())?;
        self.turn = place + 1;
        self.offered = Some(place);
        let next = self.subscribers[place].queue.front();
        next.cloned().map(RelayOutput::Publish)
    }

    /// What the module said to the last datagram that [`output`](Self::output) gave.
    pub fn published(&mut self, result: Published, now: Moment) {
        let Some(place) = self.offered.take() else {
            return;
        };
        let Published::Accepted(number) = result else {
            self.hold = Some(now + FULL_FOR);
            return;
        };
        self.hold = None;
        let neighbour = &mut self.subscribers[place];
        let Some(publishing) = neighbour.queue.pop_front() else {
            return;
        };
        self.counts.published += 1;
        let is_ask = matches!(
            self.subjects.read(&publishing.subject),
            Some(Address::Ask(_))
        );
        if is_ask && !neighbour.asked.contains(&publishing.subject) {
            if neighbour.asked.len() >= MAX_ASKED {
                neighbour.asked.pop_front();
            }
            neighbour.asked.push_back(publishing.subject);
        }
        if neighbour.unconfirmed.len() >= MAX_UNCONFIRMED {
            neighbour.unconfirmed.pop_back();
        }
        neighbour.unconfirmed.push_back((number, publishing.number));
    }

    /// When [`output`](Self::output) may have something that it has not now.
    pub fn timeout(&self) -> Option<Moment> {
        let waits = self.subscribers.iter().any(|known| !known.queue.is_empty());
        self.hold.filter(|_| waits && self.engine.is_some())
    }

    /// The engine has all that was published up to this number of the module's.
    pub fn confirmed(&mut self, number: u64) {
        self.hold = None;
        for neighbour in &mut self.subscribers[1..] {
            let mut last = None;
            while let Some((of_module, own)) = neighbour.unconfirmed.front()
                && *of_module <= number
            {
                last = Some(*own);
                neighbour.unconfirmed.pop_front();
            }
            if let Some(own) = last {
                let news = RelayNews::Confirmed(own);
                self.news.push_back((neighbour.name.clone(), news));
            }
        }
    }

    /// Nobody is subscribed to a subject: the neighbours that asked there hear it.
    pub fn nobody(&mut self, subject: &str) {
        for neighbour in &mut self.subscribers[1..] {
            let asked = neighbour.asked.iter().position(|known| known == subject);
            if let Some(place) = asked {
                neighbour.asked.remove(place);
                let news = RelayNews::Nobody(subject.to_owned());
                self.news.push_back((neighbour.name.clone(), news));
            }
        }
    }

    /// Whom a datagram is for that came from the engine; each of them once, however many of its patterns it fits.
    pub fn fits(&self, subject: &str) -> Fits {
        let mut places = Vec::new();
        let wanted_by = |pattern: &str| self.wanted.get(pattern).into_iter().flatten().copied();
        match self.subjects.read(subject) {
            // The node itself counts what it makes no sense of.
            None => places.push(OWN),
            // Of the nodes here, which have links with each other. Engines that send one's own back are none to count on.
            Some(Address::Lane(sender)) if self.senders.contains(&sender) => {}
            Some(Address::Lane(_)) => {
                for pattern in self.wanted.holding(&self.subjects, subject) {
                    places.extend(wanted_by(&pattern));
                }
            }
            Some(Address::Answer(node, _)) => {
                places.extend(wanted_by(&self.subjects.answers(node)))
            }
            Some(Address::Ask(_) | Address::Here(_)) => places.extend(wanted_by(subject)),
        }
        places.sort_unstable();
        places.dedup();
        let neighbours = places.iter().filter(|place| **place != OWN);
        Fits {
            own: places.first() == Some(&OWN),
            neighbours: neighbours
                .map(|place| self.subscribers[*place].name.clone())
                .collect(),
        }
    }

    /// A datagram was handed to a neighbour, or there was no room for it.
    pub fn handed_on(&mut self, has_room: bool) {
        match has_room {
            true => self.counts.delivered += 1,
            false => self.counts.dropped_by_link += 1,
        }
    }

    /// Something came of a neighbour that makes no sense there.
    pub fn refuse(&mut self) {
        self.counts.refused += 1;
    }

    /// Takes the next thing to tell a neighbour.
    pub fn news(&mut self) -> Option<(NodeName, RelayNews)> {
        self.news.pop_front()
    }

    /// What has become of what is handed on.
    pub fn counts(&self) -> RelayCounts {
        self.counts
    }

    /// How many neighbours there are, and how many of them are linked.
    pub fn neighbours(&self) -> (usize, usize) {
        let neighbours = &self.subscribers[1..];
        let linked = neighbours.iter().filter(|known| known.is_linked).count();
        (neighbours.len(), linked)
    }

    fn place(&self, node: &NodeName) -> Option<usize> {
        self.places.get(node).copied()
    }

    fn state(&self) -> RelayNews {
        match &self.engine {
            Some(limits) => RelayNews::Up(limits.clone()),
            None => RelayNews::Down(self.reason.clone()),
        }
    }

    fn tell_state(&mut self) {
        let state = self.state();
        let linked = self.subscribers[1..].iter().filter(|known| known.is_linked);
        let news = linked.map(|known| (known.name.clone(), state.clone()));
        self.news.extend(news);
    }

    /// What was under way to the engine is nowhere.
    fn forget_engine(&mut self) {
        self.offered = None;
        self.hold = None;
        for known in &mut self.subscribers {
            self.counts.dropped_by_engine += known.queue.len() as u64;
            known.queue.clear();
            known.unconfirmed.clear();
            known.asked.clear();
        }
        self.news
            .retain(|(_, news)| !matches!(news, RelayNews::Confirmed(_) | RelayNews::Nobody(_)));
    }

    fn set(&mut self, place: usize, pattern: String, on: bool) {
        let known = &mut self.subscribers[place].patterns;
        match on {
            true if known.insert(pattern.clone()) => self.want(pattern, place),
            false if known.remove(&pattern) => self.unwant(&pattern, place),
            _ => {}
        }
    }

    fn want(&mut self, pattern: String, place: usize) {
        if let Some(by) = self.wanted.get_mut(&pattern) {
            by.push(place);
            return;
        }
        self.wanted
            .insert(&self.subjects, pattern.clone(), vec![place]);
        self.tell(pattern);
    }

    /// Subscribes at the engine, unless what it is told of holds the pattern already.
    fn tell(&mut self, pattern: String) {
        let holding = self.told.holding(&self.subjects, &pattern);
        if !holding.is_empty() {
            return;
        }
        let held = self.told.held_by(&self.subjects, &pattern);
        self.told.insert(&self.subjects, pattern.clone(), ());
        // The wider one first, so that nothing is missed in between.
        self.to_tell.push_back((pattern, true));
        for narrower in held {
            self.told.remove(&self.subjects, &narrower);
            self.to_tell.push_back((narrower, false));
        }
    }

    fn unwant(&mut self, pattern: &str, place: usize) {
        let Some(by) = self.wanted.get_mut(pattern) else {
            return;
        };
        by.retain(|known| *known != place);
        if !by.is_empty() {
            return;
        }
        self.wanted.remove(&self.subjects, pattern);
        if !self.told.remove(&self.subjects, pattern) {
            return;
        }
        let mut held = self.wanted.held_by(&self.subjects, pattern);
        // The widest first: each may hold others.
        held.sort_by_key(|narrower| std::cmp::Reverse(stars(narrower)));
        for narrower in held {
            self.tell(narrower);
        }
        self.to_tell.push_back((pattern.to_owned(), false));
    }
}

/// Whether a node with this token may publish that.
fn may_publish(subjects: &Subjects, token: Token, publishing: &Publishing) -> bool {
    let is_own = match subjects.read(&publishing.subject) {
        Some(Address::Lane(of) | Address::Here(of)) => of == token,
        Some(Address::Ask(_) | Address::Answer(..)) => true,
        None => false,
    };
    let answers_come_back = publishing.reply.as_ref().is_none_or(
        |reply| matches!(subjects.read(reply), Some(Address::Answer(of, _)) if of == token),
    );
    is_own && answers_come_back
}

/// Patterns, found by what they hold: for lanes, by each combination of stars that any of them has.
#[derive(Debug)]
struct Patterns<T> {
    all: HashMap<String, T>,
    /// How many patterns of lanes have stars in these places.
    masks: [usize; 1 << LANE_TOKENS],
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self {
            all: HashMap::new(),
            masks: [0; 1 << LANE_TOKENS],
        }
    }
}

impl<T> Patterns<T> {
    fn get(&self, pattern: &str) -> Option<&T> {
        self.all.get(pattern)
    }

    fn get_mut(&mut self, pattern: &str) -> Option<&mut T> {
        self.all.get_mut(pattern)
    }

    fn insert(&mut self, subjects: &Subjects, pattern: String, value: T) {
        let mask = subjects.lane_tokens(&pattern).map(|tokens| mask(&tokens));
        if self.all.insert(pattern, value).is_none()
            && let Some(mask) = mask
        {
            self.masks[mask] += 1;
        }
    }

    fn remove(&mut self, subjects: &Subjects, pattern: &str) -> bool {
        let was_there = self.all.remove(pattern).is_some();
        if was_there && let Some(tokens) = subjects.lane_tokens(pattern) {
            self.masks[mask(&tokens)] -= 1;
        }
        was_there
    }

    /// Those that hold this subject or pattern, itself among them.
    fn holding(&self, subjects: &Subjects, pattern: &str) -> Vec<String> {
        let Some(tokens) = subjects.lane_tokens(pattern) else {
            let known = self.all.contains_key(pattern);
            return known.then(|| pattern.to_owned()).into_iter().collect();
        };
        let own = mask(&tokens);
        let wider = (0..self.masks.len()).filter(|mask| self.masks[*mask] > 0 && mask & own == own);
        wider
            .map(|mask| subjects.starred(&tokens, |place| mask & 1 << place != 0))
            .filter(|wider| self.all.contains_key(wider))
            .collect()
    }

    /// The others that this one holds.
    fn held_by(&self, subjects: &Subjects, pattern: &str) -> Vec<String> {
        let Some(wide) = subjects.lane_tokens(pattern) else {
            return Vec::new();
        };
        let is_held = |other: &&String| {
            let tokens = subjects.lane_tokens(other);
            *other != pattern
                && tokens.is_some_and(|tokens| {
                    let mut pairs = wide.iter().zip(tokens);
                    pairs.all(|(wide, narrow)| *wide == "*" || *wide == narrow)
                })
        };
        self.all.keys().filter(is_held).cloned().collect()
    }
}

fn mask(tokens: &[&str; LANE_TOKENS]) -> usize {
    let stars = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| **token == "*");
    stars.fold(0, |mask, (place, _)| mask | 1 << place)
}

fn stars(pattern: &str) -> usize {
    pattern.matches('*').count()
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
