//! The modules that the node uses: their versions, their seals, and what hides others.

use kozo_description::ModuleKind;

use super::case::{Case, Described};
use super::finding::Finding;
use crate::modules::listing::Row;
use crate::modules::{FileState, ModuleFile};

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Some(described) = case.described() else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = used(described)
        .into_iter()
        .filter_map(|(kind, name)| described.registry().entry(kind, &name))
        .map(judge)
        .collect();
    findings.extend(shadowed(described));
    findings
}

/// The modules of the node's roles, transports and buses, each once. That one is missing is a mistake of the
/// file, and shown there.
fn used(described: Described<'_>) -> Vec<(ModuleKind, String)> {
    let roles = described
        .node
        .roles
        .iter()
        .map(|role| (ModuleKind::Role, &role.module));
    let transports = described.node.transports.iter();
    let transports = transports.map(|transport| (ModuleKind::Transport, &transport.module));
    let buses = described.buses();
    let buses = buses.map(|(bus, _)| (ModuleKind::Bus, &bus.module));
    let mut used: Vec<(ModuleKind, String)> = Vec::new();
    for (kind, module) in roles.chain(transports).chain(buses) {
        let one = (kind, module.as_str().to_owned());
        if !used.contains(&one) {
            used.push(one);
        }
    }
    used
}

fn judge(entry: &ModuleFile) -> Finding {
    let row = Row::from(entry);
    let known = |text: Option<String>| text.unwrap_or_default();
    let looked_at = format!("{} `{}`", known(row.kind), known(row.name));
    let seal = match row.sealed {
        Some(true) => "its seal fits",
        _ => "no seal, so not all damage to its file is noticed",
    };
    let found = format!(
        "version {}, interface {} (this program has {}), {seal}",
        known(row.version),
        known(row.abi),
        kozo_abi::VERSION
    );
    match &entry.state {
        FileState::Usable => Finding::fine(looked_at, found),
        state => {
            let reason = row.reason.unwrap_or_else(|| format!("{state:?}"));
            Finding::fault(looked_at, reason)
                .matters("what needs it does not start")
                .advice(
                    "install the package for this machine that has it; `kozo modules` lists all",
                )
        }
    }
}

/// The files that others hide. That is as meant where somebody builds modules, and a surprise elsewhere.
fn shadowed(described: Described<'_>) -> Vec<Finding> {
    let entries = described.registry().entries().iter();
    let hidden = entries.filter_map(|entry| match &entry.state {
        FileState::ShadowedBy(first) => Some((entry, first)),
        _ => None,
    });
    hidden
        .map(|(entry, first)| {
            let found = format!("it is not used: `{}` comes first", first.display());
            Finding::warning(format!("`{}`", entry.path.display()), found)
                .matters("an upgrade of the one that is hidden changes nothing")
                .advice("remove the one that is not meant")
        })
        .collect()
}
