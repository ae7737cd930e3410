//! A link by Noise, on a stream that an SSH session has handed over.
//!
//! SSH is the way in: it proves who is at both ends, and inside it they agree on fresh keys ([`agreement`]). From
//! then on the stream carries records ([`records`]), which cost less than SSH's packets: nothing is copied from queue
//! to queue, no task stands between who sends and the stream, and any thread may send. What goes over it are the
//! same frames.
//!
//! ```text
//!   Sender::send ─▶ ┌──────────┐ ─▶ try_write ────────────▶ stream
//!   Direct::send ─▶ │ outgoing │ ─▶ what it does not take ─▶ session's task ─▶
//!                   └──────────┘         Receiver::data ◀── session's task ◀─
//! ```
//!
//! An empty record is the end: a stream that ends without one was cut.

mod agreement;
mod records;

use std::cell::RefCell;
use std::fmt;
use std::future::{pending, poll_fn};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, ready};

use bytes::Bytes;
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use tokio::sync::Notify;

pub(crate) use agreement::{Agreement, Cipher, MAX_OFFER_LEN, Offer, VARIABLE, answer};
use records::{LENGTH_LEN, Opener, Scratch, Sealer, records};

use crate::secured::{
    Closed, Direct, Ended, FinishOnDrop, Negotiated, Outlet, Receiver, Refused, Secured, Sender,
    Session, Termination,
};
use crate::stream::{DirectWrite, Guarded, Stream, Successor, Switch, Traffic};

/// What a thread seals records into, and opens them into, is kept for the next time up to so many bytes.
const KEPT_SCRATCH: usize = 128 * 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Calls `with` with empty room that the thread keeps.
fn with_scratch<T>(with: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let result = with(&mut scratch);
    if scratch.room() <= KEPT_SCRATCH {
        SCRATCH.set(scratch);
    }
    result
}

/// The way out of a link by Noise.
#[derive(Clone)]
pub(crate) struct NoiseOutlet(Arc<NoiseWriter>);

struct NoiseWriter {
    outgoing: Mutex<Outgoing>,
    stream: Arc<dyn DirectWrite>,
    /// Wakes the session's task: the stream has not taken everything, or nothing more is to come.
    work: Notify,
    /// Wakes who waits for the stream to take what it has not taken.
    room: Notify,
}

struct Outgoing {
    sealer: Sealer,
    /// Records that the stream has not taken yet, but for so many bytes at their front.
    waiting: Vec<u8>,
    taken: usize,
    /// Nothing more is sealed.
    closed: bool,
    /// How the stream failed, until the session's task says so.
    failed: Option<io::Error>,
}

impl NoiseWriter {
    fn lock(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock_anyway()
    }

    /// Seals bytes, and writes what the stream takes of them, unless others wait before.
    fn write(&self, outgoing: &mut Outgoing, bytes: &[u8]) -> Result<(), Closed> {
        if outgoing.closed {
            return Err(Closed);
        }
        let written = with_scratch(|sealed| {
            let sealing = outgoing.sealer.seal(bytes, sealed);
            sealing.map_err(io::Error::other)?;
            let taken = match outgoing.waiting.is_empty() {
                true => write_now(&*self.stream, sealed.bytes())?,
                false => 0,
            };
            outgoing.waiting.extend_from_slice(&sealed.bytes()[taken..]);
            Ok(())
        });
        if let Err(error) = written {
            outgoing.closed = true;
            outgoing.failed = Some(error);
            self.work.notify_one();
            return Err(Closed);
        }
        if !outgoing.waiting.is_empty() {
            self.work.notify_one();
        }
        Ok(())
    }
}

/// Writes as much as the stream takes now; the result is how many bytes.
fn write_now(stream: &dyn DirectWrite, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match stream.try_write(&bytes[taken..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => taken += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

impl Outlet for NoiseOutlet {
    async fn send(&self, bytes: Bytes) -> Result<(), Closed> {
        loop {
            {
                let mut outgoing = self.0.lock();
                if outgoing.closed || outgoing.waiting.is_empty() {
                    let sent = self.0.write(&mut outgoing, &bytes);
                    if outgoing.closed || outgoing.waiting.is_empty() {
                        // There is room for whoever waits behind this one.
                        self.0.room.notify_one();
                    }
                    return sent;
                }
            }
            self.0.room.notified().await;
        }
    }

    async fn close(&self) {
        let mut outgoing = self.0.lock();
        if !outgoing.closed {
            outgoing.closed = true;
            with_scratch(|sealed| {
                // Without it, the other end takes the link for cut: there is no more harm.
                let _ = outgoing.sealer.seal_end(sealed);
                outgoing.waiting.extend_from_slice(sealed.bytes());
            });
        }
        self.0.work.notify_one();
    }
}

impl Direct for NoiseWriter {
    fn has_room(&self) -> bool {
        let outgoing = self.lock();
        !outgoing.closed && outgoing.waiting.is_empty()
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Closed> {
        self.write(&mut self.lock(), bytes)
    }
}

/// Opens the link with `peer` on the stream that SSH has let go of. Must be called on the runtime.
pub(crate) fn open<S: Stream>(
    agreement: Agreement,
    stream: Successor<S>,
    (switch, traffic): (Switch, Traffic),
    longest: usize,
    peer: NodeName,
    receiver: Box<dyn Receiver>,
) -> Secured<NoiseOutlet> {
    let stream = stream.take_over(LENGTH_LEN + longest);
    let negotiated = Negotiated {
        noise: Some(agreement.cipher.protocol()),
        cipher: agreement.cipher.ssh_name().to_owned(),
        mac: None,
    };
    let (sealer, opener) = records(agreement, longest);
    let writer = Arc::new(NoiseWriter {
        outgoing: Mutex::new(Outgoing {
            sealer,
            waiting: Vec::new(),
            taken: 0,
            closed: false,
            failed: None,
        }),
        stream: stream.direct(),
        work: Notify::new(),
        room: Notify::new(),
    });
    let termination = Termination::new(switch);
    let session = Session::new(termination.clone());
    let outlet = NoiseOutlet(writer.clone());
    let sender = Sender::new(outlet, termination.clone());
    tokio::spawn(run(stream, opener, receiver, writer.clone(), termination));
    Secured {
        peer,
        sender,
        session,
        negotiated: Some(negotiated),
        traffic,
        direct: Some(writer),
    }
}

async fn run<S: Stream>(
    stream: Guarded<S>,
    opener: Opener,
    receiver: Box<dyn Receiver>,
    writer: Arc<NoiseWriter>,
    termination: Arc<Termination>,
) {
    // What is announced last is dropped last, also when the receiver panics.
    let finish = FinishOnDrop(termination);
    let closing = CloseOnDrop(writer);
    let (stream, mut receiver) = (stream, receiver);
    let ended = tokio::select! {
        ended = read(&stream, opener, &mut *receiver) => ended,
        ended = flush(&stream, &closing.0) => ended,
    };
    finish.0.note(ended);
}

/// Nothing is sent any more when the session's task has ended.
struct CloseOnDrop(Arc<NoiseWriter>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.room.notify_one();
    }
}

/// Reads records until there are no more.
async fn read<S: Stream>(
    stream: &Guarded<S>,
    mut opener: Opener,
    receiver: &mut dyn Receiver,
) -> Ended {
    let mut enough = LENGTH_LEN;
    loop {
        let read = poll_fn(|cx| {
            with_scratch(|plain| {
                let mut opened = None;
                let read = stream.poll_take(cx, enough, |bytes| {
                    let found = opener.open(bytes, plain);
                    let taken = found.as_ref().map_or(0, |found| found.taken);
                    opened = Some(found);
                    taken
                });
                if let Err(error) = ready!(read) {
                    return Poll::Ready(Err(Ended::Lost(error_text(&error))));
                }
                let Some(opened) = opened else {
                    let reason = "the other end closed the connection";
                    return Poll::Ready(Err(Ended::Lost(reason.to_owned())));
                };
                let opened = opened.map_err(refused)?;
                if !plain.bytes().is_empty() {
                    receiver.data(plain.bytes()).map_err(refused)?;
                }
                Poll::Ready(Ok(opened))
            })
        });
        match read.await {
            Ok(opened) if opened.ended => return Ended::ByPeer,
            Ok(opened) => enough = opened.enough,
            Err(ended) => return ended,
        }
    }
}

fn refused(refused: Refused) -> Ended {
    Ended::Refused(refused.to_string())
}

/// Writes what the stream has not taken at once, whenever there is something, until the link is closed.
async fn flush<S: Stream>(stream: &Guarded<S>, writer: &NoiseWriter) -> Ended {
    loop {
        writer.work.notified().await;
        let flushed = poll_fn(|cx| {
            let mut outgoing = writer.lock();
            if let Some(error) = outgoing.failed.take() {
                return Poll::Ready(Err(error));
            }
            while outgoing.taken < outgoing.waiting.len() {
                let rest = &outgoing.waiting[outgoing.taken..];
                match ready!(stream.poll_write_shared(cx, rest))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => outgoing.taken += count,
                }
            }
            outgoing.taken = 0;
            outgoing.waiting = Vec::new();
            if outgoing.closed {
                ready!(stream.poll_shutdown_shared(cx))?;
            }
            Poll::Ready(Ok(outgoing.closed))
        });
        match flushed.await {
            Ok(false) => writer.room.notify_one(),
            // The other end answers by closing its own side, which ends the reading.
            Ok(true) => {
                writer.room.notify_one();
                pending().await
            }
            Err(error) => return Ended::Lost(error_text(&error)),
        }
    }
}

impl fmt::Debug for NoiseOutlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoiseOutlet")
    }
}
