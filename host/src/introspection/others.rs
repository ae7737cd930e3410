//! Other nodes, asked over the links with them, or over the bus where there are none.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock;
use kozo_ground::names::{BusName, NodeName};
use kozo_ground::text::{error_text, printable};
use kozo_status::{EventKind, EventStatus, NetworkStatus, NodeReport, NodeStatus, PingAnswer};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::limits::MAX_PING;
use super::refusal::Refusal;
use super::{Introspection, Outcome, PeerView, Request};
use crate::config::Reach;
use crate::link::{NoAnswer, PeerAnswer};

/// How long a node may take to answer, where the question does not say.
const USUAL_WAIT: Duration = Duration::from_millis(800);

/// How long a node on a bus may take, where the question does not say: one that was never heard says first who it is.
const USUAL_WAIT_ON_BUS: Duration = Duration::from_secs(2);

/// How many nodes on buses are asked at most where all nodes are: there may be thousands, and who looks at that many?
const MAX_ASKED_OVER_BUSES: usize = 256;

/// How many of them at once, by all who ask for all nodes together. The bus takes more, so that single nodes can be
/// asked meanwhile.
pub(crate) const ASKED_AT_ONCE: usize = kozo_bus::MAX_BUS_QUESTIONS / 2;

/// How long asking all nodes may take, however many say nothing: less than roles and clients wait for the answer. Only a
/// question that lets one node take longer takes as long as that.
const WHOLE_WAIT: Duration = Duration::from_secs(5);

/// How many round trips of the link come on top of that: a path through Tor takes its time.
const ROUND_TRIPS: u32 = 4;

/// How long a peer may take for the answer to a ping.
const PING_WAIT: Duration = Duration::from_secs(10);

/// How long a question may allow.
const LONGEST_WAIT: Duration = kozo_bus::MAX_QUESTION_WAIT;

/// How another node is asked.
enum Way<'n> {
    Link(&'n PeerView),
    Bus(&'n BusName),
}

impl Introspection {
    /// What another node, or this one, says of itself.
    pub(super) async fn status_of(
        &self,
        name: &str,
        wait_ms: Option<u64>,
    ) -> Result<NodeReport, Refusal> {
        if name == self.node.as_str() {
            return Ok(self.own_report());
        }
        let node = self.other_node(name)?;
        Ok(match self.way_to(node)? {
            Way::Link(peer) => self.report_of(peer, self.patience(peer, wait_ms)).await,
            Way::Bus(bus) => self.report_over(bus, node, wait_on_bus(wait_ms)).await,
        })
    }

    /// What all nodes say of themselves, asked at the same time: of those on buses as many as people look at.
    pub(super) async fn network(&self, wait_ms: Option<u64>) -> NetworkStatus {
        let on_bus = wait_on_bus(wait_ms);
        let whole = match wait_ms {
            Some(_) => WHOLE_WAIT.max(on_bus),
            None => WHOLE_WAIT,
        };
        let until = Instant::now() + whole;
        let asked = self.peers.iter().map(|peer| {
            let wait = self.patience(peer, wait_ms).min(whole);
            self.report_of(peer, wait)
        });
        let asked = futures_util::future::join_all(asked);
        let (over_buses, too_many) = self.asked_over_buses();
        let over_buses = self
            .turns
            .ask(over_buses, on_bus, until, |(node, bus), wait| {
                self.report_over(bus, node, wait)
            });
        let (linked, (on_buses, too_late)) = tokio::join!(asked, over_buses);
        let mut nodes = vec![self.own_report()];
        nodes.extend(linked);
        nodes.extend(on_buses);
        nodes.sort_by(|one, other| one.node.cmp(&other.node));
        NetworkStatus {
            asked: self.node.clone(),
            nodes,
            left_out: too_many + too_late,
        }
    }

    /// What another node answers to this.
    pub(super) async fn ask_node<T: DeserializeOwned>(
        &self,
        name: &str,
        request: &Request,
    ) -> Result<T, Refusal> {
        let node = self.other_node(name)?;
        let question = encode(request)?;
        let answer = match self.way_to(node)? {
            Way::Link(peer) => {
                let answer = peer.link.ask(question, self.patience(peer, None)).await;
                answer.map_err(|reason| not_asked(node, reason))?
            }
            Way::Bus(bus) => {
                let answer = self
                    .buses
                    .ask(bus.as_str(), node, question, USUAL_WAIT_ON_BUS);
                answer.await.map_err(|reason| Refusal::SilentOnBus {
                    node: node.clone(),
                    bus: bus.clone(),
                    reason,
                })?
            }
        };
        read(node, &answer)
    }

    /// One round trip to a peer and back, with so many bytes besides.
    pub(super) async fn ping(&self, name: &str, bytes: usize) -> Result<PingAnswer, Refusal> {
        if bytes > MAX_PING {
            return Err(Refusal::LargePing);
        }
        let node = self.other_node(name)?;
        let Ok(peer) = self.peer_of(name) else {
            return self.ping_over_bus(node).await;
        };
        let request = Request::Echo {
            payload: vec![0; bytes].into(),
        };
        let answer = peer.link.ask(encode(&request)?, PING_WAIT).await;
        let answer = answer.map_err(|reason| not_asked(peer.link.name(), reason))?;
        read::<Value>(peer.link.name(), &answer)?;
        let status = self.peer(peer, clock::now());
        let link = status.links.into_iter().next();
        Ok(PingAnswer {
            node: peer.link.name().clone(),
            round_trip_seconds: answer.took.as_secs_f64(),
            bytes,
            transport: link.as_ref().map(|link| link.transport.clone()),
            address: link.map(|link| link.address),
            bus: None,
        })
    }

    /// One round trip to a node on a bus.
    async fn ping_over_bus(&self, node: &NodeName) -> Result<PingAnswer, Refusal> {
        let Reach::Bus(bus) = self.network.reach(&self.node, node) else {
            return Err(Refusal::NoWay(node.clone()));
        };
        let answer = self.buses.ping(bus.as_str(), node, PING_WAIT).await;
        let round_trip = answer.map_err(|reason| Refusal::SilentOnBus {
            node: node.clone(),
            bus: bus.clone(),
            reason,
        })?;
        Ok(PingAnswer {
            node: node.clone(),
            round_trip_seconds: round_trip.as_secs_f64(),
            bytes: 0,
            transport: None,
            address: None,
            bus: Some(bus.to_string()),
        })
    }

    /// How a node is asked.
    fn way_to(&self, node: &NodeName) -> Result<Way<'_>, Refusal> {
        if let Ok(peer) = self.peer_of(node.as_str()) {
            return Ok(Way::Link(peer));
        }
        match self.network.reach(&self.node, node) {
            Reach::Bus(bus) => Ok(Way::Bus(bus)),
            _ => Err(Refusal::NoWay(node.clone())),
        }
    }

    /// The nodes that are asked over buses where all are: those that the file has a block for, then the members of groups
    /// that were heard of. And how many more there are.
    fn asked_over_buses(&self) -> (Vec<(&NodeName, &BusName)>, usize) {
        let reached = |node| match self.network.reach(&self.node, node) {
            Reach::Bus(bus) => Some((node, bus)),
            _ => None,
        };
        let others = self.network.names().filter(|node| **node != self.node);
        let reached: Vec<_> = others.filter_map(reached).collect();
        let heard: HashSet<NodeName> = self.buses.heard_of().collect();
        let has_block = |node: &NodeName| self.network.group_of(node.as_str()).is_none();
        let counts = |node: &NodeName| has_block(node) || heard.contains(node);
        let count = reached.len();
        let asked = reached.into_iter().filter(|(node, _)| counts(node));
        let asked: Vec<_> = asked.take(MAX_ASKED_OVER_BUSES).collect();
        let left_out = count - asked.len();
        (asked, left_out)
    }

    /// Why there is no link with a node.
    pub(super) fn no_link(&self, node: &NodeName) -> Refusal {
        match self.network.reach(&self.node, node) {
            Reach::Bus(bus) => Refusal::OverBus {
                node: node.clone(),
                bus: bus.clone(),
            },
            _ => Refusal::NoWay(node.clone()),
        }
    }

    fn own_report(&self) -> NodeReport {
        NodeReport {
            node: self.node.clone(),
            status: Some(self.status(clock::now())),
            error: None,
            unreachable_seconds: None,
            took_seconds: None,
            other_file: false,
        }
    }

    /// How long to wait for an answer of a peer.
    fn patience(&self, peer: &PeerView, wait_ms: Option<u64>) -> Duration {
        let usual = || {
            let links = self.peer(peer, clock::now()).links;
            let trip = links.first().and_then(|link| link.round_trip_seconds);
            let trip = trip.and_then(|trip| Duration::try_from_secs_f64(trip).ok());
            USUAL_WAIT + trip.unwrap_or_default() * ROUND_TRIPS
        };
        let wait = wait_ms.map_or_else(usual, Duration::from_millis);
        wait.min(LONGEST_WAIT)
    }

    async fn report_over(&self, bus: &BusName, node: &NodeName, wait: Duration) -> NodeReport {
        let asked = async {
            let question = encode(&Request::Status).map_err(|refusal| error_text(&refusal))?;
            let answer = self.buses.ask(bus.as_str(), node, question, wait).await;
            let answer =
                answer.map_err(|reason| format!("asked over the bus `{bus}`: {reason}"))?;
            said_of_itself(node, &answer)
        };
        let (status, error, took_seconds) = for_report(asked.await);
        let seen = self.buses.between(bus.as_str(), node, clock::now());
        NodeReport {
            node: node.clone(),
            status,
            error,
            unreachable_seconds: None,
            took_seconds,
            other_file: seen.is_some_and(|(_, seen)| seen.other_file),
        }
    }

    async fn report_of(&self, peer: &PeerView, wait: Duration) -> NodeReport {
        let name = peer.link.name();
        let asked = async {
            let question = encode(&Request::Status).map_err(|refusal| error_text(&refusal))?;
            let answer = peer.link.ask(question, wait).await;
            let answer = answer.map_err(|error| error.to_string())?;
            said_of_itself(name, &answer)
        };
        let (status, error, took_seconds) = for_report(asked.await);
        let now = clock::now();
        let seen = self.peer(peer, now);
        let unreachable_seconds = status
            .is_none()
            .then(|| peer.link.look(|peer| (peer.is_linked(), peer.history(now))))
            .filter(|(is_linked, _)| !is_linked)
            .map(|(_, history)| {
                let running = now.since(self.started).as_secs_f64();
                last_end(&history).unwrap_or(running)
            });
        // Why there is no link is what people want to know then.
        let reason = seen.last_error.filter(|_| unreachable_seconds.is_some());
        NodeReport {
            node: name.clone(),
            status,
            error: error.map(|error| match reason {
                Some(reason) => format!("{error}: {reason}"),
                None => error,
            }),
            unreachable_seconds,
            took_seconds,
            other_file: seen.other_file,
        }
    }
}

/// What a node says of itself, and how many seconds it took; or why it says nothing.
type Said = Result<(NodeStatus, f64), String>;

fn said_of_itself(node: &NodeName, answer: &PeerAnswer) -> Said {
    let mut status: NodeStatus = read(node, answer).map_err(|refusal| error_text(&refusal))?;
    // It speaks of itself alone, whatever it says.
    status.node = node.clone();
    Ok((status, answer.took.as_secs_f64()))
}

/// The status, the reason why there is none, and the seconds, as a report has them.
fn for_report(said: Said) -> (Option<NodeStatus>, Option<String>, Option<f64>) {
    match said {
        Ok((status, took)) => (Some(status), None, Some(took)),
        Err(error) => (None, Some(error), None),
    }
}

/// How long a node on a bus may take.
fn wait_on_bus(wait_ms: Option<u64>) -> Duration {
    let wait = wait_ms.map_or(USUAL_WAIT_ON_BUS, Duration::from_millis);
    wait.min(LONGEST_WAIT)
}

/// How many seconds ago the last link ended.
fn last_end(history: &[EventStatus]) -> Option<f64> {
    let ends = history
        .iter()
        .filter(|event| matches!(event.what, EventKind::Closed | EventKind::Lost));
    ends.map(|event| event.last_seconds).min_by(f64::total_cmp)
}

pub(super) fn encode(request: &Request) -> Result<Bytes, Refusal> {
    Ok(rmp_serde::to_vec_named(request)?.into())
}

pub(super) fn not_asked(node: &NodeName, reason: NoAnswer) -> Refusal {
    Refusal::NotAsked {
        node: node.clone(),
        reason,
    }
}

/// What a peer answers. Its texts are the peer's, so nothing in them is for a terminal.
pub(super) fn read<T: DeserializeOwned>(
    node: &NodeName,
    answer: &PeerAnswer,
) -> Result<T, Refusal> {
    if answer.answer.is_empty() {
        return Err(Refusal::Unanswered(node.clone()));
    }
    match rmp_serde::from_slice(&answer.answer) {
        Ok(Outcome::Answer(answer)) => Ok(answer),
        Ok(Outcome::Error(reason)) => Err(Refusal::Told {
            node: node.clone(),
            reason: printable(&reason).into_owned(),
        }),
        Err(_) => Err(Refusal::Nonsense(node.clone())),
    }
}
