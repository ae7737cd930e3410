//! What the thread of a role calls, wherever the role's code runs.

use kozo_abi::{InboxLimits, Pace};

use crate::modules::RoleInstance;

/// A role that was made. The calls are those of [`RoleInstance`], and so are their errors; an
/// isolated role's process may also have ended.
pub(super) trait Instance {
    fn run(&mut self) -> Result<(), String>;
    fn pace(&mut self) -> Result<Pace, String>;
    fn inbox(&mut self, configured: InboxLimits) -> Result<InboxLimits, String>;
    fn reopen(&mut self) -> Result<(), String>;
    fn stop(&mut self) -> Result<(), String>;
}

impl Instance for RoleInstance {
    fn run(&mut self) -> Result<(), String> {
        Self::run(self)
    }

    fn pace(&mut self) -> Result<Pace, String> {
        Self::pace(self)
    }

    fn inbox(&mut self, configured: InboxLimits) -> Result<InboxLimits, String> {
        Self::inbox(self, configured)
    }

    fn reopen(&mut self) -> Result<(), String> {
        Self::reopen(self)
    }

    fn stop(&mut self) -> Result<(), String> {
        Self::stop(self)
    }
}
