//! Whether other nodes have the same configuration file, as far as the daemon has heard from them.

use kozo_status::PeerStatus;

use super::case::Case;
use super::finding::Finding;

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Some(status) = case.status() else {
        return Vec::new();
    };
    if status.peers.is_empty() {
        return Vec::new();
    }
    let others: Vec<&str> = names(&status.peers, |peer| peer.other_file);
    let same: Vec<&str> = names(&status.peers, |peer| !peer.other_file && has_greeted(peer));
    let unheard = names(&status.peers, |peer| !peer.other_file && !has_greeted(peer));
    let mut findings = Vec::new();
    if !others.is_empty() {
        findings.push(
            Finding::warning(others.join(", "), "another version of the file")
                .matters("they may not know what this file says of nodes, keys and roles")
                .advice("copy the same file to every node, and restart those that had another one"),
        );
    }
    if !same.is_empty() {
        findings.push(Finding::fine(
            same.join(", "),
            "the same file as the daemon's",
        ));
    }
    if !unheard.is_empty() {
        let found = "no hello has come from there to this daemon yet";
        findings.push(Finding::unknown(unheard.join(", "), found));
    }
    findings
}

fn names(peers: &[PeerStatus], fits: impl Fn(&PeerStatus) -> bool) -> Vec<&str> {
    let peers = peers.iter().filter(|peer| fits(peer));
    peers.map(|peer| peer.peer.as_str()).collect()
}

/// Whether there was a hello: its digest is known since.
fn has_greeted(peer: &PeerStatus) -> bool {
    !peer.links.is_empty() || peer.inbound.received > 0 || peer.outbox.acknowledged > 0
}
