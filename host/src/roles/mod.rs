//! Roles of this node: the thread that each of them has, what waits for it, and what the host
//! does for it.
//!
//! ```text
//!   link or role ──push──▶ Inbox ──receive──▶ ┌──────────────┐ ──send──▶ MessageSink (the router)
//!                                             │ RoleInstance │ ──log───▶ the host's log
//!  HostedRole ──stop, restart, reopen──▶ life │   (module)   │ ◀─load──▶ RoleStorage
//!     (hosted)                        (thread)└──────────────┘  store
//! ```
//!
//! Where a role's code runs is the matter of [`RoleCode`] alone: in this process, or in one of its
//! own (`isolated`).
//!
//! Whatever a role does, it does on its own thread: an error or a panic ends one *life* of it,
//! and after a while ([`restart`]) it gets another one. A role that is slow or hangs costs itself
//! messages, which roll out of its own inbox, and nobody else anything.

pub mod hosted;
pub mod inbox;
pub mod restart;

mod code;
mod error;
mod instance;
mod isolated;
mod life;
mod line;
mod pace;
mod services;
mod setup;
mod source;
mod spawn;
mod thread;

#[cfg(test)]
mod tests;

pub use code::RoleCode;
pub use error::RoleError;
pub use hosted::HostedRole;
pub use inbox::{Inbox, Incoming};
pub use isolated::{COMMAND as ISOLATED_ROLE, ChildError, IsolatedModule, run_isolated};
pub use restart::RestartPolicy;
pub use services::MessageSink;
pub use setup::{RoleSetup, RoleStartError};
pub use source::{CodeSource, RoleSource};
