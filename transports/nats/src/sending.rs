//! What goes to the server: what is to be sent, and the connection's end that it is written to. Whoever publishes writes
//! by itself what comes alone; what comes in a row is put together, and the worker writes it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;

use crate::dial::Writing;
use crate::outbox::{Limits, Outbox};
use crate::protocol::PING;
use crate::pulse::{Answer, Beat, Patience, Pulse};

/// How long after the last message another one counts as alone.
const LULL: Duration = Duration::from_micros(200);

/// How much is written at a time, in bytes: of a WebSocket that is one message.
const WRITE: usize = 128 * 1024;

pub(crate) struct Sending {
    pub(crate) outbox: Outbox,
    line: Option<Line>,
    /// When something was published last.
    published: Option<Instant>,
}

/// A connection's end that is written to.
struct Line {
    writing: Writing,
    pulse: Pulse,
    /// What its questions may wait for.
    patience: Patience,
    /// What is being written, and how much of it is.
    chunk: Vec<u8>,
    written: usize,
    flushed: bool,
    /// What is to be written besides what the host sends.
    answers: Vec<u8>,
}

impl Sending {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            outbox: Outbox::new(limits),
            line: None,
            published: None,
        }
    }

    /// There is a connection, whose server is asked every `interval` at least. The answer to the first question says that
    /// everything is subscribed to.
    pub(crate) fn begin(
        &mut self,
        writing: Writing,
        interval: Duration,
        patience: Patience,
        now: Instant,
    ) {
        let sent = self.outbox.begin();
        let mut chunk = Vec::new();
        self.outbox.take(&mut chunk);
        chunk.extend_from_slice(PING);
        self.line = Some(Line {
            writing,
            pulse: Pulse::new(interval, patience, sent, now),
            patience,
            chunk,
            written: 0,
            flushed: true,
            answers: Vec::new(),
        });
    }

    /// There is none any more.
    pub(crate) fn end(&mut self) -> Option<Writing> {
        self.outbox.end();
        self.line.take().map(|line| line.writing)
    }

    /// Something was just accepted to be published. False: the worker is to see to it.
    pub(crate) fn write_alone(&mut self, now: Instant) -> bool {
        let before = self.published.replace(now);
        if before.is_some_and(|before| now.saturating_duration_since(before) < LULL) {
            return false;
        }
        let Some(line) = self.line.as_mut().filter(|line| line.is_idle()) else {
            return false;
        };
        line.fill(&mut self.outbox, true, now);
        // What is left is the worker's, and so is what goes wrong: it meets it as well.
        let mut context = Context::from_waker(Waker::noop());
        let written = line.poll_write(&mut context);
        matches!(written, Poll::Ready(Ok(()))) && line.is_idle()
    }

    /// Sees what is to be done at this time; `is_deaf`: nothing is read meanwhile, so the server cannot be heard. When to
    /// look again.
    ///
    /// # Errors
    /// [`Silent`].
    pub(crate) fn tick(&mut self, is_deaf: bool, now: Instant) -> Result<Option<Instant>, Silent> {
        let Some(line) = &mut self.line else {
            return Ok(None);
        };
        if is_deaf {
            line.pulse.heard(now);
        }
        match line.pulse.tick(now) {
            Beat::Silent => return Err(Silent),
            Beat::Ask => line.answers.extend_from_slice(PING),
            Beat::Nothing => {}
        }
        let next = [Some(line.pulse.timeout()), self.outbox.tick(now)];
        Ok(next.into_iter().flatten().min())
    }

    /// Writes all there is. Ready: something went wrong.
    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(line) = &mut self.line else {
            return Poll::Pending;
        };
        loop {
            line.fill(&mut self.outbox, false, Instant::now());
            if line.is_idle() {
                return Poll::Pending;
            }
            match line.poll_write(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether all there is has been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.outbox.is_empty() && self.line.as_ref().is_none_or(Line::is_idle)
    }

    /// Something has come from the server.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Some(line) = &mut self.line {
            line.pulse.heard(now);
        }
    }

    /// The server is to be told this.
    pub(crate) fn answer(&mut self, answer: &[u8]) {
        if let Some(line) = &mut self.line {
            line.answers.extend_from_slice(answer);
        }
    }

    /// The server has answered. None: it was not asked.
    pub(crate) fn answered(&mut self, now: Instant) -> Option<Answer> {
        let line = self.line.as_mut()?;
        let (answer, again) = line.pulse.answered(now);
        if again {
            line.answers.extend_from_slice(PING);
        }
        answer
    }
}

/// The server has not answered for too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Silent;

impl Line {
    /// Whether nothing waits to be written.
    fn is_idle(&self) -> bool {
        self.written == self.chunk.len() && self.flushed && self.answers.is_empty()
    }

    /// Takes what is to be written next, once all that was has been; `is_alone`: it is one message.
    fn fill(&mut self, outbox: &mut Outbox, is_alone: bool, now: Instant) {
        if self.written < self.chunk.len() {
            return;
        }
        let next = outbox.take(&mut self.chunk);
        self.written = 0;
        let may_wait = is_alone && self.chunk.len() as u64 <= self.patience.bytes;
        if let Some(number) = next
            && self.pulse.sending(number, may_wait, now)
        {
            self.chunk.extend_from_slice(PING);
        }
        self.chunk.append(&mut self.answers);
    }

    /// Writes the chunk, and flushes it.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut writing = Pin::new(&mut self.writing);
        while self.written < self.chunk.len() {
            let rest = &self.chunk[self.written..];
            let some = &rest[..rest.len().min(WRITE)];
            match writing.as_mut().poll_write(context, some) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.flushed = false;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if !self.flushed {
            match writing.poll_flush(context) {
                Poll::Ready(Ok(())) => self.flushed = true,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use kozo_abi::Publish;

    use super::*;

    /// Takes so many bytes, and then no more for now.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Pipe {
        fn takes(&self, bytes: usize) {
            self.0.lock().unwrap().1 = bytes;
        }

        fn text(&self) -> String {
            let taken = std::mem::take(&mut self.0.lock().unwrap().0);
            String::from_utf8(taken).unwrap()
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let (taken, room) = &mut *self.0.lock().unwrap();
            let some = bytes.len().min(*room);
            if some == 0 {
                return Poll::Pending;
            }
            taken.extend_from_slice(&bytes[..some]);
            *room -= some;
            Poll::Ready(Ok(some))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A connection that has answered its first question, at the time that comes along.
    fn connected() -> (Sending, Pipe, Instant) {
        let pipe = Pipe::default();
        let mut sending = Sending::new(Limits {
            messages: 100,
            bytes: 10_000,
        });
        let now = Instant::now();
        begin(&mut sending, pipe.clone(), now);
        pipe.takes(usize::MAX);
        assert!(write(&mut sending).is_pending());
        assert_eq!(pipe.text(), "PING\r\n");
        assert!(sending.answered(now).is_some());
        (sending, pipe, now)
    }

    fn begin(
        sending: &mut Sending,
        writing: impl AsyncWrite + Send + Unpin + 'static,
        now: Instant,
    ) {
        let interval = Duration::from_secs(20);
        sending.begin(Box::new(writing), interval, Patience::default(), now);
    }

    fn write(sending: &mut Sending) -> Poll<io::Error> {
        sending.poll_write(&mut Context::from_waker(Waker::noop()))
    }

    fn publish(sending: &mut Sending, now: Instant) -> bool {
        let publish = sending.outbox.publish("a", None, b"x");
        assert!(matches!(publish, Publish::Accepted(_)));
        sending.write_alone(now)
    }

    #[test]
    fn what_comes_alone_is_written_at_once_and_what_comes_in_a_row_together() {
        let (mut sending, pipe, now) = connected();
        assert!(publish(&mut sending, now));
        assert_eq!(pipe.text(), "PUB a 1\r\nx\r\nPING\r\n");
        let soon = now + LULL / 2;
        assert!(!publish(&mut sending, soon));
        assert!(!publish(&mut sending, soon));
        assert_eq!(pipe.text(), "");
        assert!(!sending.is_empty());
        assert!(write(&mut sending).is_pending());
        assert_eq!(pipe.text(), "PUB a 1\r\nx\r\nPUB a 1\r\nx\r\n");
        assert!(sending.is_empty());
        // It was asked for the first one alone.
        assert_eq!(sending.answered(soon).unwrap().confirmed, Some(1));
        assert!(write(&mut sending).is_pending());
        assert_eq!(pipe.text(), "PING\r\n");
        assert_eq!(sending.answered(soon).unwrap().confirmed, Some(3));
        assert!(publish(&mut sending, soon + LULL));
        assert_eq!(pipe.text(), "PUB a 1\r\nx\r\nPING\r\n");
        assert_eq!(sending.answered(soon).unwrap().confirmed, Some(4));
    }

    #[test]
    fn what_the_connection_does_not_take_at_once_is_the_workers() {
        let (mut sending, pipe, now) = connected();
        pipe.takes(4);
        assert!(!publish(&mut sending, now));
        // It would overtake what is under way.
        assert!(!publish(&mut sending, now + LULL));
        pipe.takes(usize::MAX);
        assert!(write(&mut sending).is_pending());
        let all = pipe.text();
        assert!(all.starts_with("PUB a 1\r\nx\r\nPING\r\nPUB"), "{all}");
        assert!(sending.is_empty());
        // What was not written is nothing to the next connection.
        pipe.takes(0);
        assert!(!publish(&mut sending, now + 2 * LULL));
        drop(sending.end());
        begin(&mut sending, pipe.clone(), now);
        pipe.takes(usize::MAX);
        assert!(write(&mut sending).is_pending());
        assert_eq!(pipe.text(), "PING\r\n");
    }

    #[test]
    fn what_goes_wrong_is_told_to_the_worker() {
        struct Broken;
        impl AsyncWrite for Broken {
            fn poll_write(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &[u8],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
        let (mut sending, _, now) = connected();
        begin(&mut sending, Broken, now);
        assert!(!publish(&mut sending, now));
        assert!(
            matches!(write(&mut sending), Poll::Ready(error) if error.kind() == io::ErrorKind::BrokenPipe)
        );
    }
}
