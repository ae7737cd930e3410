//! SOCKS 5 (RFC 1928), as far as Tor's proxy needs it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use kozo_abi::Error;

use super::left;
use crate::options::Target;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const ADDRESS_V4: u8 = 1;
const ADDRESS_NAME: u8 = 3;
const ADDRESS_V6: u8 = 4;

/// Asks the proxy at the other end of `stream` to connect it with `target`.
///
/// # Errors
/// It does not speak SOCKS 5 without a password, or says why it cannot connect.
pub(super) fn through(
    mut stream: TcpStream,
    target: &Target,
    deadline: Instant,
) -> Result<TcpStream, Error> {
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&[VERSION, 1, NO_AUTHENTICATION])?;
    match read(&mut stream, deadline)? {
        [VERSION, NO_AUTHENTICATION] => {}
        [VERSION, _] => return Err("it wants a password".into()),
        _ => return Err("it does not speak SOCKS 5".into()),
    }
    stream.write_all(&request(target)?)?;
    let [version, reply, _, kind] = read(&mut stream, deadline)?;
    if version != VERSION {
        return Err("it does not speak SOCKS 5".into());
    }
    if reply != 0 {
        return Err(format!("it cannot connect: {}", reason(reply)).into());
    }
    // The address that it connected from means nothing here, but has to be read.
    let address = match kind {
        ADDRESS_V4 => 4,
        ADDRESS_V6 => 16,
        ADDRESS_NAME => usize::from(read::<1>(&mut stream, deadline)?[0]),
        _ => return Err("it answers with an address of an unknown kind".into()),
    };
    for _ in 0..address + size_of::<u16>() {
        read::<1>(&mut stream, deadline)?;
    }
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    Ok(stream)
}

fn request(target: &Target) -> Result<Vec<u8>, Error> {
    let name = target.address.to_string();
    let mut request = vec![VERSION, CONNECT, 0, ADDRESS_NAME, u8::try_from(name.len())?];
    request.extend_from_slice(name.as_bytes());
    request.extend_from_slice(&target.port.to_be_bytes());
    Ok(request)
}

/// Exactly `N` bytes, however slowly they come.
fn read<const N: usize>(stream: &mut TcpStream, deadline: Instant) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => return Err("it closed the connection".into()),
            Ok(count) => filled += count,
            // The next round finds out whether the time is up.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// What a reply means; those from 240 on are Tor's own.
fn reason(reply: u8) -> String {
    let text = match reply {
        1 => "it failed in general; its own log may say more",
        2 => "its rules forbid it",
        3 | 4 => "the address cannot be reached",
        5 => "the node there takes no connections at that port",
        6 => "it took too long",
        0xf0 => "Tor finds no such address",
        0xf1 => "what the network knows of the address is broken",
        0xf2 | 0xf3 | 0xf7 => "the node there does not answer",
        0xf4 | 0xf5 => "the node there admits only clients with a key that this Tor has not",
        0xf6 => "the address is not valid",
        other => return format!("reply {other}"),
    };
    text.to_owned()
}
