//! Reads a module's file without trusting what lies there: nothing that could block or do
//! something by being opened is opened, and nothing of unbounded size is read.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use kozo_access::{ChangeError, Choice, check_unchangeable};

/// The largest file that is read as a module or library, in bytes. One with all its debug
/// information has some hundred megabytes.
pub(super) const MAX_FILE_SIZE: u64 = 1 << 30;

/// Who may have written the files that are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustedWriters {
    /// Anybody.
    Any,
    /// Root, and the user with this number, whom the program runs as. What others can change is
    /// refused: they would run it with that user's rights.
    User(u32),
}

impl TrustedWriters {
    /// What fits the user that the program runs as.
    pub fn of_this_process() -> Self {
        Self::User(rustix::process::geteuid().as_raw())
    }
}

/// Why a file was not read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It is a link to nothing.
    #[error("it is a link to `{}`, which does not exist: make the link anew, or remove it", .0.display())]
    Dangling(PathBuf),
    /// It is no regular file.
    #[error("it is {0}, not a regular file: put the `.so` file itself there, or a link to it")]
    NotRegular(&'static str),
    /// It is larger than [`MAX_FILE_SIZE`].
    #[error(
        "it has {0} bytes, more than the {MAX_FILE_SIZE} that are allowed: build it with `strip = true`"
    )]
    TooLarge(u64),
    /// Somebody else may change what the program would run.
    #[error(transparent)]
    Changeable(Arc<ChangeError>),
    /// The user that the program runs as has no right to read it.
    #[error(
        "this user may not read it: allow that with `chmod a+r`, and with `chmod a+x` for the folders on the way to it"
    )]
    Forbidden,
    /// The system does not let it be read.
    #[error("it cannot be read: {0}")]
    Read(Arc<io::Error>),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Read(Arc::new(error)),
        }
    }
}

impl From<ChangeError> for FileError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unknown(error) => error.into(),
            error => Self::Changeable(Arc::new(error)),
        }
    }
}

/// Reads the file at `path` once, symbolic links followed.
///
/// # Errors
/// [`FileError`] says why it is not read.
pub(crate) fn read(path: &Path, trust: TrustedWriters) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    OpenFile::open(path, trust)?.read_into(&mut bytes)?;
    Ok(bytes)
}

/// A file that may be read as a module or library.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    length: u64,
}

impl OpenFile {
    /// Opens the file at `path`, symbolic links followed.
    ///
    /// # Errors
    /// [`FileError`] says why it is not opened.
    pub(super) fn open(path: &Path, trust: TrustedWriters) -> Result<Self, FileError> {
        let file = open(path, trust)?;
        let length = file.metadata()?.len();
        if length > MAX_FILE_SIZE {
            return Err(FileError::TooLarge(length));
        }
        Ok(Self { file, length })
    }

    /// How many bytes it had when it was opened, at most [`MAX_FILE_SIZE`].
    pub(super) fn length(&self) -> usize {
        self.length as usize
    }

    /// Reads the bytes from `offset` on that fill `bytes`.
    ///
    /// # Errors
    /// The file cannot be read, or does not reach so far.
    pub(super) fn read_at(&self, bytes: &mut [u8], offset: usize) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset as u64)
    }

    /// Reads all of it, once, in place of what is in `bytes`: who reads many files has the memory from the
    /// system, which clears it first, only once.
    ///
    /// # Errors
    /// [`FileError`] says why it is not read.
    pub(super) fn read_into(mut self, bytes: &mut Vec<u8>) -> Result<(), FileError> {
        bytes.clear();
        bytes.reserve_exact(self.length());
        // It may have grown since.
        let length = (&mut self.file)
            .take(MAX_FILE_SIZE + 1)
            .read_to_end(bytes)? as u64;
        match length > MAX_FILE_SIZE {
            true => Err(FileError::TooLarge(length)),
            false => Ok(()),
        }
    }
}

fn open(path: &Path, trust: TrustedWriters) -> Result<File, FileError> {
    // Asked before it is opened, because opening some devices does something.
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match std::fs::read_link(path) {
            Ok(target) => return Err(FileError::Dangling(target)),
            Err(_) => return Err(error.into()),
        },
        metadata => metadata?,
    };
    check_type(&metadata)?;
    // And it does not block, should it be replaced by a FIFO in between.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?);
    check_type(&file.metadata()?)?;
    if let TrustedWriters::User(user) = trust {
        check_unchangeable(path, Choice::Found, user)?;
    }
    Ok(file)
}

fn check_type(metadata: &Metadata) -> Result<(), FileError> {
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(FileError::NotRegular(what))
}
