//! What the file says about one node that means something outside of the file: paths and addresses, as
//! they are written. Mistakes are left out here; they are reported when the network is built.

use kozo_description::{Entry, Format, OptionSpec, Place, Tree, TreeNode, ValueKind, common};
use kozo_ground::text::join_path;

use super::builtin::{self, OVERRIDE};
use super::buses::{BUSES, speaks_with};
use super::catalog::{Catalog, Lookup};
use super::node_path;

/// One text of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<'d> {
    /// What it is.
    pub meaning: Meaning,
    /// As it is written.
    pub text: &'d str,
    /// The way through the blocks to its option.
    pub path: String,
    /// Where it stands.
    pub place: Place,
}

/// What a text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A file or a folder, which may still have to be made.
    Path,
    /// A file that has to be there to be read.
    File,
    /// Something of this format.
    Formatted(Format),
}

/// All of them, in this block of a node.
pub(super) fn given<'d>(tree: &'d Tree, catalog: &dyn Catalog, name: &str) -> Vec<Given<'d>> {
    let mut found = Vec::new();
    let Some(block) = tree.child("system").and_then(|system| system.child(name)) else {
        return found;
    };
    let path = node_path(name);
    add(&mut found, block, &path, builtin::node());
    let (over, over_path) = (block.child(OVERRIDE), join_path(&path, OVERRIDE));
    for spec in builtin::settings() {
        let spec = std::slice::from_ref(spec);
        match over.filter(|over| over.child(&spec[0].name).is_some()) {
            Some(over) => add(&mut found, over, &over_path, spec),
            None => add(&mut found, tree, "", spec),
        }
    }
    for kind in ["roles", "transports"] {
        let Some(TreeNode::Map(entries)) = block.child(kind).map(|tree| &tree.node) else {
            continue;
        };
        for entry in entries {
            let Entry { key, value, .. } = entry;
            let path_of = |name: &str| join_path(&join_path(&path, kind), name);
            let bus = tree.child(BUSES).and_then(|buses| buses.entry(key));
            if let Some(bus) = bus.filter(|_| kind == "transports") {
                let bus_path = join_path(BUSES, key);
                add(&mut found, &bus.value, &bus_path, common::bus());
                // Who reaches it through others needs nothing of its module.
                let is_spoken_with = speaks_with(tree, name, key);
                if let (true, Lookup::Found(metadata)) =
                    (is_spoken_with, catalog.bus(module_of(bus)))
                {
                    let is_own = |spec: &&OptionSpec| value.child(&spec.name).is_some();
                    let options = || metadata.options.iter();
                    let of_node: Vec<_> = options().filter(is_own).cloned().collect();
                    let of_bus: Vec<_> = options().filter(|spec| !is_own(spec)).cloned().collect();
                    add(&mut found, &bus.value, &bus_path, &of_bus);
                    add(&mut found, value, &path_of(key), &of_node);
                }
                continue;
            }
            let lookup = match kind {
                "roles" => catalog.role(module_of(entry)),
                _ => catalog.transport(module_of(entry)),
            };
            if let Lookup::Found(metadata) = lookup {
                add(&mut found, value, &path_of(key), &metadata.options);
            }
        }
    }
    found
}

/// The module that a block is of, as it is written.
pub(super) fn module_of(entry: &Entry) -> &str {
    let given = entry.value.child("type").filter(|given| !given.is_null());
    given
        .map_or(Some(entry.key.as_str()), Tree::text)
        .unwrap_or_default()
}

/// Adds what a block gives of these options.
fn add<'d>(found: &mut Vec<Given<'d>>, block: &'d Tree, path: &str, specs: &[OptionSpec]) {
    for spec in specs {
        let meaning = match (spec.kind, spec.format) {
            (ValueKind::Path, Some(Format::File)) => Meaning::File,
            (ValueKind::Path | ValueKind::Paths, _) => Meaning::Path,
            (_, Some(format)) => Meaning::Formatted(format),
            _ => continue,
        };
        let Some(value) = block.child(&spec.name) else {
            continue;
        };
        let values = match &value.node {
            TreeNode::List(items) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        for value in values.iter().filter(|value| !value.is_null()) {
            let separator = match (spec.kind, &block.child(&spec.name).map(|tree| &tree.node)) {
                (ValueKind::List, Some(TreeNode::Scalar(_))) => Some(','),
                (ValueKind::Paths, Some(TreeNode::Scalar(_))) => Some(':'),
                _ => None,
            };
            let texts = value.text().into_iter().flat_map(|text| match separator {
                Some(separator) => text.split(separator).map(str::trim).collect(),
                None => vec![text],
            });
            found.extend(texts.filter(|text| !text.is_empty()).map(|text| Given {
                meaning,
                text,
                path: join_path(path, &spec.name),
                place: value.place,
            }));
        }
    }
}
