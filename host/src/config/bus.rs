//! Buses, and the nodes that are on them.

use std::path::PathBuf;

use kozo_description::{ModuleOptions, Place};
use kozo_ground::names::{BusName, ModuleName, NodeName};

/// An engine that carries messages by their subjects, for all nodes that are on it.
#[derive(Debug, Clone)]
pub struct Bus {
    /// Its name, unique in the file.
    pub name: BusName,
    /// The module that speaks with the engine.
    pub module: ModuleName,
    /// What it is there for, for people.
    pub description: Option<String>,
    /// The file with the secret that hides names from whoever runs the engine; none: they are not
    /// hidden.
    pub subject_secret_file: Option<PathBuf>,
    /// Where the file names it.
    pub place: Place,
}

/// What a node has of a bus that it is on.
#[derive(Debug, Clone)]
pub struct OnBus {
    /// Which bus.
    pub bus: BusName,
    /// The nodes that stand between it and the bus, in the order of the file; with none, it speaks with
    /// the engine itself.
    pub through: Vec<NodeName>,
    /// The module's options: those of the bus, with what the node has for itself in their place; `None`
    /// when the module is not known on this machine, or could do nothing with them.
    pub options: Option<ModuleOptions>,
    /// What is wrong with the options then: only in the block of another node than the one that runs.
    pub fault: Option<String>,
    /// Where the file names it.
    pub place: Place,
}
