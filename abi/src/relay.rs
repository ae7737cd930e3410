//! From streams that are no sockets to one that is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

/// How many bytes are moved at a time.
const CHUNK: usize = 16 << 10;

/// One end of a socket pair, whose other end two threads connect with `reader` and `writer`.
pub(crate) fn relay(
    reader: impl Read + Send + 'static,
    writer: impl Write + Send + 'static,
    close: impl FnOnce() + Send + 'static,
) -> io::Result<UnixStream> {
    let (for_host, own) = UnixStream::pair()?;
    let incoming = own.try_clone()?;
    thread::Builder::new()
        .name("relay in".to_owned())
        .spawn(move || {
            // Whatever ends it, the host sees the end of the stream.
            let _ = pump(reader, &incoming);
            let _ = incoming.shutdown(Shutdown::Write);
        })?;
    let spawned = {
        let own = own.try_clone()?;
        thread::Builder::new()
            .name("relay out".to_owned())
            .spawn(move || {
                let _ = pump(&own, writer);
                // Either the host has closed its end, or nothing can be written any more.
                let _ = own.shutdown(Shutdown::Both);
                close();
            })
    };
    if let Err(error) = spawned {
        let _ = own.shutdown(Shutdown::Both);
        return Err(error);
    }
    Ok(for_host)
}

/// Moves bytes until the end of `from`; each chunk goes out at once.
fn pump(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                to.write_all(&chunk[..count])?;
                to.flush()?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// The host's end of a relay, the far end of what it relays, and whether that was closed.
    fn relayed() -> (UnixStream, UnixStream, mpsc::Receiver<()>) {
        let (near, far) = UnixStream::pair().unwrap();
        let (reader, writer) = (near.try_clone().unwrap(), near.try_clone().unwrap());
        let (sender, closed) = mpsc::channel();
        let close = move || {
            let _ = near.shutdown(Shutdown::Both);
            let _ = sender.send(());
        };
        (relay(reader, writer, close).unwrap(), far, closed)
    }

    #[test]
    fn bytes_go_both_ways() {
        let (mut host, mut far, _closed) = relayed();
        let mut bytes = [0; 4];
        host.write_all(b"ping").unwrap();
        far.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"ping");
        far.write_all(b"pong").unwrap();
        host.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"pong");
    }

    #[test]
    fn when_the_host_closes_its_end_the_stream_is_closed() {
        let (host, mut far, closed) = relayed();
        drop(host);
        closed.recv_timeout(LIMIT).unwrap();
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn when_the_stream_ends_the_host_reads_what_came_before_and_then_the_end() {
        let (mut host, mut far, _closed) = relayed();
        far.write_all(b"goodbye").unwrap();
        drop(far);
        let mut text = String::new();
        host.read_to_string(&mut text).unwrap();
        assert_eq!(text, "goodbye");
    }
}
