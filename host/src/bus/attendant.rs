//! Who works off at once, on the thread that brings it, what comes alone.

use std::sync::{Arc, OnceLock, Weak};

/// Who works off at once what comes alone.
pub(super) trait Attendant: Send + Sync + 'static {
    /// Works off a datagram of a lane on the thread that brings it, if nothing else is under way. False: it is to wait
    /// its turn.
    fn take_alone(&self, subject: &str, data: &[u8]) -> bool;

    /// Publishes the message that waits in the outlet on the thread that has left it there, if it is the only one and
    /// nothing else is under way. False: the bus's thread is to be woken.
    fn send_alone(&self) -> bool;
}

/// What may have an attendant.
#[derive(Default)]
pub(super) struct Attended(OnceLock<Weak<dyn Attendant>>);

impl Attended {
    /// From now on somebody works off what comes.
    pub(super) fn by(&self, attendant: Weak<dyn Attendant>) {
        // There is one for each bus that runs.
        let _ = self.0.set(attendant);
    }

    /// Who does, if anybody does.
    pub(super) fn attendant(&self) -> Option<Arc<dyn Attendant>> {
        self.0.get()?.upgrade()
    }
}
