//! The system's announcements of changed addresses and routes.
//!
//! Only that there was one matters, so this is a socket and no crate that understands them.

use std::io;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// What is listened to, as in `linux/rtnetlink.h`: IPv4 and IPv6 addresses, IPv4 and IPv6 routes.
const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;

/// How much is read at a time. What does not fit is cut off, and the rest of it does not matter.
const BUFFER: usize = 8 * 1024;

pub(super) struct NetworkChanges {
    /// The type for Unix sockets serves any that has messages with borders.
    socket: UnixDatagram,
}

impl NetworkChanges {
    /// Listens; no privilege is needed for it.
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // No protocol is named, which stands for the first one, `NETLINK_ROUTE`.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self {
            socket: UnixDatagram::from_std(socket.into())?,
        })
    }

    /// Waits for the next change.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        loop {
            self.socket.readable().await?;
            let received = self
                .socket
                .try_io(Interest::READABLE, || Ok(receive(&self.socket)?));
            match received {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Reads one announcement. Whatever the groups above announce is a change, so nothing in it has
/// to be understood. False when it does not come from the system.
fn receive(socket: &UnixDatagram) -> rustix::io::Result<bool> {
    let mut buffer = [0; BUFFER];
    match recvfrom(socket, &mut buffer[..], RecvFlags::empty()) {
        Ok((_, _, sender)) => Ok(sender
            .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
            .is_some_and(|sender| sender.pid() == 0)),
        // More has changed than the socket's buffer holds.
        Err(Errno::NOBUFS) => Ok(true),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error),
    }
}
