//! The measurements, one a file.

mod connect;
mod cost;
mod fan_out;
mod floor;
mod latency;
mod mesh;
mod outage;
mod peers;
mod stream;
mod throughput;

use crate::Failure;
use crate::report::Report;

/// How everything is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How often.
    pub(crate) repeat: usize,
    /// Only to see that it works.
    pub(crate) quick: bool,
}

impl Settings {
    /// `full`, or `quick` when it has to be short.
    fn choose<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// What `measure` gives, as often as wanted.
    fn repeat<T>(
        &self,
        mut measure: impl FnMut() -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        (0..self.repeat).map(|_| measure()).collect()
    }
}

/// One measurement.
pub(crate) struct Measurement {
    /// What it is called by.
    pub(crate) name: &'static str,
    /// What it measures.
    pub(crate) about: &'static str,
    /// Does it.
    pub(crate) run: fn(&Settings, &mut Report) -> Result<(), Failure>,
}

/// All measurements, in the order in which they are made.
pub(crate) const MEASUREMENTS: &[Measurement] = &[
    Measurement {
        name: "floor",
        about: "the bare SSH link, both ends in one process: what nothing on top can beat",
        run: floor::run,
    },
    Measurement {
        name: "latency",
        about: "one way, from role to role of two nodes",
        run: latency::run,
    },
    Measurement {
        name: "throughput",
        about: "events a second between two nodes, none lost",
        run: throughput::run,
    },
    Measurement {
        name: "peers",
        about: "other messaging systems, as far as they are here: latency and throughput",
        run: peers::run,
    },
    Measurement {
        name: "fan-out",
        about: "one role's events to ten other nodes",
        run: fan_out::run,
    },
    Measurement {
        name: "connect",
        about: "the time to a link, at start and after a reset",
        run: connect::run,
    },
    Measurement {
        name: "mesh",
        about: "twenty nodes, all linked with all, from cold",
        run: mesh::run,
    },
    Measurement {
        name: "cost",
        about: "memory and processor time, idle and with fifty links",
        run: cost::run,
    },
    Measurement {
        name: "outage",
        about: "memory with a full queue for a peer that is away",
        run: outage::run,
    },
];
