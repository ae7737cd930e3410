//! The thread that has the connection: it tries one server after the other, moves bytes between it and the outbox,
//! and tells the host what happens.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use kozo_abi::{BusHost, Delivered, Error, Limits, Publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, sleep_until, timeout};

use crate::dial::{Connection, Reading, connect};
use crate::fault::{Deed, Fault, Told};
use crate::info::Info;
use crate::options::Settings;
use crate::outbox;
use crate::protocol::{Op, PONG, Reader};
use crate::pulse::Patience;
use crate::sending::{Sending, Silent};
use crate::servers::{Server, Servers};

/// How long a connection has to stand to count as one.
const STOOD: Duration = Duration::from_secs(5);

/// How many connections in a row that did not stand are followed by another one at once: servers of a cluster may be
/// restarted one after the other. Then it is the host that waits.
const FLEETING: u32 = 3;

/// How long the host may have no room before what comes in is thrown away. A server waits for a node some ten seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is asked meanwhile.
const RETRY: Duration = Duration::from_millis(2);

/// How long after that the loss of the connection is put down to it.
const SLOW: Duration = Duration::from_secs(30);

/// How long what is still waiting may take to be written when the bus is stopped.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long what a server said before it went may take to be read.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What the host's threads and the worker share.
pub(crate) struct Shared {
    sending: Mutex<Sending>,
    /// There is something to be sent.
    wake: Notify,
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(limits: outbox::Limits) -> Self {
        Self {
            sending: Mutex::new(Sending::new(limits)),
            wake: Notify::new(),
            stop: watch::Sender::new(false),
        }
    }

    pub(crate) fn publish(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Publish {
        let mut sending = self.sending();
        let publish = sending.outbox.publish(subject, reply, data);
        if let Publish::Accepted(_) = publish
            && !sending.write_alone(Instant::now())
        {
            drop(sending);
            self.wake.notify_one();
        }
        publish
    }

    pub(crate) fn subscribe(&self, pattern: &str, on: bool) {
        if self.sending().outbox.subscribe(pattern, on) {
            self.wake.notify_one();
        }
    }

    /// It is never held while anything is waited for.
    pub(crate) fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender is here, so there is no other end to this.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// What is remembered for as long as the bus is there.
#[derive(Debug)]
pub(crate) struct Memory {
    servers: Servers,
    random: fastrand::Rng,
    /// Whether the host counts on a connection.
    up: bool,
}

impl Memory {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            servers: Servers::new(settings.servers.clone(), settings.order),
            random: fastrand::Rng::new(),
            up: false,
        }
    }
}

/// One call of the host's.
pub(crate) struct Worker<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) shared: &'a Shared,
    pub(crate) host: &'a BusHost,
    pub(crate) memory: &'a mut Memory,
}

/// How a connection came to its end.
enum End {
    Stopped,
    Lost(Fault),
}

impl Worker<'_> {
    /// Keeps a connection until the bus is stopped, or no server can be used.
    ///
    /// # Errors
    /// Why there is no connection (any more).
    pub(crate) async fn run(&mut self) -> Result<(), Error> {
        let mut fleeting = 0;
        loop {
            let found = tokio::select! {
                biased;
                () = self.shared.stopped() => return Ok(()),
                found = find(self.memory, self.settings) => found,
            };
            let (server, connection) = found?;
            let since = Instant::now();
            self.memory.up = false;
            let end = self.serve(&server, connection).await;
            drop(self.shared.sending().end());
            let fault = match end {
                End::Stopped => return Ok(()),
                End::Lost(fault) => fault,
            };
            let reason = format!("{server}: {fault}");
            self.memory.servers.lost(&server);
            if std::mem::take(&mut self.memory.up) {
                self.host.down(&reason);
            }
            self.host.set_status("");
            fleeting = match since.elapsed() < STOOD {
                true => fleeting + 1,
                false => 0,
            };
            if fleeting >= FLEETING {
                return Err(reason.into());
            }
        }
    }

    /// One connection, from its beginning to its end.
    async fn serve(&mut self, server: &Server, connection: Connection) -> End {
        let Connection {
            mut reading,
            writing,
            reader,
            info,
            about,
        } = connection;
        self.memory.servers.connected(server);
        let interval = self.settings.reach.ping_interval;
        let window = self.host.window();
        let patience = Patience::new(window.messages, window.bytes);
        self.shared
            .sending()
            .begin(writing, interval, patience, Instant::now());
        let mut link = Link {
            server,
            about,
            reader,
            limits: Some(limits(server, &info)),
            held: None,
            slow: None,
            dropping: false,
        };
        self.told(server, &info);
        let mut timer = pin!(sleep_until(Instant::now().into()));
        loop {
            // What came with the login is there before anything is read.
            if let Err(fault) = self.handle(&mut link) {
                return End::Lost(link.explained(fault));
            }
            let ticked = self
                .shared
                .sending()
                .tick(link.held.is_some(), Instant::now());
            match ticked {
                Ok(Some(deadline)) if timer.deadline() != deadline.into() => {
                    timer.as_mut().reset(deadline.into());
                }
                Ok(_) => {}
                Err(Silent) => return End::Lost(Fault::Silent),
            }
            let result = tokio::select! {
                read = reading.read_buf(link.reader.room()), if link.held.is_none() => match read {
                    Ok(0) => Err(Fault::Closed),
                    Ok(_) => {
                        self.shared.sending().heard(Instant::now());
                        Ok(())
                    }
                    Err(error) => Err(error.into()),
                },
                error = poll_fn(|context| self.shared.sending().poll_write(context)) => {
                    Err(error.into())
                }
                () = self.shared.wake.notified() => Ok(()),
                () = sleep(RETRY), if link.held.is_some() => Ok(()),
                () = timer.as_mut() => Ok(()),
                () = self.shared.stopped() => {
                    self.farewell().await;
                    return End::Stopped;
                }
            };
            if let Err(fault) = result {
                let told = self.last_words(&mut reading, &mut link).await;
                return End::Lost(link.explained(told.unwrap_or(fault)));
            }
        }
    }

    /// What the server has said before it went: that tells more than that it went.
    async fn last_words(&mut self, reading: &mut Reading, link: &mut Link<'_>) -> Option<Fault> {
        loop {
            match timeout(LAST_WORDS, reading.read_buf(link.reader.room())).await {
                Ok(Ok(count)) if count > 0 => {
                    if let Err(told) = self.handle(link) {
                        return Some(told);
                    }
                    if link.held.is_some() {
                        return None;
                    }
                }
                _ => return None,
            }
        }
    }

    /// Works off what was read, as far as the host has room.
    fn handle(&mut self, link: &mut Link<'_>) -> Result<(), Fault> {
        if let Some(held) = &link.held {
            let reply = held.reply.as_deref();
            match self.host.deliver(&held.subject, reply, &held.payload) {
                Delivered::Taken => link.dropping = false,
                Delivered::Full if held.since.elapsed() < PATIENCE => return Ok(()),
                Delivered::Full => {
                    self.host.dropped(1);
                    link.dropping = true;
                }
            }
            link.slow = Some(Instant::now());
            link.held = None;
        }
        while let Some(op) = link.reader.next()? {
            // It works off what it is sent in order; so what it says of a subscription, or behind all of them, is
            // the sign that it has them.
            if matches!(op, Op::Message { .. } | Op::Pong)
                && let Some(limits) = link.limits.take()
            {
                self.memory.up = true;
                self.host.up(&limits);
            }
            match op {
                Op::Message {
                    subject,
                    status: Some(503),
                    payload: [],
                    ..
                } => {
                    let request = self.shared.sending().outbox.request(subject);
                    self.host.nobody(request.as_deref().unwrap_or(subject));
                }
                Op::Message {
                    subject,
                    reply,
                    payload,
                    ..
                } => match self.host.deliver(subject, reply, payload) {
                    Delivered::Taken => link.dropping = false,
                    Delivered::Full if link.dropping => {
                        link.slow = Some(Instant::now());
                        self.host.dropped(1);
                    }
                    Delivered::Full => {
                        link.held = Some(Held {
                            subject: subject.to_owned(),
                            reply: reply.map(str::to_owned),
                            payload: payload.to_owned(),
                            since: Instant::now(),
                        });
                        return Ok(());
                    }
                },
                Op::Ping => self.shared.sending().answer(PONG),
                Op::Pong => {
                    let answer = self.shared.sending().answered(Instant::now());
                    if let Some(answer) = answer {
                        let granted = self.shared.sending().outbox.granted(answer.asked);
                        for pattern in granted {
                            self.host.refused(&pattern, "");
                        }
                        if let Some(number) = answer.confirmed {
                            self.host.confirmed(number);
                        }
                        self.host.round_trip(answer.round_trip);
                    }
                }
                Op::Info(json) => {
                    let info = Info::parse(json)?;
                    self.told(link.server, &info);
                }
                Op::Ok => {}
                Op::Error(text) => match Told::parse(text) {
                    Told::Refused { deed, subject } => self.refuse(deed, subject),
                    Told::Fatal(fault) => return Err(fault),
                    Told::Warning => self
                        .host
                        .warn(&format!("{}: it says `{text}`", link.server)),
                },
            }
        }
        Ok(())
    }

    /// Something is not allowed. The host counts how often that is, and what is to be subscribed to is asked for again.
    fn refuse(&mut self, deed: Deed, subject: &str) {
        if deed == Deed::Subscribe {
            let mut sending = self.shared.sending();
            sending.outbox.refused(subject, Instant::now());
        }
        let reason = format!(
            "the server's permissions for this login do not let it {deed} there; or the login is another node's"
        );
        self.host.refused(subject, &reason);
    }

    /// What a server says of itself and its cluster.
    fn told(&mut self, server: &Server, info: &Info) {
        let neighbours = match server.scheme.is_websocket() {
            true => &info.ws_connect_urls,
            false => &info.connect_urls,
        };
        self.memory.servers.told(server, neighbours);
        if info.leaving {
            // It ends connections one by one, over minutes: what it does until then is done well.
            self.host
                .set_status("the server is about to be shut down, and will end this connection");
            self.host
                .info(&format!("{server} is about to be shut down"));
        }
    }

    /// Sends what is waiting, for a short while.
    async fn farewell(&self) {
        let all = async {
            let written = poll_fn(|context| {
                let mut sending = self.shared.sending();
                match sending.poll_write(context) {
                    Poll::Pending if sending.is_empty() => Poll::Ready(Ok(())),
                    other => other.map(Err),
                }
            });
            written.await?;
            let writing = self.shared.sending().end();
            match writing {
                Some(mut writing) => writing.shutdown().await,
                None => Ok(()),
            }
        };
        // Whoever stops has no use for the reason why it did not work.
        let _ = timeout(FAREWELL, all).await;
    }
}

/// One connection's own things.
struct Link<'a> {
    server: &'a Server,
    /// What the login says about how long it holds.
    about: String,
    reader: Reader,
    /// What the host is to hear when everything is subscribed to.
    limits: Option<Limits>,
    /// What the host had no room for.
    held: Option<Held>,
    /// When the host had none last.
    slow: Option<Instant>,
    /// It had none for so long that what comes is thrown away until it has.
    dropping: bool,
}

struct Held {
    subject: String,
    reply: Option<String>,
    payload: Vec<u8>,
    since: Instant,
}

impl Link<'_> {
    /// Why it was lost, with what else is known.
    fn explained(&self, fault: Fault) -> Fault {
        let slow = self.slow.is_some_and(|slow| slow.elapsed() < SLOW);
        match fault {
            Fault::Closed if slow => Fault::TooSlow,
            Fault::Expired(_) => Fault::Expired(self.about.clone()),
            fault => fault,
        }
    }
}

/// The first server of a round that lets this node in.
async fn find(memory: &mut Memory, settings: &Settings) -> Result<(Server, Connection), Error> {
    let mut failed = Vec::new();
    for server in memory.servers.round(&mut memory.random) {
        let mut addresses = Vec::new();
        let connected = connect(&server, &settings.reach, &mut addresses).await;
        memory.servers.found(&server, addresses);
        match connected {
            Ok(connection) => return Ok((server, connection)),
            Err(fault) => {
                memory.servers.failed(&server);
                if fault.is_here() {
                    return Err(fault.to_string().into());
                }
                failed.push((server, fault));
            }
        }
    }
    Err(memory.servers.reasons(&failed).into())
}

fn limits(server: &Server, info: &Info) -> Limits {
    let max_datagram = usize::try_from(info.max_payload).unwrap_or(usize::MAX);
    // What is published is written at once, to a socket that does not block, or left to the worker.
    Limits::new(max_datagram, format!("{server} ({info})"))
        .no_responders(true)
        .publish_from_roles(true)
}
