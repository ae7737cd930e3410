//! How many events a second cross one link when the source waits for room: none is lost.

use super::Settings;
use super::stream::{Outcome, QUEUE_LENGTH, Stream};
use crate::Failure;
use crate::report::{Aim, Report};

/// The length of a queue if nobody says otherwise: the option's default.
const DEFAULT_QUEUE_LENGTH: usize = 128;

/// How many of the smallest events there ought to be a second.
const SMALL_AIM: f64 = 1_000_000.0;

/// What is sent, under which name.
const LOADS: &[(&str, Load)] = &[
    ("64 B", Load::new(64, 2_000_000, QUEUE_LENGTH)),
    (
        "64 B, 128 at a time",
        Load {
            batch: 128,
            ..Load::new(64, 2_000_000, QUEUE_LENGTH)
        },
    ),
    (
        "64 B, default queue",
        Load::new(64, 2_000_000, DEFAULT_QUEUE_LENGTH),
    ),
    ("1024 B", Load::new(1024, 300_000, QUEUE_LENGTH)),
    ("65536 B", Load::new(65_536, 10_000, QUEUE_LENGTH)),
];

/// Many events of one size.
struct Load {
    size: usize,
    count: u64,
    queue: usize,
    batch: usize,
}

impl Load {
    const fn new(size: usize, count: u64, queue: usize) -> Self {
        Self {
            size,
            count,
            queue,
            batch: 1,
        }
    }
}

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    for (name, load) in LOADS {
        let stream = Stream {
            receivers: 1,
            count: settings.choose(load.count, load.count / 20),
            size: load.size,
            interval: None,
            queue: load.queue,
            batch: load.batch,
        };
        let outcomes = settings.repeat(name, || stream.run_whole())?;
        let count = stream.count as f64;
        let rate = |outcome: &Outcome| count / (outcome.figures[0].duration as f64 / 1e9);
        let each = |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).collect();
        let mut add = |what: &str, unit, values| {
            report.add(format!("{what}, {name}"), values, unit, stream.limits());
        };
        add("throughput", "/s", each(&rate));
        add(
            "throughput of data",
            "MB/s",
            each(&|outcome| rate(outcome) * load.size as f64 / 1e6),
        );
        add(
            "processor at the sender",
            "µs",
            each(&|outcome| outcome.processor_time.0.as_secs_f64() * 1e6 / count),
        );
        add(
            "processor at the receiver",
            "µs",
            each(&|outcome| outcome.processor_time.1.as_secs_f64() * 1e6 / count),
        );
    }
    report.aim("throughput, 64 B", Aim::AtLeast(SMALL_AIM));
    Ok(())
}
