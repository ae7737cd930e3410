//! The SOCKS 5 proxy of Tor.

use std::net::TcpStream;
use std::time::Instant;

use kozo_abi::Error;
use kozo_socks::SocksError;

use crate::options::Target;

/// Asks the proxy at the other end of `stream` to connect it with `target`.
///
/// # Errors
/// It does not speak SOCKS 5 without a password, or says why it cannot connect.
pub(super) fn through(
    mut stream: TcpStream,
    target: &Target,
    deadline: Instant,
) -> Result<TcpStream, Error> {
    let name = target.address.to_string();
    match kozo_socks::through(&mut stream, &name, target.port, deadline) {
        Ok(()) => Ok(stream),
        Err(SocksError::Refused(reply)) => {
            Err(format!("it cannot connect: {}", reason(reply)).into())
        }
        Err(error) => Err(error.into()),
    }
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
