//! The role `co2-relay`: how many messages a second it passes on to a hundred satellites, how soon and at what cost,
//! beside a relay of Python's own XML-RPC server with the same callers and satellites.

mod caller;
mod http;
mod relays;
mod satellites;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use self::caller::Caller;
use self::relays::{Kind, Relay};
use self::satellites::{Arrivals, Manner, Satellites};
use super::Settings;
use super::python::has_python;
use crate::Failure;
use crate::daemon::Daemon;
use crate::report::{Aim, Report};

/// How many satellites each message goes to.
const SATELLITES: usize = 100;

/// How many satellites are registered where it is only looked what they cost.
const MANY: usize = 1000;

/// How many callers there are at a time, and how many messages are on their way at most: fewer than wait for a
/// satellite, so that none is dropped.
const CALLERS: usize = 4;
const UNDER_WAY: usize = 16;

/// The pause from one message to the next where it is measured how soon they come.
const INTERVAL: Duration = Duration::from_millis(20);

/// How long it may take until messages have come to all satellites.
const LIMIT: Duration = Duration::from_secs(60);

/// Time for what the start has left behind to be done.
const SETTLE: Duration = Duration::from_secs(3);

/// How many `notify` a second there ought to be: with connections that are kept, and one for each; and how many times
/// those of the best relay in Python.
const KEPT_AIM: f64 = 15_000.0;
const EACH_AIM: f64 = 8_000.0;
const PYTHON_AIM: f64 = 4.0;

/// How soon, in milliseconds: until the last satellite has a message, counted from the answer to its caller, in the
/// median and at 99 %; until the answer; and how much later with a satellite that stalls.
const LAST_AIM: (f64, f64) = (10.0, 30.0);
const ANSWER_AIM: f64 = 2.0;
const STALL_AIM: f64 = 5.0;

/// The memory of the daemon with many satellites that do nothing, in MiB.
const MEMORY_AIM: f64 = 25.0;

/// What `notify` a second are measured with: a name, a relay, and what satellites do with connections.
const FLOODS: [(&str, Kind, Manner); 4] = [
    ("connections kept", Kind::Role, Manner::Keeps),
    ("a connection each", Kind::Role, Manner::Closes),
    ("Python, connections kept", Kind::PythonKept, Manner::Keeps),
    ("Python, a connection each", Kind::PythonEach, Manner::Keeps),
];

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let python = has_python();
    if !python {
        report.skip("CO2 with Python's relay", "`python3` is not here");
    }
    let mut best = None;
    for (name, kind, manner) in FLOODS {
        if kind != Kind::Role && !python {
            continue;
        }
        let lasts = Duration::from_secs(settings.choose(5, 1));
        let floods = settings.repeat(&format!("CO2, {name}"), || {
            Scene::start(kind, SATELLITES, manner, &[])?.flood(lasts)
        })?;
        let limits = format!("{SATELLITES} satellites, {CALLERS} callers, none lost");
        let title = format!("CO2 notify, {name}");
        let rates = floods.iter().map(|flood| flood.0).collect();
        report.add(&title, rates, "/s", &limits);
        match (kind, manner) {
            (Kind::Role, Manner::Keeps) => drop(report.aim(&title, Aim::AtLeast(KEPT_AIM))),
            (Kind::Role, _) => drop(report.aim(&title, Aim::AtLeast(EACH_AIM))),
            _ => {
                let rate = report.value(&title);
                if best.as_ref().is_none_or(|(other, _)| rate > *other) {
                    best = Some((rate, title));
                }
            }
        }
        if kind == Kind::Role {
            let each = floods.iter().map(|flood| flood.1).collect();
            let title = format!("processor for a notify, {name}");
            report.add(title, each, "µs", &limits);
        }
    }
    if let Some((_, best)) = best {
        let title = "CO2 notify, times the best of Python";
        report.ratio(title, "CO2 notify, connections kept", &best);
        report.aim(title, Aim::AtLeast(PYTHON_AIM));
    }
    how_soon(settings, report)?;
    memory(settings, report)
}

/// What many satellites cost that do nothing.
fn memory(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let runs = settings.repeat("many satellites", || {
        let scene = Scene::start(Kind::Role, MANY, Manner::Keeps, &[])?;
        let settled = || -> Result<f64, Failure> {
            thread::sleep(SETTLE);
            let memory = scene.relay.daemon().map(Daemon::memory).transpose()?;
            Ok(memory.unwrap_or_default() / 1024.0)
        };
        let registered = settled()?;
        scene.steady(1)?;
        Ok((registered, settled()?))
    })?;
    let title = "memory with 1,000 satellites";
    let registered = runs.iter().map(|run| run.0).collect();
    report.add(title, registered, "MiB", "registered and idle, PSS");
    report.aim(title, Aim::AtMost(MEMORY_AIM));
    let title = format!("{title}, with connections");
    let connected = runs.iter().map(|run| run.1).collect();
    report.add(title, connected, "MiB", "after one message to each, PSS");
    Ok(())
}

/// How soon messages come, without and with a satellite that stalls.
fn how_soon(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let count = settings.choose(500, 100);
    let limits = format!(
        "{count} messages, one every {} ms, {SATELLITES} satellites",
        INTERVAL.as_millis()
    );
    let runs = settings.repeat("CO2, single messages", || {
        let alone = Scene::start(Kind::Role, SATELLITES, Manner::Keeps, &[])?.steady(count)?;
        let stalled = [Manner::Stalls];
        let stalled =
            Scene::start(Kind::Role, SATELLITES, Manner::Keeps, &stalled)?.steady(count)?;
        Ok((alone, stalled))
    })?;
    let mut add = |title: &str, of: &dyn Fn(&(Steady, Steady)) -> f64, aim: Option<f64>| {
        report.add(title, runs.iter().map(of).collect(), "ms", &limits);
        if let Some(aim) = aim {
            report.aim(title, Aim::AtMost(aim));
        }
    };
    let (median, most) = LAST_AIM;
    let last = "CO2, from the answer to the last satellite";
    let stall = "CO2, later with one that stalls";
    add(
        &format!("{last}, median"),
        &|run| share(&run.0.last, 50),
        Some(median),
    );
    add(
        &format!("{last}, 99 %"),
        &|run| share(&run.0.last, 99),
        Some(most),
    );
    add(
        "CO2, answer, median",
        &|run| share(&run.0.answered, 50),
        None,
    );
    add(
        "CO2, answer, 99 %",
        &|run| share(&run.0.answered, 99),
        Some(ANSWER_AIM),
    );
    for percent in [50, 99] {
        let later =
            |run: &(Steady, Steady)| share(&run.1.last, percent) - share(&run.0.last, percent);
        add(&format!("{stall}, {percent} %"), &later, Some(STALL_AIM));
    }
    Ok(())
}

/// A relay with satellites that have registered.
struct Scene {
    relay: Relay,
    satellites: Satellites,
    /// The satellite that sends.
    sender: String,
}

/// What came of single messages; times in milliseconds, sorted.
struct Steady {
    /// Until the caller had its answer.
    answered: Vec<f64>,
    /// From then until the last satellite had the message.
    last: Vec<f64>,
}

impl Scene {
    /// A fresh relay with so many satellites of one manner, and these others.
    fn start(kind: Kind, count: usize, manner: Manner, others: &[Manner]) -> Result<Self, Failure> {
        // The sender is one of them.
        let others = [others, &[Manner::Keeps]].concat();
        let satellites = Satellites::start(count, manner, &others)?;
        let relay = Relay::start(kind, satellites.ports.len())?;
        let mut caller = Caller::new(relay.port)?;
        let mut sender = String::new();
        for &port in &satellites.ports {
            sender = caller.register(port)?;
        }
        Ok(Self {
            relay,
            satellites,
            sender,
        })
    }

    /// Lets callers send as fast as it goes; how many `notify` a second that were, and what processor time the daemon
    /// used for each, in µs.
    fn flood(&self, lasts: Duration) -> Result<(f64, f64), Failure> {
        // Connections and threads are there before it begins.
        self.steady(1)?;
        // Python's threads take theirs with them when they end.
        let used = || self.relay.daemon().map(Daemon::processor_time).transpose();
        let before = used()?.unwrap_or_default();
        let (begin, first) = (Instant::now(), self.arrivals().last().len());
        thread::scope(|scope| {
            let (port, sender, arrivals) = (self.relay.port, &self.sender, self.arrivals());
            let call = move || call_until(port, sender, arrivals, begin + lasts);
            let callers = (0..CALLERS).map(|_| scope.spawn(call));
            let callers: Vec<_> = callers.collect();
            let mut ended = callers.into_iter().map(|caller| caller.join());
            ended.try_for_each(|ended| ended.unwrap_or_else(|_| Err("a caller panicked".into())))
        })?;
        self.arrivals().finish(LIMIT)?;
        let used = (used()?.unwrap_or_default() - before).as_secs_f64();
        let arrived = self.arrivals().last();
        let last = arrived.iter().max().ok_or("nothing came")?;
        let count = ((arrived.len() - first) * SATELLITES) as f64;
        let seconds = (*last - begin).as_secs_f64();
        Ok((count / seconds, used * 1e6 / count))
    }

    /// Sends so many messages, one at a time.
    fn steady(&self, count: u32) -> Result<Steady, Failure> {
        let arrivals = self.arrivals();
        let mut caller = Caller::new(self.relay.port)?;
        let (mut sent, mut answered) = (Vec::new(), Vec::new());
        let begin = Instant::now();
        for place in 0..count {
            thread::sleep((INTERVAL * place).saturating_sub(begin.elapsed()));
            let number = arrivals.begin(UNDER_WAY, LIMIT)?;
            sent.push(Instant::now());
            caller.relay(&self.sender, &text(number))?;
            answered.push(Instant::now());
        }
        arrivals.finish(LIMIT)?;
        let last = arrivals.last();
        let last = last.iter().zip(&answered);
        Ok(Steady {
            last: sorted(last.map(|(&last, &answered)| last.saturating_duration_since(answered))),
            answered: sorted(answered.iter().zip(&sent).map(|(&end, &start)| end - start)),
        })
    }

    fn arrivals(&self) -> &Arc<Arrivals> {
        &self.satellites.arrivals
    }
}

/// Sends as fast as it goes, until then.
fn call_until(port: u16, sender: &str, arrivals: &Arrivals, end: Instant) -> Result<(), String> {
    let call = || -> Result<(), Failure> {
        let mut caller = Caller::new(port)?;
        while Instant::now() < end {
            let number = arrivals.begin(UNDER_WAY, LIMIT)?;
            caller.relay(sender, &text(number))?;
        }
        Ok(())
    };
    call().map_err(|failure| failure.to_string())
}

/// The text of a message, of about as many bytes as a line of a chat.
fn text(number: usize) -> String {
    format!("message {number}; and what else somebody might have to say")
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<f64> {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// So many per cent of sorted values are at most this.
fn share(values: &[f64], percent: usize) -> f64 {
    let place = values.len().saturating_sub(1) * percent / 100;
    values.get(place).copied().unwrap_or(0.0)
}
