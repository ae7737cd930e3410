//! What is told of the pin.

use kozo_abi::{RoleHost, SendError};

/// Sends events, and lines for the log when something changed.
pub(crate) struct Report {
    log: bool,
    /// What was told last.
    motion: Option<bool>,
    changes: u64,
}

impl Report {
    pub(crate) fn new(log: bool) -> Self {
        Self {
            log,
            motion: None,
            changes: 0,
        }
    }

    /// How many changes were told.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether this is another state than the one that was told last.
    pub(crate) fn differs(&self, motion: bool) -> bool {
        self.motion != Some(motion)
    }

    /// Tells the state, new or not.
    pub(crate) fn state(&mut self, motion: bool, host: &RoleHost) -> Result<(), SendError> {
        host.send_event("motion detection", &motion)?;
        // That nothing moves is no news at the start.
        let was = self.motion.replace(motion).unwrap_or(false);
        if self.log && was != motion {
            host.send_log(if motion {
                "motion started"
            } else {
                "motion stopped"
            })?;
        }
        Ok(())
    }

    /// Tells the state when it is a new one.
    pub(crate) fn change(&mut self, motion: bool, host: &RoleHost) -> Result<(), SendError> {
        if self.differs(motion) {
            self.changes += 1;
            self.state(motion, host)?;
        }
        Ok(())
    }
}
