//! Which file stands for a name. This decides, and reads nothing.

use std::collections::BTreeMap;

use kozo_description::{Heading, ModuleKind};
use kozo_ground::names::ModuleName;

use super::folders::Folders;
use super::{FileState, ModuleFile, Refusal};
use crate::modules::Architecture;

/// The place of the entry that stands for a name.
pub(super) type Chosen = BTreeMap<(ModuleKind, ModuleName), usize>;

/// Settles which module stands for each name of each kind, and what becomes of the others. `headings` are what is
/// known of entries that were not inspected. What an earlier choice made of the entries does not count.
pub(super) fn choose(
    folders: &Folders,
    entries: &mut [ModuleFile],
    headings: &BTreeMap<usize, Heading>,
) -> Chosen {
    for entry in entries.iter_mut() {
        match &entry.state {
            FileState::Refused(Refusal::Duplicate { .. }) | FileState::ShadowedBy(_) => {
                entry.state = FileState::Usable;
            }
            _ => {}
        }
    }
    let mut chosen = Chosen::new();
    for kind in ModuleKind::ALL {
        choose_of(kind, folders, entries, headings, &mut chosen);
    }
    chosen
}

fn choose_of(
    kind: ModuleKind,
    folders: &Folders,
    entries: &mut [ModuleFile],
    headings: &BTreeMap<usize, Heading>,
    chosen: &mut Chosen,
) {
    let mut foreign = BTreeMap::new();
    for folder in folders.of(kind) {
        let mut here: BTreeMap<ModuleName, usize> = BTreeMap::new();
        for index in folder {
            let entry = &entries[index];
            if matches!(entry.state, FileState::Refused(_)) {
                continue;
            }
            let name = match module_of(entry, headings.get(&index)) {
                Some((its_kind, name)) if its_kind == kind => name.clone(),
                _ => continue,
            };
            if matches!(entry.state, FileState::Foreign) {
                foreign.entry(name).or_insert(index);
            } else if let Some(&other) = here.get(&name) {
                refuse_both(entries, kind, &name, other, index);
            } else if let Some(&first) = chosen.get(&(kind, name.clone())) {
                let path = entries[first].path.clone();
                entries[index].state = FileState::ShadowedBy(path);
            } else {
                here.insert(name, index);
            }
        }
        let here = here.into_iter().map(|(name, index)| ((kind, name), index));
        chosen.extend(here);
    }
    for (name, index) in foreign {
        chosen.entry((kind, name)).or_insert(index);
    }
}

fn refuse_both(
    entries: &mut [ModuleFile],
    kind: ModuleKind,
    name: &ModuleName,
    first: usize,
    second: usize,
) {
    for (one, other) in [(first, second), (second, first)] {
        entries[one].state = FileState::Refused(Refusal::Duplicate {
            kind,
            name: name.clone(),
            other: entries[other].path.clone(),
        });
    }
}

/// What becomes of a module of this kind by itself, in a folder that is searched for those or is not.
pub(super) fn state_alone(
    kind: ModuleKind,
    architecture: Architecture,
    is_searched_for: bool,
) -> FileState {
    if !is_searched_for {
        FileState::Refused(Refusal::Kind { kind })
    } else if architecture.is_native() {
        FileState::Usable
    } else {
        FileState::Foreign
    }
}

/// Which module a file holds, as far as that is known.
pub(super) fn module_of<'e>(
    entry: &'e ModuleFile,
    heading: Option<&'e Heading>,
) -> Option<(ModuleKind, &'e ModuleName)> {
    match (&entry.inspected, heading) {
        (Some(inspected), _) => Some((inspected.metadata.kind, &inspected.metadata.name)),
        (None, Some(heading)) => Some((heading.kind, &heading.name)),
        (None, None) => None,
    }
}
