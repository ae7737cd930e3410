//! Serves the metrics over TCP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::family::Format;
use super::http::{self, MAX_HEAD, Refusal};
use crate::clients::Clients;

/// How many clients are served at once. One more takes the place of the oldest.
pub(super) const MAX_CLIENTS: usize = 8;

/// How long a client may take to send its request, and as long again to read the answer.
pub(super) const CLIENT_LIMIT: Duration = Duration::from_secs(5);

/// The time between two clients that are let in. Whatever they want, it costs the links no more than a hundred
/// answers a second.
const PACE: Duration = Duration::from_millis(10);

/// How long what a client sends besides is read, so that its end comes to it behind the answer.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// How much of that is read, in bytes.
const MAX_DRAINED: usize = 256 * 1024;

/// Writes the metrics.
pub(super) type Answer = dyn Fn(Format) -> String + Send + Sync;

/// Serves clients until the future is dropped.
pub(super) async fn serve(listener: &TcpListener, answer: Arc<Answer>) {
    let mut clients = Clients::new(MAX_CLIENTS);
    loop {
        match listener.accept().await {
            Ok((client, _)) if clients.make_room() => {
                let answer = Arc::clone(&answer);
                clients.add(|_| async move {
                    // A client that is gone or too slow misses its answer; nobody else cares.
                    let _ = attend(client, &*answer).await;
                });
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(target: "metrics", "cannot accept a client: {error}");
            }
        }
        sleep(PACE).await;
    }
}

async fn attend(mut client: TcpStream, answer: &Answer) -> io::Result<()> {
    let request = match timeout(CLIENT_LIMIT, read_head(&mut client)).await {
        Ok(head) => head?.and_then(|head| http::parse(&head)),
        Err(_) => Err(Refusal::TimedOut),
    };
    let message = match request {
        Ok(request) => http::answer(request, &answer(request.format)),
        Err(refusal) => refusal.answer(),
    };
    timeout(CLIENT_LIMIT, client.write_all(&message)).await??;
    client.shutdown().await?;
    // A connection that is closed with bytes unread may take the answer with it.
    let _ = timeout(DRAIN_LIMIT, drain(&mut client)).await;
    Ok(())
}

/// The head of a request, or why it is not waited for.
async fn read_head(client: &mut TcpStream) -> io::Result<Result<Vec<u8>, Refusal>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(length) = http::head_length(&bytes) {
            bytes.truncate(length);
            return Ok(Ok(bytes));
        }
        let room = MAX_HEAD.saturating_sub(bytes.len());
        if room == 0 {
            return Ok(Err(Refusal::HeadTooLong));
        }
        let mut limited = (&mut *client).take(u64::try_from(room).unwrap_or(u64::MAX));
        if limited.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn drain(client: &mut TcpStream) -> io::Result<()> {
    let mut scratch = [0; 4096];
    let mut drained = 0;
    while drained < MAX_DRAINED {
        match client.read(&mut scratch).await? {
            0 => break,
            count => drained += count,
        }
    }
    Ok(())
}
