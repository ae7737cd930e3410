//! The configuration file: from bytes to a [`Network`] in which everything is valid.
//!
//! ```text
//! bytes ──yaml──▶ Tree ──check (schema, builtin)──▶ values ──assemble (Catalog)──▶ Network
//! ```
//!
//! It goes in two steps, because where modules are looked for stands in the file itself:
//! [`Document::read`] reads the file, [`Document::search_paths`] says where its modules are, and
//! [`Document::network`] checks everything, with the modules' own metadata, which it asks a
//! [`Catalog`] for. Whatever is wrong is collected in [`Problems`], all of the file in one run.
//!
//! YAML is read as events (`granit-parser`) into a tree that keeps the raw text and the place of
//! every key and value, so that what is expected in a place decides what the text there means:
//! `off` is a boolean where one is expected and a text elsewhere, and `012` is an error instead
//! of a ten or a twelve.

use kozo_ground::text::join_path;

mod assemble;
mod block;
mod builtin;
mod catalog;
mod check;
mod claims;
mod document;
mod folders;
mod foreign;
mod format;
mod given;
mod instance;
mod measure;
mod network;
mod problem;
pub mod reference;
mod rules;
mod scalar;
mod schema;
mod syntax;

mod tree;
mod value;
mod writers;
mod yaml;

#[cfg(test)]
mod tests;

pub use catalog::{Catalog, Lookup};
pub use check::MAX_LIST;
pub use claims::{Claim, Claimed};
pub use document::{Document, MAX_FILE_SIZE};
pub use folders::NamedFolder;
pub use format::Format;
pub use given::{Given, Meaning};
pub use network::{
    InboxLimits, Isolation, Network, Node, OrderSources, Role, SearchPaths, SenderPattern,
    Settings, Transport,
};
pub use problem::{Class, MAX_PROBLEMS, Place, Problem, Problems, Severity};
pub use reference::options_reference;
pub use rules::{Condition, Conflict};
pub use schema::{BYTES, DefaultValue, OptionSpec, ValueKind};
pub use syntax::MAX_DEPTH;
pub use value::{ModuleOptions, Value};
pub use yaml::{MAX_NODES, MAX_TEXT};

/// The tables of Kōzō's own options.
pub mod options {
    pub use super::builtin::{node, role, root, settings, transport};
}

// What the metadata of modules is read with as well.
pub(crate) use block::{Block, Unknown, Values};
pub(crate) use check::located;
pub(crate) use tree::{Entry, Node as TreeNode, Tree};
pub(crate) use yaml::parse as parse_yaml;

/// The way to the block of a node.
fn node_path(name: &str) -> String {
    join_path("system", name)
}
