//! Where modules and their libraries are looked for.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kozo_description::ModuleKind;

use crate::config;

/// Where packages put role modules.
pub(super) const SYSTEM_ROLE_FOLDER: &str = "/usr/lib/kozo/roles";

/// Where packages put transport and bus modules.
pub(super) const SYSTEM_TRANSPORT_FOLDER: &str = "/usr/lib/kozo/transports";

/// The ending of the names of files that are looked at.
pub(super) const MODULE_EXTENSION: &str = "so";

/// How many files with that ending a folder of modules may hold.
pub(super) const MAX_CANDIDATES: usize = 1000;

/// What the program's surroundings say about folders; the only place that asks them is
/// [`read`](Self::read).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// `KOZOROLEPATH`, split at its colons.
    pub roles: Vec<PathBuf>,
    /// `KOZOTRANSPORTPATH`, likewise.
    pub transports: Vec<PathBuf>,
    /// `KOZOIMPORTPATH`, likewise.
    pub imports: Vec<PathBuf>,
    /// The folder of the program itself, when that is a build tree with modules in it.
    pub build_tree: Option<PathBuf>,
}

impl Environment {
    /// The surroundings of this process.
    pub fn read() -> Self {
        let program = std::env::current_exe().ok();
        let folder = program.as_deref().and_then(Path::parent);
        Self::new(|name| std::env::var_os(name), folder)
    }

    /// What these variables say, for a program in this folder.
    pub fn new(variable: impl Fn(&str) -> Option<OsString>, program_folder: Option<&Path>) -> Self {
        let folders = |name| match variable(name) {
            Some(value) => std::env::split_paths(&value)
                .filter(|folder| !folder.as_os_str().is_empty())
                .collect(),
            None => Vec::new(),
        };
        Self {
            roles: folders("KOZOROLEPATH"),
            transports: folders("KOZOTRANSPORTPATH"),
            imports: folders("KOZOIMPORTPATH"),
            // The build puts program and modules into one folder; an installed program has no
            // libraries beside it.
            build_tree: program_folder
                .filter(|folder| holds_built_modules(folder))
                .map(Path::to_owned),
        }
    }
}

/// Whether a build may have put modules there: cargo calls them `libNAME.so`. Debian has the linker
/// in `/usr/bin`, as `ld.so`.
fn holds_built_modules(folder: &Path) -> bool {
    let is_built = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("lib"))
    };
    candidates(folder).is_ok_and(|files| files.iter().any(is_built))
}

/// Folders in the order in which they are searched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchFolders {
    /// The folders of role modules.
    pub roles: Vec<PathBuf>,
    /// The folders of transport and bus modules.
    pub transports: Vec<PathBuf>,
    /// The folders of libraries that modules need.
    pub imports: Vec<PathBuf>,
}

impl SearchFolders {
    /// First what the environment says, then what the configuration file says, then the folder of
    /// the build tree or, if the program is installed, those of the system.
    pub fn new(environment: &Environment, file: &config::SearchPaths) -> Self {
        let last = |system: &str| match &environment.build_tree {
            Some(folder) => folder.clone(),
            None => PathBuf::from(system),
        };
        let chain = |first: &[PathBuf], then: &[PathBuf], last: Option<PathBuf>| {
            let mut folders: Vec<PathBuf> = Vec::new();
            for folder in first.iter().chain(then).chain(last.as_ref()) {
                if !folders.contains(folder) {
                    folders.push(folder.clone());
                }
            }
            folders
        };
        Self {
            roles: chain(
                &environment.roles,
                &file.roles,
                Some(last(SYSTEM_ROLE_FOLDER)),
            ),
            transports: chain(
                &environment.transports,
                &file.transports,
                Some(last(SYSTEM_TRANSPORT_FOLDER)),
            ),
            imports: chain(&environment.imports, &file.imports, None),
        }
    }

    /// The folders for modules of this kind.
    pub fn of(&self, kind: ModuleKind) -> &[PathBuf] {
        match kind {
            ModuleKind::Role => &self.roles,
            ModuleKind::Transport | ModuleKind::Bus => &self.transports,
        }
    }
}

/// Why a folder is not searched.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// There is no such folder.
    #[error("there is no such folder")]
    Missing,
    /// Something else is there.
    #[error("it is not a folder")]
    NotFolder,
    /// There are too many files to be modules.
    #[error(
        "it holds more than {MAX_CANDIDATES} `.{MODULE_EXTENSION}` files: give the modules a folder of their own"
    )]
    TooMany,
    /// The user that the program runs as has no right to read it.
    #[error("this user may not read it: allow that with `chmod a+rx`")]
    Forbidden,
    /// The system does not let it be read.
    #[error("it cannot be read: {0}")]
    Read(Arc<io::Error>),
}

impl From<io::Error> for SearchError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::NotADirectory => Self::NotFolder,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Read(Arc::new(error)),
        }
    }
}

/// Everything in a folder that is called like a module, whatever it is, in the order of the names.
///
/// # Errors
/// [`SearchError`] says why the folder is not searched.
pub(super) fn candidates(folder: &Path) -> Result<Vec<PathBuf>, SearchError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_none_or(|ending| ending != MODULE_EXTENSION)
        {
            continue;
        }
        if found.len() == MAX_CANDIDATES {
            return Err(SearchError::TooMany);
        }
        found.push(path);
    }
    found.sort();
    Ok(found)
}

/// Checks that libraries can be looked for in a folder.
///
/// # Errors
/// [`SearchError`] says why they cannot.
pub(super) fn searchable(folder: &Path) -> Result<(), SearchError> {
    std::fs::read_dir(folder)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> Vec<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn the_environment_comes_before_the_file_and_the_system_comes_last() {
        let environment = Environment::new(
            |name| match name {
                "KOZOROLEPATH" => Some("/a::/b".into()),
                "KOZOIMPORTPATH" => Some("/i".into()),
                _ => None,
            },
            None,
        );
        let file = config::SearchPaths {
            roles: paths(&["/c", "/a"]),
            transports: paths(&["/t"]),
            imports: paths(&["/j"]),
        };
        let found = SearchFolders::new(&environment, &file);
        assert_eq!(found.roles, paths(&["/a", "/b", "/c", SYSTEM_ROLE_FOLDER]));
        assert_eq!(found.transports, paths(&["/t", SYSTEM_TRANSPORT_FOLDER]));
        assert_eq!(found.imports, paths(&["/i", "/j"]));
    }

    #[test]
    fn a_build_tree_stands_in_for_the_folders_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = || Environment::new(|_| None, Some(folder.path()));
        assert_eq!(surroundings().build_tree, None);
        std::fs::write(folder.path().join("ld.so"), "").unwrap();
        assert_eq!(surroundings().build_tree, None);
        std::fs::write(folder.path().join("libtimer.so"), "").unwrap();
        let found = SearchFolders::new(&surroundings(), &config::SearchPaths::default());
        assert_eq!(found.roles, [folder.path()]);
        assert_eq!(found.transports, [folder.path()]);
    }

    #[test]
    fn only_what_is_called_like_a_module_is_a_candidate() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["libb.so", "a.so", "libc.so.1", "so", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", folder.path().join("z.so")).unwrap();
        let expected = ["a.so", "libb.so", "z.so"].map(|name| folder.path().join(name));
        assert_eq!(candidates(folder.path()).unwrap(), expected);
        assert!(matches!(
            candidates(&folder.path().join("gone")),
            Err(SearchError::Missing)
        ));
        assert!(matches!(
            candidates(&folder.path().join("so")),
            Err(SearchError::NotFolder)
        ));
        for number in 0..MAX_CANDIDATES {
            std::fs::write(folder.path().join(format!("n{number}.so")), "").unwrap();
        }
        assert!(matches!(
            candidates(folder.path()),
            Err(SearchError::TooMany)
        ));
    }
}
