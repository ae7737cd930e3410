//! Streams.

use std::io;

pub use bluer::rfcomm::{Listener, Stream};
use bluer::rfcomm::{Security, SecurityLevel, Socket, SocketAddr};
use bluer::{Address, Uuid};

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
