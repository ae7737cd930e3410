//! Which file a program is.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::error::StartError;

/// The file of the program `name`: a name alone is looked for in the folders of `path`, and anything with a
/// `/` begins in the folder that the program will run in.
pub(crate) fn find(
    name: &OsStr,
    folder: Option<&Path>,
    path: Option<&OsStr>,
) -> Result<PathBuf, StartError> {
    if name.is_empty() {
        return Err(StartError::NoName);
    }
    if name.as_encoded_bytes().contains(&b'/') {
        let file = folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
        // Without the `./` in it, which people would have to read over.
        let file: PathBuf = file.components().collect();
        check(&file)?;
        return Ok(file);
    }
    let path = path.map_or_else(OsString::new, OsStr::to_owned);
    let mut found = None;
    for folder in std::env::split_paths(&path) {
        let file = folder.join(name);
        match check(&file) {
            Ok(()) => return Ok(file),
            Err(StartError::NotFound(_) | StartError::NoFile(_)) => {}
            // What stands there and cannot be run is what was meant, unless there is a better one.
            Err(error) => found = found.or(Some(error)),
        }
    }
    Err(found.unwrap_or_else(|| StartError::NotInPath {
        name: name.to_string_lossy().into_owned(),
        path: path.to_string_lossy().into_owned(),
    }))
}

fn check(file: &Path) -> Result<(), StartError> {
    let metadata = std::fs::metadata(file).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => StartError::NotExecutable(file.to_owned()),
        _ => StartError::NotFound(file.to_owned()),
    })?;
    if !metadata.is_file() {
        return Err(StartError::NoFile(file.to_owned()));
    }
    access(file, Access::EXEC_OK).map_err(|_| StartError::NotExecutable(file.to_owned()))
}
