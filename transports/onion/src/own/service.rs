//! The node's onion service: what strangers and other nodes connect to.
//!
//! ```text
//!   Tor ──▶ introductions ──▶ a task a circuit ──▶ a task a stream ──▶ accept
//! ```
//!
//! Whoever knows the address may come. So circuits, the streams of each and those that wait are
//! limited, and a circuit on which nothing happens is closed. That an accepted stream proves who
//! is there, and in time, is looked after by the host.

use std::sync::Arc;
use std::time::Duration;

use arti_client::config::onion_service::OnionServiceConfig;
use kozo_abi::{Connection, Error};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::{Stream, StreamExt};
use tor_cell::relaycell::msg::{Connected, End, EndReason};
use tor_hsservice::status::OnionServiceStatus;
use tor_hsservice::{RendRequest, RunningOnionService, StreamRequest};
use tor_proto::stream::IncomingStreamRequest;

use super::{Client, config, failure, pipe};
use crate::options::Settings;

/// How many circuits others may have to this node at once. A node of the network needs one.
const MAX_CIRCUITS: usize = 128;

/// How long it may take to meet somebody who wants to connect.
const MEETING_LIMIT: Duration = Duration::from_secs(30);

/// How long a circuit may be without a stream.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// The service that was launched. It ends when this is dropped.
pub(super) struct Service {
    running: Arc<RunningOnionService>,
    accepted: Mutex<mpsc::Receiver<Connection>>,
}

/// Launches the node's service.
///
/// # Errors
/// The keys cannot be used.
pub(super) fn launch(
    runtime: &Runtime,
    client: &Client,
    settings: &Settings,
) -> Result<Service, Error> {
    let config: OnionServiceConfig = config::service(&settings.only_for)?;
    let (running, requests) = client
        .launch_onion_service(config)
        .map_err(|error| failure::chain(&error))?
        .ok_or("the onion service is disabled")?;
    let (sender, accepted) = mpsc::channel(usize::from(settings.backlog));
    runtime.spawn(serve(requests, settings.onion_port, sender));
    Ok(Service {
        running,
        accepted: Mutex::new(accepted),
    })
}

impl Service {
    /// The next connection; none when the service has ended.
    pub(super) async fn next(&self) -> Option<Connection> {
        self.accepted.lock().await.recv().await
    }

    /// How it is, now and whenever that changes.
    pub(super) fn events(&self) -> impl Stream<Item = OnionServiceStatus> + Send + 'static {
        let now = self.running.status();
        tokio_stream::once(now).chain(self.running.status_events())
    }
}

async fn serve(
    requests: impl Stream<Item = RendRequest>,
    port: u16,
    sender: mpsc::Sender<Connection>,
) {
    let places = Arc::new(Semaphore::new(MAX_CIRCUITS));
    let mut number = 0_u64;
    tokio::pin!(requests);
    while let Some(request) = requests.next().await {
        // Whoever comes when it is full is not answered, and tries again.
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            number += 1;
            tokio::spawn(meet(request, number, port, sender.clone(), place));
        }
    }
}

/// Meets somebody who wants to connect, and takes their streams. They have no address: the number
/// of their circuit stands for one, and counts as one machine where the host limits strangers.
async fn meet(
    request: RendRequest,
    number: u64,
    port: u16,
    sender: mpsc::Sender<Connection>,
    _place: OwnedSemaphorePermit,
) {
    // A stranger may introduce themselves and not come; that is nothing to report.
    let Ok(Ok(mut streams)) = timeout(MEETING_LIMIT, request.accept()).await else {
        return;
    };
    let address = format!("circuit {number}");
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            stream = streams.next() => match stream {
                Some(stream) => {
                    open.spawn(take(stream, address.clone(), port, sender.clone()));
                }
                None => break,
            },
            Some(_) = open.join_next() => {}
            () = sleep(IDLE_LIMIT), if open.is_empty() => break,
        }
    }
    // What has come is still the host's.
    while open.join_next().await.is_some() {}
}

async fn take(stream: StreamRequest, address: String, port: u16, sender: mpsc::Sender<Connection>) {
    let wanted = matches!(
        stream.request(),
        IncomingStreamRequest::Begin(begin) if begin.port() == port
    );
    // As any other service would, for whoever tries ports.
    let refusal = || End::new_with_reason(EndReason::DONE);
    let (true, Ok(place)) = (wanted, sender.try_reserve()) else {
        let _ = stream.reject(refusal()).await;
        return;
    };
    let Ok((host, socket)) = pipe::sockets() else {
        let _ = stream.reject(refusal()).await;
        return;
    };
    // That the other end is gone already, or breaks off later, is seen by the host.
    if let Ok(stream) = stream.accept(Connected::new_empty()).await {
        place.send(Connection::new(host, address));
        let _ = pipe::run(stream, socket).await;
    }
}
