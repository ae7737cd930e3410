//! The measurements, one a file.

mod co2;
mod connect;
mod cost;
mod fan_out;
mod fleet;
mod floor;
mod latency;
mod mesh;
mod outage;
mod overview;
mod peers;
mod program;
mod python;
mod siege;
mod stream;
mod throughput;
mod watched;

use std::time::Duration;

use crate::report::Report;
use crate::{Failure, supervise};

/// So many runs are what the limits of measurements are for.
const RUNS: u32 = 3;

/// How everything is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How often.
    pub(crate) repeat: u32,
    /// Only to see that it works.
    pub(crate) quick: bool,
}

impl Settings {
    /// `full`, or `quick` when it has to be short.
    fn choose<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// How long a measurement may take.
    pub(crate) fn limit(&self, measurement: &Measurement) -> Duration {
        measurement.limit * self.repeat.div_ceil(RUNS)
    }

    /// What `measure` gives for `what`, as often as wanted.
    fn repeat<T>(
        &self,
        what: &str,
        mut measure: impl FnMut() -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let run = |run| {
            supervise::tell_begin(&format!("run {run} of {} of {what}", self.repeat));
            measure()
        };
        (1..=self.repeat).map(run).collect()
    }
}

/// One measurement.
pub(crate) struct Measurement {
    /// What it is called by.
    pub(crate) name: &'static str,
    /// What it measures.
    pub(crate) about: &'static str,
    /// How long it may take: it only ends what hangs, for whatever a measurement waits for has a
    /// limit of its own.
    pub(crate) limit: Duration,
    /// Does it.
    pub(crate) run: fn(&Settings, &mut Report) -> Result<(), Failure>,
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// All measurements, in the order in which they are made.
pub(crate) const MEASUREMENTS: &[Measurement] = &[
    Measurement {
        name: "floor",
        about: "the bare SSH link, both ends in one process: what nothing on top can beat",
        limit: minutes(3),
        run: floor::run,
    },
    Measurement {
        name: "latency",
        about: "one way, from role to role of two nodes",
        limit: minutes(5),
        run: latency::run,
    },
    Measurement {
        name: "throughput",
        about: "events a second between two nodes, none lost",
        limit: minutes(20),
        run: throughput::run,
    },
    Measurement {
        name: "watched",
        about: "the same while somebody watches: `kozo tail`, metrics, a tail that stands still",
        limit: minutes(15),
        run: watched::run,
    },
    Measurement {
        name: "program",
        about: "events that a role in Python takes and sends on, and a native one in its place",
        limit: minutes(15),
        run: program::run,
    },
    Measurement {
        name: "co2",
        about: "messages to a hundred satellites of CO2, beside a relay in Python",
        limit: minutes(10),
        run: co2::run,
    },
    Measurement {
        name: "peers-mosquitto",
        about: "Mosquitto, as far as it is here: latency and throughput",
        limit: minutes(10),
        run: peers::mosquitto,
    },
    Measurement {
        name: "peers-nats",
        about: "NATS, as far as it is here: latency and throughput",
        limit: minutes(10),
        run: peers::nats,
    },
    Measurement {
        name: "peers-zenoh",
        about: "zenoh: latency and throughput",
        limit: minutes(10),
        run: peers::zenoh,
    },
    Measurement {
        name: "fan-out",
        about: "one role's events to ten other nodes",
        limit: minutes(10),
        run: fan_out::run,
    },
    Measurement {
        name: "connect",
        about: "the time to a link, at start and after a reset",
        limit: minutes(10),
        run: connect::run,
    },
    Measurement {
        name: "mesh",
        about: "twenty and sixty nodes, all linked with all, from cold",
        limit: minutes(8),
        run: mesh::run,
    },
    Measurement {
        name: "cost",
        about: "memory and processor time, idle and with fifty links",
        limit: minutes(8),
        run: cost::run,
    },
    Measurement {
        name: "overview",
        about: "how long `kozo status --all` takes for fifty nodes, also where some do not answer",
        limit: minutes(5),
        run: overview::run,
    },
    Measurement {
        name: "fleet",
        about: "thousands of nodes on a bus over NATS servers, if these are installed (KOZO_FLEET_NODES: how many)",
        limit: minutes(15),
        run: fleet::run,
    },
    Measurement {
        name: "outage",
        about: "memory with a full queue for a peer that is away",
        limit: minutes(5),
        run: outage::run,
    },
    Measurement {
        name: "siege",
        about: "the time to a link while strangers besiege the port, and what they cost",
        limit: minutes(10),
        run: siege::run,
    },
];
