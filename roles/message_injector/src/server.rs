//! The thread that listens, reads lines, sends messages and answers.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kozo_abi::{Error, RoleHost, SendError};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use crate::admission::{self, Admission, IDLE_LIMIT, MAX_CONNECTIONS};
use crate::command::{Command, Content};
use crate::complaints::{COMPLAINTS_PERIOD, Complaints};
use crate::connection::{Connection, Line, MAX_LINE, Said, would_block};

/// How long no connection is accepted after that failed, for lack of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How many characters of a line are logged.
const LOGGED_CHARACTERS: usize = 200;

/// The running thread. Dropping it ends the thread and closes all connections.
pub(crate) struct Server {
    thread: Option<JoinHandle<()>>,
    /// Readable once the thread shall end.
    stop_signal: Arc<OwnedFd>,
}

impl Server {
    /// Listens on every address that `address` stands for.
    ///
    /// # Errors
    /// Which address and port cannot be listened on, and why.
    pub(crate) fn start(
        address: &str,
        port: u16,
        log: bool,
        host: &RoleHost,
    ) -> Result<Self, Error> {
        let listeners = listen(address, port)?;
        for listener in &listeners {
            let local = listener.local_addr()?;
            host.info(&format!("listening on {local}"));
            if !local.ip().is_loopback() {
                host.warn(&format!(
                    "everybody who reaches {local} can send messages into the network, orders too"
                ));
            }
        }
        let stop_signal = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let worker = Worker {
            listeners,
            connections: Vec::new(),
            accept_again: None,
            stop_signal: Arc::clone(&stop_signal),
            complaints: Complaints::default(),
            host: host.clone(),
            log,
        };
        let thread = std::thread::Builder::new()
            .name(host.name().to_owned())
            .spawn(move || worker.work())?;
        Ok(Self {
            thread: Some(thread),
            stop_signal,
        })
    }

    /// # Errors
    /// The thread has ended, though nobody told it to.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.thread {
            Some(thread) if !thread.is_finished() => Ok(()),
            _ => Err("the thread that listens has ended".into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A counter that is written to once is never full.
        let _ = rustix::io::write(&self.stop_signal, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            // Its panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn listen(address: &str, port: u16) -> Result<Vec<TcpListener>, Error> {
    let failed = |place: &str, error: &io::Error| -> Error {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; is it in use? another `bindPort` may be free",
            _ => "; `bindAddress` has to be an address or a name of this machine",
        };
        format!("cannot listen on {place}: {error}{hint}").into()
    };
    let place = format!("{address}:{port}");
    let addresses: Vec<SocketAddr> = (address, port)
        .to_socket_addrs()
        .map_err(|error| failed(&place, &error))?
        .collect();
    let mut listeners = Vec::new();
    let mut last_error = failed(&place, &io::ErrorKind::NotFound.into());
    for address in addresses {
        match TcpListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                listeners.push(listener);
            }
            Err(error) => {
                last_error = failed(&address.to_string(), &error);
                // `localhost` may stand for `::1` on a machine without IPv6: that is no fault.
                if error.kind() != io::ErrorKind::AddrNotAvailable {
                    return Err(last_error);
                }
            }
        }
    }
    if listeners.is_empty() {
        return Err(last_error);
    }
    Ok(listeners)
}

/// What the thread works on.
struct Worker {
    listeners: Vec<TcpListener>,
    connections: Vec<Connection>,
    /// When connections are accepted again after that has failed.
    accept_again: Option<Instant>,
    stop_signal: Arc<OwnedFd>,
    complaints: Complaints,
    host: RoleHost,
    log: bool,
}

/// What is ready: listeners and connections by their index.
struct Ready {
    listeners: Vec<usize>,
    connections: Vec<usize>,
}

impl Worker {
    fn work(mut self) {
        loop {
            match self.wait() {
                Ok(Some(ready)) => self.serve(&ready),
                Ok(None) => return,
                Err(error) => {
                    self.host
                        .error(&format!("cannot wait for clients: {error}"));
                    return;
                }
            }
        }
    }

    /// Waits until something is ready; None when the thread shall end.
    fn wait(&mut self) -> Result<Option<Ready>, Errno> {
        let pause = self
            .accept_again
            .map(|again| again.saturating_duration_since(Instant::now()));
        if pause.is_some_and(|pause| pause.is_zero()) {
            self.accept_again = None;
        }
        let listeners = match self.accept_again {
            Some(_) => &[],
            None => &self.listeners[..],
        };
        let mut fds = vec![PollFd::from_borrowed_fd(
            self.stop_signal.as_fd(),
            PollFlags::IN,
        )];
        fds.extend(listeners.iter().map(|one| PollFd::new(one, PollFlags::IN)));
        fds.extend(self.connections.iter().map(|one| {
            let mut events = PollFlags::empty();
            events.set(PollFlags::IN, one.wants_to_read());
            events.set(PollFlags::OUT, one.wants_to_write());
            PollFd::new(&one.stream, events)
        }));
        let ends = self.connections.iter().map(|one| one.standing.ends());
        let due = ends.chain(self.complaints.due()).min();
        let due = due.map(|due| due.saturating_duration_since(Instant::now()));
        let timeout = pause.into_iter().chain(due).min();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let (of_listeners, of_connections) = fds[1..].split_at(listeners.len());
        let ready = |fds: &[PollFd<'_>]| (0..fds.len()).filter(|&i| is_ready(&fds[i])).collect();
        Ok((!is_ready(&fds[0])).then(|| Ready {
            listeners: ready(of_listeners),
            connections: ready(of_connections),
        }))
    }

    fn serve(&mut self, ready: &Ready) {
        let now = Instant::now();
        for &index in &ready.connections {
            if self.serve_client(index, now).is_err() {
                // It is gone; there is nobody to tell.
                self.connections[index].hang_up();
            }
        }
        for connection in &mut self.connections {
            if !connection.is_done() && connection.standing.ends() <= now {
                connection.dismiss(&format!(
                    "nothing came for {} minutes, so the connection is closed",
                    IDLE_LIMIT.as_secs() / 60
                ));
            }
        }
        self.connections.retain(|connection| !connection.is_done());
        for &index in &ready.listeners {
            self.accept(index, now);
        }
        if let Some(left_out) = self.complaints.summary(now) {
            self.note(&format!(
                "refused {left_out} more lines or clients in {} s",
                COMPLAINTS_PERIOD.as_secs()
            ));
        }
    }

    fn accept(&mut self, index: usize, now: Instant) {
        let accepted = self.listeners[index].accept();
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if would_block(&error) => return,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => return,
            Err(error) => {
                self.host
                    .warn(&format!("cannot accept a connection: {error}"));
                self.accept_again = Some(now + ACCEPT_PAUSE);
                return;
            }
        };
        // Without a connection that works there is nobody to tell.
        let Ok(mut connection) = Connection::new(stream, address, now) else {
            return;
        };
        let present = self.connections.iter().map(|one| &one.standing);
        match admission::admit(present, &connection.standing, now) {
            Admission::Free => {}
            Admission::InPlaceOf(other) => self.connections.swap_remove(other).dismiss(
                "other clients need the place, and this connection says nothing or is one of many",
            ),
            Admission::Full => {
                let reason = format!("{MAX_CONNECTIONS} connections are open, which is the limit");
                connection.dismiss(&reason);
                return;
            }
        }
        self.connections.push(connection);
    }

    fn serve_client(&mut self, index: usize, now: Instant) -> io::Result<()> {
        if self.connections[index].wants_to_read() {
            match self.connections[index].read()? {
                Said::Foreign => self.dismiss_foreign(index, now),
                Said::Lines(lines) => self.inject_all(index, &lines, now),
            }
        }
        self.connections[index].write()
    }

    fn inject_all(&mut self, index: usize, lines: &[Line], now: Instant) {
        for line in lines {
            if line.is_foreign() {
                // What follows it belongs to that protocol, whatever it looks like.
                self.dismiss_foreign(index, now);
                return;
            }
            let client = self.connections[index].client.clone();
            let result = self.inject(line, &client, now);
            let connection = &mut self.connections[index];
            connection.standing.heard(result.is_ok(), now);
            connection.answer(&result);
        }
    }

    /// Ends a connection whose client speaks another protocol.
    fn dismiss_foreign(&mut self, index: usize, now: Instant) {
        let client = self.connections[index].client.clone();
        self.complain(
            &format!(
                "closed the connection of {client}, which speaks another protocol: if it is a web \
                 page, somebody tries to give orders through the browser of this machine"
            ),
            now,
        );
        self.connections[index].dismiss(
            "that is no message, so the connection is closed (this port takes a message a line, \
             and does not speak HTTP)",
        );
    }

    /// Sends what a line asks for.
    fn inject(&mut self, line: &Line, client: &str, now: Instant) -> Result<(), String> {
        let sent = match line {
            Line::TooLong => Err(format!("a line has {MAX_LINE} bytes at most")),
            Line::Whole(line) => match std::str::from_utf8(line) {
                Err(_) => Err("the line is not UTF-8".to_owned()),
                Ok(line) => Command::parse(line)
                    .and_then(|command| self.send(&command).map_err(|error| error.to_string()))
                    .map(|()| line),
            },
        };
        match sent {
            Ok(line) => {
                self.note(&format!("sent for {client}: {}", shortened(line)));
                Ok(())
            }
            Err(reason) => {
                self.complain(&format!("refused a line of {client}: {reason}"), now);
                Err(reason)
            }
        }
    }

    fn send(&self, command: &Command) -> Result<(), SendError> {
        let (message, Content { channel, data, .. }) = match command {
            Command::Log(text) => return self.host.send_log(text),
            Command::Event(content) => (self.host.event(&content.type_name), content),
            Command::Order(content) => (self.host.order(&content.type_name), content),
        };
        match channel {
            Some(channel) => message.channel(channel).send(data),
            None => message.send(data),
        }
    }

    /// Notes something that a client may do as often as it likes.
    fn complain(&mut self, text: &str, now: Instant) {
        if self.complaints.admits(now) {
            self.note(text);
        }
    }

    fn note(&self, text: &str) {
        if self.log {
            self.host.info(text);
            if let Err(error) = self.host.send_log(text) {
                self.host.warn(&error.to_string());
            }
        }
    }
}

/// The beginning of a line from a stranger, fit for a log.
fn shortened(line: &str) -> String {
    let mut text = String::new();
    for (count, c) in line.trim().chars().enumerate() {
        match c {
            _ if count == LOGGED_CHARACTERS => {
                text.push('…');
                break;
            }
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text
}
