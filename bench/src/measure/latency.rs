//! How long one event takes, from the source's `send` to the sink's `receive`, when there is
//! nothing else to do; and in turns with it, how long the bare link takes.

use kozo_bench_payload::Figures;

use super::stream::{QUEUE_LENGTH, Stream};
use super::{Settings, floor};
use crate::Failure;
use crate::report::{RATIO, Report};

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let stream = Stream {
        receivers: 1,
        count: settings.choose(5000, 500),
        size: 64,
        interval: Some(0.001),
        queue: QUEUE_LENGTH,
        batch: 1,
    };
    let pairs = settings.repeat("single events", || {
        let count = usize::try_from(stream.count)?;
        Ok((floor::median(count)?, stream.run_whole()?))
    })?;
    let (floors, outcomes): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let micros = |of: fn(&Figures) -> u64| {
        let values = outcomes.iter().map(|outcome| of(&outcome.figures[0]));
        values.map(|nanos| nanos as f64 / 1000.0).collect()
    };
    report.add("latency, median", micros(|f| f.p50), "µs", stream.limits());
    report.add("latency, 99 %", micros(|f| f.p99), "µs", stream.limits());
    let medians = outcomes.iter().map(|outcome| outcome.figures[0].p50);
    let times = medians
        .zip(&floors)
        .map(|(median, floor)| median as f64 / *floor as f64);
    report.add(
        "latency, times the floor",
        times.collect(),
        RATIO,
        format!("{} turns, pair by pair", floors.len()),
    );
    Ok(())
}
