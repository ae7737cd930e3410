//! Connecting through a SOCKS 5 proxy that needs no password and resolves the name itself (RFC 1928),
//! as Tor's does.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::num::TryFromIntError;
use std::time::{Duration, Instant};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const ADDRESS_V4: u8 = 1;
const ADDRESS_NAME: u8 = 3;
const ADDRESS_V6: u8 = 4;

/// Why a proxy has not connected. The texts go behind the proxy's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocksError {
    /// The time is up.
    #[error("it did not answer in time")]
    TimedOut,
    /// It has ended the stream.
    #[error("it closed the connection")]
    Closed,
    /// It is something else than a proxy.
    #[error("it does not speak SOCKS 5")]
    OtherProtocol,
    /// It does not let everybody in.
    #[error("it wants a password")]
    Password,
    /// It cannot connect, for the reason that has this number.
    #[error("it cannot connect: reply {0}")]
    Refused(u8),
    /// It says that it is connected from an address that cannot be read over.
    #[error("it answers with an address of an unknown type")]
    UnknownAddress,
    /// The name is longer than 255 bytes.
    #[error(transparent)]
    Name(#[from] TryFromIntError),
    /// The system's own errors.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Asks the proxy at the other end of `stream` to connect it with `port` of `name`. Afterwards the
/// stream has no time limits.
///
/// # Errors
/// [`SocksError`]
pub fn through(
    stream: &mut TcpStream,
    name: &str,
    port: u16,
    deadline: Instant,
) -> Result<(), SocksError> {
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&[VERSION, 1, NO_AUTHENTICATION])?;
    match read(stream, deadline)? {
        [VERSION, NO_AUTHENTICATION] => {}
        [VERSION, _] => return Err(SocksError::Password),
        _ => return Err(SocksError::OtherProtocol),
    }
    stream.write_all(&request(name, port)?)?;
    let [version, reply, _, kind] = read(stream, deadline)?;
    if version != VERSION {
        return Err(SocksError::OtherProtocol);
    }
    if reply != 0 {
        return Err(SocksError::Refused(reply));
    }
    // The address that it connected from means nothing here, but has to be read.
    let address = match kind {
        ADDRESS_V4 => 4,
        ADDRESS_V6 => 16,
        ADDRESS_NAME => usize::from(read::<1>(stream, deadline)?[0]),
        _ => return Err(SocksError::UnknownAddress),
    };
    for _ in 0..address + size_of::<u16>() {
        read::<1>(stream, deadline)?;
    }
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    Ok(())
}

fn request(name: &str, port: u16) -> Result<Vec<u8>, SocksError> {
    let mut request = vec![VERSION, CONNECT, 0, ADDRESS_NAME, u8::try_from(name.len())?];
    request.extend_from_slice(name.as_bytes());
    request.extend_from_slice(&port.to_be_bytes());
    Ok(request)
}

/// Exactly `N` bytes, however slowly they come.
fn read<const N: usize>(stream: &mut TcpStream, deadline: Instant) -> Result<[u8; N], SocksError> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => return Err(SocksError::Closed),
            Ok(count) => filled += count,
            Err(error) => match error.kind() {
                // The next round finds that the time is up.
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                _ => return Err(error.into()),
            },
        }
    }
    Ok(bytes)
}

/// The time until the deadline; there is some.
fn left(deadline: Instant) -> Result<Duration, SocksError> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(SocksError::TimedOut),
        left => Ok(left),
    }
}
