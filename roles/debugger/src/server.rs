//! The SSH server: a thread with a runtime of its own, from an order to the end of its time.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ring::{hmac, rand};
use russh::server::{Config, run_stream};
use russh::{MethodKind, MethodSet, SshId};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use crate::gate::{Admitted, ClientId, Gate, LOGIN_LIMIT, MAX_FAILURES, Refusal};
use crate::host_key::{fingerprint, host_key};
use crate::node::Node;
use crate::opening::Opening;
use crate::session::SessionHandler;

/// What the server says it is.
const VERSION_LINE: &str = "SSH-2.0-kozo-debugger";

/// How long every refusal of a password takes.
const REJECTION_TIME: Duration = Duration::from_secs(1);

/// How much a client may send before it is read, in bytes.
const WINDOW: u32 = 64 * 1024;

/// How long no connection is accepted after that failed, for lack of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long sessions have for their last words.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long commands have to notice that their session has ended.
const COMMANDS_END: Duration = Duration::from_secs(2);

/// How many refusals of an opening are noted one by one.
const MAX_NOTED: u32 = 50;

/// A running server. Dropping it ends it, with all sessions.
pub(crate) struct Server {
    thread: Option<JoinHandle<String>>,
    time: watch::Sender<Time>,
    addresses: Vec<String>,
    fingerprint: String,
}

/// How long the console is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    pub(crate) until: Instant,
    /// Whether it ends before that, with the role.
    pub(crate) stopped: bool,
}

impl Time {
    /// How much of it is left.
    pub(crate) fn left(self) -> Duration {
        match self.stopped {
            true => Duration::ZERO,
            false => self.until.saturating_duration_since(Instant::now()),
        }
    }
}

impl Server {
    /// Listens, until that moment at the latest.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub(crate) fn start(
        opening: &Opening,
        until: Instant,
        node: Arc<dyn Node>,
    ) -> Result<Self, String> {
        let key = host_key()?;
        let fingerprint = fingerprint(&key);
        let listeners = opening.listen()?;
        let addresses = listeners
            .iter()
            .map(|listener| listener.local_addr().map(|address| address.to_string()))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let (time, times) = watch::channel(Time {
            until,
            stopped: false,
        });
        let config = Config {
            server_id: SshId::Standard(VERSION_LINE.into()),
            methods: MethodSet::from(&[MethodKind::Password][..]),
            auth_rejection_time: REJECTION_TIME,
            // Asking which methods there are gives nothing away.
            auth_rejection_time_initial: Some(Duration::ZERO),
            // One is spent on asking for the methods, and the last one that is counted ends it.
            max_auth_attempts: MAX_FAILURES as usize + 2,
            keys: vec![key],
            window_size: WINDOW,
            inactivity_timeout: None,
            keepalive_interval: Some(Duration::from_secs(30)),
            nodelay: true,
            ..Config::default()
        };
        let shared = Arc::new(Shared {
            password: Password::new(&opening.password)?,
            opening: opening.clone(),
            node,
            times,
            gate: Mutex::default(),
            streams: Mutex::default(),
            noted: AtomicU32::new(0),
            config: Arc::new(config),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2 * crate::gate::MAX_SESSIONS)
            .thread_name("debugger command")
            .build()
            .map_err(|error| format!("cannot make a runtime: {error}"))?;
        let thread = std::thread::Builder::new()
            .name("debugger ssh".to_owned())
            .spawn(move || serve(runtime, &shared, listeners))
            .map_err(|error| format!("cannot make a thread: {error}"))?;
        Ok(Self {
            thread: Some(thread),
            time,
            addresses,
            fingerprint,
        })
    }

    /// Sets another end, unless it has ended already; whether it goes on.
    pub(crate) fn extend(&self, until: Instant) -> bool {
        let stopped = false;
        !self.is_finished() && self.time.send(Time { until, stopped }).is_ok()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end; what there is to say about it.
    pub(crate) fn end(mut self) -> String {
        self.join()
    }

    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn join(&mut self) -> String {
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(reason)) => reason,
            // The panic was reported when it happened.
            Some(Err(_)) => "its thread has failed".to_owned(),
            None => String::new(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.time.send_modify(|time| time.stopped = true);
        self.join();
    }
}

/// What all clients have in common.
pub(crate) struct Shared {
    pub(crate) opening: Opening,
    pub(crate) node: Arc<dyn Node>,
    pub(crate) times: watch::Receiver<Time>,
    password: Password,
    gate: Mutex<Gate>,
    /// The connections, to end them by.
    streams: Mutex<HashMap<ClientId, TcpStream>>,
    noted: AtomicU32,
    config: Arc<Config>,
}

impl Shared {
    pub(crate) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client gives a password. Whether it is the right one, and the client may come in.
    pub(crate) fn log_in(&self, client: SocketAddr, id: ClientId, password: &str) -> bool {
        let now = Instant::now();
        let mut gate = self.gate();
        if gate.may_try(client.ip(), now).is_err() {
            return false;
        }
        if !self.password.is(password) {
            let wait = gate.failed(client.ip(), now);
            drop(gate);
            let wait = match wait {
                Some(wait) => format!("; its address has to wait for {} s now", wait.as_secs()),
                None => String::new(),
            };
            self.complain(&format!("{client} gave a wrong password{wait}"));
            return false;
        }
        let passed = gate.passed(id);
        drop(gate);
        match passed {
            Ok(()) => {
                self.node.note(&format!("{client} has logged in"));
                true
            }
            Err(_) => {
                self.complain(&format!("{client} was turned away: too many are logged in"));
                false
            }
        }
    }

    /// Notes what strangers can cause: some, and then no more.
    fn complain(&self, text: &str) {
        match self.noted.fetch_add(1, Ordering::Relaxed) {
            0..MAX_NOTED => self.node.note(text),
            MAX_NOTED => self
                .node
                .note("more of those who are turned away are counted only"),
            _ => {}
        }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<ClientId, TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes a client's connection, whatever it is about.
    fn hang_up(&self, id: ClientId) {
        if let Some(stream) = self.streams().remove(&id) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The password, in a form by which others are compared with it in the same time, however much of
/// them is right.
struct Password {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl Password {
    fn new(password: &str) -> Result<Self, String> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new())
            .map_err(|_| "the system gives no randomness")?;
        let tag = hmac::sign(&key, password.as_bytes());
        Ok(Self { key, tag })
    }

    fn is(&self, given: &str) -> bool {
        hmac::verify(&self.key, given.as_bytes(), self.tag.as_ref()).is_ok()
    }
}

/// What the thread does; why it has ended.
fn serve(runtime: Runtime, shared: &Arc<Shared>, listeners: Vec<std::net::TcpListener>) -> String {
    let reason = runtime.block_on(async {
        for listener in listeners {
            match TcpListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(accept(listener, Arc::clone(shared)))),
                Err(error) => return format!("it cannot listen: {error}"),
            }
        }
        wait_for_end(shared.times.clone()).await;
        // The terminals notice by themselves.
        let all_gone = async {
            while !shared.streams().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = timeout(LAST_WORDS, all_gone).await;
        let counts = shared.gate().counts();
        format!(
            "its time is over; there were {} logins, {} wrong passwords, and {} connections were \
             turned away",
            counts.logins, counts.wrong, counts.turned_away
        )
    });
    let left: Vec<ClientId> = shared.streams().keys().copied().collect();
    for id in left {
        shared.hang_up(id);
    }
    runtime.shutdown_timeout(COMMANDS_END);
    reason
}

async fn wait_for_end(mut times: watch::Receiver<Time>) {
    loop {
        let time = *times.borrow_and_update();
        if time.left().is_zero() {
            return;
        }
        tokio::select! {
            () = sleep_until(time.until.into()) => {}
            // Without a sender there is no role any more.
            changed = times.changed() => if changed.is_err() { return },
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => admit(stream, client, &shared),
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn admit(stream: tokio::net::TcpStream, client: SocketAddr, shared: &Arc<Shared>) {
    let address: IpAddr = client.ip();
    if !shared.opening.admits(address) {
        return shared.complain(&format!("{client} was turned away: it is not this machine"));
    }
    let admitted = shared.gate().connect(address, Instant::now());
    let Admitted { id, instead_of } = match admitted {
        Ok(admitted) => admitted,
        Err(Refusal::Waits(_) | Refusal::Full) => {
            return shared.complain(&format!(
                "{client} was turned away: its address gave wrong passwords"
            ));
        }
    };
    if let Some(other) = instead_of {
        shared.hang_up(other);
    }
    // A second descriptor of the connection, since the first belongs to the session's task.
    let Ok((stream, closer)) = split(stream) else {
        return shared.gate().gone(id);
    };
    shared.streams().insert(id, closer);
    tokio::spawn(attend(stream, client, id, Arc::clone(shared)));
}

fn split(stream: tokio::net::TcpStream) -> std::io::Result<(tokio::net::TcpStream, TcpStream)> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let closer = stream.try_clone()?;
    Ok((tokio::net::TcpStream::from_std(stream)?, closer))
}

/// Attends to a client until its connection ends.
async fn attend(
    stream: tokio::net::TcpStream,
    client: SocketAddr,
    id: ClientId,
    shared: Arc<Shared>,
) {
    let limit = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            sleep(LOGIN_LIMIT).await;
            if !shared.gate().is_logged_in(id) {
                shared.hang_up(id);
            }
        }
    });
    let handler = SessionHandler::new(Arc::clone(&shared), client, id);
    // How a connection fails that was no session is of no interest; those who log in are noted.
    if let Ok(session) = run_stream(Arc::clone(&shared.config), stream, handler).await {
        let _ = session.await;
    }
    limit.abort();
    shared.hang_up(id);
    let was_logged_in = shared.gate().is_logged_in(id);
    shared.gate().gone(id);
    if was_logged_in {
        shared.node.note(&format!("{client} has gone"));
    }
}
