//! Connecting through a SOCKS 5 proxy.

use std::net::TcpStream;
use std::time::Instant;

use kozo_abi::Error;
use kozo_addresses::Endpoint;
use kozo_socks::SocksError;

use crate::dial;

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
    // Tor knows its names without the dot that ends a full name in DNS.
    let name = endpoint.host.trim_end_matches('.');
    kozo_socks::through(&mut stream, name, endpoint.port, deadline)
        .map_err(|error| match error {
            SocksError::Refused(reply) => format!("it cannot connect: {}", reason(reply)).into(),
            error => error.into(),
        })
        .map_err(failed)?;
    Ok(stream)
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
