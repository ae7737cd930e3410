//! The stream of a caller that has not proven who it is: it tells how far the caller has come, and
//! keeps back what begins the key exchange until it is the caller's turn.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use kozo_auth::secured::Stream;
use kozo_auth::ssh::Opening;
use kozo_link::admission::CallerStep;

/// The most bytes that are taken in while a caller waits for its turn: its part of a key exchange
/// has fewer. A caller that hangs up is noticed so.
const MOST_KEPT: usize = 8 * 1024;

/// How many bytes are read at a time meanwhile.
const PIECE: usize = 1024;

/// Whoever is told how far a caller has come.
pub(super) trait CallerProgress: Unpin + Send + 'static {
    /// The caller is at this step now. For [`CallerStep::Waiting`] the answer is told when its turn has
    /// come, and is dropped when it has to leave.
    fn reach(&self, step: CallerStep) -> Option<oneshot::Receiver<()>>;
}

/// A caller's stream.
pub(super) struct Threshold<S, P> {
    stream: S,
    state: ThresholdState<P>,
    /// Held until what has come so far was looked at.
    unseen: Option<OwnedSemaphorePermit>,
}

enum ThresholdState<P> {
    Opening(Opening, P),
    Waiting(oneshot::Receiver<()>, Vec<u8>),
    /// What was kept back comes first.
    Through(Vec<u8>),
}

impl<S, P> Threshold<S, P> {
    /// Drops `unseen` when it has looked at what the caller has said so far, if anything, and has
    /// told that.
    pub(super) fn new(stream: S, progress: P, unseen: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            state: ThresholdState::Opening(Opening::default(), progress),
            unseen: Some(unseen),
        }
    }
}

impl<S: AsyncRead + Unpin, P: CallerProgress> AsyncRead for Threshold<S, P> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                ThresholdState::Through(kept) => {
                    if kept.is_empty() {
                        return Pin::new(&mut this.stream).poll_read(cx, buf);
                    }
                    let count = kept.len().min(buf.remaining());
                    buf.put_slice(&kept[..count]);
                    kept.drain(..count);
                    if kept.is_empty() {
                        *kept = Vec::new();
                    }
                    return Poll::Ready(Ok(()));
                }
                ThresholdState::Opening(opening, progress) => {
                    // The session writes first. So the socket was asked what it is ready for, and
                    // nothing to read means that nothing has come.
                    let _until_told = this.unseen.take();
                    let before = buf.filled().len();
                    ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
                    let had_greeted = opening.has_greeted();
                    let new = &buf.filled()[before..];
                    let free = opening.look(new);
                    if opening.has_greeted() && !had_greeted {
                        progress.reach(CallerStep::Greeted);
                    }
                    if free == new.len() {
                        return Poll::Ready(Ok(()));
                    }
                    let kept = new[free..].to_vec();
                    let Some(turn) = progress.reach(CallerStep::Waiting) else {
                        return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                    };
                    buf.set_filled(before + free);
                    this.state = ThresholdState::Waiting(turn, kept);
                    // Nothing at all would mean that the stream has ended.
                    if free > 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                ThresholdState::Waiting(turn, kept) => match Pin::new(turn).poll(cx) {
                    Poll::Ready(Ok(())) => {
                        this.state = ThresholdState::Through(std::mem::take(kept))
                    }
                    Poll::Ready(Err(_)) => {
                        return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                    }
                    Poll::Pending if kept.len() >= MOST_KEPT => return Poll::Pending,
                    Poll::Pending => {
                        let mut piece = [0; PIECE];
                        let mut piece = ReadBuf::new(&mut piece);
                        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut piece))?;
                        if piece.filled().is_empty() {
                            return Poll::Ready(Ok(()));
                        }
                        kept.extend_from_slice(piece.filled());
                    }
                },
            }
        }
    }
}

impl<S: Stream, P: CallerProgress> Stream for Threshold<S, P> {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.try_write(bytes)
    }
}

impl<S: AsyncWrite + Unpin, P: Unpin> AsyncWrite for Threshold<S, P> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
