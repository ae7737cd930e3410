//! Whether other nodes have the same configuration file, and which version of Kōzō, as far as the daemon
//! can tell.

use kozo_ground::names::NodeName;
use kozo_ground::text::count;
use kozo_status::{NetworkStatus, NodeReport, NodeStatus, PeerStatus};

use super::case::{Case, Running};
use super::finding::Finding;
use crate::introspection::Request;

/// How long each node may take to answer, in milliseconds.
const WAIT_MS: u64 = 2000;

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Running::Yes(own, daemon) = &case.daemon else {
        return Vec::new();
    };
    let request = Request::Network {
        wait_ms: Some(WAIT_MS),
    };
    // One of before does not know the question.
    let network = daemon.ask::<NetworkStatus>(&request);
    let reports = network.map(|network| network.nodes).unwrap_or_default();
    judge(own, &reports)
}

/// What is to say of the nodes that there are links with, one by one, and of those on buses, which may be hundreds.
fn judge(own: &NodeStatus, reports: &[NodeReport]) -> Vec<Finding> {
    let of_peer = |peer: &PeerStatus| {
        let report = reports.iter().find(|report| report.node == peer.peer);
        match report.and_then(|report| Some((report, report.status.as_ref()?))) {
            Some((report, status)) => told(own, report, status),
            None => remembered(&peer.peer, peer),
        }
    };
    let mut findings: Vec<_> = own.peers.iter().map(of_peer).collect();
    let is_linked = |node: &NodeName| own.peers.iter().any(|peer| peer.peer == *node);
    let on_buses = reports
        .iter()
        .filter(|report| report.node != own.node && !is_linked(&report.node));
    let (mut same, mut silent) = (0, 0);
    for report in on_buses {
        match (&report.status, report.other_file) {
            (Some(status), true) => findings.push(told(own, report, status)),
            (None, true) => {
                findings.push(other(
                    &report.node,
                    ", as far as its last announcement says",
                ));
            }
            (Some(_), false) => same += 1,
            (None, false) => silent += 1,
        }
    }
    let nodes = |number| count(number, "node");
    if same > 0 {
        let found = format!("{} with the same file as the daemon's", nodes(same));
        findings.push(Finding::fine("buses", found));
    }
    if silent > 0 {
        let found = format!("{} that did not answer", nodes(silent));
        findings.push(Finding::unknown("buses", found));
    }
    findings
}

/// What a node says itself.
fn told(own: &NodeStatus, report: &NodeReport, status: &NodeStatus) -> Finding {
    let version = match status.version == own.version {
        true => String::new(),
        false => format!(", and kozo {}", status.version),
    };
    match report.other_file {
        true => other(
            &report.node,
            &format!(", whose digest is {}{version}", status.file_digest),
        ),
        false => Finding::fine(
            report.node.as_str(),
            format!("the same file as the daemon's{version}"),
        ),
    }
}

/// What is known of the hello that a node said last.
fn remembered(node: &NodeName, peer: &PeerStatus) -> Finding {
    let has_greeted =
        !peer.links.is_empty() || peer.inbound.received > 0 || peer.outbox.acknowledged > 0;
    match (peer.other_file, has_greeted) {
        (true, _) => other(node, ", as far as its last hello says"),
        (false, true) => Finding::fine(
            node.as_str(),
            "the same file, as far as its last hello says",
        ),
        (false, false) => {
            let found = "no hello has come from there to this daemon yet";
            Finding::unknown(node.as_str(), found)
        }
    }
}

fn other(node: &NodeName, more: &str) -> Finding {
    Finding::warning(node.as_str(), format!("another version of the file{more}"))
        .matters("it may not know what this file says of nodes, keys and roles")
        .advice("copy the same file to every node, and restart those that had another one")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::finding::Severity;
    use super::*;

    fn status(node: &str) -> Value {
        json!({
            "node": node, "version": "1.2.3", "pid": 7, "running_seconds": 90.0, "file_digest": "5ef1",
            "roles": [], "peers": [], "transports": [], "orders_refused": 0,
            "connections": {"unproven": 0, "turned_away": 0, "refused": 0},
        })
    }

    #[test]
    fn of_nodes_on_buses_those_with_another_file_are_named_and_the_others_counted() {
        let own: NodeStatus = serde_json::from_value(status("clock")).unwrap();
        let report = |node: &str, answers: bool, other_file: bool| -> NodeReport {
            let report = json!({
                "node": node, "status": answers.then(|| status(node)), "error": null,
                "unreachable_seconds": null, "took_seconds": null, "other_file": other_file,
            });
            serde_json::from_value(report).unwrap()
        };
        let reports = [
            report("clock", true, false),
            report("field-1", true, true),
            report("field-2", true, false),
            report("field-3", false, true),
            report("field-4", true, false),
            report("field-5", false, false),
        ];
        let findings = judge(&own, &reports);
        let seen: Vec<_> = findings
            .iter()
            .map(|it| (it.severity, it.looked_at.as_str(), it.found.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (
                    Severity::Warning,
                    "field-1",
                    "another version of the file, whose digest is 5ef1"
                ),
                (
                    Severity::Warning,
                    "field-3",
                    "another version of the file, as far as its last announcement says"
                ),
                (
                    Severity::Fine,
                    "buses",
                    "2 nodes with the same file as the daemon's"
                ),
                (Severity::Unknown, "buses", "1 node that did not answer"),
            ]
        );
    }
}
