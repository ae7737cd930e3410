//! Numbered events from one node to others: what most measurements are made with.

use std::time::Duration;

use kozo_bench_payload::Figures;

use crate::Failure;
use crate::daemon::{Daemon, wait_for_file};
use crate::network::Network;

/// The queue between two nodes, in messages, if nothing else is said: room for what a paced source
/// sends while the link's thread is elsewhere.
pub(super) const QUEUE_LENGTH: usize = 4096;

/// The longest that one stream of events may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The file for which the source waits, in the network's folder.
const GO: &str = "go";

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    /// How many nodes receive.
    pub(super) receivers: usize,
    /// How many events.
    pub(super) count: u64,
    /// How long each one's data is, in bytes.
    pub(super) size: usize,
    /// The pause after each, in seconds; none: as fast as it goes, waiting for room.
    pub(super) interval: Option<f64>,
    /// How many messages wait for a node.
    pub(super) queue: usize,
    /// How many are sent with one call.
    pub(super) batch: usize,
}

/// What a stream came to.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// One for each receiver.
    pub(super) figures: Vec<Figures>,
    /// What the sending daemon and one receiving daemon used while it ran.
    pub(super) processor_time: (Duration, Duration),
}

impl Stream {
    /// What it ran with, for the report.
    pub(super) fn limits(&self) -> String {
        let Self {
            count,
            size,
            queue,
            batch,
            ..
        } = self;
        let pace = match self.interval {
            Some(interval) => format!("one every {} ms", interval * 1000.0),
            None => "paced by room".to_owned(),
        };
        let at_once = match batch {
            1 => String::new(),
            batch => format!(", {batch} at a time"),
        };
        format!("{count} events of {size} B, {pace}, queue {queue}{at_once}")
    }

    /// Sends it through fresh daemons.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        self.start(|_| Ok(()))?.flow()
    }

    /// Starts fresh daemons, of a network to which `describe` has added, and links them. Node 0 sends.
    pub(super) fn start(
        &self,
        describe: impl FnOnce(&mut Network) -> Result<(), Failure>,
    ) -> Result<Linked, Failure> {
        let mut names = vec!["source".to_owned()];
        names.extend((0..self.receivers).map(|place| format!("sink{place}")));
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut network = Network::new(&names)?;
        network.option(&format!("outgoingQueueLength: {}", self.queue));
        network.option("outgoingQueueSize: 64 MiB");
        let go = network.path(GO);
        let (count, size) = (self.count, self.size);
        let pace = match self.interval {
            Some(interval) => format!("interval: {interval}"),
            None => "paced: true".to_owned(),
        };
        let source = format!(
            "type: bench-source, go: '{}', count: {count}, size: {size}, batch: {}, {pace}",
            go.display(),
            self.batch
        );
        network.role(0, "source", &source);
        for node in 1..=self.receivers {
            let report = network.path(&format!("report{node}"));
            let sink = format!(
                "type: bench-sink, count: {count}, report: '{}'",
                report.display()
            );
            network.role(node, "sink", &sink);
            // A star: links among the receivers would only take time.
            network.node_option(node, "selfToOthersConnectPolicy: never");
        }
        describe(&mut network)?;
        let sinks = (1..=self.receivers).map(|node| network.start(node));
        let sinks: Vec<Daemon> = sinks.collect::<Result<_, _>>()?;
        let sender = network.start(0)?;
        for _ in 0..self.receivers {
            sender.wait_for_link()?;
        }
        for sink in &sinks {
            sink.wait_for_link()?;
        }
        Ok(Linked {
            sender,
            sinks,
            network,
        })
    }

    /// Sends it through fresh daemons; an error if anything was lost, repeated or out of order.
    pub(super) fn run_whole(&self) -> Result<Outcome, Failure> {
        self.whole(self.run()?)
    }

    /// An outcome, if nothing was lost, repeated or out of order.
    pub(super) fn whole(&self, outcome: Outcome) -> Result<Outcome, Failure> {
        for figures in &outcome.figures {
            if (figures.received, figures.missing, figures.late) != (self.count, 0, 0) {
                return Err(format!("not every event came, once and in order: {figures:?}").into());
            }
        }
        Ok(outcome)
    }
}

/// Daemons that are linked, and send when they are told to.
pub(super) struct Linked {
    /// The node that sends.
    pub(super) sender: Daemon,
    /// Those that receive.
    pub(super) sinks: Vec<Daemon>,
    network: Network,
}

impl Linked {
    /// Lets the stream flow, until all of it has come.
    pub(super) fn flow(&self) -> Result<Outcome, Failure> {
        let Self {
            sender,
            sinks,
            network,
        } = self;
        let before = (sender.processor_time()?, sinks[0].processor_time()?);
        std::fs::write(network.path(GO), "")?;
        let mut figures = Vec::new();
        for node in 1..=sinks.len() {
            let text = wait_for_file(&network.path(&format!("report{node}")), LIMIT)?;
            figures.push(serde_json::from_str(&text)?);
        }
        let after = (sender.processor_time()?, sinks[0].processor_time()?);
        Ok(Outcome {
            figures,
            processor_time: (after.0 - before.0, after.1 - before.1),
        })
    }
}
