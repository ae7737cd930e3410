//! Whether other nodes have the same configuration file, and which version of Kōzō, as far as the daemon
//! can tell.

use kozo_ground::names::NodeName;
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
    let judge = |peer: &PeerStatus| {
        let report = reports.iter().find(|report| report.node == peer.peer);
        match report.and_then(|report| Some((report, report.status.as_ref()?))) {
            Some((report, status)) => told(own, report, status),
            None => remembered(&peer.peer, peer),
        }
    };
    own.peers.iter().map(judge).collect()
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
