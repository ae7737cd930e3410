//! `kozo ping`: round trips to another node.

use std::time::Duration;

use kozo_ground::names::NodeName;
use kozo_ground::text::span;
use kozo_status::{NodeStatus, PingAnswer, PingSummary};

use super::arguments::PingArguments;
use super::failure::Failure;
use super::output;
use super::reach::reach;
use crate::control::{Client, ClientError};
use crate::introspection::Request;

/// From one ping to the next.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn ping(arguments: &PingArguments) -> Result<(), Failure> {
    let asking = &arguments.asking;
    let daemon = reach(&asking.daemon, asking.on.as_ref())?;
    let peer = arguments.peer.to_string();
    let request = Request::Ping { peer, bytes: 0 };
    let mut answers = Vec::new();
    let (mut sent, mut error) = (0, None);
    for number in 0..arguments.count {
        if number > 0 {
            std::thread::sleep(INTERVAL);
        }
        sent += 1;
        let line = match daemon.ask::<PingAnswer>(&request) {
            Ok(answer) => {
                let line = pong(&answer);
                answers.push(answer);
                line
            }
            Err(ClientError::Refused(reason)) => {
                let line = format!("no answer: {reason}\n");
                error = Some(reason);
                line
            }
            Err(error) => return Err(Failure::other(error)),
        };
        // Where nothing is, nothing is waited for.
        if answers.is_empty() {
            break;
        }
        if !asking.json {
            output::print(&line)?;
        }
    }
    let summary = summary(arguments, sent, answers, error);
    if asking.json {
        output::print_json(&summary)?;
    } else if !summary.answers.is_empty() {
        output::print(&sentence(&summary))?;
    }
    match (&summary.answers[..], summary.error) {
        ([], reason) => {
            let mut text = reason.unwrap_or_default();
            if is_peer(&daemon, &arguments.peer) {
                text += &format!("; `kozo why {}` says more", arguments.peer);
            }
            Err(Failure::NothingCame(text))
        }
        _ => Ok(()),
    }
}

/// Whether a daemon can say why there is no link with a node.
fn is_peer(daemon: &Client, node: &NodeName) -> bool {
    let status = daemon.ask::<NodeStatus>(&Request::Status);
    status.is_ok_and(|status| status.peers.iter().any(|peer| peer.peer == *node))
}

fn pong(answer: &PingAnswer) -> String {
    let over = match (&answer.transport, &answer.address, &answer.bus) {
        (Some(transport), Some(address), _) => format!(" over {transport} ({address})"),
        (Some(transport), None, _) => format!(" over {transport}"),
        (None, _, Some(bus)) => format!(" over the bus {bus}"),
        (None, _, None) => String::new(),
    };
    let trip = span(answer.round_trip_seconds);
    format!("pong from {}{over}: {trip}\n", answer.node)
}

fn summary(
    arguments: &PingArguments,
    sent: u64,
    answers: Vec<PingAnswer>,
    error: Option<String>,
) -> PingSummary {
    let trips: Vec<f64> = answers
        .iter()
        .map(|answer| answer.round_trip_seconds)
        .collect();
    let differences: Vec<f64> = trips
        .windows(2)
        .map(|two| (two[1] - two[0]).abs())
        .collect();
    PingSummary {
        node: arguments.peer.clone(),
        sent,
        answers,
        min_seconds: trips.iter().copied().min_by(f64::total_cmp),
        mean_seconds: mean(&trips),
        max_seconds: trips.iter().copied().max_by(f64::total_cmp),
        jitter_seconds: mean(&differences),
        error,
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn sentence(summary: &PingSummary) -> String {
    let shown = |seconds: Option<f64>| seconds.map_or("unknown".to_owned(), span);
    format!(
        "{} of {} answered: {} to {}, {} in the mean, jitter {}\n",
        summary.answers.len(),
        summary.sent,
        shown(summary.min_seconds),
        shown(summary.max_seconds),
        shown(summary.mean_seconds),
        shown(summary.jitter_seconds),
    )
}
