//! A module's `module.yaml`, and its options as the host would hand them over. Both are read by what
//! the host reads them with.

#[cfg(test)]
mod tests;

use kozo_description::{
    Block, Metadata, ModuleBlock, ModuleKind, ModuleOptions, Problem, Problems, Severity,
};

use kozo_faces::Face;
use kozo_ground::names::NameError;

use super::given::Given;
use crate::Error;

/// Reads the text of `module.yaml`.
///
/// # Errors
/// Everything that a host would say of it, or that it is of another kind.
pub(super) fn read(text: &str, kind: ModuleKind) -> Result<Metadata, Error> {
    let metadata = Metadata::parse(text).map_err(|problems| problems.about("module.yaml"))?;
    match metadata.kind {
        found if found == kind => Ok(metadata),
        found => Err(format!("`module.yaml`: `kind` is `{found}`, but it is a {kind}").into()),
    }
}

/// A name of this kind.
///
/// # Errors
/// A host would not take it.
pub(super) fn name<N>(
    what: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<N, NameError>,
) -> Result<N, Error> {
    parse(text).map_err(|error| format!("`{text}` is not the name of a {what}: {error}").into())
}

/// All options of the role or transport `name` of the node `node`: those that are given, and the
/// defaults of the others. And what a role is for people and other systems then.
///
/// # Errors
/// Everything that a host would say of them.
pub(super) fn options(
    metadata: &Metadata,
    given: Given,
    node: &str,
    name: &str,
) -> Result<(ModuleOptions, Vec<Face>), Error> {
    let tree = given.into_block();
    let block = ModuleBlock {
        block: Block {
            tree: &tree,
            place: tree.place,
            path: "",
            what: &format!("a {} of type `{}`", metadata.kind, metadata.name),
            noun: "option",
        },
        node,
        name,
        folder: None,
        severity: Severity::Error,
    };
    let mut problems = Problems::new(format!("options of `{}`", metadata.name));
    let checked = block.check(metadata, &mut problems);
    if !problems.has_errors() {
        return Ok((checked.options?, checked.faces));
    }
    let mut without_places = Problems::new(problems.file());
    for problem in &problems {
        without_places.push(Problem {
            place: None,
            ..problem.clone()
        });
    }
    Err(without_places.into())
}
