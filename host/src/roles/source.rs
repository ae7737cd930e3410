//! Which content of its module's file each life of a role is made of.
//!
//! ```text
//!   until a role was made:  what was read for others, then the present file at each try
//!   from then on:           what it was made of, whatever becomes of the file
//!   after a restart:        the present file, once it proves to be usable; should the role not come
//!                           to life with it, what it was made of before
//! ```

use std::sync::{Arc, Mutex, MutexGuard};

use kozo_ground::lock::LockAnyway;
use kozo_ground::names::ModuleName;

use super::code::RoleCode;
use super::error::RoleError;
use super::isolated::IsolatedModule;
use crate::config::Isolation;
use crate::modules::{Content, Registry};

/// Where a role's code comes from.
pub(crate) trait CodeSource: Send + Sync + 'static {
    /// The code for the next life.
    ///
    /// # Errors
    /// Why there is none; that is a failure of the role, after which this is asked again.
    fn code(&self) -> Result<RoleCode, RoleError>;

    /// A role was made of what [`code`](Self::code) returned last.
    fn made(&self) {}

    /// Looks at the module's present file, from which the next life is to be made.
    ///
    /// # Errors
    /// Why it cannot be; then nothing has changed.
    fn renew(&self) -> Result<(), RoleError> {
        Ok(())
    }
}

/// A module of the registry.
#[derive(Debug)]
pub(crate) struct RoleSource {
    registry: Arc<Registry>,
    module: ModuleName,
    isolation: Option<Isolation>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What a role was made of.
    proven: Option<Content>,
    /// What the next life is made of instead.
    next: Option<Content>,
    /// What the present life is made of, until it is there.
    tried: Option<Content>,
    has_tried: bool,
}

impl RoleSource {
    /// The source of a role of this module; with `isolation`, of one in a process of its own.
    pub(crate) fn new(
        registry: Arc<Registry>,
        module: ModuleName,
        isolation: Option<Isolation>,
    ) -> Self {
        Self {
            registry,
            module,
            isolation,
            state: Mutex::default(),
        }
    }

    fn content(&self) -> Result<Content, RoleError> {
        let mut state = self.lock();
        let chosen = state.next.take().or_else(|| state.proven.clone());
        let content = match chosen {
            Some(content) => Ok(content),
            None if std::mem::replace(&mut state.has_tried, true) => {
                self.registry.present_role(&self.module)
            }
            None => self.registry.known_role(&self.module),
        };
        let content = content?;
        state.tried = Some(content.clone());
        Ok(content)
    }

    fn isolated(&self, content: &Content, isolation: Isolation) -> IsolatedModule {
        IsolatedModule::new(&self.module, self.registry.role_file(content), isolation)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock_anyway()
    }
}

impl CodeSource for RoleSource {
    fn code(&self) -> Result<RoleCode, RoleError> {
        let content = self.content()?;
        match self.isolation {
            Some(isolation) => Ok(self.isolated(&content, isolation).into()),
            None => Ok(self.registry.load_content(&content)?.into()),
        }
    }

    fn made(&self) {
        let mut state = self.lock();
        state.proven = state.tried.take();
    }

    fn renew(&self) -> Result<(), RoleError> {
        let present = self.registry.present_role(&self.module)?;
        let is_proven = |proven: &Content| proven.is_same(&present);
        if !self.lock().proven.as_ref().is_some_and(is_proven) {
            match self.isolation {
                Some(isolation) => self.isolated(&present, isolation).try_out()?,
                None => {
                    self.registry.load_content(&present)?;
                }
            }
        }
        self.lock().next = Some(present);
        Ok(())
    }
}
