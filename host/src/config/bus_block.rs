//! What is known of the block of a bus, and of the gateways that a node names, while a file is put together.

use std::collections::HashSet;

use kozo_description::{Entry, Metadata, OptionSpec, Place};
use kozo_ground::names::{BusName, NodeName};

use super::bus::Bus;

/// The block of a bus.
#[derive(Debug)]
pub(super) struct BusBlock<'a> {
    pub(super) entry: &'a Entry,
    pub(super) path: String,
    /// What it describes, for messages.
    pub(super) what: String,
    pub(super) bus: Bus,
    pub(super) metadata: Option<&'a Metadata>,
    /// The options of the module as if none had to be given: a node may give them.
    pub(super) options: Vec<OptionSpec>,
    /// What was said of it.
    pub(super) told: HashSet<Told>,
    pub(super) has_nodes: bool,
}

/// A problem by where it is and what it says.
pub(super) type Told = (Option<Place>, String);

/// The gateways that a block names.
#[derive(Debug)]
pub(super) struct Gateways {
    /// The name of the node or group.
    pub(super) block: NodeName,
    pub(super) bus: BusName,
    pub(super) path: String,
    pub(super) named: Vec<(String, Place)>,
}
