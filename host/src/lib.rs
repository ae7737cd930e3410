//! The Kōzō host: one daemon a machine, which loads roles and transports as modules and keeps
//! authenticated links to the other nodes of the network.
//!
//! The program `kozo` is a thin door to this library; ARCHITECTURE.md has the map of it.

mod bus;
pub mod cli;
mod clients;
pub mod config;
pub mod control;
pub mod daemon;
mod explain;
pub mod introspection;
mod limited;
mod link;
mod log;
mod metrics;
pub mod modules;
mod roles;
mod router;
mod secrets;
mod stop_signal;
pub mod storage;
mod transports;

pub use roles::try_isolated_frames;
