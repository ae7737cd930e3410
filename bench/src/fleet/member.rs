//! One member: the protocol of a node on a bus, and its connection with a server.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use kozo_backoff::Backoff;
use kozo_bus::{Bus, Delivery, EngineLimits, Happened, Output, Published};
use kozo_ground::clock::Moment;
use kozo_ground::names::RoleName;
use kozo_wire::Message;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with};

use super::client::{self, Said, Strange};

/// More than this does not wait for the connection.
const MAX_WAITING: usize = 1 << 20;

/// How many requests are remembered that nobody may listen to.
const MAX_REQUESTS: usize = 64;

/// The largest datagram, as the module for NATS has it.
const MAX_DATAGRAM: usize = 512 << 10;

/// The first wait after a server could not be had, and the longest: those of a daemon.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// How long a server may take to be connected to, as the module for NATS has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What happened to a member that counts.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Messages that came.
    pub(crate) deliveries: Vec<Delivery>,
    /// Whether it is connected now, and was not, or the other way round.
    pub(crate) connected: Option<bool>,
    /// Keys of others that it has got.
    pub(crate) keys: u64,
    /// Keys of others that it has asked for and not got.
    pub(crate) refused_keys: u64,
    /// What it has asked others for, of any kind.
    pub(crate) asks: u64,
}

/// A simulated node.
pub(crate) struct Member {
    bus: Bus,
    servers: Vec<SocketAddr>,
    /// Which of them is tried next.
    next: usize,
    tries: usize,
    backoff: Backoff,
    random: fastrand::Rng,
    patterns: Vec<String>,
    line: Option<Line>,
    /// When it connects anew.
    retry: Option<Moment>,
}

struct Line {
    stream: TcpStream,
    /// Until when the server has to have answered.
    until: Moment,
    has_logged_in: bool,
    is_up: bool,
    /// What has come and is not whole.
    into: Vec<u8>,
    out: Vec<u8>,
    written: usize,
    published: u64,
    /// Which number the server is asked to confirm.
    pinged: Option<u64>,
    /// Where answers to requests go, and the requests' subjects.
    requests: Vec<(String, String)>,
}

impl Member {
    /// A member that is not connected, and begins with a server by chance.
    pub(crate) fn new(bus: Bus, servers: Vec<SocketAddr>, random: fastrand::Rng) -> Self {
        let mut random = random;
        Self {
            bus,
            next: random.usize(..servers.len()),
            tries: 0,
            servers,
            backoff: Backoff::new(FIRST_RETRY, LAST_RETRY).at_once_first(),
            random,
            patterns: Vec::new(),
            line: None,
            retry: None,
        }
    }

    /// Begins to connect with the next server; the socket is there at once, and to be watched.
    pub(crate) fn connect(&mut self, now: Moment) -> io::Result<&TcpStream> {
        let server = self.servers[self.next % self.servers.len()];
        self.next += 1;
        self.tries += 1;
        self.retry = None;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            flags,
            Some(ipproto::TCP),
        )?;
        match connect(&fd, &server) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let stream = TcpStream::from(fd);
        stream.set_nodelay(true)?;
        let line = self.line.insert(Line {
            stream,
            until: now + CONNECT_TIMEOUT,
            has_logged_in: false,
            is_up: false,
            into: Vec::new(),
            out: Vec::new(),
            written: 0,
            published: 0,
            pinged: None,
            requests: Vec::new(),
        });
        Ok(&line.stream)
    }

    /// The connection is lost, or there was none to be had.
    pub(crate) fn lost(&mut self, reason: &str, now: Moment, news: &mut News) {
        let was_up = self.line.take().is_some_and(|line| line.is_up);
        if was_up {
            self.tries = 0;
            self.backoff.reset();
            news.connected = Some(false);
            self.bus.down(reason, now);
        }
        // All servers are tried before it waits.
        let wait = match self.tries % self.servers.len() {
            0 => self.backoff.next(&mut self.random),
            _ => Duration::ZERO,
        };
        self.retry = Some(now + wait);
    }

    /// When it has something to do by itself.
    pub(crate) fn timeout(&self) -> Option<Moment> {
        let until = self.line.as_ref().filter(|line| !line.is_up);
        let until = until.map(|line| line.until);
        [self.bus.timeout(), self.retry, until]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether it is time to connect anew.
    pub(crate) fn is_to_connect(&self, now: Moment) -> bool {
        self.retry.is_some_and(|retry| retry <= now)
    }

    /// Does what the time demands.
    pub(crate) fn tick(&mut self, now: Moment, news: &mut News) {
        let is_late = |line: &Line| !line.is_up && line.until <= now;
        if self.line.as_ref().is_some_and(is_late) {
            self.lost("the server does not answer", now, news);
        }
        self.bus.tick(now);
        self.drive(now, news);
    }

    /// Queues a message of a role.
    pub(crate) fn send(&mut self, message: Message, lifetime: Duration, now: Moment) {
        self.bus.send(message, lifetime, now);
    }

    /// Reads what has come, and writes what waits.
    pub(crate) fn ready(&mut self, scratch: &mut [u8], now: Moment, news: &mut News) {
        if let Err(error) = self.read(scratch, now, news) {
            self.lost(&error.to_string(), now, news);
        }
        self.drive(now, news);
    }

    fn read(&mut self, scratch: &mut [u8], now: Moment, news: &mut News) -> io::Result<()> {
        while let Some(line) = &mut self.line {
            let length = match line.stream.read(scratch) {
                Ok(0) => return Err(io::ErrorKind::ConnectionAborted.into()),
                Ok(length) => length,
                // Not connected yet: what becomes of that is told by another event.
                Err(error) if is_later(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            let mut into = std::mem::take(&mut line.into);
            let used = if into.is_empty() {
                let used = self.take(&scratch[..length], now, news)?;
                into.extend_from_slice(&scratch[used..length]);
                0
            } else {
                into.extend_from_slice(&scratch[..length]);
                self.take(&into, now, news)?
            };
            into.drain(..used);
            if into.is_empty() {
                // Ten thousand of them hold nothing most of the time.
                into = Vec::new();
            }
            if let Some(line) = &mut self.line {
                line.into = into;
            }
        }
        Ok(())
    }

    /// Takes what a server has said, and says how much of it that was.
    fn take(&mut self, bytes: &[u8], now: Moment, news: &mut News) -> io::Result<usize> {
        let strange = |error: Strange| io::Error::other(error);
        let mut at = 0;
        while let Some((said, length)) = client::read(&bytes[at..]).map_err(strange)? {
            at += length;
            let Some(line) = &mut self.line else {
                return Ok(bytes.len());
            };
            match said {
                Said::Message {
                    subject,
                    reply,
                    data,
                } => self.bus.received(subject, reply, data, now),
                Said::Nobody(reply) => {
                    let place = line.requests.iter().position(|(to, _)| to == reply);
                    if let Some(place) = place {
                        let (_, subject) = line.requests.swap_remove(place);
                        self.bus.nobody(&subject, now);
                    }
                }
                // A later one tells of the cluster.
                Said::Info if !line.has_logged_in => self.log_in(now),
                Said::Info | Said::Fine => {}
                Said::Ping => line.out.extend_from_slice(b"PONG\r\n"),
                Said::Pong if !line.is_up => {
                    line.is_up = true;
                    self.tries = 0;
                    news.connected = Some(true);
                    let limits = EngineLimits {
                        max_datagram: MAX_DATAGRAM,
                        no_responders: true,
                        server: "a server".to_owned(),
                    };
                    self.bus.up(limits, now);
                }
                Said::Pong => {
                    if let Some(number) = line.pinged.take() {
                        self.bus.confirmed(number);
                    }
                }
                Said::Error(text) => return Err(io::Error::other(text.to_owned())),
            }
        }
        Ok(at)
    }

    /// Says who it is, and what it wants to hear. What the server answers behind that is the sign that it has all of it.
    fn log_in(&mut self, now: Moment) {
        while let Some(Output::Subscribe { pattern, .. }) = self.bus.output(now) {
            self.patterns.push(pattern);
        }
        if let Some(line) = &mut self.line {
            line.has_logged_in = true;
            client::connect(&mut line.out, self.bus.settings().own.as_str());
            for (number, pattern) in self.patterns.iter().enumerate() {
                client::subscribe(&mut line.out, pattern, number + 1);
            }
            line.out.extend_from_slice(b"PING\r\n");
        }
    }

    /// Lets the bus have done what it wants.
    pub(crate) fn drive(&mut self, now: Moment, news: &mut News) {
        if let Some(line) = self.line.as_mut().filter(|line| line.is_up) {
            while let Some(output) = self.bus.output(now) {
                let Output::Publish {
                    subject,
                    reply,
                    data,
                } = output
                else {
                    continue;
                };
                if line.out.len() > MAX_WAITING {
                    self.bus.published(Published::Full, now);
                    break;
                }
                client::publish(&mut line.out, &subject, reply.as_deref(), &data);
                if let Some(reply) = reply {
                    news.asks += 1;
                    if line.requests.len() >= MAX_REQUESTS {
                        line.requests.remove(0);
                    }
                    line.requests.push((reply, subject));
                }
                line.published += 1;
                self.bus.published(Published::Accepted(line.published), now);
                if line.pinged.is_none() {
                    line.pinged = Some(line.published);
                    line.out.extend_from_slice(b"PING\r\n");
                }
            }
        }
        if let Some(line) = &mut self.line
            && let Err(error) = line.flush()
        {
            self.lost(&error.to_string(), now, news);
        }
        news.deliveries.append(&mut self.bus.deliveries());
        while let Some(happened) = self.bus.happened() {
            match happened {
                Happened::Heard { .. } => news.keys += 1,
                Happened::NoKey { .. } => news.refused_keys += 1,
                _ => {}
            }
        }
    }
}

impl Line {
    fn flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => self.written += length,
                Err(error) if is_later(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.out.shrink_to(4096);
        self.written = 0;
        Ok(())
    }
}

fn is_later(error: &io::Error) -> bool {
    use io::ErrorKind::{NotConnected, WouldBlock};
    matches!(error.kind(), WouldBlock | NotConnected)
}

/// What a message of the benchmark is sent as.
pub(crate) fn numbered(role: &RoleName, data: &[u8]) -> Option<Message> {
    let kind = kozo_ground::interest::Kind::Event;
    Message::new(kind, role, "numbered", None, 0.0, data).ok()
}
