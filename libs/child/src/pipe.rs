//! Pipes to and from a child, whose waits others can end.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, ioctl_fionbio};

use crate::interrupt::Interrupt;
use crate::wait::wait;

/// What can be polled of an end that there is something to do.
const READABLE: PollFlags = PollFlags::IN;
const WRITABLE: PollFlags = PollFlags::OUT;

/// How much is still read of what is there when a reader is interrupted, in bytes: more than a pipe holds,
/// but whoever writes without end keeps nobody.
const MAX_REST: usize = 1024 * 1024;

/// Reads what a child writes. Once it is interrupted, the input has ended as soon as nothing is there: something
/// that the child has started may keep a pipe open for ever.
#[derive(Debug)]
pub struct Reader {
    pipe: OwnedFd,
    interrupt: Interrupt,
    /// How much may still be read after the interruption.
    rest: usize,
}

impl Reader {
    /// Reads from this descriptor until it ends, or until somebody raises `interrupt`.
    ///
    /// # Errors
    /// The descriptor cannot be read without waiting.
    pub fn new(pipe: impl Into<OwnedFd>, interrupt: Interrupt) -> io::Result<Self> {
        let pipe = pipe.into();
        ioctl_fionbio(&pipe, true)?;
        Ok(Self {
            pipe,
            interrupt,
            rest: MAX_REST,
        })
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(&self.pipe, &mut *buffer) {
                Ok(length) if self.interrupt.is_raised() => {
                    let is_enough = length > self.rest;
                    self.rest = self.rest.saturating_sub(length);
                    return Ok(if is_enough { 0 } else { length });
                }
                Ok(length) => return Ok(length),
                Err(Errno::AGAIN) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut polled = [
                PollFd::new(&self.pipe, READABLE),
                PollFd::new(&self.interrupt, PollFlags::IN),
            ];
            wait(&mut polled, None)?;
            // What is there is read to its end, also after the interruption.
            if polled[0].revents().is_empty() && !polled[1].revents().is_empty() {
                return Ok(0);
            }
        }
    }
}

/// Why there is nothing more to write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Nobody reads any more: it has ended, or has closed its input.
    #[error("it does not read any more")]
    Closed,
    /// The system says this.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How much memory a writer keeps for what comes next, in bytes, however much there was once.
const MAX_KEPT: usize = 64 * 1024;

/// Waits until a child takes more.
#[derive(Debug, Clone)]
pub struct Room {
    pipe: Arc<OwnedFd>,
    interrupt: Interrupt,
}

impl Room {
    /// Waits until there is something to do: the child takes more, or nobody reads any more. False when the time
    /// was up before (none: it never is), or somebody has raised the interruption.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&self, until: Option<Instant>) -> io::Result<bool> {
        let mut polled = [
            PollFd::new(&self.pipe, WRITABLE),
            PollFd::new(&self.interrupt, PollFlags::IN),
        ];
        let is_ready = wait(&mut polled, until)?;
        Ok(is_ready && !polled[0].revents().is_empty())
    }

    /// Whether somebody has raised the interruption.
    pub fn is_interrupted(&self) -> bool {
        self.interrupt.is_raised()
    }
}

/// Writes to a child that may not read. What it has not taken yet is kept here, so nothing is torn when a
/// wait ends.
#[derive(Debug)]
pub struct Writer {
    room: Room,
    buffer: Vec<u8>,
    written: usize,
}

impl Writer {
    /// Writes to this descriptor; no more waits once somebody raises `interrupt`.
    ///
    /// # Errors
    /// The descriptor cannot be written without waiting.
    pub fn new(pipe: impl Into<OwnedFd>, interrupt: Interrupt) -> io::Result<Self> {
        let pipe = pipe.into();
        ioctl_fionbio(&pipe, true)?;
        let pipe = Arc::new(pipe);
        Ok(Self {
            room: Room { pipe, interrupt },
            buffer: Vec::new(),
            written: 0,
        })
    }

    /// Where what comes next is put. It is written by [`flush`](Self::flush).
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.written > 0 {
            self.buffer.drain(..self.written);
            self.written = 0;
        }
        &mut self.buffer
    }

    /// How many bytes wait to be written.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.written
    }

    /// For those who share it and shall not keep it while they wait. As long as one of these is there, the pipe
    /// stays open.
    pub fn room(&self) -> Room {
        self.room.clone()
    }

    /// Writes what waits; false when not all of it could be written until then (none: as long as it
    /// takes), or before the interruption. The rest stays, and may be written by another call.
    ///
    /// # Errors
    /// Nobody reads any more, or what the system says.
    pub fn flush(&mut self, until: Option<Instant>) -> Result<bool, WriteError> {
        while self.written < self.buffer.len() {
            match rustix::io::write(&self.room.pipe, &self.buffer[self.written..]) {
                Ok(length) => self.written += length,
                Err(Errno::INTR) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(WriteError::Closed),
                Err(Errno::AGAIN) => {
                    if !self.room.wait(until)? {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        self.buffer.clear();
        self.buffer.shrink_to(MAX_KEPT);
        self.written = 0;
        Ok(true)
    }
}
