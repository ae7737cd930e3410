//! A module whose roles get processes.

use kozo_ground::names::ModuleName;
use serde_bytes::ByteBuf;

use crate::config::Isolation;
use crate::modules::RoleFile;
use crate::roles::isolated::protocol::Start;

/// A module whose roles get processes.
#[derive(Debug)]
pub(crate) struct IsolatedModule {
    pub(super) name: ModuleName,
    pub(super) file: RoleFile,
    isolation: Isolation,
}

impl IsolatedModule {
    /// A module with this content.
    pub(crate) fn new(name: &ModuleName, file: RoleFile, isolation: Isolation) -> Self {
        Self {
            name: name.clone(),
            file,
            isolation,
        }
    }

    /// The first frame for a role's process, as far as the module decides what is in it.
    pub(super) fn start(&self) -> Start {
        Start {
            node: String::new(),
            name: String::new(),
            module: self.name.to_string(),
            path: self.file.path.clone(),
            imports: self.file.imports.clone(),
            options: ByteBuf::new(),
            memory_limit: self.isolation.memory_limit,
            is_trial: false,
        }
    }
}
