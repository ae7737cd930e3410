//! A bridge without threads, a broker that remembers, and a Home Assistant that understands what is announced.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kozo_abi::bench::faces::{Face, FaceKind, Source, Target};
use serde::Serialize;
use serde_json::Value;

use crate::bridge::{Bridge, Deed, Memory};
use crate::options::{Links, Settings};
use crate::picture::{Node, Peer, Report, Role};
use crate::readings::Heard;
use crate::topics::{self, Topics};
use kozo_mqtt::{Publication, Welcome};

pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(super) fn settings() -> Settings {
    Settings {
        topics: Topics {
            prefix: "kozo".to_owned(),
            discovery: "homeassistant".to_owned(),
            network: "home".to_owned(),
            bridge: "hub".to_owned(),
        },
        role: "mqtt".to_owned(),
        home_assistant: true,
        nodes: vec!["*".to_owned()],
        sleeping: Vec::new(),
        areas: BTreeMap::new(),
        track: Vec::new(),
        diagnostics: false,
        links: Links::None,
        messages: Vec::new(),
        orders: Vec::new(),
        follow: Vec::new(),
        event_age: Duration::from_secs(300),
    }
}

/// A switch, a sensor or an event, by the name of the face.
pub(super) fn face(name: &str) -> Face {
    let kind = match name {
        "bell" => FaceKind::Event,
        "motion" => FaceKind::BinarySensor,
        "level" => FaceKind::Number,
        _ => FaceKind::Switch,
    };
    let is_set = matches!(kind, FaceKind::Switch | FaceKind::Number);
    Face {
        name: name.to_owned(),
        state: Some(Source {
            event: format!("{name} state"),
            channel: None,
        }),
        command: is_set.then(|| Target {
            order: format!("{name} set"),
            channel: Some("one".to_owned()),
        }),
        types: match kind {
            FaceKind::Event => vec!["rang".to_owned()],
            _ => Vec::new(),
        },
        minimum: (kind == FaceKind::Number).then_some(0.0),
        maximum: (kind == FaceKind::Number).then_some(10.0),
        ..Face::new(name, kind)
    }
}

pub(super) fn role(name: &str, faces: &[&str]) -> Role {
    Role {
        name: name.to_owned(),
        state: "running".to_owned(),
        faces: faces.iter().map(|name| face(name)).collect(),
    }
}

pub(super) fn node(name: &str, roles: Vec<Role>, peers: Vec<Peer>) -> Node {
    Node {
        node: name.to_owned(),
        version: "1.0".to_owned(),
        roles,
        peers,
    }
}

pub(super) fn peer(name: &str, is_up: bool) -> Peer {
    Peer {
        peer: name.to_owned(),
        state: if is_up { "up" } else { "waiting" }.to_owned(),
        links: Vec::new(),
        wanted: true,
        other_file: false,
        last_error_seconds: None,
    }
}

/// A broker: what is retained, and everything that was ever published on it.
#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) retained: BTreeMap<String, Vec<u8>>,
    pub(super) log: Vec<(String, Vec<u8>)>,
    /// It has lost what was retained, once.
    pub(super) has_forgotten: bool,
    /// Home Assistant hears what comes while it is there.
    pub(super) home: Home,
}

/// A Home Assistant: what it was told of, and what it shows.
#[derive(Debug, Default)]
pub(super) struct Home {
    pub(super) is_up: bool,
    /// By the topic of the announcement, the components with their state topics.
    pub(super) known: BTreeMap<String, BTreeMap<String, Value>>,
    /// The last payload of each topic that it heard.
    pub(super) heard: BTreeMap<String, Vec<u8>>,
    /// How often each event came.
    pub(super) events: BTreeMap<Vec<u8>, usize>,
    /// States that became something else, as they came.
    pub(super) changes: Vec<(String, Vec<u8>)>,
}

impl Home {
    /// As the real one does it (all of it was tried): a component goes with its platform alone, a device with an
    /// empty message; what is left out stays.
    fn hear(&mut self, topic: &str, payload: &[u8], retained: bool) {
        if !self.is_up {
            return;
        }
        if topic.starts_with("homeassistant/device/") {
            if payload.is_empty() {
                self.known.remove(topic);
                return;
            }
            // It refuses what is none, and says so in its log.
            let told: Value = serde_json::from_slice(payload).unwrap_or_default();
            let Some(components) = told.get("components").and_then(Value::as_object) else {
                return;
            };
            let known = self.known.entry(topic.to_owned()).or_default();
            for (id, says) in components {
                assert!(!id.contains(' '), "{id} could not be removed");
                match says.as_object().map_or(0, serde_json::Map::len) {
                    0 => {}
                    1 => drop(known.remove(id)),
                    _ => drop(known.insert(id.clone(), says.clone())),
                }
            }
            return;
        }
        if topic.ends_with("/event") {
            assert!(!retained, "an event is retained: {topic}");
            *self.events.entry(payload.to_vec()).or_default() += 1;
            return;
        }
        let before = self.heard.insert(topic.to_owned(), payload.to_vec());
        if before.as_deref() != Some(payload) {
            self.changes.push((topic.to_owned(), payload.to_vec()));
        }
    }

    /// The identifiers of all entities.
    pub(super) fn entities(&self) -> BTreeSet<String> {
        let all = self.known.values().flat_map(BTreeMap::values);
        all.map(|says| says["unique_id"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Broker {
    fn publish(&mut self, publication: &Publication) {
        let Publication {
            topic,
            payload,
            retained,
            ..
        } = publication;
        assert!(!topic.contains(['+', '#']), "{topic}");
        if *retained {
            match payload.is_empty() {
                true => drop(self.retained.remove(topic)),
                false => drop(self.retained.insert(topic.clone(), payload.to_vec())),
            }
        }
        self.log.push((topic.clone(), payload.to_vec()));
        self.home.hear(topic, payload, false);
    }

    /// Home Assistant comes up: it gets what is retained. What is not there any more stays, unless the broker has
    /// lost what it had: then nobody could help it.
    pub(super) fn home_starts(&mut self) {
        self.home.is_up = true;
        if self.has_forgotten {
            let Self { home, retained, .. } = self;
            home.known.retain(|topic, _| retained.contains_key(topic));
        }
        self.home.heard.clear();
        for (topic, payload) in self.retained.clone() {
            self.home.hear(&topic, &payload, true);
        }
        self.home.changes.clear();
    }

    /// The text that is retained on a topic.
    pub(super) fn at(&self, topic: &str) -> Option<&str> {
        self.retained
            .get(topic)
            .map(|payload| std::str::from_utf8(payload).unwrap())
    }

    /// What was published on a topic.
    pub(super) fn said(&self, topic: &str) -> Vec<String> {
        let all = self.log.iter().filter(|(at, _)| at == topic);
        all.map(|(_, payload)| String::from_utf8(payload.clone()).unwrap())
            .collect()
    }
}

/// Bridge, broker and network, with the time.
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) bridge: Option<Bridge>,
    pub(super) memory: Memory,
    pub(super) broker: Broker,
    pub(super) is_connected: bool,
    pub(super) now: Duration,
    /// When the bridge was made.
    made: Duration,
    pub(super) here: Node,
    pub(super) others: Vec<Report>,
    pub(super) deeds: Vec<Deed>,
}

impl World {
    /// A hub without roles, and a hall with these; all of it runs.
    pub(super) fn new(settings: Settings, roles: Vec<Role>) -> Self {
        let mut world = Self::still(settings, roles);
        world.broker.home_starts();
        world.start();
        world.connect();
        world.pass(30.0);
        world
    }

    /// The same, before anything runs.
    pub(super) fn still(settings: Settings, roles: Vec<Role>) -> Self {
        Self {
            settings,
            bridge: None,
            memory: Memory::default(),
            broker: Broker::default(),
            is_connected: false,
            now: Duration::ZERO,
            made: Duration::ZERO,
            here: node("hub", Vec::new(), vec![peer("hall", true)]),
            others: vec![Report {
                node: "hall".to_owned(),
                status: Some(node("hall", roles, vec![peer("hub", true)])),
                other_file: false,
            }],
            deeds: Vec::new(),
        }
    }

    fn since(&self) -> Duration {
        self.now - self.made
    }

    pub(super) fn bridge(&mut self) -> &mut Bridge {
        self.bridge.as_mut().unwrap()
    }

    /// The bridge starts, with what it remembers.
    pub(super) fn start(&mut self) {
        self.made = self.now;
        // As it would be stored and read again.
        let stored = rmp_serde::to_vec_named(&self.memory).unwrap();
        let memory = rmp_serde::from_slice(&stored).unwrap();
        let random = fastrand::Rng::with_seed(7);
        self.bridge = Some(Bridge::new(self.settings.clone(), memory, random));
        self.look();
    }

    /// The bridge ends; the broker says so, when it was connected.
    pub(super) fn end(&mut self) {
        self.disconnect();
        self.bridge = None;
    }

    /// The bridge sees the network as it is.
    pub(super) fn look(&mut self) {
        let (here, others, now) = (self.here.clone(), self.others.clone(), self.since());
        if let Some(bridge) = &mut self.bridge {
            bridge.see_here(&here, now);
            bridge.see_network(&others, now);
        }
        self.work();
    }

    pub(super) fn connect(&mut self) {
        let now = self.since();
        let Some(bridge) = self.bridge.as_mut().filter(|_| !self.is_connected) else {
            return;
        };
        self.is_connected = true;
        bridge.connected(Welcome::default(), now);
        bridge.subscribed(now);
        let filters = bridge.filters();
        for (topic, payload) in self.broker.retained.clone() {
            if filters.iter().any(|filter| topics::fits(filter, &topic)) {
                bridge.message(&topic, &payload, true, now);
            }
        }
        self.work();
    }

    pub(super) fn disconnect(&mut self) {
        if std::mem::take(&mut self.is_connected)
            && let Some(bridge) = &mut self.bridge
        {
            bridge.lost();
            let will = bridge.will();
            self.broker.publish(&will);
        }
    }

    /// Somebody else publishes something.
    pub(super) fn publish(&mut self, topic: &str, payload: &[u8], retained: bool) {
        let publication = Publication {
            topic: topic.to_owned(),
            payload: payload.to_vec().into(),
            acknowledged: true,
            retained,
        };
        self.broker.publish(&publication);
        let now = self.since();
        if self.is_connected
            && let Some(bridge) = &mut self.bridge
            && bridge
                .filters()
                .iter()
                .any(|filter| topics::fits(filter, topic))
        {
            bridge.message(topic, payload, false, now);
        }
        self.work();
    }

    /// A role of the hall sends an event.
    pub(super) fn event(&mut self, role: &str, type_name: &str, data: &(impl Serialize + ?Sized)) {
        let data = rmp_serde::to_vec_named(data).unwrap();
        self.raw_event(role, type_name, &data);
    }

    /// The same, with whatever bytes.
    pub(super) fn raw_event(&mut self, role: &str, type_name: &str, data: &[u8]) {
        let now = self.since();
        let heard = Heard {
            node: "hall",
            role,
            type_name,
            channel: None,
            timestamp: 1_700_000_000.5,
        };
        if let Some(bridge) = &mut self.bridge {
            bridge.hear("event", &heard, data, (Duration::ZERO, now));
        }
        self.work();
    }

    /// Time passes.
    pub(super) fn pass(&mut self, span: f64) {
        let until = self.now + seconds(span);
        while self.now < until {
            self.now = (self.now + seconds(0.1)).min(until);
            self.work();
        }
    }

    /// The bridge does what there is to do.
    pub(super) fn work(&mut self) {
        let now = self.since();
        let Some(bridge) = &mut self.bridge else {
            return;
        };
        bridge.tick(now);
        if self.is_connected {
            while let Some(publication) = bridge.take(now) {
                self.broker.publish(&publication);
            }
        }
        if let Some(memory) = bridge.memory() {
            self.memory = memory;
        }
        self.deeds.extend(std::iter::from_fn(|| bridge.act()));
    }

    /// The hall has these roles from now on.
    pub(super) fn hall_has(&mut self, roles: Vec<Role>) {
        self.others[0].status = Some(node("hall", roles, vec![peer("hub", true)]));
        self.look();
    }

    /// The hall is there, or away.
    pub(super) fn hall_is(&mut self, is_up: bool) {
        self.here.peers = vec![peer("hall", is_up)];
        self.look();
    }

    /// The orders that were sent: type, channel, data.
    pub(super) fn orders(&mut self) -> Vec<(String, Option<String>, Value)> {
        let orders = self.deeds.drain(..).filter_map(|deed| match deed {
            Deed::Order {
                type_name,
                channel,
                data,
            } => Some((type_name, channel, kozo_data::to_value(&data).unwrap())),
            _ => None,
        });
        orders.collect()
    }
}
