//! Many nodes on one machine that all link with each other, all started at once.

use std::time::{Duration, Instant};

use super::Settings;
use crate::daemon::Daemon;
use crate::network::Network;
use crate::report::{Aim, Report};
use crate::{Failure, supervise};

/// How many nodes there are.
const NODES: usize = 20;

/// And how many there are in a large mesh, with the longest time that all of its links are to take, in milliseconds.
const MANY_NODES: usize = 60;
const MANY_AIM: f64 = 2000.0;

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    if settings.choose(false, true) {
        return link_all(5, settings, report);
    }
    link_all(NODES, settings, report)?;
    link_all(MANY_NODES, settings, report)?;
    report.aim(&all_links(MANY_NODES), Aim::AtMost(MANY_AIM));
    Ok(())
}

/// The figure that says how long it takes.
fn all_links(nodes: usize) -> String {
    format!("mesh of {nodes}, all links")
}

fn link_all(nodes: usize, settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let links = nodes * (nodes - 1) / 2;
    let (mut times, mut costs, mut memory) = (vec![], vec![], vec![]);
    for run in 1..=settings.repeat {
        supervise::tell_begin(&format!("run {run} of {}", settings.repeat));
        let names: Vec<_> = (0..nodes).map(|node| format!("n{node}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let network = Network::new(&names)?;
        let start = Instant::now();
        let daemons = (0..nodes).map(|node| network.start(node));
        let daemons: Vec<Daemon> = daemons.collect::<Result<_, _>>()?;
        let mut all = start;
        for daemon in &daemons {
            all = all.max(daemon.wait_for_peers(nodes - 1)?);
        }
        times.push((all - start).as_secs_f64() * 1000.0);
        let cost = daemons.iter().map(Daemon::whole_processor_time);
        let cost: Duration = cost.sum::<Result<_, _>>()?;
        costs.push(cost.as_secs_f64() * 1000.0);
        let used = daemons.iter().map(Daemon::memory);
        memory.push(used.sum::<Result<f64, _>>()? / 1024.0);
    }
    let limits = format!("{nodes} nodes, {links} links, from the start of the first process");
    report.add(all_links(nodes), times, "ms", &limits);
    let name = format!("mesh of {nodes}, processor, all nodes");
    report.add(name, costs, "ms", &limits);
    let limits = format!("{nodes} nodes, {links} links, PSS");
    let name = format!("mesh of {nodes}, memory, all nodes");
    report.add(name, memory, "MiB", limits);
    Ok(())
}
