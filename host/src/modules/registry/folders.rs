//! The folders that are searched, each once, and which of the files found are in which.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use kozo_description::ModuleKind;

use crate::modules::search::{
    SYSTEM_ROLE_FOLDER, SYSTEM_TRANSPORT_FOLDER, SearchError, SearchFolders, candidates, searchable,
};

/// The folders of a search. Files go by their places among all that were found.
#[derive(Debug)]
pub(super) struct Folders {
    /// The files of each folder.
    files: Vec<Range<usize>>,
    /// Where in `files` the folders for roles are, in the order of the search.
    roles: Vec<usize>,
    /// The same of those for transports and buses.
    transports: Vec<usize>,
    errors: Vec<(PathBuf, SearchError)>,
}

impl Folders {
    /// Looks into all folders. The paths are all files that are called like modules, in the order of the search.
    pub(super) fn search(paths: &SearchFolders) -> (Self, Vec<PathBuf>) {
        let mut found = Vec::new();
        let mut folders = Self {
            files: Vec::new(),
            roles: Vec::new(),
            transports: Vec::new(),
            errors: Vec::new(),
        };
        // A folder is one folder, however it is reached.
        let mut places: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut place_of = |folders: &mut Self, folder: &Path| {
            *places.entry(real(folder)).or_insert_with(|| {
                let files = candidates(folder).unwrap_or_else(|error| {
                    folders.note(folder, error);
                    Vec::new()
                });
                let first = found.len();
                found.extend(files);
                folders.files.push(first..found.len());
                folders.files.len() - 1
            })
        };
        for folder in &paths.roles {
            let place = place_of(&mut folders, folder);
            add_once(&mut folders.roles, place);
        }
        for folder in &paths.transports {
            let place = place_of(&mut folders, folder);
            add_once(&mut folders.transports, place);
        }
        folders.look_at_imports(&paths.imports);
        (folders, found)
    }

    /// The folders that could not be searched. That the system's own do not exist is not listed:
    /// nobody asked for them.
    pub(super) fn errors(&self) -> &[(PathBuf, SearchError)] {
        &self.errors
    }

    /// The places of the files in each folder for modules of this kind, in the order of the search.
    pub(super) fn of(&self, kind: ModuleKind) -> impl Iterator<Item = Range<usize>> {
        let places = self.places(kind).iter();
        places.map(|place| self.files[*place].clone())
    }

    /// Whether the file with this place is in a folder for modules of this kind.
    pub(super) fn are_for(&self, file: usize, kind: ModuleKind) -> bool {
        self.of(kind).any(|files| files.contains(&file))
    }

    fn places(&self, kind: ModuleKind) -> &[usize] {
        match kind {
            ModuleKind::Role => &self.roles,
            ModuleKind::Transport | ModuleKind::Bus => &self.transports,
        }
    }

    /// Notes which folders of libraries cannot be searched. One that holds modules, too, is noted
    /// already.
    fn look_at_imports(&mut self, imports: &[PathBuf]) {
        for folder in imports {
            let is_noted = self.errors.iter().any(|(noted, _)| noted == folder);
            if let Err(error) = searchable(folder)
                && !is_noted
            {
                self.errors.push((folder.clone(), error));
            }
        }
    }

    fn note(&mut self, folder: &Path, error: SearchError) {
        let is_of_system = [SYSTEM_ROLE_FOLDER, SYSTEM_TRANSPORT_FOLDER]
            .iter()
            .any(|system| folder == Path::new(system));
        if !(is_of_system && matches!(error, SearchError::Missing)) {
            self.errors.push((folder.to_owned(), error));
        }
    }
}

fn add_once(places: &mut Vec<usize>, place: usize) {
    if !places.contains(&place) {
        places.push(place);
    }
}

/// A folder under one name, however it is reached.
fn real(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}
