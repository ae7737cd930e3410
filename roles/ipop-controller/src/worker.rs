//! The thread that has the sockets, and does what the controller decides.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kozo_abi::{Error, RoleHost};
use kozo_ipop::{Api, Datagram, MAX_DATAGRAM, Notification, Packet, Request, Uid, icc};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use serde::Serialize;

use crate::core::{Action, Controller, Input, State};
use crate::options::Kept;
use crate::sockets::{self, ToTincan};

/// How many orders may wait.
const MAX_ORDERS: usize = 64;

/// How many datagrams are read of a socket before the others have their turn.
const BATCH: usize = 256;

/// How often the socket for other controllers is tried again, as long as the overlay is not there.
const ICC_RETRY: Duration = Duration::from_secs(1);

/// How long after the start nothing is said to be wrong: tincan may be starting, or logging in.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the restart of tincan is waited for.
const RESTART_WAIT: Duration = Duration::from_secs(5);

/// The role's way to its thread.
pub(crate) struct Worker {
    orders: Option<SyncSender<Order>>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

/// What somebody asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Link(Uid),
    Unlink(Uid),
}

/// Where everything is.
pub(crate) struct Ports {
    pub(crate) tincan: u16,
    pub(crate) echo: u16,
    /// If controllers speak with each other.
    pub(crate) icc: Option<u16>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no sockets, or no thread.
    pub(crate) fn start(
        controller: Controller,
        api: Api,
        ports: Ports,
        watchdog: Option<String>,
        host: RoleHost,
    ) -> Result<Self, Error> {
        let (orders, waiting) = sync_channel(MAX_ORDERS);
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let tincan = ToTincan::open(ports.tincan)?;
        let echo = match ports.echo {
            0 => Vec::new(),
            port => sockets::echo(port).unwrap_or_else(|error| {
                host.warn(&format!(
                    "port {port} (option `port`) is not free: {error}; tincan's questions are answered from another one"
                ));
                Vec::new()
            }),
        };
        let thread = Thread {
            controller,
            api,
            tincan,
            refused: false,
            echo,
            icc: None,
            icc_port: ports.icc,
            watchdog,
            host,
            begin: Instant::now(),
            shown: None,
            wrong: 0,
            buffer: vec![0; MAX_DATAGRAM],
        };
        let woken = Arc::clone(&wake);
        let thread = std::thread::Builder::new()
            .name("ipop controller".to_owned())
            .spawn(move || thread.run(&waiting, &woken))?;
        Ok(Self {
            orders: Some(orders),
            wake,
            thread: Some(thread),
        })
    }

    /// Whether the thread still runs.
    pub(crate) fn is_at_work(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Hands an order over. False if too many wait.
    pub(crate) fn order(&self, order: Order) -> bool {
        let taken = match &self.orders {
            Some(orders) => !matches!(orders.try_send(order), Err(TrySendError::Full(_))),
            None => false,
        };
        self.wake();
        taken
    }

    /// Ends the thread.
    pub(crate) fn stop(&mut self) {
        self.orders = None;
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It has no result, and a panic of it has been told already.
            let _ = thread.join();
        }
    }

    fn wake(&self) {
        // It fails only when it has been called 2^64 times in a row.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Shown {
    state: String,
    uid: String,
    ip4: String,
    ip6: String,
    peers: usize,
    linked: usize,
}

struct Thread {
    controller: Controller,
    api: Api,
    tincan: ToTincan,
    /// Nobody is at tincan's port.
    refused: bool,
    echo: Vec<UdpSocket>,
    icc: Option<UdpSocket>,
    icc_port: Option<u16>,
    watchdog: Option<String>,
    host: RoleHost,
    begin: Instant,
    shown: Option<Shown>,
    /// How many datagrams of tincan's could not be read.
    wrong: u64,
    buffer: Vec<u8>,
}

impl Thread {
    fn run(mut self, orders: &Receiver<Order>, wake: &OwnedFd) {
        let now = self.now();
        self.controller.start(self.tincan.own_port(), now);
        loop {
            self.act();
            self.show();
            if self.wait(wake).is_err() {
                // Poll fails for mistakes of this program alone; the role sees that the thread has ended.
                return;
            }
            match self.take_orders(orders) {
                Ok(()) => {}
                Err(Ended) => return,
            }
            self.read_tincan();
            self.read_echo();
            self.read_icc();
            self.pass();
        }
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn wait(&self, wake: &OwnedFd) -> io::Result<()> {
        let mut wait = self.controller.due().saturating_sub(self.now());
        if self.icc_port.is_some() && self.icc.is_none() {
            wait = wait.min(ICC_RETRY);
        }
        let mut fds = vec![
            PollFd::new(wake, PollFlags::IN),
            PollFd::new(&self.tincan.socket, PollFlags::IN),
        ];
        let others = self.echo.iter().chain(&self.icc);
        fds.extend(others.map(|socket| PollFd::new(socket, PollFlags::IN)));
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        match poll(&mut fds, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut number = [0; 8];
        // Nothing is there where something else woke it.
        let _ = rustix::io::read(wake, &mut number);
        Ok(())
    }

    fn take_orders(&mut self, orders: &Receiver<Order>) -> Result<(), Ended> {
        loop {
            let input = match orders.try_recv() {
                Ok(Order::Link(uid)) => Input::Link(uid),
                Ok(Order::Unlink(uid)) => Input::Unlink(uid),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(Ended),
            };
            let now = self.now();
            self.controller.input(input, now);
        }
    }

    fn read_tincan(&mut self) {
        for _ in 0..BATCH {
            let now = self.now();
            let len = match self.tincan.socket.recv(&mut self.buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    self.refuse();
                    continue;
                }
                Err(_) => return,
            };
            self.refused = false;
            let input = match self.api.read(&self.buffer[..len]) {
                Ok(Datagram::Control(json)) => Notification::read(json)
                    .map(Input::Notification)
                    .map_err(Error::from),
                Ok(Datagram::Packet(packet)) => Ok(Input::Packet(packet)),
                Err(error) => Err(error.into()),
            };
            match input {
                Ok(input) => self.controller.input(input, now),
                Err(error) => {
                    self.wrong += 1;
                    let address = self.tincan.address();
                    let wrong = self.wrong;
                    self.host.warn(&format!(
                        "the tincan at {address} sent what cannot be read ({wrong} so far): {error}"
                    ));
                }
            }
            self.act();
        }
    }

    fn refuse(&mut self) {
        self.refused = true;
        self.controller.refused();
    }

    /// Whoever asks at the echo's port is answered, as tincan is; nothing else is said there.
    fn read_echo(&mut self) {
        for socket in &self.echo {
            for _ in 0..BATCH {
                let Ok((len, from)) = socket.recv_from(&mut self.buffer) else {
                    break;
                };
                let asks = match self.api.read(&self.buffer[..len]) {
                    Ok(Datagram::Control(json)) => {
                        matches!(
                            Notification::read(json),
                            Ok(Notification::EchoRequest { .. })
                        )
                    }
                    _ => false,
                };
                if asks {
                    let _ = socket.send_to(&self.api.control(&Request::EchoReply.write()), from);
                }
            }
        }
    }

    fn read_icc(&mut self) {
        let Some(port) = self.icc_port else {
            return;
        };
        let own = self.controller.uid().ip6();
        if self.icc.is_none() {
            self.icc = sockets::icc(own, port).ok();
        }
        for _ in 0..BATCH {
            let read = self
                .icc
                .as_ref()
                .map(|socket| socket.recv_from(&mut self.buffer));
            let (len, from) = match read {
                Some(Ok(read)) => read,
                Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => return,
                // The overlay's device may be gone.
                Some(Err(_)) => {
                    self.icc = None;
                    return;
                }
                None => return,
            };
            let IpAddr::V6(from) = from.ip() else {
                continue;
            };
            match icc::Datagram::read(&self.buffer[..len]) {
                Ok(datagram) => {
                    let now = self.now();
                    self.controller
                        .input(Input::Controller(from, datagram), now);
                }
                Err(_) => self.wrong += 1,
            }
            self.act();
        }
    }

    fn pass(&mut self) {
        let now = self.now();
        if now < self.controller.due() {
            return;
        }
        if self.refused && self.controller.state() == State::Silent {
            // Perhaps it is at the other address alone.
            self.refused = false;
            if let Ok(other) = self.tincan.other() {
                self.tincan = other;
                self.controller.start(self.tincan.own_port(), now);
            }
        }
        self.controller.pass(now);
    }

    fn act(&mut self) {
        for action in self.controller.actions() {
            match action {
                Action::Ask(request) => self.send(&self.api.control(&request.write())),
                Action::Inject(frame) => {
                    let packet = Packet {
                        source: Uid::NULL,
                        destination: Uid::NULL,
                        frame: &frame,
                    };
                    self.send(&self.api.packet(&packet));
                }
                Action::Echo => self.echo(),
                Action::Tell(to, datagram) => {
                    if let (Some(socket), Some(port)) = (&self.icc, self.icc_port) {
                        // What is lost is asked for again.
                        let _ = socket.send_to(&datagram.write(), (to, port));
                    }
                }
                Action::Keep => self.keep(),
                Action::Restart => self.restart(),
                Action::Warn(text) => self.host.warn(&text),
            }
        }
    }

    fn send(&self, datagram: &[u8]) {
        // The error, if any, is about one before, and comes once more when the socket is read or waited for; what is
        // lost is sent again.
        let _ = self.tincan.socket.send(datagram);
    }

    fn echo(&self) {
        let to = self.tincan.address();
        let datagram = self.api.control(&Request::EchoReply.write());
        let same = |socket: &&UdpSocket| {
            socket
                .local_addr()
                .is_ok_and(|own: SocketAddr| own.is_ipv6() == to.is_ipv6())
        };
        match self.echo.iter().find(same) {
            Some(socket) => {
                let _ = socket.send_to(&datagram, to);
            }
            None => self.send(&datagram),
        }
    }

    fn keep(&self) {
        if let Some(social) = self.controller.social() {
            let kept = Kept::of(self.controller.uid(), social);
            if let Err(error) = self.host.store(&kept) {
                self.host.warn(&format!(
                    "who has which address cannot be kept over a restart: {error}"
                ));
            }
        }
    }

    fn restart(&self) {
        let address = self.tincan.address();
        let Some(role) = &self.watchdog else {
            return;
        };
        self.host.warn(&format!(
            "the tincan at {address} says nothing any more: `{role}` is restarted"
        ));
        #[derive(Serialize)]
        struct Question<'a> {
            request: &'a str,
            role: &'a str,
        }
        let question = Question {
            request: "restart-role",
            role,
        };
        // The answer is the role's status, in which nothing is of interest here.
        let answer = self
            .host
            .ask::<serde::de::IgnoredAny>(&question, RESTART_WAIT);
        if let Err(error) = answer {
            self.host.warn(&format!(
                "`{role}` cannot be restarted (option `watchdog`): {error}"
            ));
        }
    }

    /// Says how it stands, if that is new.
    fn show(&mut self) {
        if self.controller.state() != State::Online && self.now() < PATIENCE {
            return;
        }
        let controller = &self.controller;
        let (peers, linked) = (controller.peers(), controller.linked());
        let shown = Shown {
            state: self.state(),
            uid: controller.uid().to_string(),
            ip4: controller.ip4().to_string(),
            ip6: controller.uid().ip6_text(),
            peers,
            linked,
        };
        if self.shown.as_ref() == Some(&shown) {
            return;
        }
        let counts = controller.counts();
        let left_out = match counts.total() + self.wrong {
            0 => String::new(),
            number => format!(", {number} messages left out"),
        };
        let text = match shown.state.as_str() {
            ONLINE => format!("{}, {linked} of {peers} peers linked{left_out}", shown.ip4),
            trouble => trouble.to_owned(),
        };
        self.host.set_status(&text);
        let is_new = self
            .shown
            .as_ref()
            .is_none_or(|before| before.state != shown.state);
        if is_new && shown.state != ONLINE {
            self.host.warn(&shown.state);
        }
        if let Err(error) = self.host.send_event("ipop-controller", &shown) {
            self.host.warn(&format!(
                "the event `ipop-controller` cannot be sent: {error}"
            ));
        }
        self.shown = Some(shown);
    }

    fn state(&self) -> String {
        let address = self.tincan.address();
        match self.controller.state() {
            State::Online => ONLINE.to_owned(),
            State::Silent => format!(
                "no tincan answers at {address}: run the role `ipop-tincan`, or see to `tincanPort`"
            ),
            State::Other(uid) => format!(
                "the tincan at {address} is {uid} already, as another controller or another `ip4` had it: restart it"
            ),
            State::Offline(reason) => format!("the tincan at {address} is not on XMPP: {reason}"),
        }
    }
}

/// The state of a controller to which nothing is wrong.
const ONLINE: &str = "online";

/// The role ends.
struct Ended;
