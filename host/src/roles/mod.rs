//! Roles of this node: the thread that each of them has, what waits for it, and what the host
//! does for it.
//!
//! ```text
//!   link or role ──push──▶ Inbox ──receive──▶ ┌──────────────┐ ──send──▶ Dispatcher (the router)
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

pub(crate) mod hosted;
pub(crate) mod inbox;
pub(crate) mod restart;

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

pub(crate) use error::RoleError;
pub(crate) use hosted::HostedRole;
pub(crate) use inbox::{Inbox, IncomingMessage, MAX_TOGETHER};
pub use isolated::try_isolated_frames;
pub(crate) use isolated::{COMMAND as ISOLATED_ROLE, run_isolated};
pub(crate) use services::{AnswerDesk, Dispatcher, RoleQuestions};
pub(crate) use setup::{RoleSetup, RoleStartError};
pub(crate) use source::RoleSource;
