//! Free TCP ports for tests.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// A TCP port of 127.0.0.1 that nobody listens on, and that the system gives to nobody else for
/// the next minute: tests that run at the same time get different ones.
///
/// A listener that asks for it gets it when it sets `SO_REUSEADDR`, as Rust's own does.
///
/// # Errors
/// The system's: no port is left, or there is no loopback.
pub fn reserve_port() -> io::Result<u16> {
    // A connection that was closed here first leaves its port in the state TIME_WAIT. The system
    // does not hand such a port out, but lets whoever asks for it by number have it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let client = TcpStream::connect(address)?;
    let (accepted, _) = listener.accept()?;
    drop(accepted);
    drop(client);
    Ok(address.port())
}
