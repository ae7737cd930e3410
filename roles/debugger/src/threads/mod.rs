//! The daemon's threads, and those of isolated roles: what the system knows of them, and their stacks.
//!
//! ```text
//! processes ─▶ list (state, time, call) ─▶ stack ─▶ names
//!                                            └ images: what is mapped, and its tables
//! ```

mod gdb;
mod images;
mod list;
mod processes;
mod stack;
mod system_calls;
#[cfg(test)]
mod tests;

pub(crate) use list::{Thread, threads_of};
pub(crate) use processes::{Process, processes};
pub(crate) use stack::{Stacks, Trace};
