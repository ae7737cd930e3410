//! What people see of a bus.

use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_status::{BusNodeState, BusNodeStatus, BusRefusals, BusState, BusStatus};

use super::Bus;
use crate::refusal::Refusal;

impl Bus {
    /// How it stands with the bus. What the engine itself refuses, and what was dropped before it came here, is for
    /// the driver to fill in.
    pub fn status(&self, now: Moment) -> BusStatus {
        let state = match (self.engine.is_up(), self.engine.times_up) {
            (true, _) => BusState::Up,
            (false, 0) if self.engine.error.is_none() => BusState::Connecting,
            (false, _) => BusState::Down,
        };
        let limits = self.engine.limits.as_ref();
        let mut outgoing = self.outgoing.counts();
        outgoing.datagrams_sent = self.sent.datagrams_sent;
        outgoing.bytes_sent = self.sent.bytes_sent;
        outgoing.asks_answered = self.sent.asks_answered;
        outgoing.asks_sent = self.sent.asks_sent;
        let mut incoming = self.incoming.counts();
        incoming.datagrams_received = self.received.datagrams;
        incoming.bytes_received = self.received.bytes;
        let mut waiting = self.incoming.waiting();
        waiting.messages += self.held.amount().messages;
        waiting.bytes += self.held.amount().bytes;
        let refused = self.refused.iter().map(|(refusal, count)| BusRefusals {
            reason: refusal.word().to_owned(),
            text: refusal.to_string(),
            count: *count,
        });
        BusStatus {
            name: self.settings.name.as_str().to_owned(),
            module: self.settings.module.clone(),
            state,
            since_seconds: seconds(self.engine.since, now),
            error: self.engine.error.clone(),
            status: self.engine.text.clone(),
            server: limits.map(|limits| limits.server.clone()),
            round_trip_seconds: self.engine.round_trip.map(|span| span.as_secs_f64()),
            times_up: self.engine.times_up,
            max_datagram_bytes: limits.map(|limits| limits.max_datagram),
            subscriptions: self.patterns.len(),
            nodes_heard: self.nodes_heard(),
            nodes_with_other_file: self.nodes.values().filter(|known| known.other_file).count(),
            lanes_out: self.outgoing.lane_count(),
            lanes_in: self.incoming.lane_count(),
            queued: self.outgoing.queued(),
            kept: self.outgoing.kept(),
            unconfirmed: self.outgoing.unconfirmed(),
            waiting,
            outgoing,
            incoming,
            refused: refused.collect(),
            twin_seconds: self.twin.map(|seen| seconds(seen, now)),
            denied: Vec::new(),
            dropped_on_the_way: 0,
            gateway: None,
        }
    }

    /// Another node, as this one sees it over the bus, whether it was heard of or not.
    pub fn view_of(&self, node: &NodeName, now: Moment) -> BusNodeStatus {
        let members = &self.settings.members;
        let is_ours = members.may_be_heard(node) || members.may_read(node);
        let known = self.nodes.get(node);
        let announced = self.sessions.present(node);
        let seen = known.and_then(|known| known.source);
        let seen = seen.map(|source| self.incoming.seen_of(source));
        let is_heard = known.is_some_and(|known| known.heard_since.is_some());
        let pull = known.and_then(|known| known.pull.as_ref());
        // The engine spoke of that moment alone: what came since says more.
        let absent = known.and_then(|known| known.absent);
        let is_absent =
            absent.is_some_and(|absent| seen.is_none_or(|(_, heard, _)| heard < absent));
        let state = match known {
            _ if !is_ours => BusNodeState::Never,
            Some(_) if is_absent => BusNodeState::Absent,
            Some(_) if is_heard => BusNodeState::Heard,
            Some(known) if known.why_not.is_some() => BusNodeState::NoKey,
            _ if pull.is_some() => BusNodeState::Asking,
            _ => BusNodeState::NotHeard,
        };
        let file_digest = announced.map(|announced| super::digest_text(&announced.digest));
        BusNodeStatus {
            bus: self.settings.name.as_str().to_owned(),
            node: node.clone(),
            state,
            heard_of_seconds: known
                .and_then(|known| known.heard_since)
                .map(|since| seconds(since, now)),
            last_heard_seconds: seen.map(|(_, heard, _)| seconds(heard, now)),
            session: announced.map(|announced| announced.session.to_string()),
            counter: announced.map(|announced| announced.counter),
            agent: announced.map(|announced| announced.agent.clone()),
            file_digest,
            other_file: announced.is_some_and(|known| known.digest != self.settings.digest),
            round_trip_seconds: known
                .and_then(|known| known.round_trip)
                .map(|span: Duration| span.as_secs_f64()),
            lanes_in: seen.map_or(0, |(_, _, lanes)| lanes),
            incoming: seen.map(|(counts, _, _)| counts).unwrap_or_default(),
            reads_seconds: known
                .and_then(|known| known.reads)
                .map(|reads| seconds(reads, now)),
            why_not: known.and_then(|known| {
                // What came since says more.
                let is_latest = |at: &Moment| seen.is_none_or(|(_, heard, _)| heard < *at);
                let foreign = known.foreign_key.filter(is_latest);
                let refused = match foreign {
                    Some(_) => Some(Refusal::ForeignKey),
                    None => known.refused.filter(|_| !is_heard),
                };
                let refused = refused.map(|refusal| refusal.to_string());
                known.why_not.clone().or(refused)
            }),
        }
    }

    /// The nodes of which anything came.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeName> {
        self.nodes.keys()
    }
}

fn seconds(since: Moment, now: Moment) -> f64 {
    now.since(since).as_secs_f64()
}
