//! The hands of [`kozo_bus`]: one thread a bus does what that decides.
//!
//! ```text
//!  role threads ──▶ BusOutlet (outbox) ─┐                        ┌─▶ publish, subscribe ─▶ module ─▶ engine
//!                                       ▼                        │
//!                                ┌──────────────┐   output ──────┘
//!                         bell ─▶│ kozo_bus::Bus│
//!                                └──────────────┘   deliveries ──▶ router ──▶ inboxes
//!                                       ▲
//!  module's threads ──▶ Mailbox (bounded) ◀── up, down, deliver, confirmed, nobody
//! ```
//!
//! A node that reaches the bus [`through`] others has links with them in the place of a module; they are its
//! [`gateway`]s, and hand on what its bus says and what is for it.
//!
//! Neither roles nor modules wait for the bus's thread, and it is woken once for all that came meanwhile. It calls
//! the module without a lock: where a call does not come back, another thread takes over ([`running`]), and until
//! it does, the bus counts as down. The module's `run` has a thread of its own ([`life`]).

mod attendant;
mod awaited;
mod bell;
mod buses;
mod condition;
mod counter;
mod engine;
mod error;
mod gateway;
mod life;
mod log;
mod mailbox;
mod members;
mod node_keys;
mod outlet;
mod running;
mod secret;
mod services;
mod through;

pub(crate) use buses::{BusLives, BusParts, Buses, MadeBuses};
#[cfg(test)]
pub(crate) use outlet::outlet_of_nobody;
pub(crate) use outlet::{BusFate, BusOutlet, SendingToBus, WatchedOnBus};
pub(crate) use running::BusArrivals;
pub(crate) use secret::read as subject_secret;
