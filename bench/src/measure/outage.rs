//! The memory of a daemon whose queue for a peer that is away is full.

use std::thread;
use std::time::Duration;

use super::Settings;
use crate::Failure;
use crate::daemon::{DEADLINE, wait_for_file};
use crate::network::Network;
use crate::report::Report;

/// The queue's limit, in MiB.
const QUEUE_SIZE: usize = 32;

/// How long each event's data is, in bytes.
const SIZE: usize = 1024;

/// How many events are sent: twice what the queue takes.
const COUNT: usize = 2 * QUEUE_SIZE * 1024 * 1024 / SIZE;

/// Time for what the start has left behind to be done.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) fn run(_settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let mut network = Network::new(&["away", "sender"])?;
    network.option("outgoingQueueLength: 1000000");
    network.option(&format!("outgoingQueueSize: {QUEUE_SIZE} MiB"));
    let (go, done) = (network.path("go"), network.path("done"));
    let source = format!(
        "type: bench-source, size: {SIZE}, count: {COUNT}, go: '{}', done: '{}'",
        go.display(),
        done.display()
    );
    network.role(0, "sink", "type: bench-sink");
    network.role(1, "source", &source);
    let sender = network.start(1)?;
    thread::sleep(SETTLE);
    let idle = sender.memory()? / 1024.0;
    std::fs::write(&go, "")?;
    wait_for_file(&done, DEADLINE)?;
    let full = sender.memory()? / 1024.0;
    let limits = format!("{QUEUE_SIZE} MiB of events of {SIZE} B, PSS");
    report.add("memory, queue full", vec![full], "MiB", &limits);
    let over = full - idle - QUEUE_SIZE as f64;
    let limits = format!("{limits}, over the idle {idle:.1} MiB and the queue's limit");
    report.add("memory, queue full, excess", vec![over], "MiB", limits);
    Ok(())
}
