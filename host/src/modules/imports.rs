//! The libraries of modules' own, in the folders of `importPath` and `KOZOIMPORTPATH`.
//!
//! The system's loader does not look there. But it takes a library that is loaded already for any
//! need of the same name (`DT_SONAME`), so the needed ones are opened first, by path, each after
//! those that it needs itself. They are opened `RTLD_LOCAL`: a need is met by name, not by
//! visibility, and so the libraries of one module never replace functions of another's.
//!
//! That also means that a name stands for one library in the whole process: the first that was
//! opened. None is ever closed. Libraries that need each other in a circle cannot be opened so.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use kozo_ground::lock::LockAnyway;

use super::dynamic;
use super::elf::{ElfError, SharedObject};
use super::file::{self, FileError, TrustedWriters};
use super::link_error::LinkError;

/// Why a library from a folder of imports cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Its file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no shared object.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// It says that it is another library.
    #[error(
        "it calls itself {}, so it cannot stand for `{needed}`: link it with `-Wl,-soname,{needed}`",
        .soname.as_ref().map_or_else(|| "nothing (no `DT_SONAME`)".to_owned(), |name| format!("`{name}`"))
    )]
    OtherName {
        /// The name that is needed, and that the file has.
        needed: String,
        /// What it calls itself.
        soname: Option<String>,
    },
    /// The system cannot load it.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// The folders, and what was opened from them.
#[derive(Debug)]
pub(super) struct Imports {
    folders: Vec<PathBuf>,
    trust: TrustedWriters,
    opened: Mutex<HashSet<String>>,
}

impl Imports {
    pub(super) fn new(folders: Vec<PathBuf>, trust: TrustedWriters) -> Self {
        Self {
            folders,
            trust,
            opened: Mutex::default(),
        }
    }

    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Opens those of `needs` that are in the folders, and what these need in turn. The others
    /// are left to the system. On failure, says which library's fault it was.
    pub(super) fn open(&self, needs: &[String]) -> Result<(), (PathBuf, ImportError)> {
        if self.folders.is_empty() {
            return Ok(());
        }
        let mut opened = self.opened.lock_anyway();
        self.open_all(needs, &mut opened)
    }

    fn open_all(
        &self,
        needs: &[String],
        opened: &mut HashSet<String>,
    ) -> Result<(), (PathBuf, ImportError)> {
        // A list of its own instead of recursion: nothing limits how deep needs go. An entry
        // comes twice: first its needs are put before it, then it is opened.
        let mut todo: Vec<Todo> = needs.iter().rev().cloned().map(Todo::Look).collect();
        let mut seen = HashSet::new();
        while let Some(step) = todo.pop() {
            match step {
                Todo::Look(name) => {
                    if opened.contains(&name) || !seen.insert(name.clone()) {
                        continue;
                    }
                    if let Some((path, object)) = self.find(&name)? {
                        todo.push(Todo::Open(name, path));
                        todo.extend(object.needs.into_iter().rev().map(Todo::Look));
                    }
                }
                Todo::Open(name, path) => {
                    dynamic::open(&path, &path, &self.folders)
                        .map_err(|error| (path, error.into()))?;
                    opened.insert(name);
                }
            }
        }
        Ok(())
    }

    /// The first library of that name that could run here; as for the system's own loader, one
    /// for another architecture is passed over.
    fn find(&self, name: &str) -> Result<Option<(PathBuf, SharedObject)>, (PathBuf, ImportError)> {
        // A need with a slash is a path, which the system follows by itself.
        if name.is_empty() || name.contains('/') {
            return Ok(None);
        }
        for folder in &self.folders {
            let path = folder.join(name);
            if path.symlink_metadata().is_err() {
                continue;
            }
            match self.read(&path, name) {
                Ok(object) if object.architecture.is_native() => return Ok(Some((path, object))),
                Ok(_) => {}
                Err(error) => return Err((path, error)),
            }
        }
        Ok(None)
    }

    fn read(&self, path: &Path, name: &str) -> Result<SharedObject, ImportError> {
        let bytes = file::read(path, self.trust)?;
        let object = SharedObject::read(&bytes, &mut |_, _| {})?;
        if object.soname.as_deref() != Some(name) {
            return Err(ImportError::OtherName {
                needed: name.to_owned(),
                soname: object.soname,
            });
        }
        Ok(object)
    }
}

enum Todo {
    /// Find the library of this name, and first open what it needs.
    Look(String),
    /// Open this one, of that name.
    Open(String, PathBuf),
}
