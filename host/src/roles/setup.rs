//! What a role is started with.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use kozo_faces::Face;
use kozo_ground::names::{ModuleName, NodeName, RoleName};

use super::isolated;
use super::restart::RestartPolicy;
use crate::config::{self, InboxLimits};
use crate::storage::{RoleStorage, Storage};

/// What a role is started with.
#[derive(Debug, Clone)]
pub(crate) struct RoleSetup {
    /// This node.
    pub(crate) node: NodeName,
    /// The role's name.
    pub(crate) name: RoleName,
    /// Its module.
    pub(crate) module: ModuleName,
    /// Its options: a MessagePack map with all defaults filled in.
    pub(crate) options: Vec<u8>,
    /// How much may wait for it, if it does not say otherwise.
    pub(crate) inbox: InboxLimits,
    /// The longest that it waits for a message in one go, and how long it does by default.
    pub(crate) longest_wait: Duration,
    /// Where it stores its value; none: it cannot store any.
    pub(crate) storage: Option<Arc<RoleStorage>>,
    /// When it is made anew after a failure.
    pub(crate) restart: RestartPolicy,
    /// How long it may take to stop before it is left behind.
    pub(crate) stop_limit: Duration,
    /// What it is for people and other systems.
    pub(crate) faces: Arc<[Face]>,
}

/// How long a role may take to stop before it is left behind.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// How long a role with a process of its own may take, which is killed before: what then remains is the
/// host's own work, and only a busy machine draws it out.
const ISOLATED_STOP_LIMIT: Duration = isolated::STOP_LIMIT.saturating_add(STOP_LIMIT);

impl RoleSetup {
    /// The setup of a role as the configuration describes it. `storage` is the opened
    /// `roleStorage` of its node.
    ///
    /// # Errors
    /// The role's options are not known, because its module is not, or cannot be encoded.
    pub(crate) fn new(
        node: &config::Node,
        role: &config::Role,
        storage: Option<&Storage>,
    ) -> Result<Self, RoleStartError> {
        let options = role
            .options
            .as_ref()
            .ok_or_else(|| RoleStartError::NoModule {
                role: role.name.clone(),
                module: role.module.clone(),
            })?;
        let options =
            rmp_serde::to_vec_named(options).map_err(|reason| RoleStartError::Options {
                role: role.name.clone(),
                reason,
            })?;
        Ok(Self {
            node: node.name.clone(),
            name: role.name.clone(),
            module: role.module.clone(),
            options,
            inbox: role.inbox,
            longest_wait: node.settings.connection_retry,
            storage: storage.map(|storage| Arc::new(storage.role(&role.name))),
            restart: RestartPolicy::default(),
            stop_limit: match role.isolation {
                None => STOP_LIMIT,
                Some(_) => ISOLATED_STOP_LIMIT,
            },
            faces: role.faces.as_slice().into(),
        })
    }
}

/// Why a role could not be started at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoleStartError {
    /// Its module was not found.
    #[error("role `{role}` needs the module `{module}`, which was not found: see `kozo modules`")]
    NoModule {
        /// The role.
        role: RoleName,
        /// Its module.
        module: ModuleName,
    },
    /// Its options cannot be encoded.
    #[error("the options of role `{role}` cannot be encoded: {reason}")]
    Options {
        /// The role.
        role: RoleName,
        /// What the encoder says.
        reason: rmp_serde::encode::Error,
    },
    /// The system gave it no thread.
    #[error("role `{role}` cannot have a thread; is there a limit to them? {reason}")]
    Thread {
        /// The role.
        role: RoleName,
        /// What the system says.
        reason: io::Error,
    },
}
