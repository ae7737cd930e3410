//! The sockets of a controller.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What goes to tincan and comes from there.
///
/// It is connected, so that the kernel lets nothing else in, and says when nobody is there.
#[derive(Debug)]
pub(crate) struct ToTincan {
    pub(crate) socket: UdpSocket,
    port: u16,
    is_ipv6: bool,
}

impl ToTincan {
    /// To tincan at `::1`, or at 127.0.0.1 where there is no IPv6.
    ///
    /// # Errors
    /// There can be no socket.
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        Self::of(port, true).or_else(|_| Self::of(port, false))
    }

    fn of(port: u16, is_ipv6: bool) -> io::Result<Self> {
        let address = loopback(is_ipv6);
        let socket = UdpSocket::bind((address, 0))?;
        socket.connect((address, port))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            port,
            is_ipv6,
        })
    }

    /// To the same port of the other address.
    ///
    /// # Errors
    /// There can be no socket.
    pub(crate) fn other(&self) -> io::Result<Self> {
        Self::of(self.port, !self.is_ipv6).or_else(|_| Self::of(self.port, self.is_ipv6))
    }

    /// Where tincan is.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(loopback(self.is_ipv6), self.port)
    }

    /// The port at this end.
    pub(crate) fn own_port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }
}

fn loopback(is_ipv6: bool) -> IpAddr {
    if is_ipv6 {
        Ipv6Addr::LOCALHOST.into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    }
}

/// The sockets at which it is asked whether a controller is there, of both families as far as there are.
///
/// # Errors
/// The port is in use.
pub(crate) fn echo(port: u16) -> io::Result<Vec<UdpSocket>> {
    let mut sockets = Vec::new();
    for address in [loopback(true), loopback(false)] {
        match UdpSocket::bind((address, port)) {
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                sockets.push(socket);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // Without IPv6.
            Err(_) => {}
        }
    }
    Ok(sockets)
}

/// The socket for other controllers: at this node's address in the overlay.
///
/// # Errors
/// The address is not there yet: tincan has no device.
pub(crate) fn icc(own: Ipv6Addr, port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((own, port))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
