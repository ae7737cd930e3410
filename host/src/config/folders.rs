//! Where the file says that modules are, and which ones a node uses. This is asked before anything else of the
//! file is checked, so mistakes are left out here; they are reported when the network is built.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kozo_description::{Block, Place, Problems, Tree, TreeNode, Unknown, Values};
use kozo_ground::text::join_path;

use super::assemble::entries;
use super::builtin::{self, OVERRIDE};
use super::buses::{BUSES, speaks_with};
use super::given::module_of;
use super::node::{SearchPaths, Settings};
use super::node_path;

/// The options that name folders of modules and of their libraries.
const OF_MODULES: [&str; 3] = ["rolePath", "transportPath", "importPath"];

/// A folder of modules or of their libraries, as the file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFolder {
    /// The folder; absolute.
    pub folder: PathBuf,
    /// The way through the blocks to the option that names it.
    pub path: String,
    /// Where it stands.
    pub place: Place,
}

/// What the file says in this block of a node or, without one, at its root.
pub(super) fn search_paths(tree: &Tree, folder: &Path, block: Option<&str>) -> SearchPaths {
    let values = values(tree, folder);
    let values = match override_of(tree, block) {
        Some((over, _)) => values.overridden_by(&self::values(over, folder)),
        None => values,
    };
    Settings::new(&values).search_paths
}

/// The names of the modules of which the roles and transports in this block of a node are, and the buses that it speaks
/// with itself.
pub(super) fn modules(tree: &Tree, block: &str) -> BTreeSet<String> {
    let own = tree.child("system").and_then(|system| system.child(block));
    let of_own = |kind| own.into_iter().flat_map(move |own| entries(own, kind));
    let is_bus = |name: &str| entries(tree, BUSES).any(|bus| bus.key == name);
    // What is called like a bus is of the bus, whose module may be called otherwise.
    let transports = of_own("transports").filter(|entry| !is_bus(&entry.key));
    let buses = entries(tree, BUSES).filter(|bus| speaks_with(tree, block, &bus.key));
    let blocks = of_own("roles").chain(transports).chain(buses);
    blocks.map(|entry| module_of(entry).to_owned()).collect()
}

/// The names of all modules that the file names: of roles and transports in the blocks of nodes, and of buses.
pub(super) fn all_modules(tree: &Tree) -> BTreeSet<String> {
    let parts = |node| {
        ["roles", "transports"]
            .into_iter()
            .flat_map(move |kind| entries(node, kind))
    };
    let of_nodes = entries(tree, "system").flat_map(|node| parts(&node.value));
    let blocks = of_nodes.chain(entries(tree, BUSES));
    blocks.map(|entry| module_of(entry).to_owned()).collect()
}

/// The folders that [`search_paths`] has, one by one.
pub(super) fn named(tree: &Tree, folder: &Path, block: Option<&str>) -> Vec<NamedFolder> {
    let over = override_of(tree, block);
    let mut found = Vec::new();
    for option in OF_MODULES {
        let overridden = over
            .as_ref()
            .filter(|(over, _)| over.child(option).is_some());
        let (block, path) = match overridden {
            Some((over, path)) => (*over, join_path(path, option)),
            None => (tree, option.to_owned()),
        };
        let Some(value) = block.child(option) else {
            continue;
        };
        let folders = values(block, folder).paths(option);
        let places = folders
            .iter()
            .enumerate()
            .map(|(index, _)| match &value.node {
                // Checked: each item is one folder.
                TreeNode::List(items) => items.get(index).map_or(value.place, |item| item.place),
                _ => value.place,
            });
        found.extend(
            folders
                .iter()
                .zip(places)
                .map(|(folder, place)| NamedFolder {
                    folder: folder.clone(),
                    path: path.clone(),
                    place,
                }),
        );
    }
    found
}

/// The root options that a node has for itself, and the way to them.
fn override_of<'t>(tree: &'t Tree, block: Option<&str>) -> Option<(&'t Tree, String)> {
    let name = block?;
    let over = tree.child("system")?.child(name)?.child(OVERRIDE)?;
    Some((over, join_path(&node_path(name), OVERRIDE)))
}

/// The valid root options in a block.
fn values(tree: &Tree, folder: &Path) -> Values {
    let block = Block {
        tree,
        place: tree.place,
        path: "",
        what: "",
        noun: "option",
    };
    let options = builtin::settings().iter();
    block.check(
        options,
        Unknown::Ignored,
        Some(folder),
        &mut Problems::new(""),
    )
}
