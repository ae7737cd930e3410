//! What wakes the one thread that does the work of a bus.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use kozo_ground::lock::LockAnyway;

use crate::link::BusEar;

/// Rung by many, heard by one, once for all that rang meanwhile.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: AtomicBool,
    /// Whether somebody waits: to wake nobody is a call to the system, too.
    ear: Mutex<bool>,
    sounds: Condvar,
}

impl Bell {
    /// There is something to do. While nobody has heard of what was there before, this is no more than a look.
    pub(super) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // Whoever is about to wait has either seen it or hears it.
            let is_waited_for = *self.ear.lock_anyway();
            if is_waited_for {
                self.sounds.notify_one();
            }
        }
    }

    /// Waits until it is rung, for `limit` at most (none: for ever). What was put anywhere before it was rung
    /// is seen after this.
    pub(super) fn wait(&self, limit: Option<Duration>) {
        let mut ear = self.ear.lock_anyway();
        *ear = true;
        let silent = |_: &mut bool| !self.rung.load(Ordering::Acquire);
        let mut ear = match limit {
            Some(limit) => {
                let heard = self.sounds.wait_timeout_while(ear, limit, silent);
                heard.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let heard = self.sounds.wait_while(ear, silent);
                heard.unwrap_or_else(PoisonError::into_inner)
            }
        };
        *ear = false;
        drop(ear);
        // It is looked at once more: what was put before a ring that came since is to be seen as well.
        self.rung.swap(false, Ordering::AcqRel);
    }

    #[cfg(test)]
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }
}

impl BusEar for Bell {
    fn ring(&self) {
        Self::ring(self);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn who_rings_before_anybody_waits_is_heard_and_once() {
        let bell = Bell::default();
        bell.ring();
        bell.ring();
        bell.wait(None);
        let before = Instant::now();
        bell.wait(Some(Duration::from_millis(1)));
        assert!(before.elapsed() >= Duration::from_millis(1));
    }

    #[test]
    fn who_waits_is_woken() {
        let bell = Bell::default();
        thread::scope(|scope| {
            let waits = scope.spawn(|| bell.wait(None));
            bell.ring();
            waits.join().unwrap();
        });
    }
}
