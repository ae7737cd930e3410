//! What stands between a session and the transport's stream.
//!
//! Four things that an SSH session's task cannot do for itself:
//!
//! - A **switch** closes the stream at once from outside, so that a session which nobody wants any
//!   more cannot keep a descriptor, whatever its task waits for.
//! - **Reading ahead.** The task writes whole packets and does not read until they are out. When
//!   both ends have much to say, each would wait for the other to read. So while a write waits,
//!   what arrives is taken in here, up to a limit that no honest peer reaches.
//! - **Handing over.** What secured the stream first can let go of it, at a place in the stream that it knows,
//!   and another takes over with what was read already.
//! - **Large reads.** The session asks for four bytes and then for the rest of a packet; the stream
//!   is asked once, for as much as there is. A stream on which little comes has a small buffer for that.

mod buffer;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

use buffer::Buffer;

/// A stream that a link can go over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Writes what the stream takes at once; unlike the rest, any thread may call it, beside whoever polls.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it takes nothing now, which is so for ever of a stream that can only
    /// be polled.
    fn try_write(&self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Stream for UnixStream {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Self::try_write(self, bytes)
    }
}

impl Stream for TcpStream {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Self::try_write(self, bytes)
    }
}

impl Stream for DuplexStream {}

/// Puts a stream behind a switch. It is read at most `chunk` bytes at a time, and at most `ahead` bytes
/// are taken in while a write waits.
pub(crate) fn guard<S: Stream>(
    stream: S,
    chunk: usize,
    ahead: usize,
) -> (Guarded<S>, Switch, Traffic) {
    let traffic = Traffic::default();
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            stream: Some(stream),
            buffer: Buffer::new(chunk, ahead),
            finished: None,
            waits: false,
            reader: None,
            writer: None,
            holder: 0,
            released: None,
        }),
        traffic: traffic.clone(),
    });
    let switch = Switch(shared.clone());
    let holder = 0;
    (Guarded { shared, holder }, switch, traffic)
}

/// Counts the bytes of one stream, as they are on the path.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
    /// In microseconds of the clock.
    moved: AtomicU64,
}

impl Traffic {
    /// Bytes read from the stream so far.
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Bytes that the stream has taken so far. They may still be in the system's buffers.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// When bytes were last read from the stream, or written after they had to wait: the path was
    /// alive then, even if no whole packet has arrived. The clock's zero when that has not been.
    pub fn moved(&self) -> Moment {
        Moment::ZERO + Duration::from_micros(self.0.moved.load(Ordering::Relaxed))
    }

    fn count_received(&self, bytes: usize) {
        self.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.note_movement();
    }

    fn count_sent(&self, bytes: usize, waited: bool) {
        self.0.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        // What is taken at once may only have filled a buffer of this machine's.
        if waited {
            self.note_movement();
        }
    }

    fn note_movement(&self) {
        let now = clock::now().since(Moment::ZERO).as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.0.moved.store(now, Ordering::Relaxed);
    }
}

/// Has a say over a stream from outside.
#[derive(Clone)]
pub(crate) struct Switch(Arc<dyn Control>);

impl Switch {
    /// Drops the stream now; whoever reads or writes it gets an error.
    pub(crate) fn cut(&self) {
        self.0.cut();
    }

    /// Takes the stream away from who holds it, to whom it looks cut; it stays as it is, for whoever takes over.
    pub(crate) fn release(&self) {
        self.0.release(None);
    }

    /// The same as soon as the holder has flushed it the next time; `released` is told then.
    pub(crate) fn release_when_flushed(&self, released: oneshot::Sender<()>) {
        self.0.release(Some(released));
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Switch")
    }
}

trait Control: Send + Sync {
    fn cut(&self);

    fn release(&self, when_flushed: Option<oneshot::Sender<()>>);
}

/// A stream behind a [`Switch`]: whoever has this holds the stream, until it is taken away.
pub(crate) struct Guarded<S> {
    shared: Arc<Shared<S>>,
    holder: u64,
}

/// Takes over a stream from who held it.
pub(crate) struct Successor<S>(Arc<Shared<S>>);

impl<S> Successor<S> {
    /// The stream, for reading at most `chunk` bytes at a time. What its holder has not taken of what was read
    /// is still there.
    pub(crate) fn take_over(self, chunk: usize) -> Guarded<S> {
        let Self(shared) = self;
        let holder = {
            let mut state = shared.lock();
            state.buffer.retune(chunk);
            state.holder += 1;
            state.holder
        };
        Guarded { shared, holder }
    }
}

/// Writes to a stream what it takes at once, from any thread.
pub(crate) trait DirectWrite: Send + Sync {
    /// See [`Stream::try_write`].
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

struct Shared<S> {
    state: Mutex<State<S>>,
    traffic: Traffic,
}

struct State<S> {
    /// `None` once the switch was thrown.
    stream: Option<S>,
    buffer: Buffer,
    /// How reading ended, seen while a write waited and still to be told to the reader.
    finished: Option<io::Result<()>>,
    /// The stream could take no more when it was last written to.
    waits: bool,
    /// Who to wake when the switch is thrown.
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The number of the holder; earlier ones have nothing to say any more.
    holder: u64,
    /// The holder lets go with its next flush, and who is told then.
    released: Option<oneshot::Sender<()>>,
}

impl<S> Shared<S> {
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock_anyway()
    }

    fn close(&self) {
        let mut state = self.lock();
        let stream = state.stream.take();
        let wakers = [state.reader.take(), state.writer.take()];
        // Whoever waits to take over learns that there is nothing to take over any more.
        state.released = None;
        drop(state);
        // Outside the lock: closing a descriptor may take its time.
        drop(stream);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl<S: Send> Control for Shared<S> {
    fn cut(&self) {
        self.close();
    }

    fn release(&self, when_flushed: Option<oneshot::Sender<()>>) {
        let mut state = self.lock();
        match when_flushed {
            Some(released) => state.released = Some(released),
            None => state.holder += 1,
        }
    }
}

impl<S: Stream> DirectWrite for Shared<S> {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.lock();
        let Some(stream) = &state.stream else {
            return Err(cut_off());
        };
        let count = stream.try_write(bytes)?;
        let waited = std::mem::take(&mut state.waits);
        self.traffic.count_sent(count, waited);
        Ok(count)
    }
}

impl<S> Guarded<S> {
    /// The way for another to take over. Whoever takes over without the stream having been released takes it
    /// away from this one.
    pub(crate) fn successor(&self) -> Successor<S> {
        Successor(self.shared.clone())
    }

    /// The stream's state, as long as this is its holder.
    fn hold(&self) -> io::Result<MutexGuard<'_, State<S>>> {
        let state = self.shared.lock();
        if state.stream.is_none() || state.holder != self.holder {
            return Err(cut_off());
        }
        Ok(state)
    }
}

impl<S: Stream> Guarded<S> {
    /// The way for others to write beside this one.
    pub(crate) fn direct(&self) -> Arc<dyn DirectWrite> {
        self.shared.clone()
    }

    /// Gives `take` all that has come, as soon as that is `enough` bytes; it says how many of them it takes
    /// away. False at the end of the stream, where less than that is left.
    pub(crate) fn poll_take(
        &self,
        cx: &mut Context<'_>,
        enough: usize,
        take: impl FnOnce(&[u8]) -> usize,
    ) -> Poll<io::Result<bool>> {
        let mut state = self.hold()?;
        state.fill(cx, enough, &self.shared.traffic);
        if state.buffer.len() >= enough {
            // Others may write meanwhile. Only the holder has anything to do with what was read.
            let mut buffer = std::mem::take(&mut state.buffer);
            drop(state);
            let taken = take(buffer.filled());
            buffer.consume(taken);
            self.shared.lock().buffer = buffer;
            return Poll::Ready(Ok(true));
        }
        match state.poll_end(cx) {
            Poll::Ready(ended) => Poll::Ready(ended.map(|()| false)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S> Drop for Guarded<S> {
    fn drop(&mut self) {
        // The switch lives longer, and must not keep the descriptor open.
        if self.shared.lock().holder == self.holder {
            self.shared.close();
        }
    }
}

impl<S: AsyncRead + Unpin> State<S> {
    /// Takes in what the stream has, until it has no more, or has ended, or `enough` is there.
    fn fill(&mut self, cx: &mut Context<'_>, enough: usize, traffic: &Traffic) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        while self.finished.is_none() && self.buffer.len() < enough {
            let mut space = ReadBuf::new(self.buffer.space());
            match Pin::new(&mut *stream).poll_read(cx, &mut space) {
                Poll::Pending => return,
                Poll::Ready(Err(error)) => self.finished = Some(Err(error)),
                Poll::Ready(Ok(())) => match space.filled().len() {
                    0 => self.finished = Some(Ok(())),
                    count => {
                        traffic.count_received(count);
                        self.buffer.extend(count);
                    }
                },
            }
        }
    }
}

impl<S> State<S> {
    /// How reading has ended, if it has; there is nothing left to read.
    fn poll_end(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.finished {
            None => {
                remember(&mut self.reader, cx);
                Poll::Pending
            }
            Some(Ok(())) => Poll::Ready(Ok(())),
            // An error is told once; after it the stream has ended.
            Some(error) => Poll::Ready(std::mem::replace(error, Ok(()))),
        }
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the link was cut here")
}

/// Keeps the waker of the task that last polled.
fn remember(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(known) => known.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.hold()?;
        if state.buffer.len() == 0 {
            state.fill(cx, 1, &self.shared.traffic);
        }
        if state.buffer.len() > 0 {
            state.buffer.take(buf);
            return Poll::Ready(Ok(()));
        }
        state.poll_end(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    /// Writes as [`AsyncWrite`] does, without being the only one who looks at this.
    pub(crate) fn poll_write_shared(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.hold()?;
        let Some(stream) = &mut state.stream else {
            return Poll::Ready(Err(cut_off()));
        };
        match Pin::new(stream).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) => {
                let waited = std::mem::take(&mut state.waits);
                self.shared.traffic.count_sent(count, waited);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                state.waits = true;
                let (before, ahead) = (state.buffer.len(), state.buffer.ahead);
                state.fill(cx, ahead, &self.shared.traffic);
                remember(&mut state.writer, cx);
                let news = state.buffer.len() > before || state.finished.is_some();
                let reader = if news { state.reader.take() } else { None };
                drop(state);
                // The stream now wakes the writer, so the reader would not hear of this.
                reader.into_iter().for_each(Waker::wake);
                Poll::Pending
            }
        }
    }

    /// Says that nothing more will be written, likewise.
    pub(crate) fn poll_shutdown_shared(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.hold()?;
        let Some(stream) = &mut state.stream else {
            return Poll::Ready(Err(cut_off()));
        };
        let closed = Pin::new(stream).poll_shutdown(cx);
        if closed.is_pending() {
            remember(&mut state.writer, cx);
        }
        closed
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_shared(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.hold()?;
        let Some(stream) = &mut state.stream else {
            return Poll::Ready(Err(cut_off()));
        };
        let flushed = Pin::new(stream).poll_flush(cx);
        if flushed.is_pending() {
            remember(&mut state.writer, cx);
        } else if let Some(released) = state.released.take() {
            state.holder += 1;
            // Nobody waits for it any more when the link was given up.
            let _ = released.send(());
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown_shared(cx)
    }
}

#[cfg(test)]
mod tests;
