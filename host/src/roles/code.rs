//! Where a role's code runs.

use std::sync::Arc;

use kozo_abi::{InboxLimits, Pace};

use super::isolated::{IsolatedModule, IsolatedRole};
use super::services::Services;
use crate::modules::{RoleInstance, RoleModule};

/// A module from which roles are made.
#[derive(Debug)]
pub enum RoleCode {
    /// It is loaded into this process.
    Here(Arc<RoleModule>),
    /// Each of its roles gets a process.
    Isolated(IsolatedModule),
}

impl RoleCode {
    /// Makes a role, on the thread that calls it from then on.
    pub(super) fn create(
        &self,
        services: Arc<Services>,
        options: &[u8],
    ) -> Result<Box<dyn Instance>, String> {
        Ok(match self {
            Self::Here(module) => Box::new(module.create(services, options)?),
            Self::Isolated(module) => Box::new(IsolatedRole::create(module, services, options)?),
        })
    }
}

impl From<Arc<RoleModule>> for RoleCode {
    fn from(module: Arc<RoleModule>) -> Self {
        Self::Here(module)
    }
}

impl From<IsolatedModule> for RoleCode {
    fn from(module: IsolatedModule) -> Self {
        Self::Isolated(module)
    }
}

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
