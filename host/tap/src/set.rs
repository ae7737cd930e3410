//! All taps of a node, and what passes them.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use kozo_ground::interest::Interest;
use kozo_ground::lock::{LockAnyway, ReadWriteAnyway};

use super::passed::Passed;
use super::tap::Shared;
use super::wanted::{KINDS, Kinds};
use super::{Batch, MAX_TAPS, PassesBy};

/// As many taps as may be are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_TAPS} watch messages here already, and more may not")]
pub struct TooManyTaps;

/// All taps of a node.
#[derive(Default)]
pub struct Taps {
    /// How many there are: all that a message costs where nobody watches.
    open: AtomicUsize,
    /// The kinds of messages that a tap has to look at, as a number of [`Kinds`]: others are only counted.
    looked_at: AtomicU8,
    passed: Passed,
    taps: RwLock<Vec<Arc<Shared>>>,
    /// Who holds it says what has to be looked at.
    saying: Mutex<()>,
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
        let shared = Arc::new(Shared::new(interests, wake, &self.passed));
        taps.push(Arc::clone(&shared));
        self.changed(&taps);
        drop(taps);
        Ok(Tap {
            shared,
            taps: Arc::clone(self),
        })
    }

    /// Whether anybody watches. Who passes messages on need not put anything together if not.
    #[inline]
    pub fn are_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) != 0
    }

    /// Shows messages to all taps.
    pub fn pass<M: PassesBy>(&self, messages: impl IntoIterator<Item = M>) {
        let mut passed = [0; KINDS];
        let mut looking: Option<RwLockReadGuard<'_, _>> = None;
        for message in messages {
            let kind = message.kind();
            if self.looked_at().contain(kind) {
                let taps = looking.get_or_insert_with(|| self.taps.read_anyway());
                let filled = taps.iter().filter(|tap| tap.show(&message)).count();
                if filled > 0 {
                    self.say_what_is_looked_at(taps);
                }
            }
            passed[kind as usize] += 1;
        }
        // After they were shown: so nothing that a tap has kept is ever taken for left out.
        self.passed.add(passed);
    }

    /// A tap has room again.
    fn has_room(&self) {
        self.say_what_is_looked_at(&self.taps.read_anyway());
    }

    fn close(&self, closed: &Arc<Shared>) {
        let mut taps = self.taps.write_anyway();
        taps.retain(|tap| !Arc::ptr_eq(tap, closed));
        self.changed(&taps);
    }

    fn changed(&self, taps: &[Arc<Shared>]) {
        self.open.store(taps.len(), Ordering::Release);
        self.say_what_is_looked_at(taps);
    }

    fn looked_at(&self) -> Kinds {
        Kinds::from_number(self.looked_at.load(Ordering::Relaxed))
    }

    /// To be called after each change of what taps look at: whoever comes last sees all changes.
    fn say_what_is_looked_at(&self, taps: &[Arc<Shared>]) {
        let _saying = self.saying.lock_anyway();
        let kinds = taps.iter().map(|tap| tap.looks_at());
        let kinds = kinds.fold(Kinds::default(), Kinds::and);
        self.looked_at.store(kinds.number(), Ordering::Relaxed);
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
        let (batch, has_room) = self.shared.take(most, &self.taps.passed);
        if has_room {
            self.taps.has_room();
        }
        batch
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.taps.close(&self.shared);
    }
}
