//! From a transport's descriptor to a stream of the runtime.

use std::io;
use std::os::fd::OwnedFd;

use tokio::net::UnixStream;

/// Any connected stream socket, whatever its address family: reading, writing and shutting down
/// are the same for all of them, so the type for Unix sockets serves TCP and RFCOMM as well.
pub(super) fn stream(socket: OwnedFd) -> io::Result<UnixStream> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    UnixStream::from_std(std::os::unix::net::UnixStream::from(socket))
}
