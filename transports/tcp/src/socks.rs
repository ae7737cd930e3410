//! Connecting through a SOCKS 5 proxy, which resolves the name itself (RFC 1928).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kozo_abi::Error;

use crate::address::Endpoint;
use crate::dial;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const ADDRESS_V4: u8 = 1;
const ADDRESS_NAME: u8 = 3;
const ADDRESS_V6: u8 = 4;

/// Connects to `endpoint` through `proxy`.
///
/// # Errors
/// The proxy cannot be reached, does not speak SOCKS 5 without a password, or says why it cannot
/// connect.
pub(crate) fn connect(
    proxy: &Endpoint,
    endpoint: &Endpoint,
    deadline: Instant,
) -> Result<TcpStream, Error> {
    let failed = |error: Error| -> Error { format!("the proxy at `{proxy}`: {error}").into() };
    let mut stream = dial::connect(proxy, deadline).map_err(failed)?;
    handshake(&mut stream, endpoint, deadline).map_err(failed)?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    Ok(stream)
}

fn handshake(stream: &mut TcpStream, endpoint: &Endpoint, deadline: Instant) -> Result<(), Error> {
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&[VERSION, 1, NO_AUTHENTICATION])?;
    let [version, method] = read(stream, deadline)?;
    if version != VERSION {
        return Err("it does not speak SOCKS 5".into());
    }
    if method != NO_AUTHENTICATION {
        return Err("it wants a password".into());
    }

    // Tor knows its names without the dot that ends a full name in DNS.
    let name = endpoint.host.trim_end_matches('.').as_bytes();
    let mut request = vec![VERSION, CONNECT, 0, ADDRESS_NAME];
    request.push(u8::try_from(name.len())?);
    request.extend_from_slice(name);
    request.extend_from_slice(&endpoint.port.to_be_bytes());
    stream.write_all(&request)?;

    let [version, reply, _, address] = read(stream, deadline)?;
    if version != VERSION {
        return Err("it does not speak SOCKS 5".into());
    }
    if reply != 0 {
        return Err(format!("it cannot connect: {}", reason(reply)).into());
    }
    // The address that it connected from means nothing here, but has to be read.
    match address {
        ADDRESS_V4 => read::<{ 4 + 2 }>(stream, deadline).map(drop),
        ADDRESS_V6 => read::<{ 16 + 2 }>(stream, deadline).map(drop),
        ADDRESS_NAME => {
            let [length] = read(stream, deadline)?;
            for _ in 0..usize::from(length) + 2 {
                read::<1>(stream, deadline)?;
            }
            Ok(())
        }
        _ => Err("it answers with an address of an unknown type".into()),
    }
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
            Err(error) => match error.kind() {
                // The next round finds that the time is up.
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                _ => return Err(error.into()),
            },
        }
    }
    Ok(bytes)
}

fn left(deadline: Instant) -> Result<Duration, Error> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err("it did not answer in time".into()),
        left => Ok(left),
    }
}

/// What a reply means; those from 240 on are Tor's own.
fn reason(reply: u8) -> String {
    let text = match reply {
        1 => "general failure",
        2 => "its rules forbid it",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "timed out on the way",
        7 => "it knows no connections",
        8 => "it knows no such addresses",
        0xf0 => "the onion service is not found",
        0xf1 => "the onion service's descriptor is broken",
        0xf2 => "the introduction failed",
        0xf3 => "the rendezvous failed",
        0xf4 => "the onion service wants client authorisation",
        0xf5 => "the client authorisation is wrong",
        0xf6 => "the onion address is broken",
        0xf7 => "the introduction timed out",
        other => return format!("reply {other}"),
    };
    text.to_owned()
}
