//! A private copy of a module in memory, which nobody can change any more.
//!
//! The system maps a library from its file. Were that the file in the module's folder, `cp` over
//! it would change the code of the running program under its feet, and kill it. The price is that
//! `$ORIGIN` in a module's own search path stands for nothing: its libraries are in the folders of
//! imports, or where the system keeps its own.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::Errno;

/// How much is compared at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// Nobody can change anything, nor take this back.
const SEALS: SealFlags = SealFlags::WRITE
    .union(SealFlags::GROW)
    .union(SealFlags::SHRINK)
    .union(SealFlags::SEAL);

/// How often the system is asked to seal a copy, and how long is waited in between.
const SEAL_TRIES: u32 = 25;
const SEAL_PAUSE: Duration = Duration::from_millis(20);

/// Bytes in a sealed file without a name.
#[derive(Debug)]
pub struct Memory {
    file: File,
    length: u64,
}

impl Memory {
    /// Copies `bytes`; `name` shows in `/proc/PID/maps`.
    ///
    /// # Errors
    /// The system gives no memory or no descriptor.
    pub fn new(name: &str, bytes: &[u8]) -> io::Result<Self> {
        let mut file = File::from(create(name)?);
        file.write_all(bytes)?;
        seal(&file)?;
        Ok(Self {
            file,
            length: bytes.len() as u64,
        })
    }

    /// What another process made in this way and handed over.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn received(descriptor: OwnedFd) -> io::Result<Self> {
        if !fcntl_get_seals(&descriptor)?.contains(SEALS) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let file = File::from(descriptor);
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// All of its bytes.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// A path by which this process can open it, as long as this lives.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Whether both hold the same bytes.
    pub(super) fn equals(&self, other: &Self) -> bool {
        let mut chunk = vec![0; CHUNK];
        self.length == other.length
            && (0..self.length).step_by(CHUNK).all(|at| {
                let left = usize::try_from(self.length - at).unwrap_or(CHUNK);
                let found = &mut chunk[..left.min(CHUNK)];
                other.file.read_exact_at(found, at).is_ok() && self.holds_at(found, at)
            })
    }

    /// Whether it holds exactly `bytes`.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        let at = |index: usize| (index * CHUNK) as u64;
        self.length == bytes.len() as u64
            && (bytes.chunks(CHUNK).enumerate())
                .all(|(index, expected)| self.holds_at(expected, at(index)))
    }

    fn holds_at(&self, expected: &[u8], at: u64) -> bool {
        let mut found = vec![0; expected.len()];
        self.file.read_exact_at(&mut found, at).is_ok() && found == expected
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
fn create(name: &str) -> io::Result<OwnedFd> {
    // "Not executable" is about `execve`: libraries are mapped from it all the same, also where
    // `vm.memfd_noexec` allows nothing else. Kernels before 6.3 do not know the flag.
    let newest = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | MemfdFlags::NOEXEC_SEAL;
    match memfd_create(name, newest) {
        Err(Errno::INVAL) => {}
        outcome => return Ok(outcome?),
    }
    Ok(memfd_create(name, newest - MemfdFlags::NOEXEC_SEAL)?)
}

/// Makes a file unchangeable for good.
fn seal(file: &File) -> io::Result<()> {
    for _ in 1..SEAL_TRIES {
        match fcntl_add_seals(file, SEALS) {
            // The system itself has hold of a page, since it moves memory about.
            Err(Errno::BUSY) => sleep(SEAL_PAUSE),
            outcome => return Ok(outcome?),
        }
    }
    Ok(fcntl_add_seals(file, SEALS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_cannot_be_changed() {
        let bytes: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
        let memory = Memory::new("test", &bytes).unwrap();
        assert!(memory.holds(&bytes));
        let mut other = bytes.clone();
        *other.last_mut().unwrap() ^= 1;
        assert!(!memory.holds(&other));
        assert!(!memory.holds(&bytes[1..]));
        assert!(memory.equals(&Memory::new("test", &bytes).unwrap()));
        assert!(!memory.equals(&Memory::new("test", &other).unwrap()));
        let error = memory.file.write_at(b"x", 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(std::fs::write(memory.path(), b"x").is_err());
        assert_eq!(std::fs::read(memory.path()).unwrap(), bytes);
    }
}
