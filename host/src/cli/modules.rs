//! `kozo modules`: the modules of this machine.

use super::arguments::ModulesArguments;
use super::failure::Failure;
use super::output;
use super::prepare::installed_modules;
use crate::config::{Catalog, Lookup};
use crate::modules::{ModuleKind, Registry, listing};

/// Why a module cannot be described.
#[derive(Debug, thiserror::Error)]
#[error("there is no module `{name}` in {folders}{reason}: `kozo modules` lists those there are")]
struct NoModule {
    name: String,
    folders: String,
    reason: String,
}

pub(super) fn modules(arguments: &ModulesArguments) -> Result<(), Failure> {
    let registry = installed_modules();
    match &arguments.name {
        Some(name) => describe(&registry, name, arguments.json),
        None if arguments.json => output::print_json(&listing::rows(&registry)),
        None => output::print(&listing::table(&registry)),
    }
}

fn describe(registry: &Registry, name: &str, json: bool) -> Result<(), Failure> {
    let kinds = [ModuleKind::Role, ModuleKind::Transport];
    let found: Vec<_> = kinds
        .iter()
        .filter_map(|kind| registry.entry(*kind, name))
        .collect();
    if found.is_empty() {
        return Err(Failure::other(no_module(registry, name)));
    }
    if json {
        let rows: Vec<_> = found.into_iter().map(listing::Row::from).collect();
        return output::print_json(&rows);
    }
    let descriptions: Vec<_> = found.into_iter().map(listing::description).collect();
    output::print(&descriptions.join("\n"))
}

fn no_module(registry: &Registry, name: &str) -> NoModule {
    let mut folders: Vec<String> = Vec::new();
    let mut reasons: Vec<String> = Vec::new();
    for lookup in [registry.role(name), registry.transport(name)] {
        let Lookup::Missing { looked_in, reason } = lookup else {
            continue;
        };
        for folder in looked_in {
            let folder = format!("`{}`", folder.display());
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        reasons.extend(reason);
    }
    let reason = match reasons.as_slice() {
        [] => String::new(),
        reasons => format!(" ({})", reasons.join("; ")),
    };
    NoModule {
        name: crate::log::printable(name).into_owned(),
        folders: folders.join(", "),
        reason,
    }
}
