//! How long one event takes, from the source's `send` to the sink's `receive`, when there is
//! nothing else to do.

use kozo_bench_payload::Figures;

use super::Settings;
use super::stream::{QUEUE_LENGTH, Stream};
use crate::Failure;
use crate::report::Report;

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let stream = Stream {
        receivers: 1,
        count: settings.choose(5000, 500),
        size: 64,
        interval: Some(0.001),
        queue: QUEUE_LENGTH,
        batch: 1,
    };
    let outcomes = settings.repeat("single events", || stream.run_whole())?;
    let micros = |of: fn(&Figures) -> u64| {
        let values = outcomes.iter().map(|outcome| of(&outcome.figures[0]));
        values.map(|nanos| nanos as f64 / 1000.0).collect()
    };
    report.add("latency, median", micros(|f| f.p50), "µs", stream.limits());
    report.add("latency, 99 %", micros(|f| f.p99), "µs", stream.limits());
    report.ratio(
        "latency, times the floor",
        "latency, median",
        "floor, median",
    );
    Ok(())
}
