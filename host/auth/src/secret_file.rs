//! Files with secrets, and who else can read them.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use kozo_access::{Reach, User, reach_of};
use rustix::fs::StatVfsMountFlags;

/// The variable with which systemd says where the credentials of a service are.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What a file with a secret holds.
pub struct SecretFile {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Why it may be no secret any more.
    pub exposure: Option<Exposure>,
}

/// Others than root and this user can read a secret, or write another one in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// The file is this user's own, who can close it by itself.
    Own {
        /// Its permission bits.
        mode: u32,
    },
    /// It was handed to this user, and no folder above it keeps others out either.
    HandedOver {
        /// Its permission bits.
        mode: u32,
    },
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// There is no such file.
    #[error("it does not exist")]
    Missing,
    /// It is a folder, a pipe or a device.
    #[error("it is not a file")]
    NotAFile,
    /// It is longer than may be.
    #[error("it is too long")]
    TooLarge,
    /// The system refuses it.
    #[error(transparent)]
    Unreadable(io::Error),
}

/// Reads a file of at most so many bytes, and looks on the open descriptor whether it is one and who else may
/// read it; docs/keys.md has the rule.
///
/// # Errors
/// Why it cannot be read. That others can read it is none: the caller may have something more important to say of what
/// is in it.
pub fn read(path: &Path, most: u64) -> Result<SecretFile, SecretFileError> {
    // Opening a pipe would otherwise wait for somebody to write to it.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
    {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SecretFileError::Missing);
        }
        Err(error) => return Err(SecretFileError::Unreadable(error)),
    };
    let metadata = file.metadata().map_err(SecretFileError::Unreadable)?;
    if !metadata.is_file() {
        return Err(SecretFileError::NotAFile);
    }
    let mut bytes = Vec::new();
    (&file)
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(SecretFileError::Unreadable)?;
    if bytes.len() as u64 > most {
        return Err(SecretFileError::TooLarge);
    }
    let exposure = exposure(&file, &metadata, path);
    Ok(SecretFile { bytes, exposure })
}

/// Whether somebody else can read it.
///
/// A file of one's own has to be closed by itself, as OpenSSH wants it of keys: that is easily done, and holds
/// wherever the file is moved. What was handed over cannot be changed, so there the folders count too.
fn exposure(file: &File, metadata: &Metadata, path: &Path) -> Option<Exposure> {
    let user = User::of_this_process();
    let is_own = metadata.uid() == user.id && !is_handed_over(file, path);
    let mode = metadata.permissions().mode() & 0o7777;
    match reach_of(file, metadata, path, &user) {
        Reach::Owner => None,
        Reach::Closed if !is_own => None,
        _ if is_own => Some(Exposure::Own { mode }),
        _ => Some(Exposure::HandedOver { mode }),
    }
}

/// Whether a file was given to this process by the system, so that its mode cannot be changed here.
fn is_handed_over(file: &File, path: &Path) -> bool {
    let is_credential = || {
        let folder = PathBuf::from(std::env::var_os(CREDENTIALS)?)
            .canonicalize()
            .ok()?;
        Some(path.canonicalize().ok()?.starts_with(folder))
    };
    let is_read_only = || {
        let system = rustix::fs::fstatvfs(file).ok()?;
        Some(system.f_flag.contains(StatVfsMountFlags::RDONLY))
    };
    is_credential().unwrap_or(false) || is_read_only().unwrap_or(false)
}
