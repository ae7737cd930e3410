//! Other nodes, asked over the links with them.

use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock;
use kozo_ground::names::NodeName;
use kozo_ground::text::{error_text, printable};
use kozo_status::{EventKind, EventStatus, NetworkStatus, NodeReport, NodeStatus, PingAnswer};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::limits::MAX_PING;
use super::refusal::Refusal;
use super::{Introspection, Outcome, PeerView, Request};
use crate::config::Reach;
use crate::link::{NoAnswer, PeerAnswer};

/// How long a node may take to answer, where the question does not say.
const USUAL_WAIT: Duration = Duration::from_millis(800);

/// How many round trips of the link come on top of that: a path through Tor takes its time.
const ROUND_TRIPS: u32 = 4;

/// How long a peer may take for the answer to a ping.
const PING_WAIT: Duration = Duration::from_secs(10);

/// How long a question may allow.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

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
        match self.peer_of(name) {
            Ok(peer) => Ok(self.report_of(peer, wait_ms).await),
            Err(_) => Err(self.beyond_links(node)),
        }
    }

    /// What all nodes say of themselves, asked at the same time.
    pub(super) async fn network(&self, wait_ms: Option<u64>) -> NetworkStatus {
        let asked = self.peers.iter().map(|peer| self.report_of(peer, wait_ms));
        let mut nodes = vec![self.own_report()];
        nodes.extend(futures_util::future::join_all(asked).await);
        nodes.sort_by(|one, other| one.node.cmp(&other.node));
        NetworkStatus {
            asked: self.node.clone(),
            nodes,
        }
    }

    /// What another node answers to this.
    pub(super) async fn ask_node<T: DeserializeOwned>(
        &self,
        name: &str,
        request: &Request,
    ) -> Result<T, Refusal> {
        let node = self.other_node(name)?;
        let Ok(peer) = self.peer_of(name) else {
            return Err(self.beyond_links(node));
        };
        let answer = peer
            .link
            .ask(encode(request)?, self.patience(peer, None))
            .await;
        read(
            peer.link.name(),
            &answer.map_err(|reason| not_asked(peer.link.name(), reason))?,
        )
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
        let round_trip = answer.map_err(|reason| Refusal::NoPong {
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

    /// Why nothing can be asked of a node that this one has no links with.
    fn beyond_links(&self, node: &NodeName) -> Refusal {
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

    async fn report_of(&self, peer: &PeerView, wait_ms: Option<u64>) -> NodeReport {
        let name = peer.link.name();
        let asked = async {
            let text = |refusal: Refusal| error_text(&refusal);
            let question = encode(&Request::Status).map_err(text)?;
            let wait = self.patience(peer, wait_ms);
            let answer = peer.link.ask(question, wait).await;
            let answer = answer.map_err(|error| error.to_string())?;
            // It speaks of itself alone, whatever it says.
            let mut status: NodeStatus = read(name, &answer).map_err(text)?;
            status.node = name.clone();
            Ok::<_, String>((status, answer.took.as_secs_f64()))
        };
        let (status, error, took_seconds) = match asked.await {
            Ok((status, took)) => (Some(status), None, Some(took)),
            Err(error) => (None, Some(error), None),
        };
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
