//! A fleet on this machine: NATS servers, the network's file with its thousands of members, and one process that is all of
//! these members, each with the real protocol.

pub(crate) mod client;
pub(crate) mod crowd;
pub(crate) mod file;
pub(crate) mod member;
pub(crate) mod plain;
pub(crate) mod servers;

/// What the bus is called, and so a part of all subjects.
pub(crate) const BUS: &str = "fleet";
