//! What the thread of a role calls, wherever the role's code runs.

use kozo_abi::{InboxLimits, Pace};

use super::error::RoleError;
use crate::modules::RoleInstance;

/// A role that was made. The calls are those of [`RoleInstance`], and so are their errors; an
/// isolated role's process may also have ended.
pub(super) trait Instance {
    fn run(&mut self) -> Result<(), RoleError>;
    fn pace(&mut self) -> Result<Pace, RoleError>;
    fn inbox(&mut self, configured: InboxLimits) -> Result<InboxLimits, RoleError>;
    fn reopen(&mut self) -> Result<(), RoleError>;
    fn stop(&mut self) -> Result<(), RoleError>;
}

impl Instance for RoleInstance {
    fn run(&mut self) -> Result<(), RoleError> {
        Ok(Self::run(self)?)
    }

    fn pace(&mut self) -> Result<Pace, RoleError> {
        Ok(Self::pace(self)?)
    }

    fn inbox(&mut self, configured: InboxLimits) -> Result<InboxLimits, RoleError> {
        Ok(Self::inbox(self, configured)?)
    }

    fn reopen(&mut self) -> Result<(), RoleError> {
        Ok(Self::reopen(self)?)
    }

    fn stop(&mut self) -> Result<(), RoleError> {
        Ok(Self::stop(self)?)
    }
}
