//! What a daemon costs when nothing happens: memory and processor time.

use std::thread;
use std::time::Duration;

use super::Settings;
use crate::Failure;
use crate::daemon::Daemon;
use crate::network::Network;
use crate::report::Report;

/// How many links a busy node has.
const LINKS: usize = 50;

/// Time for what the start has left behind to be done.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let watch = Duration::from_secs(settings.choose(60, 5));
    for links in [1, settings.choose(LINKS, 5)] {
        let star = star(links)?;
        let hub = &star.hub;
        thread::sleep(SETTLE);
        let before = hub.processor_time()?;
        thread::sleep(watch);
        let used = (hub.processor_time()? - before).as_secs_f64() / watch.as_secs_f64();
        let limits = format!("{links} links, heartbeat 10 s, over {} s", watch.as_secs());
        report.add(
            format!("idle processor, {links} links"),
            vec![used * 100.0],
            "%",
            &limits,
        );
        let limits = format!("{links} links, PSS");
        report.add(
            format!("memory, {links} links"),
            vec![hub.memory()? / 1024.0],
            "MiB",
            limits,
        );
    }
    Ok(())
}

/// A node, and others that it has links with.
pub(super) struct Star {
    pub(super) hub: Daemon,
    pub(super) others: Vec<Daemon>,
    /// What the daemons have in files.
    _network: Network,
}

/// A node with links to so many others.
pub(super) fn star(links: usize) -> Result<Star, Failure> {
    let names = (0..links).map(|node| format!("n{node}"));
    let names: Vec<_> = names.chain(["hub".to_owned()]).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut network = Network::new(&names)?;
    for node in 0..links {
        network.node_option(node, "selfToOthersConnectPolicy: never");
    }
    let others: Vec<_> = (0..links)
        .map(|node| network.start(node))
        .collect::<Result<_, _>>()?;
    let hub = network.start(links)?;
    for _ in 0..links {
        hub.wait_for_link()?;
    }
    Ok(Star {
        hub,
        others,
        _network: network,
    })
}
