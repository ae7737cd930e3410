//! All modules that are found on this machine, and which of them stands for a name.
//!
//! For each kind the folders are searched in their order, and the files of one in the order of
//! their names. Of the modules with one name, the first that is built for this machine counts;
//! later ones are shadowed. Two of that name in one folder are both refused, and then no other
//! one stands in for them: to run something else than what the order says would hide the mistake.
//! A module built for another architecture never counts for loading, but its metadata does while
//! there is no better: so the file of a whole network can be checked on any of its machines.

mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use kozo_description::{Metadata, ModuleKind};
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
use super::search::{
    SYSTEM_ROLE_FOLDER, SYSTEM_TRANSPORT_FOLDER, SearchError, SearchFolders, candidates, searchable,
};
use super::transport::TransportModule;
use crate::config::{self, Catalog, Lookup};

pub use error::{Refusal, RegistryError};

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
    entries: Vec<ModuleFile>,
    folder_errors: Vec<(PathBuf, SearchError)>,
    /// The entry that stands for a name.
    chosen: BTreeMap<(ModuleKind, ModuleName), usize>,
    loader: Loader,
    /// What was read last of each module that is in use: so the roles of one share it.
    read: Mutex<BTreeMap<(ModuleKind, ModuleName), Content>>,
}

impl Registry {
    /// Looks for modules. Nothing of them is run; whatever is wrong is in the entries.
    pub fn scan(paths: SearchFolders, trust: TrustedWriters) -> Self {
        Self::look(paths, trust, None)
    }

    /// Looks for modules, for a node that uses those of these names. Their files are read once, and kept until
    /// they are loaded. Of all others only so much is read as says what they are, so that damage to their code is
    /// not noticed before they are used. So it is with modules that only transports of other nodes are of: a damaged
    /// copy of one stands for its name, also where a good one comes later, and is refused when it is loaded.
    pub fn scan_for(paths: SearchFolders, trust: TrustedWriters, used: &BTreeSet<String>) -> Self {
        Self::look(paths, trust, Some(used))
    }

    fn look(paths: SearchFolders, trust: TrustedWriters, used: Option<&BTreeSet<String>>) -> Self {
        let loader = Loader::new(paths.imports.clone(), trust);
        let mut registry = Self {
            paths,
            trust,
            entries: Vec::new(),
            folder_errors: Vec::new(),
            chosen: BTreeMap::new(),
            loader,
            read: Mutex::default(),
        };
        let mut look = Look {
            trust,
            used,
            bytes: Vec::new(),
            contents: BTreeMap::new(),
        };
        let folders = registry.read_folders(&mut look);
        registry.look_at_imports();
        for kind in ModuleKind::ALL {
            registry.choose(kind, &folders);
        }
        // Two of a name in one folder are refused only when all were read.
        let is_usable = |index: &usize| matches!(registry.entries[*index].state, FileState::Usable);
        let chosen = registry.chosen.iter().filter(|(_, index)| is_usable(index));
        let read = chosen.filter_map(|(name, index)| {
            let content = look.contents.remove(index)?;
            Some((name.clone(), content))
        });
        registry.read = Mutex::new(read.collect());
        registry
    }

    /// Every file that is called like a module, in the order of the search, those of role folders
    /// first.
    pub fn entries(&self) -> &[ModuleFile] {
        &self.entries
    }

    /// The folders that could not be searched. That the system's own do not exist is not listed:
    /// nobody asked for them.
    pub fn folder_errors(&self) -> &[(PathBuf, SearchError)] {
        &self.folder_errors
    }

    /// The entry that stands for a name: a usable one, or a foreign one in its place.
    pub fn entry(&self, kind: ModuleKind, name: &str) -> Option<&ModuleFile> {
        let name = ModuleName::new(name).ok()?;
        let entry = &self.entries[*self.chosen.get(&(kind, name))?];
        (!matches!(entry.state, FileState::Refused(_))).then_some(entry)
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

    /// Looks at every file of every folder, each folder once. The result maps a folder to its
    /// entries.
    fn read_folders(&mut self, look: &mut Look<'_>) -> BTreeMap<PathBuf, Vec<usize>> {
        let mut folders: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
        let roles: BTreeSet<PathBuf> = self.paths.roles.iter().map(|path| real(path)).collect();
        let transports: BTreeSet<PathBuf> = self
            .paths
            .transports
            .iter()
            .map(|path| real(path))
            .collect();
        let all = self.paths.roles.iter().chain(&self.paths.transports);
        for folder in all.cloned().collect::<Vec<_>>() {
            let key = real(&folder);
            if folders.contains_key(&key) {
                continue;
            }
            let files = candidates(&folder).unwrap_or_else(|error| {
                self.note_folder_error(folder, error);
                Vec::new()
            });
            let searched_for = |kind| match kind {
                ModuleKind::Role => roles.contains(&key),
                ModuleKind::Transport | ModuleKind::Bus => transports.contains(&key),
            };
            let first = self.entries.len();
            for path in files {
                let index = self.entries.len();
                self.entries.push(look.at(index, path, searched_for));
            }
            folders.insert(key, (first..self.entries.len()).collect());
        }
        folders
    }

    /// Notes which folders of libraries cannot be searched. One that holds modules, too, is noted
    /// already.
    fn look_at_imports(&mut self) {
        for folder in self.paths.imports.clone() {
            let is_noted = self.folder_errors.iter().any(|(noted, _)| *noted == folder);
            if let Err(error) = searchable(&folder)
                && !is_noted
            {
                self.folder_errors.push((folder, error));
            }
        }
    }

    fn note_folder_error(&mut self, folder: PathBuf, error: SearchError) {
        let is_of_system = [SYSTEM_ROLE_FOLDER, SYSTEM_TRANSPORT_FOLDER]
            .iter()
            .any(|system| folder == Path::new(system));
        if !(is_of_system && matches!(error, SearchError::Missing)) {
            self.folder_errors.push((folder, error));
        }
    }

    /// Settles which module of this kind stands for each name.
    fn choose(&mut self, kind: ModuleKind, folders: &BTreeMap<PathBuf, Vec<usize>>) {
        let mut seen = BTreeSet::new();
        let mut foreign = BTreeMap::new();
        for folder in self.paths.of(kind).to_vec() {
            let folder = real(&folder);
            if !seen.insert(folder.clone()) {
                continue;
            }
            let mut here: BTreeMap<ModuleName, usize> = BTreeMap::new();
            for &index in folders.get(&folder).into_iter().flatten() {
                let entry = &self.entries[index];
                let Some(name) = entry.name_of(kind) else {
                    continue;
                };
                if matches!(entry.state, FileState::Foreign) {
                    foreign.entry(name).or_insert(index);
                } else if let Some(&other) = here.get(&name) {
                    self.refuse_both(kind, &name, other, index);
                } else if let Some(&first) = self.chosen.get(&(kind, name.clone())) {
                    let path = self.entries[first].path.clone();
                    self.entries[index].state = FileState::ShadowedBy(path);
                } else {
                    here.insert(name, index);
                }
            }
            let here = here.into_iter().map(|(name, index)| ((kind, name), index));
            self.chosen.extend(here);
        }
        for (name, index) in foreign {
            self.chosen.entry((kind, name)).or_insert(index);
        }
    }

    fn refuse_both(&mut self, kind: ModuleKind, name: &ModuleName, first: usize, second: usize) {
        for (one, other) in [(first, second), (second, first)] {
            self.entries[one].state = FileState::Refused(Refusal::Duplicate {
                kind,
                name: name.clone(),
                other: self.entries[other].path.clone(),
            });
        }
    }

    /// What is known about a name that no usable module has.
    fn reason(&self, kind: ModuleKind, name: &str) -> Option<String> {
        let refused = self.entries.iter().filter_map(|entry| match &entry.state {
            FileState::Refused(refusal) => Some((entry, refusal)),
            _ => None,
        });
        let mut reasons: Vec<String> = refused
            .filter(|(entry, _)| match &entry.inspected {
                Some(inspected) => {
                    inspected.metadata.kind == kind && inspected.metadata.name.as_str() == name
                }
                // What it holds is unknown, but it is called like it.
                None => is_called(&entry.path, name),
            })
            .map(|(entry, refusal)| format!("`{}` is refused: {refusal}", entry.path.display()))
            .collect();
        let others = ModuleKind::ALL.into_iter().filter(|other| *other != kind);
        reasons.extend(
            others
                .filter(|other| self.metadata(*other, name).is_some())
                .map(|other| format!("`{name}` is a {other}, not a {kind}")),
        );
        let of_kind = |folder: &Path| self.paths.of(kind).iter().any(|path| path == folder);
        reasons.extend(
            self.folder_errors
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

impl ModuleFile {
    /// The module's name, if it is one of this kind that may be used.
    fn name_of(&self, kind: ModuleKind) -> Option<ModuleName> {
        let metadata = &self.inspected.as_ref()?.metadata;
        let may_be_used = !matches!(self.state, FileState::Refused(_));
        (may_be_used && metadata.kind == kind).then(|| metadata.name.clone())
    }
}

/// A look at all files.
struct Look<'u> {
    trust: TrustedWriters,
    /// The names of the modules of whose files all is read; without them it is of every file.
    used: Option<&'u BTreeSet<String>>,
    /// What files are read to.
    bytes: Vec<u8>,
    /// The contents of those that can be used, by the places of their entries.
    contents: BTreeMap<usize, Content>,
}

impl Look<'_> {
    /// Looks at the file of the entry with this place.
    fn at(
        &mut self,
        index: usize,
        path: PathBuf,
        searched_for: impl Fn(ModuleKind) -> bool,
    ) -> ModuleFile {
        let inspected = match self.inspect(&path) {
            Ok(inspected) => inspected,
            Err(error) => {
                return ModuleFile {
                    path,
                    inspected: None,
                    state: FileState::Refused(error.into()),
                };
            }
        };
        let kind = inspected.metadata.kind;
        let state = if !searched_for(kind) {
            FileState::Refused(Refusal::Kind { kind })
        } else if inspected.image.architecture.is_native() {
            FileState::Usable
        } else {
            FileState::Foreign
        };
        if matches!(state, FileState::Usable) && self.is_used(inspected.metadata.name.as_str()) {
            // Without the memory for it, it is read again when it is loaded, and then that is told.
            let content = Content::copy(&path, inspected.clone(), &self.bytes).ok();
            self.contents
                .extend(content.map(|content| (index, content)));
        }
        ModuleFile {
            path,
            inspected: Some(inspected),
            state,
        }
    }

    fn inspect(&mut self, path: &Path) -> Result<Inspected, InspectError> {
        let is_called_so = |used: &BTreeSet<String>| used.iter().any(|name| is_called(path, name));
        if self.used.is_some_and(|used| !is_called_so(used)) {
            let inspected = Inspected::glance(&mut self.bytes, path, self.trust)?;
            if !self.is_used(inspected.metadata.name.as_str()) {
                return Ok(inspected);
            }
        }
        Inspected::read_into(&mut self.bytes, path, self.trust)
    }

    fn is_used(&self, name: &str) -> bool {
        self.used.is_some_and(|used| used.contains(name))
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

/// A folder under one name, however it is reached.
fn real(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}
