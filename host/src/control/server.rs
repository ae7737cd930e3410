//! The daemon's end of the control socket.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kozo_ground::grant::Grants;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::{UnixListener, UnixStream};

use super::credentials::Owner;
use super::protocol::{MAX_REQUEST, is_one_of_several};
use super::socket::ControlSocket;
use crate::clients::Clients;
use crate::introspection::{Answer, Asker, AskersTaps, Introspection, Outcome, Request};

/// How many clients are served at once. One more takes the place of the oldest that has not sent its
/// request, or does not read the answer; while there is none, it is closed at once.
pub const MAX_CLIENTS: usize = 32;

/// How long a client may take to send its next request, and to read an answer.
const CLIENT_LIMIT: Duration = Duration::from_secs(5);

/// How long to wait when the system gives no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves a socket's clients until the future is dropped. The socket's file goes with it.
///
/// # Errors
/// The runtime cannot take the socket.
pub(crate) async fn serve(socket: ControlSocket, node: Arc<Introspection>) -> io::Result<()> {
    let listener = UnixListener::from_std(socket.listener()?)?;
    let owner = Owner {
        user: rustix::process::geteuid().as_raw(),
        group: socket.group(),
    };
    let mut clients = Clients::new(MAX_CLIENTS);
    loop {
        match listener.accept().await {
            Ok((client, _)) if clients.make_room() => {
                let node = Arc::clone(&node);
                clients.add(|at_work| async move {
                    // A client that is gone or too slow misses its answer; nobody else cares.
                    let _ = attend(client, owner, &node, &at_work).await;
                });
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(target: "control", "cannot accept a client: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn attend(
    mut client: UnixStream,
    owner: Owner,
    node: &Introspection,
    at_work: &AtomicBool,
) -> io::Result<()> {
    if !owner.admits(&client.peer_cred()?) {
        let reason = "only root, the daemon's user and its group may ask".to_owned();
        return say(&mut client, &Outcome::Error(reason)).await;
    }
    let asker = Asker {
        name: "the control socket".to_owned(),
        grants: Grants::all(),
        taps: AskersTaps::new(&node.taps),
    };
    let (reader, mut writer) = client.split();
    let mut reader = BufReader::new(reader);
    loop {
        let request = read_request(&mut reader);
        let request = tokio::time::timeout(CLIENT_LIMIT, request).await??;
        let outcome = match Request::parse(&request) {
            Ok(request) => {
                at_work.store(true, Ordering::Relaxed);
                let answer = node.answer(request, &asker).await;
                at_work.store(false, Ordering::Relaxed);
                Outcome::from(answer)
            }
            Err(error) => Outcome::Error(format!("the request: {error}")),
        };
        say(&mut writer, &outcome).await?;
        if !is_one_of_several(&request) {
            return Ok(());
        }
    }
}

async fn say(client: &mut (impl AsyncWrite + Unpin), outcome: &Outcome<Answer>) -> io::Result<()> {
    let line = outcome.line();
    tokio::time::timeout(CLIENT_LIMIT, client.write_all(line.as_bytes())).await?
}

/// One line, or what of it came before the client stopped writing.
async fn read_request(client: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut limited = client.take(MAX_REQUEST as u64);
    limited.read_until(b'\n', &mut line).await?;
    if line.len() >= MAX_REQUEST && line.last() != Some(&b'\n') {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(line)
}
