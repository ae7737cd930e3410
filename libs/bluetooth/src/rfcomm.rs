//! Streams.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

pub use bluer::rfcomm::{Listener, Stream};
use bluer::rfcomm::{Security, SecurityLevel, Socket, SocketAddr};
use bluer::{Address, Uuid};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use crate::{Error, Result, sdp};

/// What the link layer is asked for: encryption, without that anybody has to confirm anything and
/// without a lasting pairing. The kernel demands it of every service but the list of services; who
/// is at the other end is for those to prove who use the stream.
const SECURITY: Security = Security {
    level: SecurityLevel::Low,
    key_size: 0,
};

/// Listens on a channel that the kernel chooses, with room for `backlog` connections that nobody has
/// accepted yet. `local` is the adapter's address, or [`Address::any`]. Has to be called on a runtime.
///
/// # Errors
/// [`Error::NoSockets`], or why the kernel does not do it.
pub fn listen(local: Address, backlog: u16) -> Result<(Listener, u8)> {
    let listening = || -> io::Result<(Listener, u8)> {
        let socket = Socket::new()?;
        socket.bind(SocketAddr::new(local, 0))?;
        socket.set_security(SECURITY)?;
        let listener = socket.listen(u32::from(backlog))?;
        let channel = listener.as_ref().local_addr()?.channel;
        Ok((listener, channel))
    };
    listening().map_err(|error| match Error::from_socket("", &error) {
        Error::NoSockets => Error::NoSockets,
        _ => Error::Connection(format!("cannot listen for Bluetooth connections: {error}")),
    })
}

/// A duplicate of a stream's descriptor, which stays open when `stream` is dropped.
///
/// `bluer` lends the number of its descriptor and nothing that Rust could duplicate. The system does,
/// when it passes the descriptor on through a socket pair.
///
/// # Errors
/// The system has no descriptor left.
pub fn descriptor(stream: &Stream) -> io::Result<OwnedFd> {
    duplicate(stream)
}

fn duplicate(owner: &impl AsRawFd) -> io::Result<OwnedFd> {
    let (near, far) = UnixStream::pair()?;
    let passed = [owner.as_raw_fd()];
    sendmsg::<()>(
        near.as_raw_fd(),
        // At least one byte has to go with it.
        &[IoSlice::new(&[0])],
        &[ControlMessage::ScmRights(&passed)],
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = recvmsg(
        &far,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    // The system leaves it out where this process may have no more of them.
    let is_cut = received.flags.contains(ReturnFlags::CTRUNC);
    descriptor.ok_or_else(|| match is_cut {
        true => rustix::io::Errno::MFILE.into(),
        false => io::ErrorKind::InvalidInput.into(),
    })
}

/// Connects to the service `uuid` of the device at `address`, from `local` as with [`listen`], and tells
/// on which channel that was. `guess` is tried when the device cannot tell the channel by itself. It
/// takes as long as the other end lets it: to be used with a time limit.
///
/// # Errors
/// [`Error::NoService`], or why there is no connection.
pub async fn connect(
    local: Address,
    address: Address,
    uuid: Uuid,
    guess: Option<u8>,
) -> Result<(Stream, u8)> {
    let channels = match (sdp::channels(local, address, uuid).await, guess) {
        (Err(Error::NoList { .. }), Some(guess)) => vec![guess],
        (channels, _) => channels?,
    };
    let mut failure = Error::NoService { address, uuid };
    // Several when its machine runs several nodes with this UUID, each on an adapter of its own.
    for channel in channels {
        let to = SocketAddr::new(address, channel);
        let connecting = async {
            let socket = Socket::new()?;
            socket.bind(SocketAddr::new(local, 0))?;
            socket.set_security(SECURITY)?;
            socket.connect(to).await
        };
        match connecting.await {
            Ok(stream) => return Ok((stream, channel)),
            Err(error) => failure = Error::from_socket(&address.to_string(), &error),
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_duplicate_outlives_the_socket_that_it_is_of() -> io::Result<()> {
        let (near, mut far) = UnixStream::pair()?;
        let descriptor = duplicate(&near)?;
        drop(near);
        UnixStream::from(descriptor).write_all(b"ping")?;
        let mut got = [0; 4];
        far.read_exact(&mut got)?;
        assert_eq!(&got, b"ping");
        // With the duplicate, the last descriptor has gone.
        assert_eq!(far.read(&mut got)?, 0);
        Ok(())
    }

    #[test]
    fn a_socket_without_a_descriptor_has_no_duplicate() {
        struct Closed;
        impl AsRawFd for Closed {
            fn as_raw_fd(&self) -> i32 {
                -1
            }
        }
        assert!(duplicate(&Closed).is_err());
    }
}
