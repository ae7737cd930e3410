//! Where roles keep a value from one run of the daemon to the next.
//!
//! Each role has one file, `NODE.ROLE.kozo`, in the node's `roleStorage`. It holds one value and
//! is replaced as a whole: whatever happens while it is written, power cuts included, the last
//! value or the new one is there afterwards, never a part of either. A file that is damaged in
//! spite of that (a worn-out card, a curious editor) is set aside, and the role starts afresh.
//!
//! `format` has the bytes of such a file, `folder` looks after the folder.

mod error;
mod folder;
mod format;

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use kozo_ground::lock::LockAnyway;
use kozo_ground::names::{NodeName, RoleName};

pub use error::StorageError;
pub(crate) use folder::check_folder;

/// The largest value that a role may store, in bytes of MessagePack.
pub(crate) const MAX_STORED: usize = 16 * 1024 * 1024;

/// How many damaged files of one role are kept; a further one replaces the last of them.
pub(crate) const MAX_DAMAGED: usize = 9;

/// A node's folder for the values of its roles.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    folder: PathBuf,
    node: NodeName,
    /// What keeps other daemons of the node out.
    _lock: Option<Arc<File>>,
}

impl Storage {
    /// Opens the folder for a node that is about to run. A folder that is missing is made, for
    /// the daemon's user alone, if the one above it exists. What an earlier daemon of this node
    /// left half-written when it was killed is removed: so no other one may run, and none can open
    /// the folder for this node until the last copy of this is dropped.
    ///
    /// # Errors
    /// The folder cannot be made, or cannot be used, or another daemon of the node uses it.
    pub(crate) fn open(folder: &Path, node: &NodeName) -> Result<Self, StorageError> {
        folder::make(folder)?;
        check_folder(folder)?;
        let lock = folder::lock(folder, node)?;
        folder::remove_leftovers(folder, node);
        Ok(Self {
            folder: folder.to_owned(),
            node: node.clone(),
            _lock: lock.map(Arc::new),
        })
    }

    /// The file of one role. Ask once a role: the result keeps its loads and stores apart.
    pub(crate) fn role(&self, role: &RoleName) -> RoleStorage {
        RoleStorage {
            folder: self.folder.clone(),
            name: file_name(&self.node, role),
            turn: Mutex::new(()),
        }
    }
}

/// Where a role keeps its value, in the folder of its node.
pub(crate) fn role_file(folder: &Path, node: &NodeName, role: &RoleName) -> PathBuf {
    folder.join(file_name(node, role))
}

fn file_name(node: &NodeName, role: &RoleName) -> String {
    format!("{node}.{role}.kozo")
}

/// The file in which one role keeps its value.
#[derive(Debug)]
pub(crate) struct RoleStorage {
    folder: PathBuf,
    name: String,
    /// Lets one call happen at a time: otherwise a load that finds damage could set aside what a store has
    /// just put in its place.
    turn: Mutex<()>,
}

impl RoleStorage {
    /// The file's path.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Reads the value that was stored last. `None` when there is none, or when the file is
    /// damaged: it is then renamed to `NODE.ROLE.kozo.damaged-N`, and the log has a warning.
    ///
    /// # Errors
    /// The file cannot be read, is none, or is one of a later version.
    pub(crate) fn load(&self) -> Result<Option<Vec<u8>>, StorageError> {
        let _turn = self.turn.lock_anyway();
        match read(&self.path()) {
            Err(StorageError::Damaged { damage, .. }) => {
                self.set_aside(&damage)?;
                Ok(None)
            }
            value => value,
        }
    }

    /// Stores a value in place of the last one. When this returns `Ok`, it is on the disk.
    ///
    /// # Errors
    /// The value has more than [`MAX_STORED`] bytes, or cannot be written. The last one is then
    /// still there, but for one case: when the disk fails at the very end, it may be the new one.
    pub(crate) fn store(&self, value: &[u8]) -> Result<(), StorageError> {
        if value.len() > MAX_STORED {
            return Err(StorageError::TooLarge(value.len()));
        }
        let _turn = self.turn.lock_anyway();
        self.replace(value).map_err(|reason| StorageError::Write {
            path: self.path(),
            reason,
        })
    }

    fn replace(&self, value: &[u8]) -> io::Result<()> {
        // Readable by its owner alone, as `tempfile` makes it.
        let mut file = tempfile::Builder::new()
            .prefix(&folder::leftover_prefix(&self.name))
            .suffix(folder::LEFTOVER_SUFFIX)
            .tempfile_in(&self.folder)?;
        file.write_all(&format::header(value))?;
        file.write_all(value)?;
        file.as_file().sync_all()?;
        file.persist(self.path()).map_err(|error| error.error)?;
        self.sync_folder()
    }

    /// Makes a change of names last through a power cut.
    fn sync_folder(&self) -> io::Result<()> {
        let synced = File::open(&self.folder)?.sync_all();
        match synced.as_ref().err().and_then(Errno::from_io_error) {
            // Some network file systems cannot do this to a folder.
            Some(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            _ => synced,
        }
    }

    fn set_aside(&self, damage: &FileDamage) -> Result<(), StorageError> {
        let path = self.path();
        let aside = (1..=MAX_DAMAGED)
            .map(|number| self.folder.join(format!("{}.damaged-{number}", self.name)))
            .reduce(|last, next| if last.exists() { next } else { last })
            .unwrap_or_else(|| path.clone());
        std::fs::rename(&path, &aside)
            .and_then(|()| self.sync_folder())
            .map_err(|reason| StorageError::SetAside {
                path: path.clone(),
                damage: damage.clone(),
                reason,
            })?;
        tracing::warn!(
            "the stored value in `{}` is damaged ({damage}): it was set aside as `{}`, and the role starts without it",
            path.display(),
            aside.display(),
        );
        Ok(())
    }
}

/// Reads the value in one role's file and changes nothing. `None` when there is no such file.
///
/// # Errors
/// The file cannot be read, is none, is damaged, or is one of a later version.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    let failed = |reason| StorageError::Read {
        path: path.to_owned(),
        reason,
    };
    // The file is opened without waiting, in case somebody put a FIFO there.
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(StorageError::NotAFile(path.to_owned()));
    }
    let limit = MAX_STORED + format::HEADER_LEN;
    let mut bytes = Vec::new();
    // One byte over the limit is enough to see that it is over.
    file.take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    match format::check(&bytes) {
        Ok(()) => Ok(Some(bytes.split_off(format::HEADER_LEN))),
        Err(format::Fault::Later(version)) => Err(StorageError::Later {
            path: path.to_owned(),
            version,
        }),
        Err(format::Fault::Damaged(damage)) => Err(StorageError::Damaged {
            path: path.to_owned(),
            damage,
        }),
    }
}

pub use format::FileDamage;
