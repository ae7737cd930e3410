//! Buses of the node.

mod bell;
mod outlet;

#[cfg(test)]
pub(crate) use outlet::outlet_of_nobody;
pub(crate) use outlet::{BusFate, BusOutlet, SendingToBus, WatchedOnBus};
