//! The host's way to a role's process: frames from several threads, one after another.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, TryLockError};

use kozo_ground::lock::LockAnyway;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::modules::memory::Memory;
use crate::roles::isolated::protocol::{self, IpcError, ToRole, handover};

/// One end of the socket pair, as all threads write to it.
#[derive(Debug)]
pub(super) struct IpcWriter(Mutex<UnixStream>);

impl IpcWriter {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self(Mutex::new(stream))
    }

    /// Writes a frame; waits for as long as the process does not read.
    pub(super) fn write(&self, frame: &ToRole) -> Result<(), IpcError> {
        let bytes = protocol::encode(frame)?;
        Ok(self.lock().write_all(&bytes)?)
    }

    /// Hands the module's code over, and writes the first frame.
    pub(super) fn start(&self, frame: &ToRole, code: &Memory) -> Result<(), IpcError> {
        let bytes = protocol::encode(frame)?;
        let mut stream = self.lock();
        handover::send(&stream, code.as_fd())?;
        Ok(stream.write_all(&bytes)?)
    }

    /// Writes a small frame without ever waiting; false when that cannot be done now.
    pub(super) fn try_write(&self, frame: &ToRole) -> Result<bool, IpcError> {
        let bytes = protocol::encode(frame)?;
        let mut stream = match self.0.try_lock() {
            Ok(stream) => stream,
            Err(TryLockError::Poisoned(stream)) => stream.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        match send(&*stream, &bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => Err(std::io::Error::from(error).into()),
            // Once it has begun it has to be ended. The rest of so few bytes finds room at once.
            Ok(sent) => {
                stream.write_all(&bytes[sent..])?;
                Ok(true)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, UnixStream> {
        self.0.lock_anyway()
    }
}
