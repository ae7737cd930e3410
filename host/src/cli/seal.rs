//! `kozo seal`: puts checksums on the files of modules.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kozo_ground::text::printable;

use super::arguments::SealArguments;
use super::failure::Failure;
use super::output;
use crate::modules::seal::seal_of;
use crate::modules::{InspectError, Inspected, TrustedWriters};

/// Why a file is not sealed.
#[derive(Debug, thiserror::Error)]
enum SealingError {
    /// It is no module, or one that is damaged already.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The seal cannot be put there.
    #[error("it cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// The files that are not sealed, and why.
#[derive(Debug)]
struct NotSealed(Vec<(PathBuf, SealingError)>);

impl std::error::Error for NotSealed {}

impl fmt::Display for NotSealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.as_slice() {
            [_] => "a file is not sealed:",
            _ => "some files are not sealed:",
        })?;
        self.0.iter().try_for_each(|(path, error)| {
            let path = path.display().to_string();
            write!(f, "\n  `{}`: {error}", printable(&path))
        })
    }
}

pub(super) fn seal(arguments: &SealArguments) -> Result<(), Failure> {
    let mut done = String::new();
    let mut failed = Vec::new();
    for path in &arguments.files {
        let shown = path.display().to_string();
        let shown = printable(&shown);
        match seal_file(path) {
            Ok(true) => _ = writeln!(done, "{shown}: sealed"),
            Ok(false) => _ = writeln!(done, "{shown}: was sealed already"),
            Err(error) => failed.push((path.clone(), error)),
        }
    }
    output::print(&done)?;
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::other(NotSealed(failed))),
    }
}

/// Seals a module's file, unless it is; whether that was to be done. The seal is written behind what
/// is there, so that the file keeps its owner, its mode, and its other names.
fn seal_file(path: &Path) -> Result<bool, SealingError> {
    // Looked at before it is opened for writing: one that is sealed may be one that nobody may write.
    if Inspected::read(path, TrustedWriters::Any)?.0.is_sealed {
        return Ok(false);
    }
    let mut file = File::options().append(true).open(path)?;
    // Of several who seal it at the same time, one does, and the others see that. Some file systems
    // know no locks.
    let _ = file.lock();
    let (inspected, bytes) = Inspected::read(path, TrustedWriters::Any)?;
    if inspected.is_sealed {
        return Ok(false);
    }
    let written = file
        .write_all(&seal_of(&bytes))
        .and_then(|()| file.sync_data());
    if let Err(error) = written {
        // A part of a seal is nobody's use; that it may stay there does no harm.
        let _ = file.set_len(bytes.len() as u64);
        return Err(error.into());
    }
    Ok(true)
}
