//! The system's own loader: opens objects, for good.

#![allow(unsafe_code)] // `dlopen` runs the constructors of what it opens.

use std::error::Error;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::link_error::LinkError;

/// Opens the object at `path`, which users know as `shown`; `imports` are the folders that an
/// error names.
///
/// All of its symbols are resolved at once (`RTLD_NOW`): a missing one is an error here, not the
/// end of the process at the first call. It is never closed: Rust code cannot be unloaded soundly,
/// as threads and thread-local values of it may live on.
pub(super) fn open(
    path: &Path,
    shown: &Path,
    imports: &[PathBuf],
) -> Result<ManuallyDrop<Library>, LinkError> {
    // SAFETY: this runs the object's constructors. Modules and their libraries are trusted code,
    // which the user named; Rust code has no constructors of its own.
    let opened = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    opened.map(ManuallyDrop::new).map_err(|error| {
        let text = error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string);
        LinkError::read(&text, path, shown, imports)
    })
}
