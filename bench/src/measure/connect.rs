//! How long a link takes to come about: when both daemons are there, and after a reset.

use std::thread;
use std::time::{Duration, Instant};

use super::Settings;
use crate::Failure;
use crate::network::Network;
use crate::proxy::Proxy;
use crate::report::{Aim, Report};

/// How many pairs of nodes there are: their links are reset in turns.
const PAIRS: usize = 10;

/// The figure that has an aim, in milliseconds.
const SLOW: &str = "reconnect, 99 %";
const SLOW_AIM: f64 = 250.0;

/// How long a link stands before it is reset. One that stood for less than ten seconds is not
/// dialled again at once more than once: that is the back-off's business, not measured here.
const STANDS: Duration = Duration::from_secs(11);

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let rounds = settings.choose(10, 1);
    let dialler = (0..PAIRS).map(|pair| format!("a{pair}"));
    let names: Vec<_> = dialler.chain([("hub").to_owned()]).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut network = Network::new(&names)?;
    let mut proxies = Vec::new();
    // The hub dials: each of the others is behind a proxy of its own.
    for pair in 0..PAIRS {
        network.node_option(pair, "selfToOthersConnectPolicy: never");
        let proxy = Proxy::start(network.port(pair))?;
        network.set_address(pair, proxy.address().to_string());
        proxies.push(proxy);
    }
    let others: Vec<_> = (0..PAIRS)
        .map(|node| network.start(node))
        .collect::<Result<_, _>>()?;
    thread::sleep(Duration::from_secs(1));
    let start = Instant::now();
    let hub = network.start(PAIRS)?;
    let mut first = None;
    for _ in 0..PAIRS {
        first.get_or_insert(hub.wait_for_link()?);
    }
    let all = Instant::now();
    for other in &others {
        other.wait_for_link()?;
    }
    if let Some(first) = first {
        let limits = "from the start of the process, its peers being there";
        report.add(
            "connect, first link",
            vec![millis(first - start)],
            "ms",
            limits,
        );
        let limits = format!("{limits}, {PAIRS} of them");
        report.add(
            "connect, all links",
            vec![millis(all - start)],
            "ms",
            limits,
        );
    }
    let mut delays = Vec::new();
    for _ in 0..rounds {
        thread::sleep(STANDS);
        for (other, proxy) in others.iter().zip(&proxies) {
            other.forget();
            hub.forget();
            let reset = Instant::now();
            proxy.reset()?;
            // Messages flow when both have the other's hello.
            let up = hub.wait_for_link()?.max(other.wait_for_link()?);
            delays.push(millis(up - reset));
        }
    }
    delays.sort_by(f64::total_cmp);
    let limits = format!(
        "{} TCP resets of links that stood for {} s",
        delays.len(),
        STANDS.as_secs()
    );
    let share = |percent: usize| vec![delays[(delays.len() - 1) * percent / 100]];
    report.add("reconnect, median", share(50), "ms", &limits);
    report.add(SLOW, share(99), "ms", &limits);
    report.aim(SLOW, Aim::AtMost(SLOW_AIM));
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
