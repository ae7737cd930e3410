//! What watching costs those whom the messages are for: events flow between two nodes as fast as they go,
//! and at both somebody watches. Nobody, and each way to watch, take turns within one run, each with fresh
//! daemons, so that what else the machine does meets all of them.

mod watcher;

use std::time::Duration;

use super::Settings;
use super::stream::{Outcome, QUEUE_LENGTH, Stream};
use crate::daemon::Daemon;
use crate::report::{Aim, Report};
use crate::{Failure, supervise};
use watcher::{Scraper, Tail, Watcher};

/// What watching may cost at most, in per cent of the throughput.
const COST_AIM: f64 = 5.0;

/// What a tail that stands still may cost a daemon at most, in KiB.
const MEMORY_AIM: f64 = 1024.0;

/// So many rounds for each run that is wanted: differences of a few per cent are small beside what else
/// happens on a machine.
const ROUNDS: u32 = 5;

/// A way to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Nobody,
    /// `kozo tail`, with its output read.
    Tail,
    /// The metrics, asked for every second.
    Metrics,
    /// `kozo tail`, stopped by a signal before the first event.
    Stopped,
}

/// All of them, the one first that the others are compared with.
const WAYS: [Way; 4] = [Way::Nobody, Way::Tail, Way::Metrics, Way::Stopped];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody watches",
            Self::Tail => "tail at both",
            Self::Metrics => "metrics of both each second",
            Self::Stopped => "stopped tail at both",
        }
    }

    /// Lets `stream` flow while this watches.
    fn run(self, stream: &Stream) -> Result<Watched, Failure> {
        let mut ports = Vec::new();
        let linked = stream.start(|network| {
            for node in [0, 1].into_iter().filter(|_| self == Self::Metrics) {
                let port = crate::network::reserve_port()?;
                network.node_option(node, &format!("metrics: 127.0.0.1:{port}"));
                ports.push(port);
            }
            Ok(())
        })?;
        let daemons = [&linked.sender, &linked.sinks[0]];
        let mut watchers: Vec<Box<dyn Watcher>> = Vec::new();
        for port in ports {
            watchers.push(Box::new(Scraper::start(port)?));
        }
        if matches!(self, Self::Tail | Self::Stopped) {
            for daemon in daemons {
                watchers.push(Box::new(Tail::start(daemon, self == Self::Stopped)?));
            }
        }
        let used =
            || -> Result<Duration, Failure> { watchers.iter().map(|watcher| watcher.used()).sum() };
        let (used_before, memory_before) = (used()?, memory(daemons)?);
        let outcome = stream.whole(linked.flow()?)?;
        let used = used()? - used_before;
        let memory = (memory_before, memory(daemons)?);
        let mut seen = Vec::new();
        for watcher in watchers {
            seen.push(watcher.seen()?);
        }
        // Whoever stands still sees nothing; anybody else has to have watched.
        if self != Self::Stopped && seen.contains(&0) {
            return Err(format!("{}: one has seen nothing", self.name()).into());
        }
        let seconds = outcome.figures[0].duration as f64 / 1e9;
        Ok(Watched {
            rate: stream.count as f64 / seconds,
            processor: micros_each(&outcome, stream),
            watchers: 100.0 * used.as_secs_f64() / seconds,
            growth: memory.1 - memory.0,
        })
    }
}

/// What came of a stream that somebody watched.
#[derive(Debug, Clone, Copy)]
struct Watched {
    /// Events a second.
    rate: f64,
    /// Processor time for an event, of both daemons, in µs.
    processor: f64,
    /// Processor time of those who watch, in per cent of one processor.
    watchers: f64,
    /// How much more memory both daemons had after than before, in KiB.
    growth: f64,
}

/// The memory of both, in KiB.
fn memory(daemons: [&Daemon; 2]) -> Result<f64, Failure> {
    daemons.into_iter().map(Daemon::memory).sum()
}

fn micros_each(outcome: &Outcome, stream: &Stream) -> f64 {
    let (sender, receiver) = outcome.processor_time;
    (sender + receiver).as_secs_f64() * 1e6 / stream.count as f64
}

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let flood = Stream {
        receivers: 1,
        // No more than the sink's inbox holds: what the sink has no time for shall not be lost there.
        count: settings.choose(1_000_000, 300_000),
        size: 64,
        interval: None,
        queue: QUEUE_LENGTH,
        batch: 1,
    };
    // Few enough that none waits anywhere for long, and more than a tap holds.
    let steady = Stream {
        count: settings.choose(8000, 4000),
        interval: Some(0.000_5),
        ..flood
    };
    let rounds = settings.choose(ROUNDS * settings.repeat, 1);
    let floods = in_turns(&flood, rounds, &WAYS)?;
    let limits = format!("{}, {rounds} rounds", flood.limits());
    for (way, of_way) in WAYS.iter().zip(&floods) {
        let name = way.name();
        let each = |of: fn(&Watched) -> f64| of_way.iter().map(of).collect();
        let name_of = |what: &str| format!("{what}, {name}");
        report.add(name_of("throughput"), each(|run| run.rate), "/s", &limits);
        let processor = each(|run| run.processor);
        report.add(name_of("processor of both"), processor, "µs", &limits);
        if *way == Way::Nobody {
            continue;
        }
        // Each with what nobody watched in the same round.
        let pairs = || of_way.iter().zip(&floods[0]);
        let lost = pairs().map(|(run, alone)| 100.0 * (1.0 - run.rate / alone.rate));
        report.add(name_of("throughput lost"), lost.collect(), "%", &limits);
        if *way != Way::Stopped {
            report.aim(&name_of("throughput lost"), Aim::AtMost(COST_AIM));
        }
        let more = pairs().map(|(run, alone)| 100.0 * (run.processor / alone.processor - 1.0));
        report.add(name_of("processor more"), more.collect(), "%", &limits);
        if *way == Way::Tail {
            let watchers = each(|run| run.watchers);
            report.add("processor of the two tails", watchers, "%", &limits);
        }
    }
    let steadies = in_turns(&steady, settings.repeat, &[Way::Nobody, Way::Stopped])?;
    let more = steadies[1].iter().zip(&steadies[0]);
    let more = more.map(|(stopped, alone)| (stopped.growth - alone.growth) / 2.0);
    let growth = "memory of a daemon for a stopped tail";
    report.add(growth, more.collect(), "KiB", steady.limits());
    report.bound(growth, Aim::AtMost(MEMORY_AIM))
}

/// What comes of so many rounds of all of `ways`, for each of them. A round begins where the one before had
/// its second, so that none is always first.
fn in_turns(stream: &Stream, rounds: u32, ways: &[Way]) -> Result<Vec<Vec<Watched>>, Failure> {
    let mut all = vec![Vec::new(); ways.len()];
    for round in 0..rounds as usize {
        for turn in 0..ways.len() {
            let place = (round + turn) % ways.len();
            let name = ways[place].name();
            supervise::tell_begin(&format!("round {} of {rounds}: {name}", round + 1));
            let watched = ways[place].run(stream);
            all[place].push(watched.map_err(|failure| format!("{name}: {failure}"))?);
        }
    }
    Ok(all)
}
