//! Bodies: those that are sent, whole or live, and reading one within limits.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::mpsc;

/// The largest body that is read, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024;

/// A body, and whatever has to live until it is sent.
#[derive(Debug)]
pub(super) struct Outgoing<T> {
    content: Content,
    _until_sent: T,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    /// Pieces as they come: the next one is made when this one is on its way.
    Live(mpsc::Receiver<Bytes>),
}

impl<T> Outgoing<T> {
    pub(super) fn whole(bytes: Bytes, until_sent: T) -> Self {
        Self {
            content: Content::Whole(bytes),
            _until_sent: until_sent,
        }
    }

    pub(super) fn live(pieces: mpsc::Receiver<Bytes>, until_sent: T) -> Self {
        Self {
            content: Content::Live(pieces),
            _until_sent: until_sent,
        }
    }
}

impl<T: Unpin> Body for Outgoing<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Content::Live(pieces) => match pieces.poll_recv(context) {
                Poll::Ready(piece) => piece,
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Live(_) => SizeHint::default(),
        }
    }
}

/// Reads a body to its end; none when it is too large or does not come.
pub(super) async fn read(mut body: Incoming) -> Option<Vec<u8>> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return None;
    }
    let mut read = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        if let Ok(data) = frame.ok()?.into_data() {
            if read.len() + data.len() > MAX_BODY {
                return None;
            }
            read.extend_from_slice(&data);
        }
    }
    Some(read)
}
