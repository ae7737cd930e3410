//! The language of options: what stands in a network's file, and what a module says about itself.
//!
//! ```text
//! bytes ──parse_yaml──▶ Tree ──Block::check (OptionSpec)──▶ Values
//!                        │ └──ModuleBlock::check (Metadata)──▶ ModuleOptions, claims, faces
//!                        └──Metadata::parse──▶ Metadata (options, conflicts, claims, interests, faces)
//! ```
//!
//! YAML is read as events (`granit-parser`) into a [`Tree`] that keeps the raw text and the place of
//! every key and value, so that what is expected in a place decides what the text there means:
//! `off` is a boolean where one is expected and a text elsewhere, and `012` is an error instead
//! of a ten or a twelve. Whatever is wrong is collected in [`Problems`], all of a text in one run.
//!
//! The host checks the network's file with it, and the test bench of modules what a test says: so
//! both take the same, and refuse the same with the same words. It does no I/O.

pub mod common;

mod any;
mod block;
mod check;
mod conflict;
mod foreign;
mod format;
mod kind;
mod measure;
mod metadata;
mod module_block;
mod problem;
mod rules;
mod scalar;
mod schema;
mod syntax;
mod tree;
mod value;
mod yaml;

#[cfg(test)]
mod tests;

pub use block::{Block, Unknown, Values};
pub use check::MAX_LIST;
pub use format::Format;
pub use kind::ModuleKind;
pub use metadata::{Claimed, DeclaredInterest, Heading, MAX_OPTIONS, Metadata, UnknownFace};
pub use module_block::{CheckedBlock, ModuleBlock};
pub use problem::{Class, MAX_PROBLEMS, Place, Problem, Problems, Severity};
pub use schema::{BYTES, DefaultValue, KIB, MIB, OptionSpec, ValueKind};
pub use syntax::MAX_DEPTH;
pub use tree::{Entry, Scalar, Tree, TreeNode};
pub use value::{ModuleOptions, Value};
pub use yaml::{MAX_NODES, MAX_TEXT, parse as parse_yaml};
