//! A Tor stream, connected with a socket that the host reads and writes.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use arti_client::DataStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long one direction may go on when the other one has ended. The host closes both at once;
/// what is left then is what the other end has sent before it knew.
const LINGER: Duration = Duration::from_secs(10);

/// A pair of sockets: the host's, and the one for [`run`].
///
/// # Errors
/// The system has no descriptor left.
pub(super) fn sockets() -> io::Result<(StdUnixStream, UnixStream)> {
    let (host, own) = StdUnixStream::pair()?;
    own.set_nonblocking(true)?;
    Ok((host, UnixStream::from_std(own)?))
}

/// Copies both ways until both ends are done. Whatever is slow slows the other end down: nothing
/// is kept but one buffer a direction. A pause in one direction flushes what is on its way, which
/// Tor's streams would keep otherwise.
///
/// # Errors
/// The Tor stream broke; that the host closed its end is no error.
pub(super) async fn run(stream: DataStream, socket: UnixStream) -> io::Result<()> {
    let (tor_reader, tor_writer) = stream.split();
    let (host_reader, host_writer) = socket.into_split();
    let out = one_way(host_reader, tor_writer);
    let back = one_way(tor_reader, host_writer);
    tokio::pin!(out, back);
    tokio::select! {
        // The host is done: the rest of what comes is for nobody.
        ended = &mut out => {
            let _ = timeout(LINGER, back).await;
            ended
        }
        ended = &mut back => {
            let _ = timeout(LINGER, out).await;
            ended
        }
    }
}

async fn one_way(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let copied = copy(&mut reader, &mut writer).await;
    // The other end sees that there is no more to come; it may be gone itself.
    let _ = writer.shutdown().await;
    copied.map(drop)
}
