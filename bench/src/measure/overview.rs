//! How long it takes to see how a whole network is: `kozo status --all`, from its start to its end.

use std::time::Instant;

use serde_json::Value;

use super::Settings;
use super::cost::star;
use crate::daemon::Daemon;
use crate::report::{Aim, Report};
use crate::{Failure, supervise};

/// How many nodes there are, with the one that is asked.
const NODES: usize = 50;

/// How many of them stand still, in the second half.
const SILENT: usize = 5;

/// And how many have gone.
const GONE: usize = 5;

/// How often each run asks.
const QUESTIONS: u32 = 20;

/// How long it may take, in milliseconds.
const AIM: f64 = 1000.0;

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let nodes = settings.choose(NODES, 12);
    let questions = settings.choose(QUESTIONS, 3);
    let (mut all, mut some) = (vec![], vec![]);
    for run in 1..=settings.repeat {
        supervise::tell_begin(&format!("run {run} of {}", settings.repeat));
        let mut star = star(nodes - 1)?;
        let hub = &star.hub;
        all.push(slowest(hub, nodes, 0, questions)?);
        star.others.truncate(nodes - 1 - GONE);
        for _ in 0..GONE {
            hub.wait_for("a node that is gone", |line| line["message"] == "down")?;
        }
        for silent in &star.others[..SILENT] {
            silent.stop()?;
        }
        // Before they are taken for gone, which three of their heartbeats take.
        some.push(slowest(hub, nodes, SILENT + GONE, 1)?);
    }
    for (name, times, limits) in [
        (
            "status of all nodes, the slowest",
            all,
            format!("{nodes} nodes, of {questions} questions"),
        ),
        (
            "the same where some do not answer",
            some,
            format!("{nodes} nodes, of which {SILENT} stand still, and {GONE} have gone"),
        ),
    ] {
        report.add(name, times, "ms", limits);
        report.aim(name, Aim::AtMost(AIM));
    }
    Ok(())
}

/// How long `kozo status --all` takes at most, in milliseconds. So many nodes of all do not answer, and have to be
/// named with the reason.
fn slowest(hub: &Daemon, nodes: usize, away: usize, questions: u32) -> Result<f64, Failure> {
    let mut slowest = 0.0_f64;
    for _ in 0..questions {
        let start = Instant::now();
        let output = hub.client("status")?.args(["--all", "--json"]).output()?;
        slowest = slowest.max(start.elapsed().as_secs_f64() * 1000.0);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let said: Value = serde_json::from_slice(&output.stdout)?;
        let told = said["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let named = told.iter().filter(|node| node["error"].is_string()).count();
        if (told.len(), named) != (nodes, away) {
            return Err(format!(
                "{nodes} nodes, of which {away} do not answer, were told of as {} and {named}",
                told.len()
            )
            .into());
        }
    }
    Ok(slowest)
}
