//! One role's events to many nodes at once.

use kozo_bench_payload::Figures;

use super::Settings;
use super::stream::{QUEUE_LENGTH, Stream};
use crate::Failure;
use crate::report::Report;

/// How many nodes receive.
const RECEIVERS: usize = 10;

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let seldom = Stream {
        receivers: RECEIVERS,
        count: settings.choose(1000, 100),
        size: 64,
        interval: Some(0.005),
        queue: QUEUE_LENGTH,
        batch: 1,
    };
    let outcomes = settings.repeat("events to all", || seldom.run_whole())?;
    let slowest = |of: fn(&Figures) -> u64| {
        let slowest = outcomes
            .iter()
            .filter_map(|outcome| outcome.figures.iter().map(of).max());
        slowest.map(|nanos| nanos as f64 / 1000.0).collect()
    };
    let limits = format!("{}, the slowest of {RECEIVERS} nodes", seldom.limits());
    report.add("fan-out, median", slowest(|f| f.p50), "µs", &limits);
    report.add("fan-out, 99 %", slowest(|f| f.p99), "µs", &limits);
    let bulk = Stream {
        count: settings.choose(100_000, 10_000),
        interval: None,
        ..seldom
    };
    let rates = settings.repeat("throughput", || {
        let outcome = bulk.run_whole()?;
        let longest = outcome.figures.iter().map(|figures| figures.duration).max();
        let seconds = longest.unwrap_or(1) as f64 / 1e9;
        Ok(bulk.count as f64 * RECEIVERS as f64 / seconds)
    })?;
    let limits = format!(
        "{}, deliveries at {RECEIVERS} nodes together",
        bulk.limits()
    );
    report.add("fan-out, throughput", rates, "/s", &limits);
    Ok(())
}
