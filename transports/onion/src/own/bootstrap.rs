//! Getting onto the Tor network, and what is said about it meanwhile.
//!
//! ```text
//!   connecting ──▶ connected ──▶ publishing ──▶ reachable
//!       ▲ │                          ▲              │
//!       └─┘ again after a while      └──────────────┘ as arti sees it
//! ```

use std::sync::Arc;
use std::time::Duration;

use kozo_abi::TransportHost;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tokio_stream::{Stream, StreamExt};
use tor_hsservice::status::OnionServiceStatus;

use super::report::{Reporter, Stage};
use super::{Client, failure, probe};
use crate::options::{Settings, Target};

/// How long to wait after a failure before it is tried again: at first,
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// and at most.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// How far the transport is.
pub(super) struct Progress {
    reporter: Arc<Reporter>,
    ready: watch::Receiver<bool>,
    runtime: Handle,
}

/// Begins to connect to the Tor network.
pub(super) fn start(
    runtime: &Runtime,
    client: &Arc<Client>,
    host: &TransportHost,
    settings: &Settings,
) -> Progress {
    let address = settings.address.map(|address| address.to_string());
    let reporter = Arc::new(Reporter::new(host.clone(), address));
    let (sender, ready) = watch::channel(false);
    reporter.say(Stage::of_bootstrap(&client.bootstrap_status()));
    runtime.spawn(observe(Arc::clone(client), Arc::clone(&reporter)));
    runtime.spawn(bootstrap(Arc::clone(client), Arc::clone(&reporter), sender));
    Progress {
        reporter,
        ready,
        runtime: runtime.handle().clone(),
    }
}

impl Progress {
    /// Waits until the Tor network can be used.
    pub(super) async fn ready(&self) {
        let mut ready = self.ready.clone();
        if ready.wait_for(|ready| *ready).await.is_err() {
            // The task that would say so is gone: the transport ends.
            std::future::pending().await
        }
    }

    /// What is said at present.
    pub(super) fn text(&self) -> String {
        self.reporter.text()
    }

    /// Says how the service is from now on.
    pub(super) fn watch_service(
        &self,
        events: impl Stream<Item = OnionServiceStatus> + Send + 'static,
    ) {
        let reporter = Arc::clone(&self.reporter);
        self.runtime.spawn(async move {
            tokio::pin!(events);
            while let Some(status) = events.next().await {
                reporter.say(Stage::of_service(&status));
            }
        });
    }

    /// Finds out when others can connect, and says so.
    pub(super) fn probe(&self, client: Arc<Client>, own: Target) {
        let reporter = Arc::clone(&self.reporter);
        self.runtime
            .spawn(probe::until_reachable(client, own, reporter));
    }
}

async fn bootstrap(client: Arc<Client>, reporter: Arc<Reporter>, ready: watch::Sender<bool>) {
    let mut retry = FIRST_RETRY;
    while let Err(error) = client.bootstrap().await {
        reporter.failed(&failure::chain(&error));
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(LONGEST_RETRY);
    }
    reporter.say(Stage::Connected);
    ready.send_replace(true);
    // The sender has to stay, or those who wait would wait for ever.
    ready.closed().await;
}

/// Says how far it is, until it is done. What arti sees later (the network goes, and comes back) is
/// seen in the service and in connections.
async fn observe(client: Arc<Client>, reporter: Arc<Reporter>) {
    let mut events = client.bootstrap_events();
    while let Some(status) = events.next().await {
        if !reporter.say(Stage::of_bootstrap(&status)) {
            return;
        }
    }
}
