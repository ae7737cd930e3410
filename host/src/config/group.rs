//! Groups: nodes that are alike, with one block for all and their names and keys in a file of its own.

use std::path::PathBuf;

use kozo_ground::names::NodeName;

use super::node::Node;

/// Nodes with one block.
#[derive(Debug, Clone)]
pub struct Group {
    /// What the block is called; no node has this name.
    pub name: NodeName,
    /// The file with the names and keys of the members; absolute.
    pub file: PathBuf,
    /// The block. Its name is that of the group, it has no keys, and where an option, an interest or a
    /// face has the name of the node in it, there is a `*`.
    pub block: Node,
    /// How many members there are.
    pub members: usize,
}
