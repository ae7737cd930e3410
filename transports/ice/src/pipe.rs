//! The local end of a connection: a socket whose other end the host reads and writes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use bytes::{Buf, Bytes};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

#[derive(Debug)]
pub(crate) struct Pipe {
    socket: UnixStream,
    /// Whether the socket may have something to read, or room; it says so once when that begins.
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// From the host, for the other node.
    pub(crate) unsent: Bytes,
    /// From the other node, for the host.
    pub(crate) undelivered: Bytes,
    /// The host writes no more.
    pub(crate) host_ended: bool,
    /// The host reads no more.
    pub(crate) host_gone: bool,
    /// Everything that came has been handed over, and nothing more comes.
    delivered: bool,
}

impl Pipe {
    /// A pipe, and the end that the host gets.
    pub(crate) fn new() -> io::Result<(Self, UnixStream)> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        let pipe = Self {
            socket: near,
            readable: true,
            writable: true,
            unsent: Bytes::new(),
            undelivered: Bytes::new(),
            host_ended: false,
            host_gone: false,
            delivered: false,
        };
        Ok((pipe, far))
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads some of what the host has written. None if there is nothing.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        while self.readable && !self.host_ended {
            match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => self.host_ended = true,
                Ok((_, count)) => return Some(count),
                Err(Errno::AGAIN) => self.readable = false,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.host_ended = true;
                    self.host_gone = true;
                }
            }
        }
        None
    }

    /// Hands what has come to the host. Whether there is room for more.
    pub(crate) fn deliver(&mut self) -> bool {
        while !self.undelivered.is_empty() && !self.host_gone {
            if !self.writable {
                return false;
            }
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(&self.socket, &self.undelivered, flags) {
                Ok(count) => self.undelivered.advance(count),
                Err(Errno::AGAIN) => self.writable = false,
                Err(Errno::INTR) => {}
                Err(_) => self.host_gone = true,
            }
        }
        if self.host_gone {
            self.undelivered = Bytes::new();
        }
        !self.host_gone
    }

    /// Nothing more comes: the host reads the end, once it has read the rest.
    pub(crate) fn end_delivery(&mut self) {
        if self.undelivered.is_empty() && !self.delivered {
            self.delivered = true;
            // It fails if the host has gone, which then needs not be told.
            let _ = shutdown(&self.socket, Shutdown::Write);
        }
    }
}
