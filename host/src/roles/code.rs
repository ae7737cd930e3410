//! Where a role's code runs.

use std::sync::Arc;

use super::error::RoleError;
use super::instance::Instance;
use super::isolated::{IsolatedModule, IsolatedRole};
use super::services::LifeServices;
use crate::modules::RoleModule;

/// A module from which roles are made.
#[derive(Debug)]
pub(crate) enum RoleCode {
    /// It is loaded into this process.
    Here(Arc<RoleModule>),
    /// Each of its roles gets a process.
    Isolated(IsolatedModule),
}

impl RoleCode {
    /// Makes a role, on the thread that calls it from then on.
    pub(super) fn create(
        &self,
        services: Arc<LifeServices>,
        options: &[u8],
    ) -> Result<Box<dyn Instance>, RoleError> {
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
