//! All modules that are found on this machine, and which of them stands for a name.
//!
//! For each kind the folders are searched in their order, and the files of one in the order of
//! their names. Of the modules with one name, the first that is built for this machine counts;
//! later ones are shadowed. Two of that name in one folder are both refused, and then no other
//! one stands in for them: to run something else than what the order says would hide the mistake.
//! A module built for another architecture never counts for loading, but its metadata does while
//! there is no better: so the file of a whole network can be checked on any of its machines.

mod choice;
mod error;
mod folders;
mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use kozo_description::{Heading, Metadata, ModuleKind};
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::ModuleName;

use super::bus::BusModule;
use super::content::{Content, ContentError};
use super::file::TrustedWriters;
use super::inspect::InspectError;
use super::inspect::Inspected;
use super::load::{LoadError, Loader, Source};
use super::memory::Memory;
use super::role::RoleModule;
use super::search::{SearchError, SearchFolders};
use super::transport::TransportModule;
use crate::config::{self, Catalog, Lookup};

use choice::{Chosen, choose};
pub use error::{Refusal, RegistryError};
use folders::Folders;
use look::Look;

/// A file that is called like a module.
#[derive(Debug, Clone)]
pub struct ModuleFile {
    /// Where it is.
    pub path: PathBuf,
    /// What is known of it; none when it is no module.
    pub inspected: Option<Inspected>,
    /// What becomes of it.
    pub state: FileState,
}

/// What becomes of a file.
#[derive(Debug, Clone)]
pub enum FileState {
    /// It stands for its name.
    Usable,
    /// It is built for another architecture: its metadata can be used, but not its code.
    Foreign,
    /// The file at this path comes before it, under the same name.
    ShadowedBy(PathBuf),
    /// It cannot be used.
    Refused(Refusal),
}

/// A role module as its file holds it, for another process to load.
#[derive(Debug, Clone)]
pub struct RoleFile {
    /// Where it was read from, for messages.
    pub path: PathBuf,
    /// The bytes of the file.
    pub code: Arc<Memory>,
    /// The folders in which its own libraries may be, the first one first.
    pub imports: Vec<PathBuf>,
}

/// The modules of this machine.
#[derive(Debug)]
pub struct Registry {
    paths: SearchFolders,
    trust: TrustedWriters,
    folders: Folders,
    entries: Vec<ModuleFile>,
    /// The entries, by their places, of which no more was read than this.
    headings: BTreeMap<usize, Heading>,
    /// All entries with all that there is to know of them, once somebody has asked for that.
    complete: OnceLock<Complete>,
    chosen: Chosen,
    loader: Loader,
    /// What was read last of each module that is in use: so the roles of one share it.
    read: Mutex<BTreeMap<(ModuleKind, ModuleName), Content>>,
}

/// What a registry would be without headings.
#[derive(Debug)]
struct Complete {
    entries: Vec<ModuleFile>,
    chosen: Chosen,
}

impl Registry {
    /// Looks for modules. Nothing of them is run; whatever is wrong is in the entries.
    pub fn scan(paths: SearchFolders, trust: TrustedWriters) -> Self {
        Self::look(paths, trust, None)
    }

    /// Looks for modules, for a node that uses those of these names. Their files are read once, and kept until
    /// they are loaded. Of all others only so much is read as says which modules they are, until
    /// [`know`](Self::know) or somebody who asks wants more: so mistakes in what they say of themselves are not
    /// noticed before, nor damage to their code before they are used. The latter is so, too, with modules that only
    /// transports of other nodes are of: a damaged copy of one stands for its name, also where a good one comes later,
    /// and is refused when it is loaded.
    pub fn scan_for(paths: SearchFolders, trust: TrustedWriters, used: &BTreeSet<String>) -> Self {
        Self::look(paths, trust, Some(used))
    }

    fn look(paths: SearchFolders, trust: TrustedWriters, used: Option<&BTreeSet<String>>) -> Self {
        let (folders, files) = Folders::search(&paths);
        let mut look = Look::new(trust, used);
        let (mut entries, mut headings) = (Vec::new(), BTreeMap::new());
        for (index, path) in files.into_iter().enumerate() {
            let (entry, heading) = look.at(index, path, |kind| folders.are_for(index, kind));
            entries.push(entry);
            headings.extend(heading.map(|heading| (index, heading)));
        }
        let chosen = choose(&folders, &mut entries, &headings);
        // Two of a name in one folder are refused only when all were read.
        let is_usable = |index: &usize| matches!(entries[*index].state, FileState::Usable);
        let usable = chosen.iter().filter(|(_, index)| is_usable(index));
        let read = usable.filter_map(|(name, index)| {
            let content = look.take_content(*index)?;
            Some((name.clone(), content))
        });
        let read = Mutex::new(read.collect());
        Self {
            loader: Loader::new(paths.imports.clone(), trust),
            paths,
            trust,
            folders,
            entries,
            headings,
            complete: OnceLock::new(),
            chosen,
            read,
        }
    }

    /// Reads what the modules of these names say of themselves, where only their names were read.
    pub fn know(&mut self, names: &BTreeSet<String>) {
        let wanted = |heading: &Heading| names.contains(heading.name.as_str());
        let wanted = self.headings.iter().filter(|(_, heading)| wanted(heading));
        let wanted: Vec<usize> = wanted.map(|(index, _)| *index).collect();
        if wanted.is_empty() {
            return;
        }
        for index in &wanted {
            self.headings.remove(index);
        }
        read_on(&mut self.entries, wanted, self.trust, &self.folders);
        self.chosen = choose(&self.folders, &mut self.entries, &self.headings);
    }

    /// Every file that is called like a module, in the order of the search, those of role folders
    /// first. What was left out is read now, and may not be anymore what it was.
    pub fn entries(&self) -> &[ModuleFile] {
        match self.complete() {
            Some(complete) => &complete.entries,
            None => &self.entries,
        }
    }

    /// What became of every file, in the same order, as far as it is known.
    pub fn states(&self) -> impl Iterator<Item = (&Path, &FileState)> {
        let entries = self.entries.iter();
        entries.map(|entry| (entry.path.as_path(), &entry.state))
    }

    /// All that there is to know, where not all of it was read at first.
    fn complete(&self) -> Option<&Complete> {
        if self.headings.is_empty() {
            return None;
        }
        Some(self.complete.get_or_init(|| {
            let mut entries = self.entries.clone();
            let left_out = self.headings.keys().copied();
            read_on(&mut entries, left_out, self.trust, &self.folders);
            let chosen = choose(&self.folders, &mut entries, &BTreeMap::new());
            Complete { entries, chosen }
        }))
    }

    /// The folders that could not be searched. That the system's own do not exist is not listed:
    /// nobody asked for them.
    pub fn folder_errors(&self) -> &[(PathBuf, SearchError)] {
        self.folders.errors()
    }

    /// The entry that stands for a name: a usable one, or a foreign one in its place.
    pub fn entry(&self, kind: ModuleKind, name: &str) -> Option<&ModuleFile> {
        let key = (kind, ModuleName::new(name).ok()?);
        let index = *self.chosen.get(&key)?;
        let complete = self.headings.get(&index).and_then(|_| self.complete());
        let entry = match complete {
            Some(complete) => &complete.entries[*complete.chosen.get(&key)?],
            None => &self.entries[index],
        };
        (!matches!(entry.state, FileState::Refused(_))).then_some(entry)
    }

    /// Whether a module stands for a name, as far as it is known.
    fn has(&self, kind: ModuleKind, name: &str) -> bool {
        let name = ModuleName::new(name).ok();
        let index = name.and_then(|name| self.chosen.get(&(kind, name)));
        index.is_some_and(|index| !matches!(self.entries[*index].state, FileState::Refused(_)))
    }

    /// What a module says about itself.
    pub fn metadata(&self, kind: ModuleKind, name: &str) -> Option<&Metadata> {
        let inspected = self.entry(kind, name)?.inspected.as_ref()?;
        Some(&inspected.metadata)
    }

    /// Loads a transport module, as what was read last of its file, which is read now if it never was.
    ///
    /// # Errors
    /// [`RegistryError`] says why it cannot be had.
    pub fn load_transport(&self, name: &ModuleName) -> Result<Arc<TransportModule>, RegistryError> {
        let content = self.known(ModuleKind::Transport, name)?;
        self.loaded(&content, Loader::transport)
    }

    /// Loads a bus module, as [`load_transport`](Self::load_transport) does a transport's.
    ///
    /// # Errors
    /// [`RegistryError`] says why it cannot be had.
    pub fn load_bus(&self, name: &ModuleName) -> Result<Arc<BusModule>, RegistryError> {
        let content = self.known(ModuleKind::Bus, name)?;
        self.loaded(&content, Loader::bus)
    }

    /// Loads a role module of this content.
    ///
    /// # Errors
    /// [`RegistryError::Load`] says why that cannot be done.
    pub fn load_content(&self, content: &Content) -> Result<Arc<RoleModule>, RegistryError> {
        self.loaded(content, Loader::role)
    }

    /// A role module of this content, for another process to load.
    pub fn role_file(&self, content: &Content) -> RoleFile {
        RoleFile {
            path: content.path().to_owned(),
            code: Arc::clone(content.code()),
            imports: self.paths.imports.clone(),
        }
    }

    /// What was read last of a role module's file; it is read now if it never was.
    ///
    /// # Errors
    /// [`RegistryError`] says why it cannot be had.
    pub fn known_role(&self, name: &ModuleName) -> Result<Content, RegistryError> {
        self.known(ModuleKind::Role, name)
    }

    /// The present content of a role module's file, provided that it still is what the network's
    /// file was checked with: its options, say, not its version.
    ///
    /// # Errors
    /// [`RegistryError`] says why it cannot be had.
    pub fn present_role(&self, name: &ModuleName) -> Result<Content, RegistryError> {
        self.present(ModuleKind::Role, name)
    }

    fn loaded<M>(
        &self,
        content: &Content,
        load: impl FnOnce(&Loader, Source<'_>) -> Result<M, LoadError>,
    ) -> Result<M, RegistryError> {
        load(&self.loader, content.source()).map_err(|error| RegistryError::Load {
            path: content.path().to_owned(),
            error,
        })
    }

    fn known(&self, kind: ModuleKind, name: &ModuleName) -> Result<Content, RegistryError> {
        let known = self.read_contents().get(&(kind, name.clone())).cloned();
        known.map_or_else(|| self.present(kind, name), Ok)
    }

    fn present(&self, kind: ModuleKind, name: &ModuleName) -> Result<Content, RegistryError> {
        let entry = self.entry(kind, name.as_str());
        let Some((entry, found)) = entry.and_then(|entry| Some((entry, entry.inspected.as_ref()?)))
        else {
            return Err(RegistryError::Missing {
                kind,
                name: name.to_string(),
                looked_in: self.paths.of(kind).to_vec(),
                reason: self.reason(kind, name.as_str()),
            });
        };
        let path = || entry.path.clone();
        // Held while the file is read: of many who want the same, one reads it.
        let mut contents = self.read_contents();
        let key = (kind, name.clone());
        let now = Content::read(&entry.path, self.trust, contents.get(&key));
        let now = now.map_err(|error| match error {
            ContentError::Inspect(InspectError::File(error)) => RegistryError::Read {
                path: path(),
                error,
            },
            ContentError::Inspect(error) => RegistryError::Inspect {
                path: path(),
                error,
            },
            ContentError::Memory(error) => RegistryError::Memory {
                path: path(),
                error: Arc::new(error),
            },
        })?;
        if let Some(what) = found.metadata.difference(now.metadata()) {
            return Err(RegistryError::Changed { path: path(), what });
        }
        contents.insert(key, now.clone());
        Ok(now)
    }

    fn read_contents(&self) -> MutexGuard<'_, BTreeMap<(ModuleKind, ModuleName), Content>> {
        self.read.lock_anyway()
    }

    /// What is known about a name that no usable module has.
    fn reason(&self, kind: ModuleKind, name: &str) -> Option<String> {
        let entries = self.entries.iter().enumerate();
        let refused = entries.filter_map(|(index, entry)| match &entry.state {
            FileState::Refused(refusal) => Some((index, entry, refusal)),
            _ => None,
        });
        let mut reasons: Vec<String> = refused
            .filter(|(index, entry, _)| {
                match choice::module_of(entry, self.headings.get(index)) {
                    Some((its_kind, its_name)) => its_kind == kind && its_name.as_str() == name,
                    // What it holds is unknown, but it is called like it.
                    None => is_called(&entry.path, name),
                }
            })
            .map(|(_, entry, refusal)| format!("`{}` is refused: {refusal}", entry.path.display()))
            .collect();
        let others = ModuleKind::ALL.into_iter().filter(|other| *other != kind);
        reasons.extend(
            others
                .filter(|other| self.has(*other, name))
                .map(|other| format!("`{name}` is a {other}, not a {kind}")),
        );
        let of_kind = |folder: &Path| self.paths.of(kind).iter().any(|path| path == folder);
        reasons.extend(
            self.folder_errors()
                .iter()
                .filter(|(folder, _)| of_kind(folder))
                .map(|(folder, error)| format!("`{}`: {error}", folder.display())),
        );
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Whether a role of this node stores things.
    pub fn has_storing_role(&self, node: &config::Node) -> bool {
        node.roles.iter().any(|role| {
            let metadata = self.metadata(ModuleKind::Role, role.module.as_str());
            metadata.is_some_and(|metadata| metadata.storage)
        })
    }

    fn look_up(&self, kind: ModuleKind, name: &str) -> Lookup<'_> {
        match self.metadata(kind, name) {
            Some(metadata) => Lookup::Found(metadata),
            None => Lookup::Missing {
                looked_in: self.paths.of(kind).to_vec(),
                reason: self.reason(kind, name),
            },
        }
    }
}

impl Catalog for Registry {
    fn role(&self, module: &str) -> Lookup<'_> {
        self.look_up(ModuleKind::Role, module)
    }

    fn transport(&self, module: &str) -> Lookup<'_> {
        self.look_up(ModuleKind::Transport, module)
    }

    fn bus(&self, module: &str) -> Lookup<'_> {
        self.look_up(ModuleKind::Bus, module)
    }
}

/// Reads all that there is to know of the files of these entries.
fn read_on(
    entries: &mut [ModuleFile],
    which: impl IntoIterator<Item = usize>,
    trust: TrustedWriters,
    folders: &Folders,
) {
    let mut look = Look::new(trust, None);
    for index in which {
        let path = std::mem::take(&mut entries[index].path);
        entries[index] = look.glance(path, |kind| folders.are_for(index, kind));
    }
}

/// Whether a file is called as a build would call the module of this name.
fn is_called(path: &Path, name: &str) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.is_some_and(|stem| {
        let stem = stem.strip_prefix("lib").unwrap_or(stem);
        stem.replace('_', "-") == name.replace('_', "-")
    })
}
