//! Free TCP ports for tests.

use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How long a process that was being started meanwhile has to let go of what it has inherited.
const LIMIT: Duration = Duration::from_secs(20);

/// How long nobody looks again whether it has.
const PAUSE: Duration = Duration::from_millis(1);

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
    let mut client = TcpStream::connect(address)?;
    let (accepted, _) = listener.accept()?;
    // A process that another thread is starting has copies of all sockets until it runs its program,
    // and they are closed no earlier than there.
    drop(accepted);
    client.set_read_timeout(Some(LIMIT))?;
    client.read_to_end(&mut Vec::new())?;
    drop(client);
    drop(listener);
    wait_until_refused(address)?;
    Ok(address.port())
}

/// # Errors
/// `TimedOut`: something goes on listening there.
fn wait_until_refused(address: SocketAddr) -> io::Result<()> {
    let deadline = Instant::now() + LIMIT;
    while TcpStream::connect(address).is_ok() {
        if Instant::now() >= deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_port_is_free_at_once_whoever_starts_processes_meanwhile() -> io::Result<()> {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let _ = Command::new("true").status();
                    }
                });
            }
            let result = (0..400).try_for_each(|_| {
                TcpListener::bind((Ipv4Addr::LOCALHOST, reserve_port()?)).map(drop)
            });
            done.store(true, Ordering::Relaxed);
            result
        })
    }
}
