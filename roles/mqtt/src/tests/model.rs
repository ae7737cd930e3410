//! Restarts in any order, held against what should be there afterwards.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::{Broker, World, role, settings};

/// Something that may happen.
#[derive(Debug, Clone)]
enum Step {
    /// The broker goes, and comes back so much later, with what it had or without.
    Broker { after: f64, remembers: bool },
    /// The same of Home Assistant.
    Home { after: f64 },
    /// The same of the bridge.
    Bridge { after: f64 },
    /// The same of the link with the node.
    Node { after: f64 },
    /// The node has these roles from now on.
    Roles(u8),
    /// A switch says that it is on or off.
    Switched { role: usize, on: bool },
    /// A bell rings.
    Rang { role: usize },
    /// Nothing.
    Wait(f64),
    /// Several at once: what goes comes back only after the next steps.
    Gone(Gone),
    /// All that is gone is there again.
    Back,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Gone {
    Broker,
    BrokerAndMemory,
    Home,
    Bridge,
    Node,
}

const ROLES: [&str; 3] = ["a", "b_c", "d"];

fn step() -> impl Strategy<Value = Step> {
    let span = || prop_oneof![Just(0.1), Just(1.5), Just(7.0)];
    let gone = prop_oneof![
        Just(Gone::Broker),
        Just(Gone::BrokerAndMemory),
        Just(Gone::Home),
        Just(Gone::Bridge),
        Just(Gone::Node)
    ];
    prop_oneof![
        (span(), any::<bool>()).prop_map(|(after, remembers)| Step::Broker { after, remembers }),
        span().prop_map(|after| Step::Home { after }),
        span().prop_map(|after| Step::Bridge { after }),
        span().prop_map(|after| Step::Node { after }),
        (0_u8..64).prop_map(Step::Roles),
        (0..3_usize, any::<bool>()).prop_map(|(role, on)| Step::Switched { role, on }),
        (0..3_usize, any::<bool>()).prop_map(|(role, on)| Step::Switched { role, on }),
        (0..3_usize).prop_map(|role| Step::Rang { role }),
        span().prop_map(Step::Wait),
        gone.prop_map(Step::Gone),
        Just(Step::Back),
    ]
}

/// What should be.
struct Model {
    world: World,
    /// Two bits a role: its switch, its bell.
    roles: u8,
    /// What each switch has said last to a bridge that was there.
    last: BTreeMap<String, bool>,
    /// Those that have said so to this very bridge.
    fresh: BTreeSet<String>,
    /// Those whose last word died with a bridge that had no connection.
    unsent: BTreeSet<String>,
    rang: u64,
    broker_gone: bool,
    seen: usize,
}

impl Model {
    fn new() -> Self {
        let roles = 0b11_1111;
        Self {
            world: World::new(settings(), roles_of(roles)),
            roles,
            last: BTreeMap::new(),
            fresh: BTreeSet::new(),
            unsent: BTreeSet::new(),
            rang: 0,
            broker_gone: false,
            seen: 0,
        }
    }

    fn has(&self, role: usize, bit: u8) -> bool {
        self.roles >> (2 * role) & bit != 0
    }

    fn go(&mut self, what: Gone) {
        match what {
            Gone::Broker | Gone::BrokerAndMemory => {
                if !self.broker_gone {
                    self.broker_gone = true;
                    self.world.disconnect();
                }
                if what == Gone::BrokerAndMemory {
                    self.world.broker.retained.clear();
                    self.world.broker.has_forgotten = true;
                }
            }
            Gone::Home => self.home_goes(),
            Gone::Bridge => {
                self.world.end();
                for role in std::mem::take(&mut self.fresh) {
                    let shown = self
                        .world
                        .broker
                        .retained
                        .get(&state(&role))
                        .map(Vec::as_slice);
                    if shown != self.last.get(&role).map(payload_of) {
                        self.unsent.insert(role);
                    }
                }
            }
            Gone::Node => self.world.hall_is(false),
        }
    }

    /// Whoever connects cannot know that Home Assistant is away, and takes things away without waiting for it.
    fn connect(&mut self) {
        self.world.connect();
        self.world.broker.has_forgotten |= !self.world.broker.home.is_up;
    }

    fn home_goes(&mut self) {
        if self.world.broker.home.is_up {
            if !self.broker_gone {
                self.world
                    .publish("homeassistant/status", b"offline", false);
            }
            self.world.broker.home.is_up = false;
        }
    }

    fn back(&mut self) {
        self.broker_gone = false;
        if self.world.bridge.is_none() {
            self.world.start();
            self.forget_what_went();
        }
        self.world.hall_is(true);
        self.world.connect();
        if !self.world.broker.home.is_up {
            self.world.broker.home_starts();
            self.world.publish("homeassistant/status", b"online", false);
        }
    }

    /// A bridge has seen what the node has: what is not among that is empty.
    fn forget_what_went(&mut self) {
        self.world.pass(1.5);
        self.check_what_was_said();
        for (at, role) in ROLES.iter().enumerate() {
            if !self.has(at, 1) {
                self.last.remove(*role);
                self.fresh.remove(*role);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Broker { after, remembers } => {
                self.go(if remembers {
                    Gone::Broker
                } else {
                    Gone::BrokerAndMemory
                });
                self.world.pass(after);
                self.broker_gone = false;
                self.connect();
            }
            Step::Home { after } => {
                self.home_goes();
                self.world.pass(after);
                if !self.broker_gone {
                    self.world.broker.home_starts();
                    self.world.publish("homeassistant/status", b"online", false);
                }
            }
            Step::Bridge { after } => {
                self.go(Gone::Bridge);
                self.world.pass(after);
                self.world.start();
                self.forget_what_went();
                if !self.broker_gone {
                    self.connect();
                }
            }
            Step::Node { after } => {
                self.world.hall_is(false);
                self.world.pass(after);
                self.world.hall_is(true);
            }
            Step::Roles(roles) => {
                self.roles = roles;
                self.world.hall_has(roles_of(roles));
                if self.world.bridge.is_some() {
                    self.forget_what_went();
                }
            }
            Step::Switched { role, on } => {
                if self.has(role, 1) && self.world.bridge.is_some() {
                    let name = ROLES[role];
                    self.last.insert(name.to_owned(), on);
                    self.fresh.insert(name.to_owned());
                    self.unsent.remove(name);
                    self.world.event(name, "lamp state", &on);
                }
            }
            Step::Rang { role } => {
                if self.has(role, 2) {
                    self.rang += 1;
                    let rang = self.rang;
                    self.world.event(ROLES[role], "bell state", &rang);
                }
            }
            Step::Wait(span) => self.world.pass(span),
            Step::Gone(what) => self.go(what),
            Step::Back => self.back(),
        }
        self.check_what_was_said();
    }

    /// No switch ever says anything but what its role has said last.
    fn check_what_was_said(&mut self) {
        let Broker { log, .. } = &self.world.broker;
        for (topic, payload) in &log[self.seen..] {
            let role = ROLES.iter().find(|role| *topic == state(role));
            let (Some(role), false) = (role, payload.is_empty()) else {
                continue;
            };
            assert_eq!(
                Some(payload.as_slice()),
                self.last.get(*role).map(payload_of),
                "{topic}"
            );
        }
        self.seen = log.len();
    }

    /// Everything is there, and a minute has passed.
    fn check(mut self) {
        self.back();
        self.world.pass(60.0);
        self.check_what_was_said();
        let mut entities = BTreeSet::from([
            "kozo__home__bridge_2enodes".to_owned(),
            "kozo__home__bridge_2eannounce".to_owned(),
        ]);
        for (at, role) in ROLES.iter().enumerate() {
            for (bit, face) in [(1, "lamp"), (2, "bell")] {
                if self.has(at, bit) {
                    let role = role.replace('_', "_5f");
                    entities.insert(format!("kozo__home__hall__{role}__{face}"));
                }
            }
        }
        let World { broker, .. } = &self.world;
        assert_eq!(broker.home.entities(), entities);
        for topic in [
            "kozo/bridge/hub/status",
            "kozo/node/hub/status",
            "kozo/node/hall/status",
        ] {
            assert_eq!(broker.at(topic), Some("online"), "{topic}");
            assert_eq!(
                broker.home.heard.get(topic).map(Vec::as_slice),
                Some(&b"online"[..])
            );
        }
        for role in ROLES {
            let shown = broker.retained.get(&state(role)).map(Vec::as_slice);
            let last = self.last.get(role).map(payload_of);
            match self.fresh.contains(role) {
                true => assert_eq!(shown, last, "{role}"),
                false => assert!(
                    shown.is_none() || shown == last || self.unsent.contains(role),
                    "{role}: {shown:?} {last:?}"
                ),
            }
        }
        // Nothing is retained besides.
        let known: BTreeSet<String> = ROLES.iter().map(|role| state(role)).collect();
        for topic in broker.retained.keys() {
            let of_role = topic.matches('/').count() > 3 && topic.starts_with("kozo/node/");
            assert!(!of_role || known.contains(topic), "{topic}");
        }
        // And nothing rang twice.
        let all = &broker.log;
        let rings = all
            .iter()
            .filter(|(topic, _)| topic.ends_with("/bell/event"))
            .count();
        assert!(rings as u64 <= self.rang, "{rings} of {}", self.rang);
        // Everything is settled: nothing more is said.
        let said = all.len();
        self.world.pass(60.0);
        assert_eq!(self.world.broker.log.len(), said);
    }
}

fn state(role: &str) -> String {
    format!("kozo/node/hall/{role}/lamp/state")
}

fn payload_of(on: &bool) -> &'static [u8] {
    match on {
        true => b"ON",
        false => b"OFF",
    }
}

fn roles_of(bits: u8) -> Vec<crate::picture::Role> {
    let mut roles = Vec::new();
    for (at, name) in ROLES.iter().enumerate() {
        let mut faces = Vec::new();
        if bits >> (2 * at) & 1 != 0 {
            faces.push("lamp");
        }
        if bits >> (2 * at) & 2 != 0 {
            faces.push("bell");
        }
        if !faces.is_empty() {
            roles.push(role(name, &faces));
        }
    }
    roles
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn restarts_in_any_order_leave_what_is_there_and_nothing_else(steps in prop::collection::vec(step(), 1..25)) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
        }
        model.check();
    }
}
