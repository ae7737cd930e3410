//! Roles in processes of their own.
//!
//! ```text
//!  role's thread ──Call──▶ ┌────────┐ ═══ socket pair ═══ ┌─────────────────────────────┐
//!       ▲   │              │ Writer │                     │ `kozo isolated-role`        │
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
//! What a role asks the host for is done by the same services as for one in this process, and what its
//! main thread asks for on the role's own thread: so waits, interruptions and pacing are the same for
//! both, and whoever calls the role sees no difference.
//!
//! [`host`] is one end and [`child`] the other; neither knows the other, and both stand on the
//! [`protocol`].
//!
//! This guards against faults, not against malice: the process belongs to the same user, who may
//! read the same files.

mod child;
mod host;
mod protocol;

pub(crate) use child::run_isolated;
pub(crate) use host::IsolatedModule;
pub(super) use host::{IsolatedRole, STOP_LIMIT};
pub(crate) use protocol::COMMAND;
pub use protocol::try_isolated_frames;
