//! Several nodes side by side.

use std::collections::BTreeMap;
use std::fmt::Write;

use kozo_ground::text::{Table, Tone, count, printable, shortened, span};
use kozo_status::{NetworkStatus, NodeReport, NodeStatus, PeerState, RoleState, TransportState};

use super::LONGEST_ERROR;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::log::shows_colours;

/// The status of one node, or why there is none.
pub(super) fn one(report: &NodeReport) -> Result<NodeStatus, Failure> {
    report
        .status
        .clone()
        .ok_or_else(|| Failure::other(format!("`{}` {}", report.node, why_silent(report))))
}

/// Shows all nodes of a network.
pub(super) fn show(network: &NetworkStatus, json: bool) -> Result<(), Failure> {
    if json {
        return output::print_json(network);
    }
    print(&network.nodes)?;
    match network.left_out {
        0 => Ok(()),
        more => output::print_coloured(&left_out(more)),
    }
}

/// What to say of nodes that were not asked.
fn left_out(more: usize) -> String {
    let nodes = count(more as u64, "node");
    format!(
        "\n{nodes} more on buses: nothing was heard of them, or they are too many to ask; `kozo status NODE` asks one, \
         `kozo status --nodes` lists those heard of\n"
    )
}

/// Shows some nodes.
pub(super) fn show_each(reports: &[NodeReport], json: bool) -> Result<(), Failure> {
    if json {
        return output::print_json(&reports);
    }
    print(reports)
}

fn print(reports: &[NodeReport]) -> Result<(), Failure> {
    output::print_coloured(&render(reports, shows_colours(&std::io::stdout())))
}

fn render(reports: &[NodeReport], colour: bool) -> String {
    let usual = usual_file(reports);
    let mut table = Table::new(&[
        "node", "state", "for", "kozo", "roles", "links", "ways in", "lost", "answer", "file",
    ]);
    for report in reports {
        match &report.status {
            Some(status) => table.row(row(report, status, usual)),
            None => table.row(silent_row(report)),
        }
    }
    let mut text = table.render(colour);
    let notes = notes(reports, usual);
    if !notes.is_empty() {
        text.push('\n');
    }
    for note in notes {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{}", printable(&note));
    }
    text
}

/// The digest of the file that the most nodes have; of the asked one where there are as many.
fn usual_file(reports: &[NodeReport]) -> Option<&str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let statuses = reports.iter().filter_map(|report| report.status.as_ref());
    for status in statuses {
        *counts.entry(&status.file_digest).or_default() += 1;
    }
    let most = counts.values().max().copied()?;
    let mut usual = counts.iter().filter(|(_, count)| **count == most);
    let first = usual.next().map(|(digest, _)| *digest);
    if usual.next().is_none() {
        return first;
    }
    let asked = reports.iter().find(|report| report.took_seconds.is_none());
    let asked = asked.and_then(|report| report.status.as_ref());
    asked.map(|status| status.file_digest.as_str()).or(first)
}

fn row(report: &NodeReport, status: &NodeStatus, usual: Option<&str>) -> Vec<(String, Tone)> {
    let roles = status.roles.iter();
    let running = roles.filter(|role| role.state == RoleState::Running);
    let linked = status.peers.iter();
    let linked = linked.filter(|peer| peer.state == PeerState::Up);
    // A link that is not wanted at present is not missing.
    let wanted = status.peers.iter().filter(|peer| {
        !matches!(
            peer.state,
            PeerState::OnDemand | PeerState::Never | PeerState::LeftToPeer
        )
    });
    let listening = status.transports.iter();
    let listening = listening.filter(|transport| {
        matches!(
            transport.state,
            TransportState::Listening | TransportState::DialsOnly
        )
    });
    let lost: u64 = status
        .peers
        .iter()
        .map(|peer| peer.outbox.dropped() + peer.inbound.missed)
        .sum();
    let is_usual = usual == Some(&status.file_digest);
    let took = report.took_seconds.map_or("asked".to_owned(), span);
    vec![
        (report.node.to_string(), Tone::Plain),
        ("up".to_owned(), Tone::Good),
        (span(status.running_seconds), Tone::Plain),
        (status.version.clone(), Tone::Plain),
        of(running.count(), status.roles.len()),
        of(linked.count(), wanted.count()),
        of(listening.count(), status.transports.len()),
        (lost.to_string(), doubtful_if(lost > 0)),
        (took, Tone::Plain),
        (status.file_digest.clone(), doubtful_if(!is_usual)),
    ]
}

fn silent_row(report: &NodeReport) -> Vec<(String, Tone)> {
    let (state, tone) = match report.unreachable_seconds {
        Some(_) => ("unreachable", Tone::Bad),
        None => ("no answer", Tone::Doubtful),
    };
    let since = report.unreachable_seconds.map_or(String::new(), span);
    vec![
        (report.node.to_string(), Tone::Plain),
        (state.to_owned(), tone),
        (since, Tone::Plain),
    ]
}

fn of(number: usize, all: usize) -> (String, Tone) {
    (format!("{number} of {all}"), doubtful_if(number < all))
}

fn doubtful_if(condition: bool) -> Tone {
    match condition {
        true => Tone::Doubtful,
        false => Tone::Plain,
    }
}

/// Why nodes say nothing, what their roles failed with, and who has another file.
fn notes(reports: &[NodeReport], usual: Option<&str>) -> Vec<String> {
    let mut notes = Vec::new();
    for report in reports {
        let node = &report.node;
        let Some(status) = &report.status else {
            notes.push(format!("{node} {}", why_silent(report)));
            continue;
        };
        if usual != Some(&status.file_digest) {
            notes.push(format!(
                "{node} has another version of the configuration file, {}",
                status.file_digest
            ));
        }
        for role in &status.roles {
            let error = role.last_error.as_deref();
            if role.state != RoleState::Running
                && let Some(error) = error
            {
                let error = shortened(error, LONGEST_ERROR);
                notes.push(format!("role {} of {node}: {error}", role.name));
            }
        }
    }
    notes
}

/// What follows the name of a node that has not answered.
fn why_silent(report: &NodeReport) -> String {
    let error = report.error.as_deref().unwrap_or("it has not answered");
    let other_file = match report.other_file {
        true => "; it has another version of the configuration file",
        false => "",
    };
    match report.unreachable_seconds {
        Some(seconds) => format!(
            "has been unreachable for {}: {error}{other_file}",
            span(seconds)
        ),
        None => format!("does not say how it is: {error}{other_file}"),
    }
}
