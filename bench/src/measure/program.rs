//! A role that is a program in Python: how many events a second it takes and sends on, and how much later
//! they are than with a native role in its place.
//!
//! ```text
//! source ──▶ middle ──▶ sink        a node each; what is in the middle passes the events on
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_bench_payload::Figures;

use super::Settings;
use super::python::has_python;
use crate::Failure;
use crate::daemon::{DEADLINE, processor_time_of, wait_for_file};
use crate::network::Network;
use crate::report::{Aim, Report};
use crate::supervise;

/// How many events a second a program with the package ought to pass on.
const RATE_AIM: f64 = 20_000.0;

/// How much later events ought to be at most than with the native role, in milliseconds.
const LATER_AIM: f64 = 0.3;

/// The longest that one stream of events may take.
const LIMIT: Duration = Duration::from_secs(120);

/// How long the data of an event is, in bytes.
const SIZE: usize = 64;

/// The pause after each event where it is measured how late it is, in seconds.
const INTERVAL: f64 = 0.002;

/// What passes the events on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Middle {
    Native,
    Packaged,
    Plain,
}

/// A stream through a chain of three nodes.
struct Chain {
    middle: Middle,
    count: u64,
    /// The pause after each event, in seconds; none: as fast as it goes, waiting for room.
    interval: Option<f64>,
}

struct Outcome {
    figures: Figures,
    /// What the daemon in the middle used for each event, with the program if there is one, in µs.
    processor: f64,
}

impl Middle {
    fn name(self) -> &'static str {
        match self {
            Self::Native => "native role",
            Self::Packaged => "Python with the package",
            Self::Plain => "plain Python",
        }
    }

    /// The program's text; none for what is no program.
    fn program(self) -> Option<&'static str> {
        match self {
            Self::Native => None,
            Self::Packaged => Some(include_str!("../../programs/packaged.py")),
            Self::Plain => Some(include_str!("../../programs/plain.py")),
        }
    }
}

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let mut middles = vec![Middle::Native];
    if !has_python() {
        report.skip("program", "`python3` is not here");
        return Ok(());
    }
    match package().exists() {
        true => middles.push(Middle::Packaged),
        false => report.skip(Middle::Packaged.name(), "the sources are not here"),
    }
    middles.push(Middle::Plain);
    let mut medians: Vec<Vec<f64>> = Vec::new();
    for &middle in &middles {
        let name = middle.name();
        let flood = Chain {
            middle,
            count: settings.choose(100_000, 10_000),
            interval: None,
        };
        let floods = settings.repeat(name, || flood.run())?;
        let rate = floods
            .iter()
            .map(|outcome| flood.count as f64 / (outcome.figures.duration as f64 / 1e9));
        let title = format!("passed on, {name}");
        report.add(&title, rate.collect(), "/s", flood.limits());
        if middle == Middle::Packaged {
            report.aim(&title, Aim::AtLeast(RATE_AIM));
        }
        let processor = floods.iter().map(|outcome| outcome.processor).collect();
        let title = format!("processor for one, {name}");
        report.add(title, processor, "µs", flood.limits());
    }
    for &middle in &middles {
        let name = middle.name();
        let single = Chain {
            middle,
            count: settings.choose(3000, 300),
            interval: Some(INTERVAL),
        };
        let singles = settings.repeat(&format!("single events, {name}"), || single.run())?;
        let millis = |of: fn(&Figures) -> u64| -> Vec<f64> {
            let values = singles.iter().map(|outcome| of(&outcome.figures));
            values.map(|nanos| nanos as f64 / 1e6).collect()
        };
        let limits = single.limits();
        let title = |what: &str| format!("through three nodes, {what}, {name}");
        report.add(title("median"), millis(|f| f.p50), "ms", &limits);
        report.add(title("99 %"), millis(|f| f.p99), "ms", &limits);
        medians.push(millis(|f| f.p50));
        if middle != Middle::Native {
            let later = millis(|f| f.p50).into_iter().zip(&medians[0]);
            let later = later.map(|(program, native)| program - native).collect();
            let title = format!("later than the native role, {name}");
            report.add(&title, later, "ms", "medians of runs");
            report.aim(&title, Aim::AtMost(LATER_AIM));
        }
    }
    Ok(())
}

impl Chain {
    fn limits(&self) -> String {
        let pace = match self.interval {
            Some(interval) => format!("one every {} ms", interval * 1000.0),
            None => "paced by room, none lost".to_owned(),
        };
        format!("{} events of {SIZE} B, {pace}", self.count)
    }

    /// Sends all events through fresh daemons; an error if one was lost, repeated or out of order.
    fn run(&self) -> Result<Outcome, Failure> {
        let count = self.count;
        let mut network = Network::new(&["source", "middle", "sink"])?;
        // Room for all of them: neither the program nor its inbox holds up the source.
        network.option(&format!("outgoingQueueLength: {count}"));
        network.option("outgoingQueueSize: 64 MiB");
        let (go, ready) = (network.path("go"), network.path("ready"));
        let figures = network.path("figures");
        let pace = match self.interval {
            Some(interval) => format!("interval: {interval}"),
            None => "paced: true".to_owned(),
        };
        let source = format!(
            "type: bench-source, go: '{}', count: {count}, size: {SIZE}, {pace}",
            go.display()
        );
        network.role(0, "source", &source);
        network.role(1, "middle", &self.block(&network, &ready)?);
        let sink = format!(
            "type: bench-sink, from: middle, count: {count}, report: '{}'",
            figures.display()
        );
        network.role(2, "sink", &sink);
        // A chain: the ends have nothing to tell each other.
        network.node_option(0, "othersToSelfConnectPolicy: never");
        network.node_option(2, "selfToOthersConnectPolicy: never");
        let sink = network.start(2)?;
        let middle = network.start(1)?;
        sink.wait_for_link()?;
        let _source = network.start(0)?;
        middle.wait_for_peers(2)?;
        let program = match self.middle.program() {
            Some(_) => Some(wait_for_file(&ready, DEADLINE)?.trim().parse()?),
            None => None,
        };
        let used = || -> Result<Duration, Failure> {
            let program = program.map(processor_time_of).transpose()?;
            Ok(middle.processor_time()? + program.unwrap_or_default())
        };
        let before = used()?;
        std::fs::write(go, "")?;
        supervise::tell_begin(&format!("the events through {}", self.middle.name()));
        let figures: Figures = serde_json::from_str(&wait_for_file(&figures, LIMIT)?)?;
        let used = used()? - before;
        if (figures.received, figures.missing, figures.late) != (count, 0, 0) {
            return Err(format!("not every event came, once and in order: {figures:?}").into());
        }
        Ok(Outcome {
            figures,
            processor: used.as_secs_f64() * 1e6 / count as f64,
        })
    }

    /// The block of the role in the middle.
    fn block(&self, network: &Network, ready: &Path) -> Result<String, Failure> {
        let limits = format!(
            "messageQueueLength: {}, messageQueueSize: 256 MiB",
            self.count
        );
        let Some(text) = self.middle.program() else {
            return Ok(format!("type: bench-pass, from: source, {limits}"));
        };
        let script = network.path("program.py");
        std::fs::write(&script, text)?;
        Ok(format!(
            "type: program, command: [python3, '{}'], environment: {{PYTHONPATH: '{}'}}, \
             options: {{ready: '{}'}}, interests: [{{kind: event, type: numbered, role: source}}], {limits}",
            script.display(),
            package().display(),
            ready.display()
        ))
    }
}

/// The folder with the package `kozo`.
fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../python")
}
