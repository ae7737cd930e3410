//! The host's side: a process for each role, and the threads that serve it.

mod module;
mod process;
mod reader;
mod role;
mod service;
mod trial;
mod watch;
mod writer;

pub(crate) use module::IsolatedModule;
pub(in crate::roles) use role::IsolatedRole;
pub(in crate::roles) use watch::STOP_LIMIT;
