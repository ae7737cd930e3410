//! Why a file is not used, and why a module cannot be had.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use kozo_description::ModuleKind;
use kozo_ground::names::ModuleName;

use crate::modules::file::FileError;
use crate::modules::inspect::InspectError;
use crate::modules::load::LoadError;

/// Why a file cannot be used as a module.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is no module.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It is a role in a folder for transports and buses, or the other way round.
    #[error(
        "it is a {kind}, but this folder is not searched for {}: move it, or add the folder to `{}`",
        kind.plural(), kind.search_path()
    )]
    Kind {
        /// What it is.
        kind: ModuleKind,
    },
    /// Another file in the same folder holds a module of the same name.
    #[error("it holds the {kind} `{name}`, as `{}` does: remove one of them", .other.display())]
    Duplicate {
        /// What both are.
        kind: ModuleKind,
        /// What both are called.
        name: ModuleName,
        /// The other file.
        other: PathBuf,
    },
}

/// Why a module cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// There is none of that name that could be used.
    #[error("there is no {kind} module `{name}` in {}{}", listed(.looked_in), because(.reason.as_deref()))]
    Missing {
        /// What it should be.
        kind: ModuleKind,
        /// What it should be called.
        name: String,
        /// The folders that were searched.
        looked_in: Vec<PathBuf>,
        /// What is known about that.
        reason: Option<String>,
    },
    /// Its file cannot be read now, which says nothing about what it holds.
    #[error("the module `{}` cannot be used now: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: FileError,
    },
    /// There is no place to copy it to.
    #[error("the module `{}` cannot be copied to memory (`memfd_create`): {error}", .path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Why.
        error: Arc<io::Error>,
    },
    /// Its file is no module any more.
    #[error("the module `{}` has changed since it was found: {error}", .path.display())]
    Inspect {
        /// The file.
        path: PathBuf,
        /// Why.
        error: InspectError,
    },
    /// Its file holds a module that describes itself in another way than the one that was found, in
    /// something that the network's file was checked with.
    #[error(
        "the module `{}` has {what} now than when it was found: start Kōzō again to use it",
        .path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// What differs: "another …" or "other …".
        what: &'static str,
    },
    /// It cannot be loaded.
    #[error("the module `{}` cannot be loaded: {error}", .path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// Why.
        error: LoadError,
    },
}

fn listed(folders: &[PathBuf]) -> String {
    let folders: Vec<String> = folders
        .iter()
        .map(|folder| format!("`{}`", folder.display()))
        .collect();
    folders.join(", ")
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}
