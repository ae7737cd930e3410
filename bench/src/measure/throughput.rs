//! How many events a second cross one link when the source waits for room: none is lost.

use super::Settings;
use super::stream::Stream;
use crate::Failure;
use crate::report::Report;

/// The sizes of events' data, and how many of each are sent.
const LOADS: &[(usize, u64)] = &[(64, 1_000_000), (1024, 300_000), (65_536, 10_000)];

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    for &(size, count) in LOADS {
        let stream = Stream {
            receivers: 1,
            count: settings.choose(count, count / 20),
            size,
            interval: None,
        };
        let outcomes = settings.repeat(|| stream.run_whole())?;
        let (mut rates, mut bytes, mut sending, mut receiving) = (vec![], vec![], vec![], vec![]);
        for outcome in &outcomes {
            let seconds = outcome.figures[0].duration as f64 / 1e9;
            let count = stream.count as f64;
            rates.push(count / seconds);
            bytes.push(count * size as f64 / seconds / 1e6);
            let (sender, receiver) = outcome.processor_time;
            sending.push(sender.as_secs_f64() * 1e6 / count);
            receiving.push(receiver.as_secs_f64() * 1e6 / count);
        }
        let limits = stream.limits();
        report.add(format!("throughput, {size} B"), rates, "/s", &limits);
        report.add(
            format!("throughput, {size} B, data"),
            bytes,
            "MB/s",
            &limits,
        );
        report.add(
            format!("processor, {size} B, sender"),
            sending,
            "µs",
            &limits,
        );
        report.add(
            format!("processor, {size} B, receiver"),
            receiving,
            "µs",
            &limits,
        );
    }
    Ok(())
}
