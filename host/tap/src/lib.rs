//! Taps: messages as they pass a node, for whoever watches.
//!
//! A tap never slows what it watches. It holds so many messages and bytes; while it is full, what passes is
//! counted and not kept, which costs less than keeping it. Where nobody watches, a message costs one look at
//! a number.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::interest::{Interest, Subject};
use kozo_ground::lock::{LockAnyway, ReadWriteAnyway};
use kozo_ground::names::NodeName;
use kozo_wire::{MESSAGE_OVERHEAD, Message};

/// How many taps may be open at once.
pub const MAX_TAPS: usize = 16;

/// How many messages wait in a tap at most.
pub const TAP_MESSAGES: usize = 1024;

/// How many bytes the messages count that wait in a tap, at most; one that is larger by itself is left out.
pub const TAP_BYTES: usize = 512 * 1024;

/// As many taps as may be are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_TAPS} watch messages here already, and more may not")]
pub struct TooManyTaps;

/// A message on its way through the node.
#[derive(Debug, Clone, PartialEq)]
pub struct Passing {
    /// The node that sent it.
    pub sender: NodeName,
    /// The message.
    pub message: Message,
    /// How old it was when it passed.
    pub age: Duration,
    /// When it passed.
    pub passed: Moment,
    /// How many roles of this node got it.
    pub roles: usize,
    /// To how many other nodes it goes from here.
    pub nodes: usize,
}

/// What a tap has taken up since it was asked last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// The messages, the oldest first.
    pub messages: Vec<Passing>,
    /// How many passed in all since, and are not among them: the tap was full.
    pub left_out: u64,
}

/// All taps of a node.
#[derive(Default)]
pub struct Taps {
    /// How many there are: all that a message costs where nobody watches.
    open: AtomicUsize,
    taps: RwLock<Vec<Arc<Shared>>>,
}

impl Taps {
    /// Opens a tap for the messages that one of the interests fits; without interests, for all. `wake` is
    /// called when there is something to take after there was nothing: on the thread of a role or of the
    /// links, so it may only ring.
    ///
    /// # Errors
    /// There are too many.
    pub fn open(
        self: &Arc<Self>,
        interests: Vec<Interest>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Tap, TooManyTaps> {
        let mut taps = self.taps.write_anyway();
        if taps.len() >= MAX_TAPS {
            return Err(TooManyTaps);
        }
        let shared = Arc::new(Shared {
            interests,
            wake: Box::new(wake),
            full: AtomicBool::new(false),
            left_out: AtomicU64::new(0),
            kept: Mutex::default(),
        });
        taps.push(Arc::clone(&shared));
        self.open.store(taps.len(), Ordering::Release);
        drop(taps);
        Ok(Tap {
            shared,
            taps: Arc::clone(self),
        })
    }

    /// Whether anybody watches. Who passes a message on need not put anything together if not.
    #[inline]
    pub fn are_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) != 0
    }

    /// Shows a message with this subject to all taps. It is put together for those alone that keep it.
    pub fn pass(&self, subject: &Subject<'_>, passing: impl Fn() -> Passing) {
        for tap in self.taps.read_anyway().iter() {
            tap.pass(subject, &passing);
        }
    }

    fn close(&self, closed: &Arc<Shared>) {
        let mut taps = self.taps.write_anyway();
        taps.retain(|tap| !Arc::ptr_eq(tap, closed));
        self.open.store(taps.len(), Ordering::Release);
    }
}

struct Shared {
    interests: Vec<Interest>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// Nothing more is kept before something is taken.
    full: AtomicBool,
    left_out: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    messages: VecDeque<Passing>,
    bytes: usize,
}

impl Shared {
    fn pass(&self, subject: &Subject<'_>, passing: impl Fn() -> Passing) {
        let wanted = self.interests.is_empty()
            || self
                .interests
                .iter()
                .any(|interest| interest.matches(subject));
        if !wanted {
            return;
        }
        if self.full.load(Ordering::Relaxed) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let passing = passing();
        let cost = passing.message.body().len() + MESSAGE_OVERHEAD;
        let mut kept = self.kept.lock_anyway();
        if kept.messages.len() >= TAP_MESSAGES || kept.bytes + cost > TAP_BYTES {
            // One that could never be kept fills nothing.
            self.full
                .store(!kept.messages.is_empty(), Ordering::Relaxed);
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        kept.bytes += cost;
        kept.messages.push_back(passing);
        let first = kept.messages.len() == 1;
        drop(kept);
        if first {
            (self.wake)();
        }
    }

    fn take(&self, kept: &mut Kept, most: usize) -> Batch {
        let messages: Vec<Passing> = {
            let count = kept.messages.len().min(most);
            kept.messages.drain(..count).collect()
        };
        let taken: usize = messages
            .iter()
            .map(|passing| passing.message.body().len() + MESSAGE_OVERHEAD)
            .sum();
        kept.bytes -= taken;
        if kept.messages.is_empty() {
            kept.messages.shrink_to(0);
        }
        if !messages.is_empty() {
            self.full.store(false, Ordering::Relaxed);
        }
        Batch {
            messages,
            left_out: self.left_out.swap(0, Ordering::Relaxed),
        }
    }
}

/// One tap. It is closed when it is dropped.
pub struct Tap {
    shared: Arc<Shared>,
    taps: Arc<Taps>,
}

impl Tap {
    /// Takes what is there, `most` messages at most.
    pub fn take(&self, most: usize) -> Batch {
        self.shared.take(&mut self.shared.kept.lock_anyway(), most)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.taps.close(&self.shared);
    }
}

#[cfg(test)]
mod tests {
    use kozo_ground::interest::{Kind, Pattern};
    use kozo_ground::names::RoleName;

    use super::*;

    fn passing(type_name: &str, length: usize) -> Passing {
        let role = RoleName::new("timer").unwrap();
        // A MessagePack binary of 32-bit length.
        let mut data = vec![0xc6];
        data.extend_from_slice(&(length as u32).to_be_bytes());
        data.resize(data.len() + length, 7);
        Passing {
            sender: NodeName::new("clock").unwrap(),
            message: Message::new(Kind::Event, &role, type_name, None, 0.0, &data).unwrap(),
            age: Duration::ZERO,
            passed: Moment::ZERO,
            roles: 1,
            nodes: 0,
        }
    }

    fn pass(taps: &Taps, passing: Passing) {
        let subject = passing.message.subject(passing.sender.as_str());
        taps.pass(&subject, || passing.clone());
    }

    fn types(batch: &Batch) -> Vec<&str> {
        let messages = batch.messages.iter();
        messages
            .map(|passing| passing.message.type_name())
            .collect()
    }

    #[test]
    fn a_tap_takes_what_it_is_for() {
        let taps = Arc::new(Taps::default());
        assert!(!taps.are_open());
        let rung = Arc::new(AtomicUsize::new(0));
        let bell = Arc::clone(&rung);
        let interest = Interest {
            type_name: Some(vec![Pattern::new("t*")]),
            ..Interest::default()
        };
        let ring = move || _ = bell.fetch_add(1, Ordering::Relaxed);
        let some = taps.open(vec![interest], ring).unwrap();
        let all = taps.open(vec![], || ()).unwrap();
        assert!(taps.are_open());
        for name in ["tick", "tock", "motion"] {
            pass(&taps, passing(name, 5));
        }
        assert_eq!(types(&some.take(1)), ["tick"]);
        assert_eq!(types(&some.take(9)), ["tock"]);
        assert_eq!(types(&all.take(9)), ["tick", "tock", "motion"]);
        assert_eq!(rung.load(Ordering::Relaxed), 1);
        drop((some, all));
        assert!(!taps.are_open());
    }

    #[test]
    fn what_nobody_takes_is_counted_and_not_kept() {
        let taps = Arc::new(Taps::default());
        let tap = taps.open(vec![], || ()).unwrap();
        for _ in 0..3 * TAP_MESSAGES {
            pass(&taps, passing("tick", 5));
        }
        let batch = tap.take(usize::MAX);
        assert_eq!(batch.messages.len(), TAP_MESSAGES);
        assert_eq!(batch.left_out, 2 * TAP_MESSAGES as u64);
        // One that is too large is left out, and those behind it are not.
        pass(&taps, passing("large", TAP_BYTES));
        pass(&taps, passing("tick", 5));
        let batch = tap.take(usize::MAX);
        assert_eq!((types(&batch), batch.left_out), (vec!["tick"], 1));
        // Bytes fill it as messages do.
        for _ in 0..10 {
            pass(&taps, passing("half", TAP_BYTES / 3));
        }
        let batch = tap.take(usize::MAX);
        assert_eq!((batch.messages.len(), batch.left_out), (2, 8));
        pass(&taps, passing("tick", 5));
        assert_eq!(types(&tap.take(9)), ["tick"]);
    }

    #[test]
    fn whoever_waits_is_rung_for_what_comes() {
        let taps = Arc::new(Taps::default());
        let (bell, rung) = std::sync::mpsc::channel();
        let tap = taps.open(vec![], move || bell.send(()).unwrap()).unwrap();
        assert_eq!(tap.take(9), Batch::default());
        let passer = Arc::clone(&taps);
        let thread = std::thread::spawn(move || pass(&passer, passing("tick", 5)));
        rung.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(types(&tap.take(9)), ["tick"]);
        thread.join().unwrap();
    }

    #[test]
    fn there_are_only_so_many_taps() {
        let taps = Arc::new(Taps::default());
        let open: Vec<Tap> = (0..MAX_TAPS)
            .map(|_| taps.open(vec![], || ()).unwrap())
            .collect();
        assert!(taps.open(vec![], || ()).is_err());
        drop(open);
        assert!(taps.open(vec![], || ()).is_ok());
    }
}
