//! The node's onion service: what strangers and other nodes connect to.
//!
//! ```text
//!   Tor ──▶ introductions ──▶ a task a circuit ──▶ a task a stream ──▶ accept
//! ```
//!
//! Whoever knows the address may come. So circuits, the streams of each and those that wait are
//! limited, and a circuit on which nothing happens is closed. That an accepted stream proves who
//! is there, and in time, is looked after by the host.

use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use kozo_abi::{Connection, Error, error_text};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::{Stream, StreamExt};
use tor_cell::relaycell::msg::{Connected, End, EndReason};
use tor_hsservice::status::OnionServiceStatus;
use tor_hsservice::{RendRequest, RunningOnionService, StreamRequest};
use tor_proto::stream::IncomingStreamRequest;

use super::report::{Reporter, Stage};
use super::{Client, config, dialer, lock, pipe, probe};
use crate::options::{Settings, Target};

/// How many circuits others may have to this node at once. A node of the network needs one.
const MAX_CIRCUITS: usize = 128;

/// How long it may take to meet somebody who wants to connect.
const MEETING_LIMIT: Duration = Duration::from_secs(30);

/// How long a circuit may be without a stream.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// The node's service. It outlives the clients that it is launched on, one after the other.
pub(super) struct Service {
    settings: Settings,
    sender: mpsc::Sender<Connection>,
    accepted: Mutex<mpsc::Receiver<Connection>>,
    /// None until it is asked for.
    launched: StdMutex<Option<Launched>>,
}

/// What runs for the service, if there is a client; it ends when this is dropped.
#[derive(Default)]
struct Launched {
    /// The first to end, so that they do not tell of the end of the other.
    _tasks: JoinSet<()>,
    _running: Option<Arc<RunningOnionService>>,
}

impl Service {
    /// A service that is not launched.
    pub(super) fn new(settings: &Settings) -> Self {
        let (sender, accepted) = mpsc::channel(usize::from(settings.backlog));
        Self {
            settings: settings.clone(),
            sender,
            accepted: Mutex::new(accepted),
            launched: StdMutex::default(),
        }
    }

    /// Where it is reached.
    pub(super) fn address(&self) -> Option<String> {
        self.settings.address.map(|address| address.to_string())
    }

    /// Launches it on a client that is on the network. Whether others can reach it is said by and by.
    ///
    /// # Errors
    /// The keys cannot be used.
    pub(super) fn launch(
        &self,
        client: &Arc<Client>,
        reporter: &Arc<Reporter>,
    ) -> Result<(), Error> {
        let own = self.settings.address.map(|address| Target {
            address,
            port: self.settings.onion_port,
        });
        let mut only_for = self.settings.only_for.clone();
        if let (false, Some(own)) = (only_for.is_empty(), &own) {
            // So that it can knock at its own door.
            let key = dialer::discovery_key(client, own).map_err(|error| error_text(&error))?;
            if !only_for.contains(&key) {
                only_for.push(key);
            }
        }
        let (running, requests) = client
            .launch_onion_service(config::service(&only_for)?)
            .map_err(|error| error_text(&error))?
            .ok_or("the onion service is disabled")?;
        let mut tasks = JoinSet::new();
        let port = self.settings.onion_port;
        tasks.spawn(serve(requests, port, self.sender.clone()));
        let now = tokio_stream::once(running.status());
        let events = now.chain(running.status_events());
        tasks.spawn(watch(events, Arc::clone(reporter)));
        if let Some(own) = own {
            let (client, reporter) = (Arc::clone(client), Arc::clone(reporter));
            tasks.spawn(probe::until_reachable(client, own, reporter));
        }
        *lock(&self.launched) = Some(Launched {
            _tasks: tasks,
            _running: Some(running),
        });
        Ok(())
    }

    /// Whether it was asked for.
    pub(super) fn is_wanted(&self) -> bool {
        lock(&self.launched).is_some()
    }

    /// Ends what runs, until it is launched again.
    pub(super) fn end(&self) {
        if let Some(launched) = &mut *lock(&self.launched) {
            *launched = Launched::default();
        }
    }

    /// The next connection.
    pub(super) async fn next(&self) -> Option<Connection> {
        self.accepted.lock().await.recv().await
    }
}

/// Says how the service is.
async fn watch(events: impl Stream<Item = OnionServiceStatus>, reporter: Arc<Reporter>) {
    tokio::pin!(events);
    while let Some(status) = events.next().await {
        reporter.say(Stage::of_service(&status));
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
