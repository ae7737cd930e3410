//! What the running daemon says of itself, as far as something is wrong with it.

use std::path::Path;

use kozo_ground::text::{count, error_text, span};
use kozo_status::{
    BusState, NodeStatus, PeerDetails, PeerState, PeerStatus, RoleState, TransportState,
};

use super::case::{Case, Running};
use super::finding::Finding;
use super::targets::{PACKAGED_FILE, unit_of};
use crate::control::{Client, ClientError};
use crate::explain::verdict;
use crate::introspection::Request;

/// How many peers the daemon is asked about: those that are up need no reason.
const MAX_ASKED: usize = 100;

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let (status, daemon) = match &case.daemon {
        Running::Yes(status, daemon) => (status, daemon),
        Running::No(reason) => {
            return vec![
                Finding::warning("daemon", reason)
                    .matters("the node does not run")
                    .advice(how_to_start(case)),
            ];
        }
        Running::Unknown(error) => {
            let advice = match error {
                ClientError::NotAllowed(_) => {
                    "run `kozo doctor` as root, or as a member of the daemon's group"
                }
                _ => "it may be busy, or hang: see its log, and ask again",
            };
            return vec![Finding::unknown("daemon", error_text(error)).advice(advice)];
        }
    };
    let mut findings = vec![itself(case, status)];
    findings.extend(roles(status));
    findings.extend(transports(status));
    findings.extend(links(status, daemon));
    findings.extend(buses(status));
    findings.extend(losses(status));
    findings
}

fn how_to_start(case: &Case) -> String {
    let config = case.target.config.display();
    match &case.target.node {
        Some(node) if case.target.config == Path::new(PACKAGED_FILE) => {
            format!("`systemctl start {}`", unit_of(node))
        }
        Some(node) => format!("`kozo {config} {node}`"),
        None => "`kozo CONFIG NODE`".to_owned(),
    }
}

fn itself(case: &Case, status: &NodeStatus) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    let found = format!(
        "kozo {}, process {}, as `{}`, for {}",
        status.version,
        status.pid,
        case.person.name,
        span(status.running_seconds)
    );
    let named = case.target.node.as_ref();
    if named.is_some_and(|node| *node != status.node) {
        let found = format!("it runs the node `{}`", status.node);
        return Finding::fault("daemon", found).advice("name the socket of the node that is meant");
    }
    match status.version == own {
        true => Finding::fine("daemon", found),
        false => Finding::warning("daemon", format!("{found}; this program is {own}"))
            .matters("what was installed is not what runs")
            .advice("restart the node"),
    }
}

fn roles(status: &NodeStatus) -> Vec<Finding> {
    let judge = |role: &kozo_status::RoleStatus| {
        let looked_at = format!("role `{}`", role.name);
        let error = role.last_error.as_deref().unwrap_or("it gave no reason");
        let failed = |found: String| {
            Finding::fault(&looked_at, found)
                .matters("what it is there for is not done")
                .advice("see the log; `kozo roles restart ROLE` tries it at once")
        };
        match role.state {
            RoleState::Waiting => failed(format!("it fails, and is tried again: {error}")),
            RoleState::Stopped => failed(format!("it has stopped: {error}")),
            _ if role.failures > 0 => {
                let times = count(role.failures, "time");
                Finding::warning(
                    &looked_at,
                    format!("it runs, and has failed {times}: {error}"),
                )
                .advice("see the log for when that was")
            }
            _ => Finding::fine(&looked_at, "it runs"),
        }
    };
    status.roles.iter().map(judge).collect()
}

fn transports(status: &NodeStatus) -> Vec<Finding> {
    let judge = |transport: &kozo_status::TransportStatus| {
        let looked_at = format!("transport `{}`", transport.name);
        match transport.state {
            TransportState::Failing => {
                let error = transport.error.as_deref().unwrap_or("it gave no reason");
                Finding::fault(looked_at, error).matters("nobody can connect to the node over it")
            }
            TransportState::Starting => Finding::warning(
                looked_at,
                format!("it has been starting for {}", span(transport.since_seconds)),
            ),
            TransportState::Listening => Finding::fine(looked_at, "it listens"),
            TransportState::DialsOnly => Finding::fine(looked_at, "it only dials"),
        }
    };
    status.transports.iter().map(judge).collect()
}

/// Whether the engines of buses are reached, and what they refuse.
fn buses(status: &NodeStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    for bus in &status.buses {
        let looked_at = format!("bus `{}`", bus.name);
        let error = bus.error.as_deref().unwrap_or("it gave no reason");
        findings.push(match bus.state {
            BusState::Up => {
                let server = bus.server.as_deref().unwrap_or("its engine");
                let heard = count(bus.nodes_heard as u64, "node");
                Finding::fine(&looked_at, format!("connected to {server}, hears {heard}"))
            }
            BusState::Connecting if bus.error.is_none() => Finding::warning(
                &looked_at,
                format!("it has been connecting for {}", span(bus.since_seconds)),
            ),
            BusState::Connecting | BusState::Down => {
                let since = span(bus.since_seconds);
                Finding::fault(&looked_at, format!("not connected for {since}: {error}"))
                    .matters("nothing comes over it, and messages for it are dropped when they are too old or too many")
                    .advice("see the servers and credentials in the file, and whether the engine runs")
            }
        });
        findings.extend(bus.denied.iter().map(|denial| {
            let found = format!("the engine refuses `{}`: {}", denial.subject, denial.reason);
            Finding::fault(&looked_at, found)
                .matters("messages are lost that go that way")
                .advice("see what the engine has to allow: `kozo bus permissions`")
        }));
        if let Some(seconds) = bus.twin_seconds {
            let found = format!(
                "another daemon runs with this node's key, heard of {} ago",
                span(seconds)
            );
            findings.push(
                Finding::fault(&looked_at, found)
                    .matters("other nodes hear only one of them")
                    .advice("stop one of them, or give it a name and a key of its own"),
            );
        }
    }
    findings
}

/// The links that are wanted and not there, with the reason; and what is odd about those that are.
fn links(status: &NodeStatus, daemon: &Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, peer) in status.peers.iter().enumerate() {
        let looked_at = format!("link with `{}`", peer.peer);
        let finding = match peer.state {
            PeerState::Up => up(peer, looked_at),
            // On purpose.
            PeerState::OnDemand => Finding::fine(looked_at, "none is wanted: it is made on demand"),
            PeerState::Never => Finding::fine(looked_at, "the policies forbid it"),
            _ if place >= MAX_ASKED => Finding::warning(looked_at, "there is none"),
            _ => absent(peer, looked_at, daemon),
        };
        findings.push(finding);
        if let Some(twins) = &peer.twins {
            let found = format!(
                "two daemons run as it, at {} and {}",
                twins.linked, twins.other
            );
            findings.push(
                Finding::fault(format!("node `{}`", twins.node), found)
                    .matters("they take each other's messages")
                    .advice("stop one of them, or give it a name and a key of its own"),
            );
        }
    }
    findings
}

fn up(peer: &PeerStatus, looked_at: String) -> Finding {
    let over = peer.links.first().map_or(String::new(), |link| {
        let trip = link.round_trip_seconds;
        let trip = trip.map_or(String::new(), |trip| format!(", round trip {}", span(trip)));
        format!(" over `{}` with {}{trip}", link.transport, link.address)
    });
    Finding::fine(looked_at, format!("up{over}"))
}

fn absent(peer: &PeerStatus, looked_at: String, daemon: &Client) -> Finding {
    let name = peer.peer.to_string();
    let why = daemon.ask::<PeerDetails>(&Request::Why { peer: name.clone() });
    let found = match why {
        Ok(details) => verdict(&details),
        Err(error) => format!(
            "there is none; why, the daemon does not say: {}",
            error_text(&error)
        ),
    };
    Finding::warning(looked_at, found)
        .matters("messages for it wait, and are dropped when they are too old or too many")
        .advice(format!("`kozo why {name}` says all that was tried"))
}

/// What was lost, as far as it is counted.
fn losses(status: &NodeStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |number: u64, looked_at: &str, found: &str, advice: &str| {
        if number > 0 {
            let found = format!("{} {found}", count(number, "time"));
            findings.push(Finding::warning(looked_at, found).advice(advice));
        }
    };
    for peer in &status.peers {
        let of = format!("messages for `{}`", peer.peer);
        note(
            peer.outbox.dropped(),
            &of,
            "one was dropped: it was too old, or the queue was full",
            "usual while a node is away; else see `outgoingQueueLength` and `messageMaxAge`",
        );
        let of = format!("messages of `{}`", peer.peer);
        note(
            peer.inbound.missed,
            &of,
            "one was dropped there",
            "usual after this node was away; else see what is slow between them",
        );
    }
    for bus in &status.buses {
        let of = format!("messages for the bus `{}`", bus.name);
        note(
            bus.outgoing.dropped(),
            &of,
            "one was dropped: it was too old, or the queue was full",
            "usual while the engine is away; else see `outgoingQueueLength` and `messageMaxAge`",
        );
        let of = format!("messages over the bus `{}`", bus.name);
        note(
            bus.incoming.missed,
            &of,
            "one was lost on the way, and its sender had it no more",
            "usual after the engine was away for long; else `kozo status` tells what was dropped on the way",
        );
    }
    for role in &status.roles {
        let of = format!("inbox of `{}`", role.name);
        note(
            role.inbox.dropped_by_limit + role.inbox.dropped_by_age,
            &of,
            "a message was dropped: the role was too slow for it",
            "see `messageQueueLength` and `messageQueueSize` of the role, and what it waits for",
        );
    }
    note(
        status.orders_refused,
        "orders",
        "one was refused",
        "`acceptOrdersFrom` of the role does not name the sender",
    );
    note(
        status.connections.refused,
        "connections",
        "one was refused: the other end did not prove that it is a node of the network",
        "strangers at the port, or a node with another key than the file has",
    );
    note(
        status.log.dropped,
        "log",
        "a line was dropped: nobody read the log",
        "see what collects it",
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_role_that_fails_and_what_was_lost_is_told_of() {
        let status = serde_json::json!({
            "node": "clock", "version": "1.2.3", "pid": 7, "running_seconds": 90.0,
            "roles": [{
                "name": "timer", "module": "timer", "state": "waiting", "restart_in_seconds": 1.0,
                "restarts": 2, "failures": 3, "last_error": "no pin", "lines_left_out": 0,
                "inbox": {"waiting": 0, "bytes": 0, "length_limit": 8, "size_limit": 8, "received": 9,
                          "taken": 0, "dropped_by_limit": 9, "dropped_by_age": 0, "dropped_by_stop": 0},
            }],
            "peers": [],
            "transports": [{"name": "tcp", "module": "tcp", "state": "failing", "error": "in use",
                            "since_seconds": 1.0}],
            "orders_refused": 2,
            "connections": {"unproven": 0, "turned_away": 0, "refused": 0},
        });
        let status: NodeStatus = serde_json::from_value(status).unwrap();
        let [role] = &roles(&status)[..] else {
            panic!("one role")
        };
        assert_eq!(role.severity, Severity::Fault);
        assert!(role.found.contains("no pin"), "{role:?}");
        assert_eq!(transports(&status)[0].severity, Severity::Fault);
        let lost = losses(&status);
        assert_eq!(lost.len(), 2, "{lost:?}");
        assert!(lost.iter().all(|it| it.severity == Severity::Warning));
    }
}
