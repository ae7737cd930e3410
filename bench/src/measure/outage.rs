//! The memory of a daemon whose queue for a peer that is away is full.

use std::thread;
use std::time::Duration;

use super::Settings;
use crate::Failure;
use crate::daemon::{DEADLINE, wait_for_file};
use crate::network::Network;
use crate::report::{Aim, Report};

/// The queue's limit, in MiB.
const QUEUE_SIZE: usize = 32;

/// How much more memory than its limit a full queue may take: this share of it,
const BOUND_SHARE: f64 = 0.1;
/// and so many MiB.
const BOUND: f64 = 2.0;

/// The figure that this is all about.
const EXCESS: &str = "memory, queue full, excess";

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
    let queue = QUEUE_SIZE as f64;
    let limits = format!("{limits}, over the idle {idle:.1} MiB and the queue's limit");
    report.add(EXCESS, vec![full - idle - queue], "MiB", limits);
    report.bound(EXCESS, Aim::AtMost(queue * BOUND_SHARE + BOUND))
}
