//! From the daemon's own types to those of the reports.

use std::time::Duration;

use kozo_auth::algorithms::needs_no_mac;
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_link::ConnectPolicy;
use kozo_link::{Event, LinkStatus, Occurrence, Standing, Twins};

use super::{Overview, PeerView, Way};
use crate::config::Node;
use crate::control::report::{
    AmountReport, AttemptReport, ConnectionsReport, EventKind, EventReport, InboxReport,
    LinkReport, LogReport, PeerReport, PeerStateReport, PolicyReport, RoleReport, RoleStateReport,
    TransportReport, TransportStateReport, TwinsReport, UnusableReport, WayReport,
};
use crate::link::{AcceptCounts, StreamStatus};
use crate::log::Losses;
use crate::roles::{HostedRole, RoleState};
use crate::transports::{OwnTransport, TransportState};

pub(super) fn role(role: &HostedRole, now: Moment) -> RoleReport {
    let status = role.status(now);
    let (state, restart_in) = match status.state {
        RoleState::Starting => (RoleStateReport::Starting, None),
        RoleState::Running => (RoleStateReport::Running, None),
        RoleState::Waiting { restart_in } => (RoleStateReport::Waiting, Some(restart_in)),
        RoleState::Stopping => (RoleStateReport::Stopping, None),
        RoleState::Stopped => (RoleStateReport::Stopped, None),
    };
    let inbox = status.inbox;
    RoleReport {
        name: role.name().to_string(),
        module: role.module().to_string(),
        state,
        restart_in_seconds: restart_in.map(|wait| wait.as_secs_f64()),
        restarts: status.restarts,
        failures: status.failures,
        last_error: status.last_error,
        lines_left_out: status.lines_left_out,
        inbox: InboxReport {
            waiting: inbox.waiting,
            bytes: inbox.size,
            length_limit: inbox.limits.length,
            size_limit: inbox.limits.size,
            received: inbox.received,
            taken: inbox.taken,
            dropped_by_limit: inbox.dropped_by_limit,
            dropped_by_age: inbox.dropped_by_age,
            dropped_by_stop: inbox.dropped_by_stop,
        },
    }
}

pub(super) fn transport(transport: &OwnTransport, now: Moment) -> TransportReport {
    let (state, since) = transport.state();
    let (state, error) = match state {
        TransportState::Starting => (TransportStateReport::Starting, None),
        TransportState::Listening => (TransportStateReport::Listening, None),
        TransportState::DialsOnly => (TransportStateReport::DialsOnly, None),
        TransportState::Failing(reason) => (TransportStateReport::Failing, Some(reason)),
    };
    TransportReport {
        name: transport.name.clone(),
        module: transport.module().to_string(),
        state,
        error,
        status: transport.status(),
        since_seconds: age(since, now),
    }
}

pub(super) fn connections(counts: AcceptCounts) -> ConnectionsReport {
    ConnectionsReport {
        unproven: counts.unproven,
        turned_away: counts.turned_away,
        refused: counts.refused,
    }
}

pub(super) fn log(losses: Losses) -> LogReport {
    LogReport {
        dropped: losses.dropped,
        summed_up: losses.summed_up,
    }
}

pub(super) fn way(way: &Way, peer: &NodeName, own: &[OwnTransport]) -> WayReport {
    let transport = own.iter().find(|own| own.name == way.transport);
    WayReport {
        transport: way.transport.clone(),
        peer_transport: way.peer_transport.clone(),
        status: transport.and_then(OwnTransport::status),
        error: transport.and_then(|own| own.barred(&way.peer_transport, peer)),
    }
}

/// When `from` dials `to`.
pub(super) fn policy(from: &Node, to: &Node) -> PolicyReport {
    let policy = from.self_to_others.min(to.others_to_self);
    PolicyReport {
        policy: policy_name(policy),
        self_to_others: policy_name(from.self_to_others),
        others_to_self: policy_name(to.others_to_self),
    }
}

fn policy_name(policy: ConnectPolicy) -> String {
    let name = match policy {
        ConnectPolicy::Never => "never",
        ConnectPolicy::OnDemand => "ondemand",
        ConnectPolicy::Constant => "constant",
    };
    name.to_owned()
}

pub(super) fn event(event: &Event, now: Moment) -> EventReport {
    let (what, transport, address, dialled, reason) = match event.what.clone() {
        Occurrence::Up { path, dialled } => {
            let address = Some(path.address);
            (EventKind::Up, path.transport, address, Some(dialled), None)
        }
        Occurrence::Down {
            path,
            reason,
            orderly,
            ..
        } => {
            let what = if orderly {
                EventKind::Closed
            } else {
                EventKind::Lost
            };
            let address = Some(path.address);
            (what, path.transport, address, None, Some(reason))
        }
        Occurrence::Refused { path, reason } => {
            let address = Some(path.address);
            let what = EventKind::Refused;
            (what, path.transport, address, None, Some(reason))
        }
        Occurrence::DialFailed { transport, reason } => {
            (EventKind::DialFailed, transport, None, None, Some(reason))
        }
    };
    EventReport {
        what,
        transport,
        address,
        dialled,
        reason,
        first_seconds: age(event.first, now),
        last_seconds: age(event.last, now),
        times: event.times,
    }
}

impl Overview {
    /// A peer, and what happened with its links.
    pub(super) fn peer(&self, peer: &PeerView, now: Moment) -> (PeerReport, Vec<Event>) {
        let snapshot = peer.link.snapshot(now);
        let status = snapshot.status;
        let (state, next_dial) = match snapshot.standing {
            Standing::Up => (PeerStateReport::Up, None),
            Standing::Greeting => (PeerStateReport::Greeting, None),
            Standing::Dialling => (PeerStateReport::Dialling, None),
            Standing::Waiting { next_dial } => (PeerStateReport::Waiting, Some(next_dial)),
            Standing::OnDemand => (PeerStateReport::OnDemand, None),
            Standing::LeftToPeer => (PeerStateReport::LeftToPeer, None),
            Standing::NoWay => (PeerStateReport::NoWay, None),
            Standing::Never => (PeerStateReport::Never, None),
            Standing::Stopping => (PeerStateReport::Stopping, None),
        };
        let links = status.links.iter().map(|link| {
            let stream = snapshot
                .streams
                .iter()
                .find(|stream| stream.key == link.key);
            self.link(link, stream, now)
        });
        let attempts = status.attempts.iter().map(|attempt| {
            let way = peer
                .ways
                .iter()
                .find(|way| way.candidate == attempt.candidate);
            AttemptReport {
                transport: way.map_or(String::new(), |way| way.transport.clone()),
                peer_transport: way.map_or(String::new(), |way| way.peer_transport.clone()),
                seconds: age(attempt.since, now),
            }
        });
        let last_fault = status.history.iter().rev().find_map(|event| {
            let reason = match &event.what {
                Occurrence::DialFailed { reason, .. }
                | Occurrence::Refused { reason, .. }
                | Occurrence::Down {
                    reason,
                    orderly: false,
                    ..
                } => reason,
                Occurrence::Up { .. } | Occurrence::Down { .. } => return None,
            };
            Some((reason.clone(), age(event.last, now)))
        });
        let (last_error, last_error_seconds) = last_fault.unzip();
        let amount = |(messages, bytes)| AmountReport { messages, bytes };
        let report = PeerReport {
            peer: peer.link.name().to_string(),
            state,
            next_dial_seconds: next_dial.map(|moment| moment.since(now).as_secs_f64()),
            links: links.collect(),
            dialling: attempts.collect(),
            unusable: self
                .transports
                .unusable(peer.link.name())
                .iter()
                .map(|other| UnusableReport {
                    transport: other.name.clone(),
                    reason: other.reason.clone(),
                })
                .collect(),
            queued: amount(status.queued),
            in_flight: amount(status.in_flight),
            sent: status.outbox.sent,
            sent_again: status.outbox.sent_again,
            acknowledged: status.outbox.acknowledged,
            dropped_by_limit: status.outbox.dropped_by_limit,
            dropped_by_age: status.outbox.dropped_by_age,
            received: status.inbound.received,
            repeated: status.inbound.repeated,
            missed: status.inbound.missed,
            bytes_sent: snapshot.bytes_sent,
            bytes_received: snapshot.bytes_received,
            other_file: status.other_config,
            last_error,
            last_error_seconds,
            twins: peer
                .link
                .look(|peer| peer.twins(now).map(|known| twins(known, now))),
        };
        (report, status.history)
    }

    fn link(&self, link: &LinkStatus, stream: Option<&StreamStatus>, now: Moment) -> LinkReport {
        let negotiated = stream.and_then(|stream| stream.negotiated.as_ref());
        let wants_mac = self
            .network
            .nodes
            .get(&self.node)
            .is_some_and(|own| !own.settings.macs.is_empty());
        let unused = negotiated.filter(|agreed| wants_mac && needs_no_mac(&agreed.cipher));
        LinkReport {
            transport: link.path.transport.clone(),
            address: link.path.address.clone(),
            dialled: link.dialled,
            up_seconds: age(link.since, now),
            round_trip_seconds: link.round_trip.as_ref().map(Duration::as_secs_f64),
            sent: link.sent,
            received: link.received,
            bytes_sent: stream.map_or(0, |stream| stream.sent),
            bytes_received: stream.map_or(0, |stream| stream.received),
            cipher: negotiated.map(|agreed| agreed.cipher.clone()),
            mac: negotiated.and_then(|agreed| agreed.mac.clone()),
            note: unused.map(|agreed| {
                format!(
                    "`hmac` is not used: `{}` authenticates what it encrypts",
                    agreed.cipher
                )
            }),
        }
    }
}

fn twins(twins: &Twins, now: Moment) -> TwinsReport {
    let [linked, other] = twins.places.clone();
    TwinsReport {
        node: twins.node.to_string(),
        linked,
        other,
        last_seconds: age(twins.last, now),
    }
}

fn age(moment: Moment, now: Moment) -> f64 {
    now.since(moment).as_secs_f64()
}
