//! The daemon's process, under the names that all programs have for it.

use crate::metrics::family::{Family, counter, gauge};

pub(super) const FAMILIES: &[Family] = &[
    counter(
        "process_cpu_seconds_total",
        &[],
        "The time that processors worked for the daemon.",
        |facts, samples| samples.add(&[], facts.process.cpu_seconds),
    ),
    gauge(
        "process_resident_memory_bytes",
        &[],
        "The daemon's memory that is there.",
        |facts, samples| samples.add_if(facts.process.resident_bytes),
    ),
    gauge(
        "process_virtual_memory_bytes",
        &[],
        "The addresses that the daemon has.",
        |facts, samples| samples.add_if(facts.process.virtual_bytes),
    ),
    gauge(
        "process_threads",
        &[],
        "The daemon's threads.",
        |facts, samples| samples.add_if(facts.process.threads),
    ),
    gauge(
        "process_open_fds",
        &[],
        "Descriptors that the daemon has open.",
        |facts, samples| samples.add_if(facts.process.open_fds),
    ),
    gauge(
        "process_max_fds",
        &[],
        "How many descriptors the daemon may have open.",
        |facts, samples| samples.add_if(facts.process.max_fds),
    ),
];
