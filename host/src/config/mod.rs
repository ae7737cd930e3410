//! The configuration file: from bytes to a [`Network`] in which everything is valid.
//!
//! ```text
//! bytes ──parse_yaml──▶ Tree ──Block::check (builtin)──▶ Values ──assemble (Catalog)──▶ Network
//! ```
//!
//! It goes in two steps, because where modules are looked for stands in the file itself:
//! [`Document::read`] reads the file, [`Document::search_paths`] says where its modules are, and
//! [`Document::network`] checks everything, with the modules' own metadata, which it asks a
//! [`Catalog`] for. Whatever is wrong is collected in [`Problems`](kozo_description::Problems), all of
//! the file in one run.
//!
//! The language in which options are described and read is the crate `kozo-description`.

use kozo_ground::text::join_path;

mod assemble;
mod builtin;
mod bus;
mod bus_block;
mod buses;
mod catalog;
mod claims;
mod disclosure;
mod document;
mod folders;
mod given;
mod group;
mod instance;
mod known;
mod members;
mod network;
mod node;
mod parts;
mod reach;
pub mod reference;
mod writers;

#[cfg(test)]
mod tests;

pub use bus::{Bus, OnBus};
pub use buses::MAX_BUSES;
pub use catalog::{Catalog, Lookup};
pub use disclosure::Disclosure;
pub use document::{Document, MAX_FILE_SIZE};
pub use folders::NamedFolder;
pub use given::{Given, Meaning};
pub use group::Group;
pub use members::{MAX_MEMBERS, MAX_MEMBERS_FILE_SIZE};
pub use network::Network;
pub use node::{InboxLimits, Isolation, Node, Role, SearchPaths, Settings, Transport};
pub use reach::Reach;
pub use reference::options_reference;

/// The tables of Kōzō's own options.
pub mod options {
    pub use super::builtin::{node, root, settings};
    pub use kozo_description::common::{bus, on_bus, role, transport};
}

/// The way to the block of a node.
fn node_path(name: &str) -> String {
    join_path("system", name)
}
