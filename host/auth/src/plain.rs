//! A link over a stream that its transport secures by itself: the frames go over it as they are.
//!
//! The transport says who is at the other end; the host takes its word for it, but only for a node
//! of the network file. Both ends have to do the same, so transports of one module link with each
//! other and with no others.

use bytes::Bytes;
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::secured::{Closed, Ended, Ending, Receiver, Secured, Sender, Session};
use super::ssh::{Endpoint, Outlet};
use super::stream::guard;

/// How many sends wait for the session's task before the next sender waits: as with SSH.
const QUEUE_SLOTS: usize = 10;

/// How many bytes are taken in while a write waits. Reading and writing wait for each other
/// nowhere here, so one chunk would do.
const READ_AHEAD: usize = 0;

/// The way into the task of a link without SSH.
#[derive(Clone)]
pub(super) struct PlainOutlet(mpsc::Sender<Step>);

enum Step {
    Send(Bytes),
    Close,
}

impl PlainOutlet {
    pub(super) async fn send(&self, bytes: Bytes) -> Result<(), Closed> {
        self.0.send(Step::Send(bytes)).await.map_err(|_| Closed)
    }

    /// An error means that the session is over, which is what is wanted.
    pub(super) async fn close(&self) {
        let _ = self.0.send(Step::Close).await;
    }
}

/// Opens a link with `peer` on a stream that is secured already. Must be called on the runtime.
pub fn open<S, R>(
    stream: S,
    endpoint: &Endpoint,
    peer: NodeName,
    make_receiver: impl FnOnce(&NodeName) -> R,
) -> Secured
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Receiver,
{
    let (stream, switch, traffic) = guard(stream, endpoint.chunk, READ_AHEAD);
    let ending = Ending::new(switch);
    let session = Session::new(ending.clone());
    let (queue, steps) = mpsc::channel(QUEUE_SLOTS);
    let receiver = make_receiver(&peer);
    let chunk = vec![0; endpoint.chunk];
    tokio::spawn(run(stream, chunk, receiver, steps, ending.clone()));
    Secured {
        peer,
        sender: Sender::new(Outlet::Plain(PlainOutlet(queue)), ending),
        session,
        negotiated: None,
        traffic,
    }
}

async fn run<S>(
    stream: S,
    mut chunk: Vec<u8>,
    mut receiver: impl Receiver,
    mut steps: mpsc::Receiver<Step>,
    ending: Arc<Ending>,
) where
    S: AsyncRead + AsyncWrite,
{
    let (mut reader, mut writer) = tokio::io::split(stream);
    let read = async {
        loop {
            match reader.read(&mut chunk).await {
                Ok(0) => return Ended::ByPeer,
                Ok(count) => {
                    if let Err(refused) = receiver.data(&chunk[..count]) {
                        return Ended::Refused(refused.to_string());
                    }
                }
                Err(error) => return Ended::Lost(error_text(&error)),
            }
        }
    };
    let write = async {
        while let Some(Step::Send(bytes)) = steps.recv().await {
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
    ending.note(ended);
    ending.cut();
    ending.finish();
}

#[cfg(test)]
mod tests;
