//! What stands between a session and the transport's stream.
//!
//! Three things that an SSH session's task cannot do for itself:
//!
//! - A **switch** closes the stream at once from outside, so that a session which nobody wants any
//!   more cannot keep a descriptor, whatever its task waits for.
//! - **Reading ahead.** The task writes whole packets and does not read until they are out. When
//!   both ends have much to say, each would wait for the other to read. So while a write waits,
//!   what arrives is taken in here, up to a limit that no honest peer reaches.
//! - **Large reads.** The session asks for four bytes and then for the rest of a packet; the stream
//!   is asked once, for as much as there is. A stream on which little comes has a small buffer for that.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;

/// How much is read from a stream at a time until more has come at once, in bytes: most links only say now and
/// then that they still stand.
const SMALL: usize = 4096;

/// How many times in a row a buffer is emptied and three quarters of it have not been needed, until it is made
/// half as long.
const PATIENCE: u32 = 64;

/// Puts a stream behind a switch. It is read at most `chunk` bytes at a time, and at most `ahead` bytes
/// are taken in while a write waits.
pub(crate) fn guard<S>(stream: S, chunk: usize, ahead: usize) -> (Guarded<S>, Switch, Traffic)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let traffic = Traffic::default();
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            stream: Some(stream),
            buffer: Buffer::new(chunk, ahead),
            finished: None,
            waits: false,
            reader: None,
            writer: None,
        }),
        traffic: traffic.clone(),
    });
    let switch = Switch(shared.clone());
    (Guarded { shared }, switch, traffic)
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

/// Closes a stream from outside.
#[derive(Clone)]
pub(crate) struct Switch(Arc<dyn Cut>);

impl Switch {
    /// Drops the stream now; whoever reads or writes it gets an error.
    pub(crate) fn cut(&self) {
        self.0.cut();
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Switch")
    }
}

trait Cut: Send + Sync {
    fn cut(&self);
}

/// A stream behind a [`Switch`].
pub(crate) struct Guarded<S> {
    shared: Arc<Shared<S>>,
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
}

impl<S> Shared<S> {
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock_anyway()
    }

    fn close(&self) {
        let mut state = self.lock();
        let stream = state.stream.take();
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        // Outside the lock: closing a descriptor may take its time.
        drop(stream);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl<S: Send> Cut for Shared<S> {
    fn cut(&self) {
        self.close();
    }
}

impl<S> Drop for Guarded<S> {
    fn drop(&mut self) {
        // The switch lives longer, and must not keep the descriptor open.
        self.shared.close();
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
        let mut state = self.shared.lock();
        if state.stream.is_none() {
            return Poll::Ready(Err(cut_off()));
        }
        if state.buffer.len() == 0 {
            state.fill(cx, 1, &self.shared.traffic);
        }
        if state.buffer.len() > 0 {
            state.buffer.take(buf);
            return Poll::Ready(Ok(()));
        }
        match &mut state.finished {
            None => {
                remember(&mut state.reader, cx);
                Poll::Pending
            }
            Some(Ok(())) => Poll::Ready(Ok(())),
            // An error is told once; after it the stream has ended.
            Some(error) => Poll::Ready(std::mem::replace(error, Ok(()))),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.shared.lock();
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

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let Some(stream) = &mut state.stream else {
            return Poll::Ready(Err(cut_off()));
        };
        let flushed = Pin::new(stream).poll_flush(cx);
        if flushed.is_pending() {
            remember(&mut state.writer, cx);
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
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

/// Bytes that were read and not yet asked for. It is as long as what came lately has needed, one chunk at most,
/// and grows beyond that only for what is read ahead.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    chunk: usize,
    ahead: usize,
    /// How many times in a row it was emptied and three quarters of it had not been needed.
    spare: u32,
}

impl Buffer {
    fn new(chunk: usize, ahead: usize) -> Self {
        Self {
            bytes: vec![0; SMALL.min(chunk)],
            spare: 0,
            start: 0,
            end: 0,
            chunk,
            ahead,
        }
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    /// Room for more, never empty.
    fn space(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                // Doubling keeps the copies of a long read-ahead few.
                let longer = (self.bytes.len() * 2).min(self.ahead + self.chunk);
                self.bytes.resize(longer.max(self.end + 1), 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// Counts what was written into [`Buffer::space`].
    fn extend(&mut self, count: usize) {
        self.end += count;
    }

    /// Moves as much as fits into `buf`.
    fn take(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.len().min(buf.remaining());
        buf.put_slice(&self.bytes[self.start..self.start + count]);
        self.start += count;
        if self.start == self.end {
            self.fit();
            (self.start, self.end) = (0, 0);
        }
    }

    /// Takes the length that fits what comes, when all that came was taken.
    fn fit(&mut self) {
        let length = self.bytes.len();
        let is_spare = self.end <= length / 4;
        self.spare = if is_spare { self.spare + 1 } else { 0 };
        let fitting = if length > self.chunk {
            self.chunk
        } else if self.end == length {
            // There may have been more.
            (length * 2).min(self.chunk)
        } else if self.spare >= PATIENCE {
            (length / 2).max(SMALL.min(self.chunk))
        } else {
            return;
        };
        self.spare = 0;
        if fitting != length {
            self.bytes = vec![0; fitting];
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const CHUNK: usize = 16;
    const AHEAD: usize = 1000;

    #[tokio::test]
    async fn two_ends_that_write_before_they_read_do_not_wait_for_each_other_for_ever() {
        let (left, right) = duplex(32);
        let (mut left, _left_switch, _) = guard(left, CHUNK, AHEAD);
        let (mut right, _right_switch, traffic) = guard(right, CHUNK, AHEAD);
        let bytes: Vec<u8> = (0..900_u32).map(|i| i as u8).collect();
        async fn write_then_read<S>(end: &mut Guarded<S>, bytes: &[u8]) -> Vec<u8>
        where
            S: AsyncRead + AsyncWrite + Unpin,
        {
            end.write_all(bytes).await.unwrap();
            let mut read = vec![0; bytes.len()];
            end.read_exact(&mut read).await.unwrap();
            read
        }
        let (one, two) = tokio::join!(
            write_then_read(&mut left, &bytes),
            write_then_read(&mut right, &bytes)
        );
        assert_eq!((&one, &two), (&bytes, &bytes));
        assert_eq!((traffic.sent(), traffic.received()), (900, 900));
        assert_eq!(right.shared.lock().buffer.bytes.len(), CHUNK);
    }

    #[test]
    fn a_buffer_is_as_long_as_what_comes_needs() {
        const LARGE: usize = 5 * SMALL;
        let mut buffer = Buffer::new(LARGE, AHEAD);
        let mut length_after = |count: usize| {
            let mut taken = vec![0; LARGE];
            let count = count.min(buffer.space().len());
            buffer.space()[..count].fill(7);
            buffer.extend(count);
            // In two parts, as a session does.
            buffer.take(&mut ReadBuf::new(&mut taken[..count / 2]));
            let mut rest = ReadBuf::new(&mut taken);
            buffer.take(&mut rest);
            assert!(rest.filled().iter().all(|byte| *byte == 7));
            assert_eq!(buffer.len(), 0);
            buffer.bytes.len()
        };
        assert_eq!(length_after(100), SMALL);
        let grown = [2 * SMALL, 4 * SMALL, LARGE, LARGE];
        assert_eq!([(); 4].map(|()| length_after(LARGE)), grown);
        for _ in 1..PATIENCE {
            assert_eq!(length_after(100), LARGE);
        }
        // Something larger in between, and it stays.
        assert_eq!(length_after(2 * SMALL), LARGE);
        for _ in 1..PATIENCE {
            assert_eq!(length_after(100), LARGE);
        }
        assert_eq!(length_after(100), LARGE / 2);
        for _ in 0..10 * PATIENCE {
            length_after(100);
        }
        assert_eq!(length_after(100), SMALL);
    }

    #[tokio::test]
    async fn a_part_of_a_packet_and_a_write_that_goes_on_are_movement() {
        let (near, mut far) = duplex(8);
        let (mut near, _switch, traffic) = guard(near, CHUNK, AHEAD);
        near.write_all(&[1; 8]).await.unwrap();
        // A buffer took it at once: that tells nothing of the path.
        assert_eq!(traffic.moved(), Moment::ZERO);
        let mut taken = [0; 16];
        let (written, read) = tokio::join!(near.write_all(&[1; 8]), far.read_exact(&mut taken));
        written.and(read.map(|_| ())).unwrap();
        assert_ne!(traffic.moved(), Moment::ZERO);

        let (near, mut far) = duplex(8);
        let (mut near, _switch, traffic) = guard(near, CHUNK, AHEAD);
        far.write_all(&[1; 3]).await.unwrap();
        let mut packet = [0; 4];
        let mut whole = std::pin::pin!(near.read_exact(&mut packet));
        std::future::poll_fn(|cx| {
            assert!(whole.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_ne!(traffic.moved(), Moment::ZERO);
    }

    #[tokio::test]
    async fn no_more_than_the_limit_is_read_ahead() {
        let (near, mut far) = duplex(32);
        let (mut near, _switch, traffic) = guard(near, CHUNK, AHEAD);
        let flood = async {
            let flooded = far.write_all(&[7; 100_000]).await;
            unreachable!("a peer that does not read may not be read without limit: {flooded:?}");
        };
        // Both write and nobody reads: the one that is guarded takes in its limit and stops.
        let mut both = std::pin::pin!(async { tokio::join!(near.write_all(&[1; 100_000]), flood) });
        let (mut last, mut idle_rounds) = (0, 0);
        std::future::poll_fn(|cx| {
            assert!(both.as_mut().poll(cx).is_pending());
            let now = traffic.received();
            idle_rounds = if now == last { idle_rounds + 1 } else { 0 };
            last = now;
            if idle_rounds == 10 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let read = traffic.received() as usize;
        assert!((AHEAD..=AHEAD + CHUNK).contains(&read), "{read}");
    }

    #[tokio::test]
    async fn what_was_read_ahead_is_told_before_the_end() {
        let (near, mut far) = duplex(8);
        let (mut near, _switch, _) = guard(near, CHUNK, AHEAD);
        let write = async { near.write_all(&[1; 64]).await.unwrap_err() };
        let (_, error) = tokio::join!(
            async move {
                far.write_all(b"goodbye").await.unwrap();
                drop(far);
            },
            write
        );
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        let mut text = String::new();
        near.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "goodbye");
    }

    #[tokio::test]
    async fn the_switch_closes_the_stream_and_wakes_who_waits() {
        let (near, mut far) = duplex(8);
        let (mut near, switch, _) = guard(near, CHUNK, AHEAD);
        let reader = tokio::spawn(async move {
            let error = near.read_u8().await.unwrap_err();
            (near, error)
        });
        tokio::task::yield_now().await;
        switch.cut();
        assert_eq!(
            far.read(&mut [0]).await.unwrap(),
            0,
            "the peer sees the end"
        );
        let (mut near, error) = reader.await.unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        assert!(near.write_all(b"x").await.is_err());
        switch.cut();
    }

    #[tokio::test]
    async fn a_switch_does_not_keep_the_stream_open() {
        let (near, mut far) = duplex(8);
        let (near, switch, _) = guard(near, CHUNK, AHEAD);
        drop(near);
        assert_eq!(
            far.read(&mut [0]).await.unwrap(),
            0,
            "the peer sees the end"
        );
        switch.cut();
    }
}
