//! The client's life: getting onto the Tor network, being found there, and what is said about it
//! meanwhile.
//!
//! ```text
//!   connecting ──▶ connected ──▶ publishing ──▶ reachable
//!     ▲  ▲ │           │             │  ▲           │
//!     │  └─┘ again after a while     │  └───────────┘ as arti sees it
//!     └────────────────┴─────────────┘ with a new client, when the clock was set
//! ```

use std::sync::Arc;
use std::time::Duration;

use kozo_abi::{Error, TransportHost, error_text};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_stream::StreamExt;

use super::maker::{Made, Maker};
use super::report::{Reporter, Stage};
use super::service::Service;
use super::{Client, clock};

/// How long to wait after a failure before it is tried again: at first,
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// and at most.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// How long what runs for a client may take to end before the next client is made.
const END_LIMIT: Duration = Duration::from_secs(10);

/// The life that goes on in the background, as others see it.
pub(super) struct Life {
    reporter: Arc<Reporter>,
    ready: watch::Receiver<Option<Arc<Client>>>,
}

impl Life {
    /// Begins to connect to the Tor network.
    ///
    /// # Errors
    /// There can be no client.
    pub(super) fn begin(
        runtime: &Runtime,
        maker: Maker,
        service: Arc<Service>,
        host: &TransportHost,
    ) -> Result<Self, Error> {
        let made = maker.make()?;
        let reporter = Arc::new(Reporter::new(host.clone(), service.address()));
        let (sender, ready) = watch::channel(None);
        reporter.say(Stage::of_bootstrap(&made.client.bootstrap_status()));
        let lives = lives(made, maker, service, Arc::clone(&reporter), sender);
        runtime.spawn(lives);
        Ok(Self { reporter, ready })
    }

    /// Waits until the Tor network can be used; the client to use it with.
    pub(super) async fn ready(&self) -> Arc<Client> {
        let mut ready = self.ready.clone();
        if let Ok(client) = ready.wait_for(Option::is_some).await
            && let Some(client) = &*client
        {
            return Arc::clone(client);
        }
        // The task that would say so is gone: the transport ends.
        std::future::pending().await
    }

    /// What is said at present.
    pub(super) fn text(&self) -> String {
        self.reporter.text()
    }

    /// Where everything is said.
    pub(super) fn reporter(&self) -> &Arc<Reporter> {
        &self.reporter
    }
}

/// One client's life after the other's. A new one begins when the clock was set before the last one
/// got where it should.
async fn lives(
    mut made: Made,
    maker: Maker,
    service: Arc<Service>,
    reporter: Arc<Reporter>,
    ready: watch::Sender<Option<Arc<Client>>>,
) {
    let ready = Arc::new(ready);
    loop {
        made.run(live(
            Arc::clone(&made.client),
            Arc::clone(&service),
            Arc::clone(&reporter),
            Arc::clone(&ready),
        ));
        until_set_in_need(&service, &reporter).await;
        // First what would still speak for the client, then what others have of it.
        made.halt(END_LIMIT).await;
        ready.send_replace(None);
        service.end();
        reporter.begin_anew("the clock was set");
        made.gone(END_LIMIT).await;
        made = next(&maker, &reporter).await;
    }
}

/// What is done with a client from its beginning.
async fn live(
    client: Arc<Client>,
    service: Arc<Service>,
    reporter: Arc<Reporter>,
    ready: Arc<watch::Sender<Option<Arc<Client>>>>,
) {
    let arrive = async {
        bootstrap(&client, &reporter).await;
        reporter.say(Stage::Connected);
        // If nobody has, who does so now waits for the client.
        let was_wanted = service.is_wanted();
        ready.send_replace(Some(Arc::clone(&client)));
        if was_wanted && let Err(error) = service.launch(&client, &reporter) {
            let problem = error.to_string();
            reporter.say(Stage::Unreachable { problem });
        }
    };
    let judge_clock = async {
        if let Some(fault) = clock::fault(&client).await {
            reporter.blame_clock(&fault);
        }
    };
    tokio::join!(arrive, judge_clock, observe(&client, &reporter));
}

async fn bootstrap(client: &Client, reporter: &Reporter) {
    let mut retry = FIRST_RETRY;
    while let Err(error) = client.bootstrap().await {
        reporter.failed(&error_text(&error));
        sleep(retry).await;
        retry = (retry * 2).min(LONGEST_RETRY);
    }
}

/// Says how far it is, until it is done. What arti sees later (the network goes, and comes back) is
/// seen in the service and in connections.
async fn observe(client: &Client, reporter: &Reporter) {
    let mut events = client.bootstrap_events();
    while let Some(status) = events.next().await {
        if !reporter.say(Stage::of_bootstrap(&status)) {
            return;
        }
    }
}

/// Waits until the clock is set while something is amiss. Nobody who is linked is cut off for it.
async fn until_set_in_need(service: &Service, reporter: &Reporter) {
    loop {
        clock::until_set().await;
        if !reporter.is_settled(service.is_wanted()) {
            return;
        }
    }
}

/// A new client, as soon as there can be one.
async fn next(maker: &Maker, reporter: &Reporter) -> Made {
    let mut retry = FIRST_RETRY;
    loop {
        match maker.make() {
            Ok(made) => return made,
            Err(error) => reporter.failed(&error.to_string()),
        }
        sleep(retry).await;
        retry = (retry * 2).min(LONGEST_RETRY);
    }
}
