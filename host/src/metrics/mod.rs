//! What the node knows of itself as metrics, for Prometheus and whatever else reads its formats.
//!
//! ```text
//!  Introspection ──NodeStatus──┐
//!                              ├──▶ families ──▶ text ──▶ server ──HTTP──▶ whoever collects
//!  /proc ───────ProcessStatus──┘     (pure)     (pure)   (thin)
//! ```
//!
//! [`families`] is the one table of all metrics. The server runs on the thread of the links, so an answer is
//! made in one go without a wait, and whatever clients do is bounded: their number, how fast they come, how
//! much they send and how long they take.

mod families;
mod family;
mod http;
mod process;
mod server;
mod start_time;
mod text;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kozo_addresses::Endpoint;
use kozo_ground::clock;
use kozo_ground::lock::LockAnyway;
use tokio::net::TcpListener;

use crate::introspection::Introspection;
use family::Facts;
use process::ProcessStatus;
use start_time::StartTime;

/// How long to wait before a place to listen on is tried again: somebody else has it, or its address is not
/// there yet.
const RETRY: Duration = Duration::from_secs(5);

/// Answers those who collect metrics until the future is dropped. A node does its work all the same where it
/// cannot listen; that is said, and tried again.
pub(crate) async fn run(endpoint: Endpoint, node: Arc<Introspection>) {
    let listener = listen(&endpoint).await;
    tracing::info!(target: "metrics", address = %endpoint, "listening");
    let started = Mutex::new(StartTime::default());
    let answer = move |format| {
        let status = node.status(clock::now());
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall = wall.unwrap_or_default().as_secs_f64();
        let facts = Facts {
            started_seconds: started.lock_anyway().at(wall, status.running_seconds),
            status: &status,
            process: &ProcessStatus::read(),
        };
        text::write(&facts, format)
    };
    server::serve(&listener, Arc::new(answer)).await;
}

/// Comes back when it listens.
async fn listen(endpoint: &Endpoint) -> TcpListener {
    let mut said = false;
    loop {
        match TcpListener::bind((endpoint.host.as_str(), endpoint.port)).await {
            Ok(listener) => return listener,
            Err(error) if said => {
                tracing::debug!(target: "metrics", address = %endpoint, "still cannot listen: {error}");
            }
            Err(error) => {
                said = true;
                warn(endpoint, &error);
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn warn(endpoint: &Endpoint, error: &io::Error) {
    tracing::warn!(
        target: "metrics",
        address = %endpoint,
        "nobody can collect metrics from this daemon, which runs on and tries again: {error}",
    );
}

#[cfg(test)]
mod tests;
