//! The control port: UDP on both loopback addresses, and nowhere else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use thiserror::Error;

/// The control port. A machine without IPv6 has only one of the two sockets.
pub(crate) struct Port {
    sockets: Vec<UdpSocket>,
}

/// Why the port cannot be had.
#[derive(Debug, Error)]
pub(crate) enum PortError {
    #[error(
        "cannot listen on the UDP port {address}: it is taken, by another tincan perhaps: stop that, or give this one \
         another port by the option `port`, and its controller the same (`svpn_port`)"
    )]
    Taken { address: SocketAddr },
    #[error("cannot listen on the UDP port {address}: {error}")]
    Other {
        address: SocketAddr,
        error: io::Error,
    },
}

impl Port {
    /// Opens the port.
    pub(crate) fn open(port: u16) -> Result<Self, PortError> {
        let mut sockets = Vec::new();
        for ip in [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ] {
            let address = SocketAddr::new(ip, port);
            let opened = UdpSocket::bind(address).and_then(|socket| {
                socket.set_nonblocking(true)?;
                Ok(socket)
            });
            match opened {
                Ok(socket) => sockets.push(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(PortError::Taken { address });
                }
                // Controllers take IPv4 then.
                Err(_) if ip.is_ipv6() => {}
                Err(error) => return Err(PortError::Other { address, error }),
            }
        }
        Ok(Self { sockets })
    }

    /// What there is to wait for.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(AsFd::as_fd)
    }

    /// Reads a datagram from the socket of this number, in the order of [`descriptors`](Self::descriptors). None:
    /// there is none.
    pub(crate) fn read(&self, number: usize, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        // What else is wrong with a datagram was of one that was sent: a controller that has gone, say.
        let mut tries = 0..MAX_FAULTS;
        loop {
            tries.next()?;
            match self.sockets.get(number)?.recv_from(buffer) {
                Ok(received) => return Some(received),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
    }

    /// Sends a datagram; whether the system took it.
    pub(crate) fn send(&self, to: SocketAddr, datagram: &[u8]) -> bool {
        let mut sockets = self.sockets.iter();
        let socket = sockets.find(|socket| {
            let own = socket.local_addr();
            own.is_ok_and(|own| own.is_ipv6() == to.is_ipv6())
        });
        socket.is_some_and(|socket| socket.send_to(datagram, to).is_ok())
    }
}

/// How many faults are read over, of datagrams that were sent, before it is asked anew whether there is something.
const MAX_FAULTS: usize = 64;
