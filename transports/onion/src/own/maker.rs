//! Clients of the Tor network, one after the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arti_client::{TorClient, TorClientConfig};
use kozo_abi::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tor_rtcompat::tokio::TokioRustlsRuntime;

use super::{Client, failure};

/// Threads of a client: cryptography is what they spend their time with.
const WORKERS: usize = 2;

/// Makes clients that all are the same node's.
pub(super) struct Maker {
    pub(super) config: TorClientConfig,
    /// Where they keep everything.
    pub(super) folder: PathBuf,
}

/// A client, and everything that runs for it. It runs by itself, so that it can be ended as a whole:
/// arti's tasks hold the client, and the locks on its files, for as long as they wait for something.
pub(super) struct Made {
    pub(super) client: Arc<Client>,
    /// None only while this is dropped.
    runtime: Option<Runtime>,
}

impl Maker {
    /// A client that has not begun to connect.
    ///
    /// # Errors
    /// What is in the state folder cannot be used, or the system has no thread left.
    pub(super) fn make(&self) -> Result<Made, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("onion client")
            .enable_all()
            .build()?;
        let client = TorClient::with_runtime(TokioRustlsRuntime::from(runtime.handle().clone()))
            .config(self.config.clone())
            .create_unbootstrapped();
        match client {
            Ok(client) => Ok(Made {
                client,
                runtime: Some(runtime),
            }),
            Err(error) => {
                runtime.shutdown_background();
                Err(failure::of_folder(&error, &self.folder))
            }
        }
    }
}

impl Made {
    /// Lets something run for as long as the client does.
    pub(super) fn run(&self, what: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(what);
        }
    }

    /// Ends all that runs for the client, and returns when that is done, or took too long.
    pub(super) async fn halt(&mut self, limit: Duration) {
        if let Some(runtime) = self.runtime.take() {
            let ending = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(limit));
            // It cannot panic; when the transport ends meanwhile, nobody waits.
            let _ = ending.await;
        }
    }

    /// Returns when nobody has the client any more, and its folder is free, or when that took too
    /// long.
    pub(super) async fn gone(self, limit: Duration) {
        let stopped = self.client.wait_for_stop();
        drop(self);
        let _ = timeout(limit, stopped).await;
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // This may be on a thread that must not wait.
            runtime.shutdown_background();
        }
    }
}
