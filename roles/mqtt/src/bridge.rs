//! What the bridge decides. It is told what happened and when, and says what to publish ([`Bridge::take`]) and
//! what to do ([`Bridge::act`]). Times are those since it was made.
//!
//! ```text
//!            ┌────────── lost ◀───────────┐
//!            ▼                            │
//!          away ──connected──▶ learning ──┴──▶ open
//!                               what the broker has; until it is quiet, for 2 s at most
//! ```
//! While it learns, nothing is published: what is there is known then, and what has to go, goes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kozo_faces::{Data, Found, Input};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::devices::compose;
use crate::early::Early;
use crate::entity;
use crate::options::{RetainedOnes, Settings};
use crate::outbox::Outbox;
use crate::picture::{Known, MAX_NODES, Node, Peer, Report};
use crate::presence::Presence;
use crate::rate::Rate;
use crate::readings::{Heard, Readings};
use crate::registry::{Announced, Registry, STATES_STAY};
use crate::retained::{Class, Retained};
use crate::topics;
use kozo_mqtt::{MAX_OUTGOING, Publication, Welcome};

/// For how long changes of the network are collected.
const COLLECT: Duration = Duration::from_secs(1);

/// For how long the bridge learns what the broker has, at most.
const LEARN: Duration = Duration::from_secs(2);

/// After how long without anything new it has learnt that.
const QUIET: Duration = Duration::from_millis(400);

/// For how long other nodes have to say what they are, before what is remembered of them is taken.
const FIRST_ANSWERS: Duration = Duration::from_secs(3);

/// For how long Home Assistant is left alone after it has come up, at most.
const AFTER_BIRTH: Duration = Duration::from_secs(2);

/// What there is of a packet besides topic and payload, at most.
const FRAME: usize = 64;

/// The longest data of a message that is published, in bytes of JSON.
const MAX_DATA: usize = 64 * 1024;

/// How long the deeds wait at most.
const MAX_DEEDS: usize = 256;

/// How many faces are remembered of all nodes, at most: those of nodes that are away would not be there after a
/// restart without that.
const MAX_REMEMBERED: usize = 8192;

/// What the bridge keeps over restarts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// What is announced, by topic.
    announced: BTreeMap<String, Announced>,
    /// What nodes have.
    known: BTreeMap<String, Known>,
    /// Topics that have still to be emptied.
    cleared: Vec<String>,
}

/// Something that the bridge does besides publishing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Deed {
    /// Sends an order.
    Order {
        type_name: String,
        channel: Option<String>,
        /// MessagePack.
        data: Vec<u8>,
    },
    /// Sends an event.
    Event {
        type_name: String,
        channel: Option<String>,
        /// MessagePack.
        data: Vec<u8>,
    },
    /// Writes a line into the log.
    Note(String),
    /// The same, of something that is not as it should be.
    Warn(String),
}

/// What was left out, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Commands that were too late, or for nobody.
    pub(crate) commands_dropped: u64,
    /// Commands that a face does not take.
    pub(crate) commands_refused: u64,
    /// Orders that nobody has allowed, or that are none.
    pub(crate) orders_refused: u64,
    /// Followed topics that say too much, or nothing that can be taken.
    pub(crate) followed_dropped: u64,
    /// Publications that are larger than the broker takes.
    pub(crate) too_large: u64,
    /// Orders, events and lines for the log that were too many at once.
    pub(crate) crowded_out: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Away,
    Learning {
        until: Duration,
        quiet_at: Option<Duration>,
    },
    Open,
}

/// A node of the network's file.
#[derive(Debug, Default)]
struct Here {
    presence: Presence,
    known: Known,
    other_file: bool,
}

pub(crate) struct Bridge {
    settings: Settings,
    nodes: BTreeMap<String, Here>,
    /// What is remembered of nodes that have not said anything yet.
    known: BTreeMap<String, Known>,
    registry: Registry,
    readings: Readings,
    early: Early,
    retained: Retained,
    outbox: Outbox,
    /// Taken from the outbox, for putting it back.
    in_hand: Option<Duration>,
    phase: Phase,
    welcome: Welcome,
    /// Whether this node has said what there is.
    has_seen: bool,
    /// When the devices are put together again.
    compose_at: Option<Duration>,
    has_composed: bool,
    /// When all is announced again.
    announce_at: Option<Duration>,
    idle: Duration,
    random: fastrand::Rng,
    rates: Vec<Rate>,
    order_rate: Rate,
    /// Own empty messages that a broker of MQTT 3.1.1 hands back.
    echoes: BTreeMap<String, u32>,
    counts: Counts,
    deeds: VecDeque<Deed>,
    memory_changed: bool,
}

impl Bridge {
    pub(crate) fn new(settings: Settings, memory: Memory, random: fastrand::Rng) -> Self {
        let mut retained = Retained::default();
        for topic in &memory.cleared {
            // Home Assistant may just have heard that what they belong to is gone.
            match settings.topics.is_config(topic) {
                true => retained.clear(topic),
                false => retained.clear_later(topic, STATES_STAY),
            }
        }
        let rates = settings.follow.iter().map(|_| Rate::default()).collect();
        Self {
            registry: Registry::remembering(memory.announced, settings.home_assistant),
            known: memory.known,
            nodes: BTreeMap::new(),
            readings: Readings::default(),
            early: Early::default(),
            retained,
            outbox: Outbox::default(),
            in_hand: None,
            phase: Phase::Away,
            welcome: Welcome::default(),
            has_seen: false,
            compose_at: None,
            has_composed: false,
            announce_at: None,
            idle: Duration::from_secs(60),
            random,
            rates,
            order_rate: Rate::default(),
            echoes: BTreeMap::new(),
            counts: Counts::default(),
            deeds: VecDeque::new(),
            memory_changed: false,
            settings,
        }
    }

    // The network.

    /// This node keeps idle links on demand for so long.
    pub(crate) fn idle_timeout(&mut self, idle: Duration) {
        self.idle = idle;
    }

    /// This node, and the others as it sees them.
    pub(crate) fn see_here(&mut self, node: &Node, now: Duration) {
        let in_file = node.peers.iter().map(|peer| peer.peer.as_str());
        let in_file = in_file.chain([node.node.as_str()]).take(MAX_NODES);
        let names: Vec<String> = in_file
            .filter(|name| self.settings.bridges(name))
            .map(str::to_owned)
            .collect();
        let before = self.nodes.len();
        self.nodes.retain(|name, _| names.contains(name));
        let mut changed = before != self.nodes.len() || !self.has_seen;
        let mut remembered = Vec::new();
        for name in names {
            if !self.nodes.contains_key(&name) {
                let mut here = Here::default();
                if let Some(known) = self.known.get(&name) {
                    self.readings.know(&name, known, &self.settings.track, now);
                    here.known = known.clone();
                    remembered.push(name.clone());
                }
                self.nodes.insert(name, here);
                changed = true;
            }
        }
        for name in remembered {
            self.catch_up(&name, now);
        }
        if let Some(here) = self.nodes.get_mut(&node.node) {
            here.presence.here(now);
        }
        for peer in &node.peers {
            if let Some(here) = self.nodes.get_mut(&peer.peer) {
                here.presence.see(peer, now);
                here.other_file = peer.other_file;
            }
        }
        if !self.has_seen {
            self.has_seen = true;
            self.compose_at = Some(now + FIRST_ANSWERS);
        }
        self.learn_node(&node.node, node, now);
        // One that is away does not say that its link with this node has gone.
        for peer in node.peers.iter().filter(|peer| peer.peer < node.node) {
            let seen = Peer {
                peer: node.node.clone(),
                ..peer.clone()
            };
            self.show_link(&peer.peer, &seen);
        }
        if changed {
            self.collect(now);
        }
        self.settle_presence(now);
    }

    /// What all nodes say of themselves.
    pub(crate) fn see_network(&mut self, reports: &[Report], now: Duration) {
        for report in reports {
            if let Some(here) = self.nodes.get_mut(&report.node) {
                here.other_file |= report.other_file;
            }
            if let Some(node) = &report.status {
                self.learn_node(&report.node, node, now);
            }
        }
        if !self.has_composed && self.has_seen {
            self.compose_at = Some(now);
        }
        self.settle_presence(now);
    }

    /// What a node says of itself: its roles, and its links.
    fn learn_node(&mut self, name: &str, node: &Node, now: Duration) {
        let Some(here) = self.nodes.get_mut(name) else {
            return;
        };
        let known = Known::of(node);
        if here.known != known {
            self.readings.know(name, &known, &self.settings.track, now);
            self.known.insert(name.to_owned(), known.clone());
            here.known = known;
            self.memory_changed = true;
            self.catch_up(name, now);
            self.collect(now);
        }
        let topics = &self.settings.topics;
        if self.settings.diagnostics {
            for role in &node.roles {
                let problem = match role.state.as_str() {
                    "waiting" => "ON",
                    _ => "OFF",
                };
                let is_known = self
                    .nodes
                    .get(name)
                    .is_some_and(|here| here.known.roles.contains_key(&role.name));
                if is_known {
                    let topic = topics.role(name, &role.name, "problem");
                    self.retained.set(&topic, problem, Class::State);
                }
            }
        }
        for peer in &node.peers {
            self.show_link(name, peer);
        }
    }

    /// How the link of a node with one that comes after it is.
    fn show_link(&mut self, name: &str, peer: &Peer) {
        use crate::options::Links;
        let topics = &self.settings.topics;
        let is_wanted = self
            .nodes
            .get(name)
            .is_some_and(|here| here.known.wanted.contains(&peer.peer));
        if !is_wanted || self.settings.links == Links::None || !self.nodes.contains_key(&peer.peer)
        {
            return;
        }
        let connected = match peer.is_up() {
            true => "ON",
            false => "OFF",
        };
        let topic = |what: &str| topics.link(name, &peer.peer, what);
        self.retained
            .set(&topic("connected"), connected, Class::State);
        if self.settings.links == Links::All {
            let link = peer.links.first();
            let trip = link.and_then(|link| link.round_trip_seconds);
            let trip = match trip.filter(|trip| trip.is_finite()) {
                Some(trip) => format!("{:.1}", trip * 1000.0),
                None => "None".to_owned(),
            };
            self.retained.set(&topic("round-trip"), trip, Class::State);
            let transport = link.map(|link| crate::picture::shortened(&link.transport, 64));
            let transport = transport.unwrap_or_else(|| "None".to_owned());
            self.retained
                .set(&topic("transport"), transport, Class::State);
        }
    }

    /// The devices have to be put together again, soon.
    fn collect(&mut self, now: Duration) {
        if self.has_composed && self.compose_at.is_none() {
            self.compose_at = Some(now + COLLECT);
        }
    }

    fn compose(&mut self) -> BTreeMap<String, crate::registry::Device> {
        let nodes = self.nodes.iter();
        let known = nodes.map(|(name, here)| (name.clone(), here.known.clone()));
        compose(&self.settings, &known.collect())
    }

    /// Says of nodes that are there, or are not, what has not been said yet.
    fn settle_presence(&mut self, now: Duration) {
        let topics = &self.settings.topics;
        let mut changed = false;
        for (name, here) in &mut self.nodes {
            if let Some(there) = here.presence.news(now, self.idle) {
                let status = match there {
                    true => "online",
                    false => "offline",
                };
                self.retained
                    .set(&topics.node(name, "status"), status, Class::NodeStatus);
                changed = true;
            }
            if self.settings.diagnostics {
                let other = match here.other_file {
                    true => "ON",
                    false => "OFF",
                };
                self.retained
                    .set(&topics.node(name, "same-file"), other, Class::State);
            }
        }
        if changed && !self.nodes.is_empty() {
            let said = |here: &&Here| here.presence.said() == Some(true);
            let online = self.nodes.values().filter(said).count();
            let away = self
                .nodes
                .iter()
                .filter(|(_, here)| here.presence.said() != Some(true));
            let away: Vec<&String> = away.map(|(name, _)| name).take(64).collect();
            let facts = json!({ "nodes": self.nodes.len(), "away": away });
            let count = topics.bridge_count();
            self.retained.set(&count, online.to_string(), Class::State);
            let facts = entity::json(&facts);
            self.retained
                .set(&format!("{count}/attributes"), facts, Class::State);
        }
    }

    // Messages of roles.

    /// A role has sent something. `age` is how old it is.
    pub(crate) fn hear(
        &mut self,
        kind: &str,
        heard: &Heard<'_>,
        data: &[u8],
        (age, now): (Duration, Duration),
    ) {
        if heard.node == self.settings.topics.bridge && heard.role == self.settings.role {
            return;
        }
        if let Some(here) = self.nodes.get_mut(heard.node) {
            here.presence.hear(now);
        }
        let until = (now + self.settings.event_age).saturating_sub(age);
        if kind == "event" && self.readings.wants(heard) {
            self.show(heard, data, (now, until));
        } else if kind == "event" && self.settings.bridges(heard.node) {
            self.early.hold(heard, data, (until, now));
        }
        let sender = (kind, heard.node, heard.role);
        let mut patterns = self.settings.messages.iter();
        if patterns.any(|pattern| pattern.fits(sender, heard.type_name, heard.channel)) {
            self.publish_message(sender, heard, data, (age, until));
        }
    }

    /// Lets faces show what an event says.
    fn show(&mut self, heard: &Heard<'_>, data: &[u8], times: (Duration, Duration)) {
        // What cannot be read shows nothing.
        if let Ok(data) = rmp_serde::from_slice::<Data>(data) {
            let sinks = (&self.settings.topics, &mut self.retained, &mut self.outbox);
            self.readings.hear(heard, &data, sinks, times);
        }
    }

    /// The faces of a node are known now: shows what came before they were.
    fn catch_up(&mut self, node: &str, now: Duration) {
        for held in self.early.take(node, now) {
            let heard = held.heard();
            if self.readings.wants(&heard) {
                self.show(&heard, &held.data, (now, held.until));
            }
        }
    }

    /// Publishes a message for whoever reads MQTT.
    fn publish_message(
        &mut self,
        sender: (&str, &str, &str),
        heard: &Heard<'_>,
        data: &[u8],
        (age, until): (Duration, Duration),
    ) {
        let topic = self
            .settings
            .topics
            .message(sender, heard.type_name, heard.channel);
        let mut payload = b"{\"data\":".to_vec();
        let written = kozo_data::write_json(data, &mut payload);
        if written.is_err() || payload.len() > MAX_DATA || topic.len() > topics::MAX_TOPIC {
            self.counts.too_large += 1;
            return;
        }
        // A number that is none has no word in JSON.
        let timestamp = json!(heard.timestamp);
        let rest = format!(
            ",\"age\":{},\"timestamp\":{timestamp}}}",
            json!(age.as_secs_f64())
        );
        payload.extend_from_slice(rest.as_bytes());
        self.outbox.push(until, topic, payload);
    }

    // The broker.

    /// The topics that the bridge asks for on each connection.
    pub(crate) fn filters(&self) -> Vec<String> {
        let topics = &self.settings.topics;
        let mut filters = vec![topics.command_filter()];
        if self.settings.home_assistant {
            filters.push(topics.home_assistant_status());
            filters.push(topics.device_filter());
            filters.push(topics.bridge_announce());
        }
        if !self.settings.orders.is_empty() {
            filters.push(topics.order_filter());
        }
        filters.extend(
            self.settings
                .follow
                .iter()
                .map(|followed| followed.topic.clone()),
        );
        filters
    }

    /// What the broker publishes when the connection is lost. Where nothing stands behind the bridge, it leaves
    /// nothing behind.
    pub(crate) fn will(&self) -> Publication {
        Publication {
            topic: self.settings.topics.bridge_status(),
            payload: Bytes::from_static(b"offline"),
            acknowledged: true,
            retained: !self.nodes.is_empty(),
        }
    }

    /// There is a connection with a broker.
    pub(crate) fn connected(&mut self, welcome: Welcome, now: Duration) {
        self.welcome = welcome;
        self.echoes.clear();
        self.registry.connected(now);
        self.phase = Phase::Learning {
            until: now + LEARN,
            quiet_at: None,
        };
    }

    /// The broker has answered what the bridge asked for: what it has comes now.
    pub(crate) fn subscribed(&mut self, now: Duration) {
        self.learnt_something(now);
    }

    fn learnt_something(&mut self, now: Duration) {
        if let Phase::Learning { quiet_at, .. } = &mut self.phase {
            *quiet_at = Some(now + QUIET);
        }
    }

    /// The connection is over.
    pub(crate) fn lost(&mut self) {
        self.phase = Phase::Away;
        self.announce_at = None;
    }

    /// Whether it is known what there is, so that it can be published.
    pub(crate) fn is_ready(&self) -> bool {
        self.has_composed
    }

    /// Whether everything is published as it should be.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Everything that is to be there is published from now on.
    fn open(&mut self, now: Duration) {
        self.phase = Phase::Open;
        self.retained.repeat_all();
        self.registry.announce_again(&mut self.retained, now);
        let status = self.settings.topics.bridge_status();
        match self.nodes.is_empty() {
            true => self.retained.clear(&status),
            false => self.retained.put(&status, "online", Class::BridgeStatus),
        }
    }

    /// Says good-bye: what there is to publish now is the last.
    pub(crate) fn leave(&mut self) -> Publication {
        self.will()
    }

    /// Somebody has published something.
    pub(crate) fn message(
        &mut self,
        topic: &str,
        payload: &[u8],
        was_retained: bool,
        now: Duration,
    ) {
        let topics = &self.settings.topics;
        if self.settings.home_assistant && topics.is_config(topic) {
            self.config_message(topic, payload, was_retained, now);
        } else if self.settings.home_assistant && topic == topics.home_assistant_status() {
            self.home_assistant(payload, now);
        } else if topics.commanded(topic).is_some() {
            self.command(topic, payload, was_retained);
        } else if topic == topics.bridge_announce() {
            if !was_retained && !payload.is_empty() {
                self.note("what was deleted in Home Assistant is announced again".to_owned());
                self.registry.show_all(&mut self.retained);
                self.memory_changed = true;
            }
        } else if topic.starts_with(&format!("{}/order/", topics.prefix)) {
            self.order(topic, payload, was_retained, now);
        }
        self.follow(topic, payload, was_retained, now);
    }

    /// Something of this network is announced, or is not any more.
    fn config_message(&mut self, topic: &str, payload: &[u8], was_retained: bool, now: Duration) {
        if payload.is_empty() && self.expects_echo(topic) {
            return;
        }
        if payload.is_empty() {
            if !was_retained && self.registry.hide(topic, &mut self.retained) {
                let name = self.registry.name(topic).to_owned();
                self.note(format!("`{name}` was deleted in Home Assistant, and stays hidden until its faces change"));
                self.memory_changed = true;
            }
        } else if was_retained {
            self.learnt_something(now);
            // Nothing is known of what there should be before the node has said so.
            if self.has_composed && self.registry.learn(topic, payload, &mut self.retained, now) {
                self.note(format!(
                    "nothing stands behind `{topic}` any more: it is removed"
                ));
                self.memory_changed = true;
            }
        }
    }

    /// Whether an own empty message on this topic is still to come back; from now on, one fewer is.
    fn expects_echo(&mut self, topic: &str) -> bool {
        let Some(echoes) = self.echoes.get_mut(topic) else {
            return false;
        };
        *echoes = echoes.saturating_sub(1);
        if *echoes == 0 {
            self.echoes.remove(topic);
        }
        true
    }

    fn home_assistant(&mut self, payload: &[u8], now: Duration) {
        match payload {
            b"online" => {
                self.registry.home_is(true);
                let wait = AFTER_BIRTH.mul_f64(self.random.f64());
                self.announce_at = Some(now + wait);
            }
            b"offline" => self.registry.home_is(false),
            _ => {}
        }
    }

    /// Somebody wants something of a face.
    fn command(&mut self, topic: &str, payload: &[u8], was_retained: bool) {
        let Some((node, role, face)) = self.settings.topics.commanded(topic) else {
            return;
        };
        let about = format!("`{face}` of `{role}@{node}`");
        if was_retained {
            self.counts.commands_dropped += 1;
            self.warn(format!(
                "a command for {about} was retained by the broker, and dropped: it would be obeyed again with \
                 each start. Publish commands without `retain`"
            ));
            return;
        }
        let is_there = self.settings.sleeps(node)
            || self
                .nodes
                .get(node)
                .is_some_and(|here| here.presence.said() != Some(false));
        let shown = self.readings.face(node, role, face);
        let Some(shown) = shown.filter(|_| is_there) else {
            self.counts.commands_dropped += 1;
            self.warn(format!(
                "a command for {about} was dropped: it is not there"
            ));
            return;
        };
        let answer = self.settings.topics.face(node, role, face, "state");
        let order = entity::input(&shown.face.kind, payload).and_then(|input: Input<'_>| {
            let data = shown.face.order_data(input);
            data.map_err(|refusal| refusal.to_string())
        });
        let target = shown.face.command.clone();
        match (order, target) {
            (Ok(data), Some(target)) => {
                shown.ask();
                if let Ok(data) = rmp_serde::to_vec_named(&data) {
                    self.deed(Deed::Order {
                        type_name: target.order,
                        channel: target.channel,
                        data,
                    });
                }
            }
            (Err(reason), _) => {
                self.counts.commands_refused += 1;
                self.warn(format!("a command for {about} was refused: {reason}"));
                self.retained.repeat(&answer);
            }
            (Ok(_), None) => {}
        }
    }

    /// Somebody wants an order to be sent.
    fn order(&mut self, topic: &str, payload: &[u8], was_retained: bool, now: Duration) {
        let refuse = |this: &mut Self, reason: String| {
            this.counts.orders_refused += 1;
            this.warn(format!("the order on `{topic}` was not sent: {reason}"));
        };
        let Some((type_name, channel)) = self.settings.topics.ordered(topic) else {
            return refuse(
                self,
                "its topic is no `PREFIX/order/TYPE/CHANNEL`".to_owned(),
            );
        };
        let mut patterns = self.settings.orders.iter();
        if !patterns.any(|pattern| pattern.fits(&type_name, channel.as_deref())) {
            return refuse(self, "no pattern of `orders` lets it in".to_owned());
        }
        if was_retained {
            return refuse(self, "it was retained by the broker".to_owned());
        }
        if !self.order_rate.take(now) {
            return refuse(self, "there are too many".to_owned());
        }
        let payload = match payload {
            b"" => b"null",
            payload => payload,
        };
        match kozo_data::from_json(payload) {
            Ok(data) => self.deed(Deed::Order {
                type_name,
                channel,
                data: data.into_bytes(),
            }),
            Err(error) => refuse(self, format!("its data is no JSON: {error}")),
        }
    }

    /// Somebody else has published something that is followed.
    fn follow(&mut self, topic: &str, payload: &[u8], was_retained: bool, now: Duration) {
        for at in 0..self.settings.follow.len() {
            let followed = &self.settings.follow[at];
            if !topics::fits(&followed.topic, topic)
                || (was_retained && followed.retained == RetainedOnes::Ignore)
            {
                continue;
            }
            let (type_name, channel) = (followed.event.clone(), followed.channel.clone());
            let data = followed_data(payload).and_then(|data| match &followed.path {
                None => Some(data),
                Some(path) => match path.find(&data)? {
                    Found::Data(data) => Some(data.clone()),
                    Found::Count(count) => Some(Data::Integer(i64::try_from(count).ok()?)),
                    Found::Time => None,
                },
            });
            let data = data.and_then(|data| rmp_serde::to_vec_named(&data).ok());
            match data {
                Some(data) if self.rates[at].take(now) => {
                    self.deed(Deed::Event {
                        type_name,
                        channel,
                        data,
                    });
                }
                Some(_) => {
                    self.counts.followed_dropped += 1;
                    self.warn(format!(
                        "`{}`, which is followed, has too many messages: the rest is dropped for a while. If they are \
                         answers to events of this network, it is a loop",
                        self.settings.follow[at].topic
                    ));
                }
                None => self.counts.followed_dropped += 1,
            }
        }
    }

    // What is to be done.

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Duration) {
        if let Phase::Learning { until, quiet_at } = self.phase
            && self.has_composed
            && (until <= now || quiet_at.is_some_and(|quiet_at| quiet_at <= now))
        {
            self.open(now);
        }
        self.readings
            .settle(&self.settings.topics, &mut self.retained, now);
        self.settle_presence(now);
        if self.compose_at.take_if(|at| *at <= now).is_some() {
            let devices = self.compose();
            let names: Vec<&String> = self.nodes.keys().collect();
            let gone: Vec<String> = self
                .known
                .keys()
                .filter(|name| !names.contains(name))
                .cloned()
                .collect();
            for name in gone {
                self.known.remove(&name);
                self.readings.forget(&name);
            }
            self.has_composed = true;
            if self.registry.apply(devices, &mut self.retained, now) {
                self.memory_changed = true;
            }
        }
        if self.announce_at.take_if(|at| *at <= now).is_some() && self.is_open() {
            self.registry.announce_again(&mut self.retained, now);
        }
        if self.is_open() {
            if self.registry.settle(&mut self.retained, now) {
                self.memory_changed = true;
            }
            if self.retained.settle(now) {
                self.memory_changed = true;
            }
        }
        self.outbox.expire(now);
    }

    /// When there is something to do without anything happening.
    pub(crate) fn due(&self) -> Option<Duration> {
        let learning = match self.phase {
            Phase::Learning { until, quiet_at } if self.has_composed => {
                Some(quiet_at.map_or(until, |quiet_at| quiet_at.min(until)))
            }
            _ => None,
        };
        let presence = self
            .nodes
            .values()
            .filter_map(|here| here.presence.due(self.idle))
            .min();
        let registry = self.registry.due().filter(|_| self.is_open());
        let retained = self.retained.due().filter(|_| self.is_open());
        let all = [
            learning,
            retained,
            self.readings.due(),
            self.compose_at,
            self.announce_at,
            presence,
            registry,
        ];
        all.into_iter().flatten().min()
    }

    /// Takes what is to be published next.
    pub(crate) fn take(&mut self, now: Duration) -> Option<Publication> {
        if !self.is_open() {
            return None;
        }
        loop {
            // What happens is of the moment; what is retained has to be there before, when all is new.
            let (until, publication) = match self.retained.take(now) {
                Some(publication) => (None, publication),
                None => {
                    let (until, publication) = self.outbox.take(now)?;
                    (Some(until), publication)
                }
            };
            let size = publication.topic.len() + publication.payload.len() + FRAME;
            let limit = self.welcome.max_packet.map_or(MAX_OUTGOING, |limit| {
                MAX_OUTGOING.min(usize::try_from(limit).unwrap_or(usize::MAX))
            });
            if size > limit {
                self.counts.too_large += 1;
                continue;
            }
            self.in_hand = until;
            let is_config = self.welcome.hands_back
                && publication.payload.is_empty()
                && self.settings.topics.is_config(&publication.topic);
            if is_config {
                *self.echoes.entry(publication.topic.clone()).or_default() += 1;
            }
            return Some(publication);
        }
    }

    /// What was taken last was not sent, and has to be later.
    pub(crate) fn put_back(&mut self, publication: Publication) {
        if publication.payload.is_empty() {
            self.expects_echo(&publication.topic);
        }
        match self.in_hand.take() {
            Some(until) => self.outbox.put_back(until, publication),
            None => self.retained.repeat(&publication.topic),
        }
    }

    /// Takes what is to be done next.
    pub(crate) fn act(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// What has to be remembered, where that has changed.
    pub(crate) fn memory(&mut self) -> Option<Memory> {
        if !std::mem::take(&mut self.memory_changed) {
            return None;
        }
        let mut room = MAX_REMEMBERED;
        let known = self.known.iter().filter(|(_, known)| {
            let faces: usize = known.roles.values().map(|faces| faces.len() + 1).sum();
            room.checked_sub(faces).map(|left| room = left).is_some()
        });
        Some(Memory {
            announced: self.registry.memory().clone(),
            known: known
                .map(|(name, known)| (name.clone(), known.clone()))
                .collect(),
            cleared: self.retained.cleared().cloned().collect(),
        })
    }

    /// What was left out, and how often.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// How many events were dropped.
    pub(crate) fn events_dropped(&self) -> u64 {
        self.outbox.dropped()
    }

    /// How many nodes are bridged.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The names of what the user has deleted in Home Assistant.
    pub(crate) fn hidden(&self) -> Vec<String> {
        self.registry.hidden().map(str::to_owned).collect()
    }

    fn note(&mut self, text: String) {
        self.deed(Deed::Note(text));
    }

    fn warn(&mut self, text: String) {
        self.deed(Deed::Warn(text));
    }

    /// What nobody comes to is of no use later.
    fn deed(&mut self, deed: Deed) {
        if self.deeds.len() >= MAX_DEEDS {
            self.deeds.pop_front();
            self.counts.crowded_out += 1;
        }
        self.deeds.push_back(deed);
    }
}

/// The payload of a followed topic as data: JSON where it is such, or a text; nothing of anything else.
fn followed_data(payload: &[u8]) -> Option<Data> {
    match serde_json::from_slice::<Value>(payload) {
        Ok(value) => serde_json::from_value(value).ok(),
        Err(_) => Some(Data::Text(std::str::from_utf8(payload).ok()?.to_owned())),
    }
}
