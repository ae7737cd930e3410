//! A link over a stream that its transport secures by itself: the frames go over it as they are.
//!
//! The transport says who is at the other end; the host takes its word for it, but only for a node
//! of the network file. Both ends have to do the same, so transports of one module link with each
//! other and with no others.

use std::sync::Arc;

use bytes::Bytes;
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::secured::{
    Closed, Ended, FinishOnDrop, Outlet, Receiver, Secured, Sender, Session, Termination,
};
use crate::stream::{Stream, guard};

/// How many sends wait for the session's task before the next sender waits: as with SSH.
const QUEUE_SLOTS: usize = 10;

/// How many bytes are taken in while a write waits. Reading and writing wait for each other
/// nowhere here, so one chunk would do.
const READ_AHEAD: usize = 0;

/// The way into the task of a link without SSH.
#[derive(Debug, Clone)]
pub struct PlainOutlet(mpsc::Sender<Command>);

#[derive(Debug)]
enum Command {
    Send(Bytes),
    Close,
}

impl Outlet for PlainOutlet {
    async fn send(&self, bytes: Bytes) -> Result<(), Closed> {
        self.0.send(Command::Send(bytes)).await.map_err(|_| Closed)
    }

    async fn close(&self) {
        let _ = self.0.send(Command::Close).await;
    }
}

/// Opens a link with `peer` on a stream that is secured already, and reads it `chunk` bytes at a time.
/// Must be called on the runtime.
pub fn open<S, R>(
    stream: S,
    chunk: usize,
    peer: NodeName,
    make_receiver: impl FnOnce(&NodeName) -> R,
) -> Secured<PlainOutlet>
where
    S: Stream,
    R: Receiver,
{
    let (stream, switch, traffic) = guard(stream, chunk, READ_AHEAD);
    let termination = Termination::new(switch);
    let session = Session::new(termination.clone());
    let (queue, commands) = mpsc::channel(QUEUE_SLOTS);
    let receiver = make_receiver(&peer);
    let buffer = vec![0; chunk];
    tokio::spawn(run(stream, buffer, receiver, commands, termination.clone()));
    Secured {
        peer,
        sender: Sender::new(PlainOutlet(queue), termination),
        session,
        negotiated: None,
        traffic,
        direct: None,
    }
}

async fn run<S>(
    stream: S,
    mut buffer: Vec<u8>,
    receiver: impl Receiver,
    mut commands: mpsc::Receiver<Command>,
    termination: Arc<Termination>,
) where
    S: AsyncRead + AsyncWrite,
{
    let finish = FinishOnDrop(termination);
    let (stream, mut receiver) = (stream, receiver);
    let (mut reader, mut writer) = tokio::io::split(stream);
    let read = async {
        loop {
            match reader.read(&mut buffer).await {
                Ok(0) => return Ended::ByPeer,
                Ok(count) => {
                    if let Err(refused) = receiver.data(&buffer[..count]) {
                        return Ended::Refused(refused.to_string());
                    }
                }
                Err(error) => return Ended::Lost(error_text(&error)),
            }
        }
    };
    let write = async {
        while let Some(Command::Send(bytes)) = commands.recv().await {
            if let Err(error) = writer.write_all(&bytes).await {
                return Ended::Lost(error_text(&error));
            }
        }
        match writer.shutdown().await {
            // The peer answers by closing its own side, which ends the reading.
            Ok(()) => std::future::pending().await,
            Err(error) => Ended::Lost(error_text(&error)),
        }
    };
    let ended = tokio::select! {
        ended = read => ended,
        ended = write => ended,
    };
    finish.0.note(ended);
    finish.0.cut();
}

#[cfg(test)]
mod tests;
