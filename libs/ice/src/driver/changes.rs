//! The system's announcements of changed addresses. Only that there was one matters, so none is understood.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// Links, addresses of IPv4, addresses of IPv6, as in `linux/rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// How many announcements are read at a time, at most.
const AT_A_TIME: usize = 256;

pub(super) struct Changes(OwnedFd);

impl Changes {
    /// Listens; no privilege is needed for it.
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // No protocol is named, which stands for the first one, `NETLINK_ROUTE`.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    /// Whether there was one since the last time. Another process may pretend one; that costs a look at the list of
    /// interfaces.
    pub(super) fn take(&self) -> bool {
        let mut buffer = [0; 1024];
        let mut any = false;
        for _ in 0..AT_A_TIME {
            match recv(&self.0, &mut buffer, RecvFlags::TRUNC) {
                // More has changed than the socket's buffer holds.
                Ok(_) | Err(Errno::NOBUFS) => any = true,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        any
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
