//! A UDP socket, with the system's ways to move many datagrams at a time.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::Ipv6DontFrag;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};

/// How much the system may hold for a socket, in bytes, as far as it allows: some milliseconds of a fast link.
const SYSTEM_BUFFER: usize = 2 << 20;
/// What the system hands over at a time: so many buffers, each of which may hold many datagrams of one sender.
const BUFFERS: usize = 8;
const BUFFER: usize = 64 << 10;
/// How often a socket is read before the others get their turn.
const ROUNDS: usize = 4;

pub(super) struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
}

/// What all sockets read into.
pub(super) struct Buffers(Vec<u8>);

impl Buffers {
    pub(super) fn new() -> Self {
        Self(vec![0; BUFFERS * BUFFER])
    }
}

impl Socket {
    /// One with this address, and a port that the system chooses.
    pub(super) fn open(ip: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((ip, 0))?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // It has forbidden fragments, for QUIC's search for the longest packet. Frames that are too long for a part of
        // the way shall rather be cut than lost.
        if ip.is_ipv4() {
            set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::WANT)?;
        } else {
            set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::WANT)?;
            setsockopt(&socket, Ipv6DontFrag, &false)?;
        }
        let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), SYSTEM_BUFFER);
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), SYSTEM_BUFFER);
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            state,
            address,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many datagrams of one length can be sent at a time.
    pub(super) fn segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Sends datagrams of this length (the last may be shorter). How many the system did not take; an error only if
    /// there is no room at the moment.
    pub(super) fn send(&self, to: SocketAddr, contents: &[u8], segment: usize) -> io::Result<u64> {
        let several = contents.len() > segment;
        match self.send_at_once(to, contents, several.then_some(segment)) {
            Ok(()) => Ok(0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(error),
            // It cannot take them together: they are too long for the interface, say.
            Err(_) if several => {
                let mut lost = 0;
                for datagram in contents.chunks(segment) {
                    lost += u64::from(self.send_at_once(to, datagram, None).is_err());
                }
                Ok(lost)
            }
            Err(_) => Ok(1),
        }
    }

    fn send_at_once(
        &self,
        destination: SocketAddr,
        contents: &[u8],
        segment_size: Option<usize>,
    ) -> io::Result<()> {
        let transmit = Transmit {
            destination,
            ecn: None,
            contents,
            segment_size,
            src_ip: None,
        };
        loop {
            match self
                .state
                .try_send(UdpSockRef::from(&self.socket), &transmit)
            {
                // An earlier datagram came back: nobody listens there. That says nothing about this one.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Hands over what has come, as far as it is this socket's turn: the sender and the datagram. False if there may be
    /// more.
    pub(super) fn receive(
        &self,
        buffers: &mut Buffers,
        mut take: impl FnMut(SocketAddr, &[u8]),
    ) -> bool {
        for _ in 0..ROUNDS {
            let mut metas = [RecvMeta::default(); BUFFERS];
            let received = {
                let mut slices = buffers.0.chunks_mut(BUFFER).map(IoSliceMut::new);
                let mut slices: [IoSliceMut<'_>; BUFFERS] = std::array::from_fn(|_| {
                    slices.next().unwrap_or_else(|| IoSliceMut::new(&mut []))
                });
                self.state
                    .recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas)
            };
            let Ok(received) = received else {
                // Nothing is there, or an error of an earlier datagram, which is fetched by that.
                return received.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
            };
            for (meta, buffer) in metas[..received].iter().zip(buffers.0.chunks(BUFFER)) {
                for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                    take(meta.addr, datagram);
                }
            }
            if received < BUFFERS {
                return true;
            }
        }
        false
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
