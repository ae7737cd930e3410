//! An account's thread: it connects, keeps a session, and tries again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kozo_backoff::Backoff;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout};

use crate::inbox::Inbox;
use crate::session::{Happening, Session};
use crate::settings::CLIENT_PORT;
use crate::xml::{is_name, is_text};
use crate::{Counts, Event, Fields, Jid, Password, Reason, Settings, State, tls};

/// The waits between tries: the first after one at once, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// The waits where a person has to mend something: servers lock out who is wrong too often.
const LONG_WAITS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// How long a session has to stand before the waits begin anew.
const STOOD: Duration = Duration::from_secs(30);

const LOOKUP_LIMIT: Duration = Duration::from_secs(10);

/// How long each of a server's addresses may take, and how many are tried.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const MAX_ADDRESSES: usize = 8;

/// How long taking leave of the server may take.
const LEAVE_LIMIT: Duration = Duration::from_millis(500);

/// How many queries wait for the thread.
const MAX_WAITING: usize = 256;

/// The largest query, in bytes of its texts. Servers take stanzas of 10 KiB at least, and 64 KiB mostly.
const MAX_QUERY: usize = 32 << 10;

const MAX_PASSWORD: usize = 1024;

const CHUNK: usize = 16 << 10;

/// An account that is kept connected until it is dropped.
#[derive(Debug)]
pub struct Account {
    inbox: Arc<Inbox>,
    /// None once it is being dropped.
    commands: Option<mpsc::Sender<Command>>,
    next_id: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Command {
    Query { to: String, id: u64, fields: Fields },
    Retry,
}

impl Account {
    /// Begins to connect. `notify` is called from a thread of the account's whenever there is an event to be
    /// fetched; it should only wake somebody up.
    ///
    /// # Errors
    /// The system has no thread or descriptor left. Whatever else is wrong is told as an event.
    pub fn start(
        settings: Settings,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let inbox = Arc::new(Inbox::new(notify));
        let (commands, receiver) = mpsc::channel(MAX_WAITING);
        let thread = {
            let inbox = Arc::clone(&inbox);
            let settings = Arc::new(settings);
            thread::Builder::new()
                .name("xmpp".to_owned())
                .spawn(move || run(runtime, &settings, &inbox, receiver))?
        };
        Ok(Self {
            inbox,
            commands: Some(commands),
            next_id: AtomicU64::new(1),
            thread: Some(thread),
        })
    }

    /// The next event, if there is one.
    pub fn next_event(&self) -> Option<Event> {
        self.inbox.take()
    }

    /// The next event, for which it waits so long at most.
    pub fn wait_event(&self, limit: Duration) -> Option<Event> {
        self.inbox.wait(limit)
    }

    /// Whether it is connected, and if not, why.
    pub fn state(&self) -> State {
        self.inbox.state()
    }

    /// What was left out so far.
    pub fn counts(&self) -> Counts {
        self.inbox.counts()
    }

    /// Sends a query with these children to a session of somebody. It never waits. The number that it returns
    /// is in [`Event::Undelivered`] if the query comes back.
    ///
    /// # Errors
    /// It is not connected, too much is waiting already, or XML cannot carry the texts.
    pub fn send(&self, to: &Jid, fields: &[(&str, &str)]) -> Result<u64, SendError> {
        let result = self.try_send(to, fields);
        if result.is_err() {
            self.inbox.count(|counts| counts.refused_sends += 1);
        }
        result
    }

    fn try_send(&self, to: &Jid, fields: &[(&str, &str)]) -> Result<u64, SendError> {
        if !self.inbox.is_online() {
            return Err(SendError::NotConnected);
        }
        let mut size = 0;
        for (name, text) in fields {
            if !is_name(name) || !is_text(text) {
                return Err(SendError::Characters);
            }
            size += name.len() + text.len();
        }
        if size > MAX_QUERY {
            return Err(SendError::TooLong(MAX_QUERY));
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let to = to.to_string();
        let fields = fields.iter();
        let fields = Fields(fields.map(|&(k, v)| (k.to_owned(), v.to_owned())).collect());
        let commands = self.commands.as_ref().ok_or(SendError::NotConnected)?;
        commands
            .try_send(Command::Query { to, id, fields })
            .map_err(|_| SendError::Full)?;
        Ok(id)
    }

    /// Tries to connect now if it is not, however long the wait would be.
    pub fn retry(&self) {
        if let Some(commands) = &self.commands {
            // If so much waits, the thread is at work.
            let _ = commands.try_send(Command::Retry);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Its end is what the thread takes for the end.
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Why a query was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// There is no session.
    #[error("not connected with the XMPP server")]
    NotConnected,
    /// Too many wait already.
    #[error("too many queries wait for the XMPP server")]
    Full,
    /// It is larger than servers take.
    #[error("a query of more than {0} bytes")]
    TooLong(usize),
    /// It has characters that XML does not have.
    #[error("a query with characters that XML cannot carry")]
    Characters,
}

fn run(
    runtime: Runtime,
    settings: &Arc<Settings>,
    inbox: &Inbox,
    mut commands: mpsc::Receiver<Command>,
) {
    let stopped = runtime.block_on(live(settings, inbox, &mut commands));
    inbox.offline(stopped, None);
    // A lookup of a name may hang.
    runtime.shutdown_background();
}

/// Returns when the account is dropped.
async fn live(
    settings: &Arc<Settings>,
    inbox: &Inbox,
    commands: &mut mpsc::Receiver<Command>,
) -> Reason {
    let mut random = fastrand::Rng::new();
    let mut backoff = Backoff::new(WAITS.0, WAITS.1).at_once_first();
    let mut long_backoff = Backoff::new(LONG_WAITS.0, LONG_WAITS.1);
    loop {
        let began = Instant::now();
        let reason = match attempt(settings, inbox, commands).await {
            Reason::Stopped => return Reason::Stopped,
            reason => reason,
        };
        if inbox.is_online() && began.elapsed() >= STOOD {
            backoff.reset();
            long_backoff.reset();
        }
        let wait = if reason.wants_a_person() {
            long_backoff.next(&mut random)
        } else {
            backoff.next(&mut random)
        };
        inbox.offline(reason, Some(wait));
        tokio::select! {
            () = sleep(wait) => {}
            stopped = retried(commands) => if stopped { return Reason::Stopped },
        }
    }
}

/// Waits for somebody who wants a try now; true if nobody wants any more.
async fn retried(commands: &mut mpsc::Receiver<Command>) -> bool {
    loop {
        match commands.recv().await {
            None => return true,
            Some(Command::Retry) => return false,
            Some(Command::Query { .. }) => {}
        }
    }
}

async fn stopped(commands: &mut mpsc::Receiver<Command>) {
    while !retried(commands).await {}
}

/// Connects and keeps the session, until it ends for that reason.
async fn attempt(
    settings: &Arc<Settings>,
    inbox: &Inbox,
    commands: &mut mpsc::Receiver<Command>,
) -> Reason {
    let prepared = tls::config(&settings.trust).and_then(|config| {
        let password = password(&settings.password)?;
        Ok((config, password))
    });
    let (config, password) = match prepared {
        Ok(prepared) => prepared,
        Err(reason) => return reason,
    };
    let connected = tokio::select! {
        connected = connect(settings) => connected,
        () = stopped(commands) => return Reason::Stopped,
    };
    let stream = match connected {
        Ok(stream) => stream,
        Err(reason) => return reason,
    };
    let mut session = Session::new(settings, config, password, Instant::now());
    let reason = converse(stream, &mut session, inbox, commands).await;
    // What came before the end.
    deliver(&mut session, inbox);
    reason
}

fn password(password: &Password) -> Result<String, Reason> {
    let path = match password {
        Password::Text(text) => return Ok(text.clone()),
        Password::File(path) => path,
    };
    let fault = |why: String| Reason::PasswordFile {
        path: path.clone(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(fault("the file is empty".to_owned()));
    }
    if text.len() > MAX_PASSWORD || text.contains('\n') {
        return Err(fault(format!(
            "it has to be one line of at most {MAX_PASSWORD} bytes"
        )));
    }
    Ok(text.to_owned())
}

async fn connect(settings: &Settings) -> Result<TcpStream, Reason> {
    let (host, port) = match &settings.server {
        Some(server) => (server.host.as_str(), server.port),
        None => (settings.account.domain(), CLIENT_PORT),
    };
    let not_found = |why: String| Reason::HostNotFound {
        host: host.to_owned(),
        why,
    };
    let addresses: Vec<SocketAddr> = match timeout(LOOKUP_LIMIT, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.take(MAX_ADDRESSES).collect(),
        Ok(Err(error)) => return Err(not_found(error.to_string())),
        Err(_) => {
            return Err(not_found(format!(
                "no answer for {} s",
                LOOKUP_LIMIT.as_secs()
            )));
        }
    };
    let mut reason = not_found("it has no address".to_owned());
    for address in addresses {
        reason = match timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it, answers wait for each other.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Reason::Refused {
                address: address.to_string(),
            },
            Ok(Err(error)) => Reason::Unreachable {
                address: address.to_string(),
                why: error.to_string(),
            },
            Err(_) => Reason::Unreachable {
                address: address.to_string(),
                why: format!("no answer for {} s", CONNECT_LIMIT.as_secs()),
            },
        };
    }
    Err(reason)
}

async fn converse(
    stream: TcpStream,
    session: &mut Session,
    inbox: &Inbox,
    commands: &mut mpsc::Receiver<Command>,
) -> Reason {
    let (mut reader, mut writer) = stream.into_split();
    let mut chunk = vec![0; CHUNK];
    loop {
        deliver(session, inbox);
        let due = session.timeout();
        let waits = !session.output().is_empty();
        let result = tokio::select! {
            read = reader.read(&mut chunk) => match read {
                Ok(0) => Err(Reason::Gone("it was closed by the server".to_owned())),
                Ok(count) => session.received(&chunk[..count], Instant::now()),
                Err(error) => Err(Reason::Gone(error.to_string())),
            },
            written = writer.write(session.output()), if waits => match written {
                Ok(count) => {
                    session.output().drain(..count);
                    Ok(())
                }
                Err(error) => Err(Reason::Gone(error.to_string())),
            },
            () = sleep_until(due.into()) => session.handle_timeout(Instant::now()),
            command = commands.recv() => match command {
                Some(Command::Query { to, id, fields }) => session.query(&to, id, &fields),
                Some(Command::Retry) => Ok(()),
                None => {
                    session.close();
                    let _ = timeout(LEAVE_LIMIT, async {
                        writer.write_all(session.output()).await?;
                        writer.shutdown().await
                    })
                    .await;
                    return Reason::Stopped;
                }
            },
        };
        if let Err(reason) = result {
            return reason;
        }
    }
}

fn deliver(session: &mut Session, inbox: &Inbox) {
    for happening in session.happenings() {
        match happening {
            Happening::Online(jid) => inbox.online(jid),
            Happening::Event(event) => inbox.put(event),
            Happening::Oversized => inbox.count(|counts| counts.oversized += 1),
            Happening::Stranger => inbox.count(|counts| counts.strangers += 1),
        }
    }
}
