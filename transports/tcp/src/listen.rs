//! Listening sockets.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kozo_abi::Error;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

/// All sockets that the transport listens on: a name such as `localhost` has two addresses.
pub(crate) struct Listeners {
    sockets: Vec<TcpListener>,
    /// Readable when any of them is.
    epoll: OwnedFd,
}

impl Listeners {
    /// Listens on `bind_address`; the empty text is every address of this machine.
    ///
    /// # Errors
    /// Which address and port cannot be listened on, and why.
    pub(crate) fn open(bind_address: &str, port: u16, backlog: u16) -> Result<Self, Error> {
        let sockets = if bind_address.is_empty() {
            vec![everywhere(port, backlog)?]
        } else {
            on(bind_address, port, backlog)?
        };
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for socket in &sockets {
            let data = epoll::EventData::new_u64(0);
            epoll::add(&epoll, socket, data, epoll::EventFlags::IN)?;
        }
        Ok(Self { sockets, epoll })
    }

    /// A connection that waits, and the other end's address.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn accept(&self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        for socket in &self.sockets {
            match socket.accept() {
                Ok((stream, address)) => return Ok(Some((stream, plain(address)))),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl AsFd for Listeners {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl fmt::Display for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.sockets.iter().filter_map(|one| one.local_addr().ok());
        let addresses: Vec<String> = addresses.map(|address| address.to_string()).collect();
        f.write_str(&addresses.join(" and "))
    }
}

/// One socket for IPv6 and IPv4, or for IPv4 alone where there is no IPv6.
fn everywhere(port: u16, backlog: u16) -> Result<TcpListener, Error> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match socket(both, false, backlog) {
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {
            let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            socket(v4, true, backlog).map_err(|error| cannot_listen(v4, error))
        }
        result => result.map_err(|error| cannot_listen(both, error)),
    }
}

/// A socket for each address of `host`.
fn on(host: &str, port: u16, backlog: u16) -> Result<Vec<TcpListener>, Error> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| {
        format!("`bindAddress`: `{host}` is no address and no name of this machine: {error}")
    })?;
    let mut sockets = Vec::new();
    let mut missing = format!("`bindAddress`: `{host}` has no address").into();
    for address in addresses {
        match socket(address, true, backlog) {
            Ok(socket) => sockets.push(socket),
            // `localhost` may stand for `::1` on a machine without IPv6: that is no fault.
            Err(error @ (Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)) => {
                missing = cannot_listen(address, error);
            }
            Err(error) => return Err(cannot_listen(address, error)),
        }
    }
    if sockets.is_empty() {
        return Err(missing);
    }
    Ok(sockets)
}

fn socket(address: SocketAddr, only_v6: bool, backlog: u16) -> Result<TcpListener, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, only_v6)?;
    }
    // A node that starts again does not wait for its last connections to be forgotten.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, i32::from(backlog))?;
    Ok(socket.into())
}

fn cannot_listen(address: SocketAddr, error: Errno) -> Error {
    let hint = match error {
        Errno::ADDRINUSE => "; another program has this `port`",
        Errno::ADDRNOTAVAIL => "; `bindAddress` is no address of this machine",
        Errno::ACCESS => "; a `port` below 1024 needs a privilege",
        _ => "",
    };
    let error = io::Error::from(error);
    format!("cannot listen on {address}: {error}{hint}").into()
}

/// Whether the next connection may well be accepted: this one went while it waited.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
    )
}

/// An IPv4 client of a socket for both is shown as such.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
