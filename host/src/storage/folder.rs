//! The folder that the files of roles are in.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use kozo_ground::names::NodeName;
use rustix::fs::{Access, FlockOperation, flock};

use super::StorageError;

/// Who may look into a folder that the daemon makes: its user alone.
const FOLDER_MODE: u32 = 0o700;

/// The end of the name of a node's lock. It starts with a dot, as the others that are no values.
const LOCK_SUFFIX: &str = ".lock";

/// Who may use it: the daemon's user alone.
const LOCK_MODE: u32 = 0o600;

/// The end of the name of a file that is being written.
pub(super) const LEFTOVER_SUFFIX: &str = ".tmp";

/// What stands between the name of a role's file and a random part, in the name of the file that
/// is to replace it. It starts with a dot, so that `ls` and backups of `*.kozo` leave it out.
const LEFTOVER_MIDDLE: &str = "-";

/// The start of the name of the file that is to replace the file `name`.
pub(super) fn leftover_prefix(name: &str) -> String {
    format!(".{name}{LEFTOVER_MIDDLE}")
}

/// Whether values can be stored in a folder. Changes nothing.
///
/// # Errors
/// It does not exist, is no folder, or may not be written to.
pub(crate) fn check_folder(folder: &Path) -> Result<(), StorageError> {
    let failed = |reason| StorageError::Access {
        path: folder.to_owned(),
        reason,
    };
    if !std::fs::metadata(folder).map_err(failed)?.is_dir() {
        return Err(StorageError::NotAFolder(folder.to_owned()));
    }
    let needed = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(folder, needed).map_err(|error| failed(error.into()))
}

/// Makes the folder when it is not there. The one above has to be: a mistyped path shall not
/// become a tree.
pub(super) fn make(folder: &Path) -> Result<(), StorageError> {
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Ok(()) => {
            tracing::info!("made the folder `{}` (`roleStorage`)", folder.display());
            Ok(())
        }
        // What else it may be is found by whoever checks it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // On a read-only file system the same error comes for a folder that exists.
        Err(_) if folder.exists() => Ok(()),
        Err(reason) => Err(StorageError::Make {
            path: folder.to_owned(),
            reason,
        }),
    }
}

/// Keeps other daemons of this node out of the folder, also those in other containers, for as long
/// as the file is open. None where the folder's file system has no locks.
///
/// # Errors
/// Another daemon has the lock.
pub(super) fn lock(folder: &Path, node: &NodeName) -> Result<Option<File>, StorageError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(LOCK_MODE)
        .open(folder.join(format!(".{node}{LOCK_SUFFIX}")));
    let locked = file.and_then(|file| {
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(file)
    });
    match locked {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(StorageError::InUse {
            path: folder.to_owned(),
            node: node.clone(),
        }),
        Err(error) => {
            tracing::debug!("`{}` cannot be locked: {error}", folder.display());
            Ok(None)
        }
    }
}

/// Removes what a killed daemon of this node was about to write. What cannot be removed stays:
/// it is in nobody's way.
pub(super) fn remove_leftovers(folder: &Path, node: &NodeName) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| is_leftover(name, node))
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            let path = entry.path();
            tracing::warn!("cannot remove `{}`, a leftover: {error}", path.display());
        }
    }
}

/// Whether a name has the form `.NODE.ROLE.kozo-RANDOM.tmp`. Several nodes may share a folder,
/// and one's name may be the start of another's.
fn is_leftover(name: &str, node: &NodeName) -> bool {
    let role = || {
        name.strip_prefix('.')?
            .strip_prefix(node.as_str())?
            .strip_prefix('.')?
            .strip_suffix(LEFTOVER_SUFFIX)?
            .rsplit_once(LEFTOVER_MIDDLE)?
            .0
            .strip_suffix(".kozo")
    };
    role().is_some_and(|role| !role.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nodes_own_leftovers_are_taken_for_such() {
        let node = NodeName::new("clock").unwrap();
        for own in [".clock.cuckoo.kozo-aX3.tmp", ".clock.a-b.kozo-aX3.tmp"] {
            assert!(is_leftover(own, &node), "{own}");
        }
        for other in [
            "clock.cuckoo.kozo",
            "clock.cuckoo.kozo.damaged-1",
            ".clock.local.cuckoo.kozo-aX3.tmp",
            ".clock2.cuckoo.kozo-aX3.tmp",
            ".clock.cuckoo.kozo-aX3",
            ".clock.tmp",
        ] {
            assert!(!is_leftover(other, &node), "{other}");
        }
    }
}
