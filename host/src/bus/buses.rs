//! All buses of the node: made, started, looked after and stopped.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kozo_auth::attest::{Attestor, BusAttestor};
use kozo_bus::random::SystemRandom;
use kozo_bus::subject::{SubjectKey, Subjects};
use kozo_bus::{Bus, BusSettings, MAX_EXPECTED};
use kozo_description::{Problem, Problems};
use kozo_ground::clock::{self, Moment};
use kozo_ground::interest::{Interest, Interests};
use kozo_ground::names::NodeName;
use kozo_ground::queue::QueueLimits;
use kozo_ground::text::error_text;
use kozo_router::Crowd;
use kozo_status::{BusNodeStatus, BusNodes, BusStatus};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::bell::Bell;
use super::engine::{Engine, ModuleEngine};
use super::error::BusError;
use super::gateway::Gateway;
use super::mailbox::Mailbox;
use super::members::FileMembers;
use super::node_keys::AttestedKeys;
use super::outlet::BusOutlet;
use super::running::{Answering, BusArrivals, CALL_LIMIT, RunningBus, RunningParts};
use super::services::Services;
use super::through::LinkEngine;
use super::{counter, life, secret};
use crate::config::{Network, Node, OnBus};
use crate::limited::{Worker, apart};
use crate::link::{PeerAnswer, PeerLink, PeerQuestions};
use crate::modules::{BusIdentity, BusServices, Registry};
use crate::transports::StateFolders;

/// How long a module may take to make a bus.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// How often it is looked whether a module has come back from what may not take long.
const WATCH: Duration = Duration::from_secs(1);

/// How often it is looked whether all has left while buses are flushed.
const FLUSH_POLL: Duration = Duration::from_millis(5);

/// How much longer than a question has the bus's thread may take to say what came of it.
const GRACE: Duration = Duration::from_secs(1);

/// How many nodes are told at most of those that were heard of.
const MAX_NODES: usize = 10_000;

/// What buses are made of.
pub(crate) struct BusParts<'a> {
    pub(crate) network: &'a Arc<Network>,
    pub(crate) own: &'a Node,
    pub(crate) registry: &'a Arc<Registry>,
    pub(crate) attestor: &'a Arc<Attestor>,
    pub(crate) state: &'a Arc<StateFolders>,
    /// The nodes that this one has links with.
    pub(crate) peers: &'a [Arc<PeerLink>],
}

/// Buses that are made and not started yet.
#[derive(Default)]
pub(crate) struct MadeBuses(Vec<MadeBus>);

struct MadeBus {
    parts: RunningParts,
    crowd: Arc<Crowd>,
    retry: Duration,
}

/// The buses of a node that runs.
pub(crate) struct Buses {
    running: Vec<Arc<RunningBus>>,
}

/// What tells that modules have ended.
pub(crate) struct BusLives(Vec<(Arc<str>, oneshot::Receiver<()>)>);

impl MadeBuses {
    /// Makes the buses of the node. Modules may take their time, so this is no call for a task.
    ///
    /// # Errors
    /// What is wrong with any of them.
    pub(crate) fn new(parts: &BusParts<'_>) -> Result<Self, Problems> {
        let mut problems = Problems::new(parts.network.file.clone());
        let mut made = Vec::new();
        for on in &parts.own.buses {
            match MadeBus::new(parts, on) {
                Ok(bus) => made.push(bus),
                Err(error) => {
                    let path = format!("system.{}.transports.{}", parts.own.name, on.bus);
                    problems.push(Problem::error(on.place, path, error_text(&error)));
                }
            }
        }
        match problems.has_errors() {
            true => Err(problems),
            false => Ok(Self(made)),
        }
    }

    /// Where the router leaves what is for a bus, each with what is wanted there as far as the file tells.
    pub(crate) fn outlets(&self) -> impl Iterator<Item = (Arc<BusOutlet>, Arc<Crowd>)> {
        let outlets = self.0.iter();
        outlets.map(|made| (Arc::clone(&made.parts.outlet), Arc::clone(&made.crowd)))
    }

    /// Starts them. What comes goes to `arrivals`; what other nodes ask is answered by `questions` on the runtime of
    /// the caller; `changed` is told when a bus comes up or goes down.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(
        self,
        arrivals: &Arc<impl BusArrivals>,
        questions: &Arc<impl PeerQuestions>,
        changed: &Arc<Notify>,
    ) -> std::io::Result<(Arc<Buses>, BusLives)> {
        let asked = Answering {
            questions: Arc::clone(questions) as _,
            runtime: Handle::current(),
        };
        let mut running = Vec::with_capacity(self.0.len());
        let mut lives = Vec::with_capacity(self.0.len());
        for made in self.0 {
            let MadeBus { parts, retry, .. } = made;
            let arrivals = Arc::clone(arrivals) as _;
            let bus = RunningBus::new(parts, arrivals, asked.clone(), Arc::clone(changed));
            bus.start()?;
            lives.push((Arc::clone(bus.outlet.name()), life::start(&bus, retry)?));
            running.push(bus);
        }
        Ok((Arc::new(Buses { running }), BusLives(lives)))
    }
}

impl MadeBus {
    fn new(parts: &BusParts<'_>, on: &OnBus) -> Result<Self, BusError> {
        let BusParts { network, own, .. } = parts;
        let described = network.bus(on.bus.as_str()).ok_or(BusError::NoOptions)?;
        let subject_key = match &described.subject_secret_file {
            Some(path) => secret::read(path)?,
            None => SubjectKey::public(),
        };
        let subjects = Subjects::new(on.bus.clone(), &subject_key);
        let folder = parts.state.folder(&own.name, on.bus.as_str())?;
        let counter = counter::next(&folder)?;
        let bell = Arc::<Bell>::default();
        let queue = queue_limits(own);
        let identity = BusIdentity {
            node: own.name.clone(),
            name: on.bus.clone(),
            module: described.module.clone(),
        };
        let mailbox = Mailbox::new(Arc::clone(&bell));
        let services = Services::new(identity, Arc::clone(parts.state), mailbox)
            .map_err(BusError::StopSignal)?;
        let (engine, gateway) = engine(parts, on, &services, &subjects, &bell)?;
        let wanted = own_interests(own);
        let members = FileMembers::new(network, &on.bus, &own.name, &subjects);
        let settings = BusSettings {
            name: on.bus.clone(),
            module: described.module.clone(),
            own: own.name.clone(),
            size: members.len(),
            members: Arc::new(members),
            expected: expected(network, own, on, &wanted),
            wanted,
            queue,
            max_ages: own.settings.max_ages,
            digest: network.digest,
            agent: concat!("kozo ", env!("CARGO_PKG_VERSION")).to_owned(),
            subject_key,
            counter,
        };
        let attestor = Attestor::clone(parts.attestor);
        let keys = AttestedKeys(BusAttestor::new(attestor, &described.module));
        let random = Box::new(SystemRandom::new());
        let bus = Bus::new(settings, Arc::new(keys), random, clock::now())?;
        let outlet = BusOutlet::new(
            on.bus.as_str(),
            queue,
            own.settings.max_ages,
            Arc::clone(&bell),
        );
        Ok(Self {
            parts: RunningParts {
                bus,
                queue,
                outlet: Arc::new(outlet),
                services,
                engine,
                gateway,
                bell,
                folder,
            },
            crowd: crowd(network, own, on),
            retry: own.settings.connection_retry,
        })
    }
}

fn queue_limits(own: &Node) -> QueueLimits {
    QueueLimits {
        length: own.settings.outgoing_queue_length,
        size: own.settings.outgoing_queue_size,
    }
}

/// What the node speaks with: its module, or gateways; and what it hands on for others.
fn engine(
    parts: &BusParts<'_>,
    on: &OnBus,
    services: &Arc<Services>,
    subjects: &Subjects,
    bell: &Arc<Bell>,
) -> Result<(Box<dyn Engine>, Option<Gateway>), BusError> {
    let (own, peers) = (&parts.own.name, parts.peers);
    if !on.through.is_empty() {
        let gateways = on.through.iter();
        let gateways = gateways.filter_map(|name| peers.iter().find(|link| link.name() == name));
        let engine = LinkEngine::new(Arc::clone(services), gateways.cloned().collect());
        return Ok((Box::new(engine), None));
    }
    let is_behind = |link: &&Arc<PeerLink>| {
        let block = parts.network.block(link.name().as_str());
        let mut buses = block.into_iter().flat_map(|block| &block.buses);
        buses.any(|their| their.bus == on.bus && their.through.contains(own))
    };
    let behind: Vec<_> = peers.iter().filter(is_behind).cloned().collect();
    if behind.is_empty() {
        // Those behind a gateway have queues of their own.
        services.set_window(queue_limits(parts.own));
    }
    let options = on.options.as_ref().ok_or(BusError::NoOptions)?;
    let engine = module_engine(parts.registry, options, services)?;
    let gateway = (!behind.is_empty())
        .then(|| Gateway::new(on.bus.as_str(), subjects.clone(), own, behind, bell));
    Ok((Box::new(engine), gateway))
}

fn module_engine(
    registry: &Arc<Registry>,
    options: &kozo_description::ModuleOptions,
    services: &Arc<Services>,
) -> Result<ModuleEngine, BusError> {
    let options = rmp_serde::to_vec_named(options)?;
    let (registry, services) = (Arc::clone(registry), Arc::clone(services));
    let identity = services.identity().clone();
    let made = Worker::default().within(INIT_LIMIT, "init", move || {
        let module = registry.load_bus(&services.identity().module)?;
        Ok::<_, BusError>(module.create(services, &options)?)
    });
    Ok(ModuleEngine::new(made??, identity.name.as_str()))
}

/// What the other nodes of the bus want that this one sends to over it.
fn crowd(network: &Network, own: &Node, on: &OnBus) -> Arc<Crowd> {
    let receivers = network.receivers_on(&on.bus, &own.name);
    let roles = receivers.iter().flat_map(|node| &node.roles);
    Arc::new(Crowd::new(roles.map(|role| &role.interests)))
}

/// What the roles of the node want; anything where one of them does not tell.
fn own_interests(own: &Node) -> Vec<Interest> {
    let of_role = |interests: &Interests| match interests {
        Interests::Known(list) => list.clone(),
        Interests::Unknown => vec![Interest::default()],
    };
    own.roles
        .iter()
        .flat_map(|role| of_role(&role.interests))
        .collect()
}

/// The nodes that may send some of what the node wants, where these are few: a hub, say, whose messages go to the whole
/// fleet. That any of a thousand might send something is no reason to ask all of them for their keys.
fn expected(network: &Network, own: &Node, on: &OnBus, wanted: &[Interest]) -> Vec<NodeName> {
    let mut expected = BTreeSet::new();
    for interest in wanted {
        let senders = network.senders_on(&on.bus, &own.name, interest);
        let few: Vec<_> = senders.take(MAX_EXPECTED + 1).collect();
        if few.len() <= MAX_EXPECTED {
            expected.extend(few);
        }
    }
    expected.into_iter().take(MAX_EXPECTED).cloned().collect()
}

impl Buses {
    /// How they are.
    pub(crate) fn status(&self, now: Moment) -> Vec<BusStatus> {
        self.running.iter().map(|bus| bus.status(now)).collect()
    }

    /// A bus, and a node on it.
    pub(crate) fn between(
        &self,
        bus: &str,
        node: &NodeName,
        now: Moment,
    ) -> Option<(BusStatus, BusNodeStatus)> {
        let bus = self.named(bus)?;
        Some((bus.status(now), bus.view_of(node, now)))
    }

    /// The nodes that were heard of.
    pub(crate) fn nodes(&self, now: Moment) -> BusNodes {
        let mut all = BusNodes::default();
        for bus in &self.running {
            let most = MAX_NODES - all.nodes.len();
            let (nodes, left_out) = bus.nodes(most, now);
            all.nodes.extend(nodes);
            all.left_out += left_out;
        }
        all
    }

    /// The names of all of them; of one on several buses more than once.
    pub(crate) fn heard_of(&self) -> impl Iterator<Item = NodeName> {
        self.running.iter().flat_map(|bus| bus.heard_of())
    }

    /// How long a node on a bus takes to answer, or why it does not, in words.
    pub(crate) async fn ping(
        &self,
        bus: &str,
        node: &NodeName,
        limit: Duration,
    ) -> Result<Duration, String> {
        let bus = self.named(bus).ok_or("this node is not on the bus")?;
        let asked = bus.ping(node).map_err(|error| error_text(&error))?;
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(pong)) => pong,
            Ok(Err(_)) => Err("the bus is being stopped".to_owned()),
            Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
        }
    }

    /// What a node on a bus answers within `wait`, or why it does not, in words.
    pub(crate) async fn ask(
        &self,
        bus: &str,
        node: &NodeName,
        question: Bytes,
        wait: Duration,
    ) -> Result<PeerAnswer, String> {
        let bus = self.named(bus).ok_or("this node is not on the bus")?;
        let asked = bus.question(node, question, wait);
        let asked = asked.map_err(|error| error_text(&error))?;
        match tokio::time::timeout(wait + GRACE, asked).await {
            Ok(Ok(replied)) => Ok(PeerAnswer {
                answer: replied.reply?,
                took: replied.took,
            }),
            Ok(Err(_)) => Err("the bus is being stopped".to_owned()),
            Err(_) => Err("the bus is too busy".to_owned()),
        }
    }

    fn named(&self, name: &str) -> Option<&Arc<RunningBus>> {
        let mut buses = self.running.iter();
        buses.find(|bus| **bus.outlet.name() == *name)
    }

    /// Sees to it that a module that does not come back costs its own bus alone. Runs until it is dropped.
    pub(crate) async fn watch(self: Arc<Self>) {
        if self.running.is_empty() {
            return;
        }
        let mut seen: Vec<_> = self.running.iter().map(|_| (None, 0)).collect();
        let reason = format!(
            "its module has not come back from taking a datagram within {} s, a fault of it",
            CALL_LIMIT.as_secs()
        );
        loop {
            tokio::time::sleep(WATCH).await;
            for (bus, (call, looks)) in self.running.iter().zip(&mut seen) {
                let under_way = bus.call_under_way();
                *looks = if under_way.is_some() && under_way == *call {
                    *looks + 1
                } else {
                    0
                };
                *call = under_way;
                if let Some(call) = under_way
                    && WATCH * *looks >= CALL_LIMIT
                {
                    bus.give_up_on(call, &reason);
                }
            }
        }
    }

    /// Waits until the engines have all that waits for them, as far as they are reached, for `limit` at most.
    pub(crate) async fn flush(&self, limit: Duration) {
        let deadline = clock::now() + limit;
        while self.running.iter().any(|bus| !bus.is_flushed()) && clock::now() < deadline {
            tokio::time::sleep(FLUSH_POLL).await;
        }
        for bus in &self.running {
            let status = bus.status(clock::now());
            let left = status.queued.messages + status.unconfirmed.messages;
            if left > 0 {
                tracing::info!(target: "bus", bus = %bus.outlet.name(), messages = left, "stopped with messages that the engine has not confirmed");
            }
        }
    }

    /// Stops them, and waits until their modules have come back, for `limit` at most.
    pub(crate) async fn stop(&self, lives: Option<BusLives>, limit: Duration) {
        let mut told = JoinSet::new();
        for bus in &self.running {
            bus.services.stop();
            bus.end();
            let bus = Arc::clone(bus);
            // A module that does not hear it has been told of.
            told.spawn(apart("stop", move || bus.engine.stop()));
        }
        let all = async {
            while told.join_next().await.is_some() {}
            for (bus, ended) in lives.into_iter().flat_map(|lives| lives.0) {
                if ended.await.is_err() {
                    tracing::warn!(target: "bus", %bus, "its module's thread ended in a panic");
                }
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!(target: "bus", "not every bus stopped in time");
        }
    }
}
