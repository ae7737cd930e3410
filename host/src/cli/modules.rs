//! `kozo modules`: the modules of this machine.

use kozo_description::ModuleKind;

use super::arguments::ModulesArguments;
use super::failure::Failure;
use super::output;
use super::prepare::{Prepared, installed_modules};
use crate::config::{Catalog, Lookup};
use crate::modules::description::Description;
use crate::modules::{Registry, listing};

/// Why a module cannot be described.
#[derive(Debug, thiserror::Error)]
#[error("there is no module `{name}` in {folders}{reason}: `kozo modules` lists those there are")]
struct NoModule {
    name: String,
    folders: String,
    reason: String,
}

pub(super) fn modules(arguments: &ModulesArguments) -> Result<(), Failure> {
    let registry = registry(arguments)?;
    match &arguments.name {
        Some(name) => describe(&registry, name, arguments.json),
        None if arguments.json => output::print_json(&listing::rows(&registry)),
        None => output::print(&listing::table(&registry)),
    }
}

/// The modules of this machine, and those in the folders that a configuration file names. Whether
/// the rest of the file is valid plays no part.
fn registry(arguments: &ModulesArguments) -> Result<Registry, Failure> {
    let Some(config) = &arguments.config else {
        return Ok(installed_modules());
    };
    let node = arguments.node.as_ref();
    let prepared = Prepared::read(config, node, &[]).map_err(Failure::Report)?;
    if let Some(node) = node {
        prepared.require_node(node).map_err(Failure::Report)?;
    }
    Ok(prepared.registry)
}

fn describe(registry: &Registry, name: &str, json: bool) -> Result<(), Failure> {
    let found: Vec<_> = ModuleKind::ALL
        .into_iter()
        .filter_map(|kind| Description::new(registry.entry(kind, name)?))
        .collect();
    if found.is_empty() {
        return Err(Failure::other(no_module(registry, name)));
    }
    if json {
        return output::print_json(&found);
    }
    let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
    output::print(&texts.join("\n"))
}

fn no_module(registry: &Registry, name: &str) -> NoModule {
    let mut folders: Vec<String> = Vec::new();
    let mut reasons: Vec<String> = Vec::new();
    let lookups = [
        registry.role(name),
        registry.transport(name),
        registry.bus(name),
    ];
    for lookup in lookups {
        let Lookup::Missing { looked_in, reason } = lookup else {
            continue;
        };
        for folder in looked_in {
            let folder = format!("`{}`", folder.display());
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        // Transports and buses have the same folders, and what is wrong with those.
        reasons.extend(reason.filter(|reason| !reasons.contains(reason)));
    }
    let reason = match reasons.as_slice() {
        [] => String::new(),
        reasons => format!(" ({})", reasons.join("; ")),
    };
    NoModule {
        name: kozo_ground::text::printable(name).into_owned(),
        folders: folders.join(", "),
        reason,
    }
}
