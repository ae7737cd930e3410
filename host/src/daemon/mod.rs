//! Builds the parts of a node, runs them, and stops them in order.
//!
//! ```text
//!  kozo run ──▶ Process (signals, service manager) ──┐
//!                                                    ├──▶ Daemon: start ──▶ stop
//!  a test ──▶ run(setup, shutdown) ──────────────────┘
//! ```
//!
//! [`run`] leaves the process alone that it runs in, so that a program can run several nodes; what is
//! of the whole process is in [`Process`].

mod claim;
mod control;
mod descriptors;
mod error;
mod links;
mod node;
mod observer;
mod parts;
mod process;
mod service;
mod signals;
mod watch;

use std::pin::pin;

pub use claim::ClaimError;
pub use error::StartError;
pub use node::Setup;
pub(crate) use process::Process;

use node::Daemon;
use service::Service;

/// Runs a node until `shutdown` is there and all has stopped, on the runtime that polls this, which
/// needs I/O and time. Nothing is done to the process: no signal is caught, no log is set up, no
/// service manager is told anything.
///
/// # Errors
/// Why the node does not start.
pub async fn run(setup: Setup, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    let mut shutdown = pin!(shutdown);
    let mut daemon = tokio::select! {
        daemon = Daemon::start(setup, Service::none) => daemon?,
        () = &mut shutdown => return Ok(()),
    };
    shutdown.await;
    daemon.stop().await;
    Ok(())
}
