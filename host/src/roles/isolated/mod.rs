//! Roles in processes of their own.
//!
//! ```text
//!  role's thread ──Call──▶ ┌────────┐ ═══ socket pair ═══ ┌─────────────────────────────┐
//!       ▲   │              │  Link  │                     │ `kozo isolated-role`        │
//!       │   └──Answer────▶ └────────┘                     │  main thread: reads, hands  │
//!    Done, requests of                                    │   out  ──▶ role's thread    │
//!    the main thread       ┌────────┐                     │            (the module)     │
//!       └───────────────── │ reader │ ◀══════════════════ │  Remote: RoleServices       │
//!                          └────────┘                     └─────────────────────────────┘
//!   other threads' requests ──▶ a short thread each   watch: "stopping", and the end of patience
//! ```
//!
//! The process is this program again, started from `/proc/self/exe`, so both ends are always of one
//! version. It gets nothing of the host's: no descriptor but the socket pair's other end, no memory,
//! and of the environment only what ordinary code needs. What the host has read of the module's file and
//! inspected goes over the socket as a descriptor of sealed memory, and is loaded there as it would be
//! here; so all processes of a module share its code.
//!
//! What a role asks the host for is done by the same [`Services`](super::services::Services) as for
//! one in this process, and what its main thread asks for on the role's own thread: so waits,
//! interruptions and pacing are the same for both, and [`life`](super::life) sees no difference.
//!
//! This guards against faults, not against malice: the process belongs to the same user, who may
//! read the same files.

mod child;
mod handover;
mod link;
mod output;
mod process;
mod protocol;
mod reader;
mod remains;
mod role;
mod service;
mod trial;
mod watch;

use crate::config::Isolation;
use crate::modules::RoleFile;

use kozo_ground::names::ModuleName;
use serde_bytes::ByteBuf;

use protocol::Start;

pub use child::run_isolated;
pub use process::ProcessError;
pub(super) use role::IsolatedRole;
pub(super) use watch::STOP_LIMIT;

/// The command of the program that runs a role's process.
pub const COMMAND: &str = "isolated-role";

/// A module whose roles get processes.
#[derive(Debug)]
pub struct IsolatedModule {
    name: ModuleName,
    file: RoleFile,
    isolation: Isolation,
}

impl IsolatedModule {
    /// A module with this content.
    pub fn new(name: &ModuleName, file: RoleFile, isolation: Isolation) -> Self {
        Self {
            name: name.clone(),
            file,
            isolation,
        }
    }

    /// Of what a role's process has to be told, what is the module's.
    fn start(&self) -> Start {
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
