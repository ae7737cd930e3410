//! The thread that does all: it waits for the network, the account and the host, and does what the parts decide.
//!
//! ```text
//!   host's calls ──▶ Meeting (a node each) ──▶ Account ── XMPP
//!                        │ ▲
//!                        ▼ │
//!   host ◀─ Pipe ─▶ Quic ─▶ Driver (ICE) ── UDP ── other nodes
//! ```

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use kozo_abi::{Connection, Error, TransportHost};
use kozo_ice::{
    Credentials, Driver, Event as IceEvent, Path, PeerId, PeerSettings, Security, TurnServer,
};
use kozo_xmpp::{
    Account, Event as AccountEvent, Jid, Password, Senders, Settings as AccountSettings, State,
};
use rustix::event::epoll;

use crate::description::{Description, NAMESPACE};
use crate::meeting::{Action, DialId, Meeting, Why};
use crate::options::Settings;
use crate::pipe::Pipe;
use crate::quic::{Handle, Happening, Quic, Remote};
use crate::shared::{Call, Shared};
use crate::status::{self, Facts};

mod streams;

/// How much is read from the host at a time.
const CHUNK: usize = 64 << 10;

/// How often the words of the status are looked at at most.
const STATUS_EVERY: Duration = Duration::from_millis(200);

/// How many reasons of ICE are told.
const MAX_REASONS: usize = 3;

/// Another node, as the file has it.
#[derive(Debug, Clone)]
pub(crate) struct Neighbour {
    pub(crate) node: String,
    /// The session of its transport.
    pub(crate) jid: Jid,
}

pub(crate) struct Worker {
    shared: Arc<Shared>,
    host: TransportHost,
    settings: Settings,
    relays: Vec<TurnServer>,
    driver: Driver,
    account: Account,
    state: State,
    quic: Quic<TransportHost>,
    remotes: Vec<Known>,
    by_peer: HashMap<PeerId, Remote>,
    by_jid: HashMap<Jid, Remote>,
    /// The session that this node has: of two, the one whose name comes first controls.
    own: Jid,
    dials: HashMap<DialId, Answer>,
    next_dial: u64,
    pipes: HashMap<Handle, Open>,
    /// Tells which of the pipes can be read or written.
    epoll: OwnedFd,
    /// Which connections have more to do than fits into one go.
    busy: Vec<Handle>,
    buffer: Vec<u8>,
    refused: u64,
    /// What the host was told last, when it may be told something else, and whether there may be.
    said: String,
    status_at: Instant,
    changed: bool,
}

struct Known {
    neighbour: Neighbour,
    /// The same for as long as the process runs, so that checks that are late fit the next search.
    credentials: Credentials,
    meeting: Meeting,
    peer: Option<PeerId>,
    path: Option<Path>,
}

/// Where somebody who has dialled waits.
type Answer = SyncSender<Result<Connection, String>>;

struct Open {
    pipe: Pipe,
    /// Until when it waits for the other end's end.
    deadline: Option<Instant>,
    finished: bool,
}

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        host: TransportHost,
        settings: Settings,
        neighbours: Vec<Neighbour>,
        own: Jid,
    ) -> Result<Self, Error> {
        let relays = settings.relays()?;
        let driver = Driver::new(kozo_ice::Settings {
            ignored_interfaces: settings.ignored_interfaces.clone(),
            ..kozo_ice::Settings::default()
        })?;
        shared.set_waker(driver.waker());
        let waker = driver.waker();
        let accounts = neighbours.iter().map(|neighbour| neighbour.jid.bare());
        let account = AccountSettings {
            account: settings.account.clone(),
            password: Password::File(settings.password_file.clone()),
            resource: own.resource().unwrap_or_default().to_owned(),
            server: settings.server.clone(),
            trust: settings.trust.clone(),
            namespace: NAMESPACE.to_owned(),
            status: None,
            senders: Senders::Listed(accounts.collect()),
        };
        let account = Account::start(account, move || waker.wake())?;
        let nodes = neighbours.iter().map(|neighbour| neighbour.node.clone());
        let quic = Quic::new(host.clone(), nodes.collect())?;
        let by_jid = neighbours.iter().enumerate();
        let by_jid = by_jid.map(|(remote, neighbour)| (neighbour.jid.clone(), remote));
        let by_jid = by_jid.collect();
        let now = Instant::now();
        let remotes = neighbours.into_iter().map(|neighbour| Known {
            neighbour,
            credentials: Credentials::random(),
            meeting: Meeting::new(now),
            peer: None,
            path: None,
        });
        Ok(Self {
            shared,
            host,
            relays,
            driver,
            state: account.state(),
            account,
            quic,
            remotes: remotes.collect(),
            by_peer: HashMap::new(),
            by_jid,
            own,
            dials: HashMap::new(),
            next_dial: 0,
            pipes: HashMap::new(),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            busy: Vec::new(),
            buffer: vec![0; CHUNK],
            refused: 0,
            said: String::new(),
            status_at: now,
            changed: true,
            settings,
        })
    }

    /// Works until the transport is stopped.
    ///
    /// # Errors
    /// The system refuses to wait.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.shared.is_stopping() {
            let until = self.timeout();
            let ready = self.driver.wait(&[self.epoll.as_fd()], until)?;
            let now = Instant::now();
            while let Some(event) = self.driver.next_event() {
                self.ice_event(event, now);
            }
            let mut busy = std::mem::take(&mut self.busy);
            if ready.others.first() == Some(&true) {
                self.ready_pipes(&mut busy)?;
            }
            for handle in busy {
                self.pump(handle, now);
            }
            if ready.woken {
                while let Some(call) = self.shared.next_call() {
                    self.call(call, now);
                }
                while let Some(event) = self.account.next_event() {
                    self.account_event(event, now);
                }
            }
            self.due(now);
            self.send(now);
            self.tell_status(now);
        }
        self.leave();
        Ok(())
    }

    /// When there is something to do though nothing happens.
    fn timeout(&mut self) -> Option<Instant> {
        if !self.busy.is_empty() {
            return Some(Instant::now());
        }
        let meetings = self
            .remotes
            .iter()
            .filter_map(|known| known.meeting.timeout());
        let pipes = self.pipes.values().filter_map(|open| open.deadline);
        let status = self.changed.then_some(self.status_at);
        meetings
            .chain(pipes)
            .chain(self.quic.timeout())
            .chain(status)
            .min()
    }

    fn due(&mut self, now: Instant) {
        for remote in 0..self.remotes.len() {
            let meeting = &mut self.remotes[remote].meeting;
            if meeting.timeout().is_some_and(|at| at <= now) {
                let actions = meeting.due(now);
                self.act(remote, actions, now);
            }
        }
        if self.quic.timeout().is_some_and(|at| at <= now) {
            self.quic.handle_timeout(now);
        }
        let late = self
            .pipes
            .iter()
            .filter(|(_, open)| open.deadline.is_some_and(|at| at <= now));
        let late: Vec<Handle> = late.map(|(handle, _)| *handle).collect();
        for handle in late {
            self.quic
                .close(handle, "the other end does not end it", now);
        }
        self.quic_happenings(now);
    }

    fn call(&mut self, call: Call, now: Instant) {
        let Some(&remote) = self.by_jid.get(&call.session) else {
            let why = format!("there is no such node as {} in the file", call.session);
            let _ = call.answer.try_send(Err(why));
            return;
        };
        let id = DialId(self.next_dial);
        self.next_dial += 1;
        self.dials.insert(id, call.answer);
        let mut actions = self.remotes[remote].meeting.dial(id, call.deadline, now);
        if let State::Offline { reason, .. } = &self.state
            && reason.wants_a_person()
        {
            actions.extend(self.remotes[remote].meeting.signalling_is_lost());
        }
        self.act(remote, actions, now);
    }

    fn act(&mut self, remote: Remote, actions: Vec<Action>, now: Instant) {
        for action in actions {
            match action {
                Action::Begin => self.begin(remote, now),
                Action::End => self.end(remote),
                Action::Tell(kind) => self.tell(remote, kind),
                Action::Learn(description) => {
                    if let Some(peer) = self.remotes[remote].peer {
                        let Description {
                            credentials,
                            candidates,
                            ..
                        } = description;
                        self.driver.add_remote(peer, &credentials, candidates);
                    }
                }
                Action::Open(id) => self.open(remote, id, now),
                Action::Fail(id, why) => {
                    let text = self.explain(remote, why);
                    self.answer(id, Err(text));
                }
            }
        }
    }

    fn begin(&mut self, remote: Remote, now: Instant) {
        let known = &mut self.remotes[remote];
        let settings = PeerSettings {
            credentials: known.credentials.clone(),
            controlling: self.own < known.neighbour.jid,
            security: Security::None,
            stun: self.settings.stun.clone(),
            turn: self.relays.clone(),
            relay_only: self.settings.relay_only,
        };
        match self.driver.add_peer(settings) {
            Ok(peer) => {
                known.peer = Some(peer);
                self.by_peer.insert(peer, remote);
            }
            Err(error) => {
                let node = &known.neighbour.node;
                self.host
                    .error(&format!("no way to `{node}` can be searched for: {error}"));
                let actions = known.meeting.failed();
                self.act(remote, actions, now);
            }
        }
    }

    fn end(&mut self, remote: Remote) {
        let known = &mut self.remotes[remote];
        known.path = None;
        if let Some(peer) = known.peer.take() {
            self.by_peer.remove(&peer);
            self.driver.remove_peer(peer);
        }
    }

    fn tell(&mut self, remote: Remote, kind: crate::description::Kind) {
        let known = &self.remotes[remote];
        let Some(peer) = known.peer else {
            return;
        };
        let description = Description {
            kind,
            credentials: known.credentials.clone(),
            candidates: self.driver.candidates(peer),
        };
        let fields = description.fields();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        // Without a connection it is told again when there is one; the account counts what it refuses.
        let _ = self.account.send(&known.neighbour.jid, &fields);
    }

    fn open(&mut self, remote: Remote, id: DialId, now: Instant) {
        if let Err(error) = self.quic.connect(remote, id, now) {
            self.remotes[remote].meeting.answered(id);
            self.answer(id, Err(error.to_string()));
        }
    }

    fn answer(&mut self, id: DialId, result: Result<Connection, String>) {
        if let Some(answer) = self.dials.remove(&id) {
            // Whoever asked may have given up.
            let _ = answer.try_send(result);
        }
    }

    /// Why there is no connection, with all that is known.
    fn explain(&self, remote: Remote, why: Why) -> String {
        let known = &self.remotes[remote];
        let node = &known.neighbour.node;
        let offline = match &self.state {
            State::Online { .. } => None,
            State::Offline { reason, .. } => Some(reason),
        };
        let mut text = match (why, offline) {
            (Why::Busy, _) => return "too many wait for a connection with it already".to_owned(),
            (Why::NotConnected | Why::NoAnswer, Some(reason)) => return reason.to_string(),
            (Why::Absent, _) => {
                return format!(
                    "`{node}` is not connected with its XMPP server: nobody is there as {}",
                    known.neighbour.jid
                );
            }
            (Why::NotConnected | Why::NoAnswer, None) => {
                return format!(
                    "`{node}` does not answer over XMPP, as {}",
                    known.neighbour.jid
                );
            }
            (Why::NoWay, _) => format!("no way to `{node}` is found"),
            (Why::Failed, _) => format!("the search for a way to `{node}` has failed"),
            (Why::Silent, _) => format!("`{node}` does not answer on the way that was found"),
        };
        if let Some(path) = &known.path {
            text.push_str(&format!(" ({})", status::way(path)));
        }
        let status = known.peer.and_then(|peer| self.driver.status(peer));
        let reasons = status.map(|status| status.reasons).unwrap_or_default();
        for (number, reason) in reasons.iter().take(MAX_REASONS).enumerate() {
            text.push_str(if number == 0 { ": " } else { "; " });
            text.push_str(&reason.to_string());
        }
        text
    }

    fn ice_event(&mut self, event: IceEvent, now: Instant) {
        let (IceEvent::Gathered { peer }
        | IceEvent::CandidatesChanged { peer }
        | IceEvent::Online { peer, .. }
        | IceEvent::PathChanged { peer, .. }
        | IceEvent::Offline { peer, .. }
        | IceEvent::Failed { peer, .. }
        | IceEvent::Datagram { peer, .. }) = event;
        let Some(&remote) = self.by_peer.get(&peer) else {
            return;
        };
        if let IceEvent::Datagram { contents, .. } = event {
            self.quic.received(remote, contents, now);
            self.quic_happenings(now);
            return;
        }
        self.changed = true;
        let known = &mut self.remotes[remote];
        let node = &known.neighbour.node;
        let actions = match event {
            IceEvent::Datagram { .. } => Vec::new(),
            IceEvent::Gathered { .. } | IceEvent::CandidatesChanged { .. } => {
                known.meeting.candidates_changed(now)
            }
            IceEvent::Online { path, .. } => {
                self.host
                    .info(&format!("a way to `{node}` is found: {path}"));
                known.path = Some(path);
                self.quic.way_changed(remote, now);
                known.meeting.online()
            }
            IceEvent::PathChanged { path, .. } => {
                self.host
                    .info(&format!("there is another way to `{node}`: {path}"));
                known.path = Some(path);
                self.quic.way_changed(remote, now);
                Vec::new()
            }
            IceEvent::Offline { reason, .. } => {
                self.host
                    .info(&format!("the way to `{node}` is lost: {reason}"));
                known.path = None;
                known.meeting.offline(now)
            }
            IceEvent::Failed { reason, .. } => {
                self.host
                    .warn(&format!("there is no way to `{node}`: {reason}"));
                known.meeting.failed()
            }
        };
        self.act(remote, actions, now);
    }

    fn account_event(&mut self, event: AccountEvent, now: Instant) {
        self.changed = true;
        match event {
            AccountEvent::State(state) => self.account_state(state, now),
            AccountEvent::Query { from, fields } => {
                let Some(&remote) = self.by_jid.get(&from) else {
                    self.refused += 1;
                    return;
                };
                let Ok(description) = Description::read(&fields) else {
                    self.refused += 1;
                    return;
                };
                match self.remotes[remote].meeting.heard(description, now) {
                    Some(actions) => self.act(remote, actions, now),
                    None => self.refused += 1,
                }
            }
            AccountEvent::Undelivered { to, .. } => {
                if let Some(&remote) = self.by_jid.get(&to) {
                    let actions = self.remotes[remote].meeting.undelivered();
                    self.act(remote, actions, now);
                }
            }
            // Nodes are called when they are wanted, present or not.
            _ => {}
        }
    }

    fn account_state(&mut self, state: State, now: Instant) {
        let before = std::mem::replace(&mut self.state, state);
        match &self.state {
            State::Online { jid } => {
                self.host
                    .info(&format!("connected with the XMPP server as {jid}"));
                for remote in 0..self.remotes.len() {
                    let actions = self.remotes[remote].meeting.signalling_is_there(now);
                    self.act(remote, actions, now);
                }
            }
            State::Offline { reason, .. } => {
                // It is tried again and again; the log has each reason once.
                if !matches!(&before, State::Offline { reason: known, .. } if known == reason) {
                    self.host
                        .warn(&format!("not connected with the XMPP server: {reason}"));
                }
                if reason.wants_a_person() {
                    for remote in 0..self.remotes.len() {
                        let actions = self.remotes[remote].meeting.signalling_is_lost();
                        self.act(remote, actions, now);
                    }
                }
            }
        }
    }

    fn quic_happenings(&mut self, now: Instant) {
        loop {
            let happenings = self.quic.happenings();
            if happenings.is_empty() {
                return;
            }
            for happening in happenings {
                match happening {
                    Happening::Open {
                        handle,
                        remote,
                        dial,
                    } => self.opened(handle, remote, dial, now),
                    Happening::Moves { handle } => self.pump(handle, now),
                    Happening::Began { remote } => self.remotes[remote].meeting.connection_begins(),
                    Happening::Ended {
                        handle,
                        remote,
                        dial,
                        why,
                        was_open,
                    } => {
                        // With it the host's end is closed.
                        self.pipes.remove(&handle);
                        let known = &mut self.remotes[remote];
                        known.meeting.connection_ends(now);
                        match dial {
                            Some(id) if !was_open => {
                                known.meeting.answered(id);
                                self.answer(id, Err(why));
                            }
                            _ if !was_open => {
                                let node = &known.neighbour.node;
                                self.host
                                    .warn(&format!("a connection of `{node}` is refused: {why}"));
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    fn send(&mut self, now: Instant) {
        self.quic_happenings(now);
        for datagram in self.quic.datagrams() {
            if let Some(peer) = self.remotes[datagram.remote].peer {
                // What cannot be sent is lost, as on any way; the driver counts it.
                let _ = self.driver.send(peer, &datagram.contents);
            }
        }
    }

    fn tell_status(&mut self, now: Instant) {
        if !self.changed || now < self.status_at {
            return;
        }
        self.changed = false;
        self.status_at = now + STATUS_EVERY;
        let ways = self.remotes.iter().filter_map(|known| {
            let path = known.path?;
            Some((known.neighbour.node.as_str(), path))
        });
        let words = status::words(&Facts {
            account: &self.settings.account,
            state: &self.state,
            ways: ways.collect(),
            counts: self.account.counts(),
            refused: self.refused,
        });
        if words != self.said {
            self.host.set_status(&words);
            self.said = words;
        }
    }

    /// Closes everything, so that others know at once.
    fn leave(&mut self) {
        let now = Instant::now();
        let handles: Vec<Handle> = self.pipes.keys().copied().collect();
        for handle in handles {
            self.quic
                .close(handle, "the transport is being stopped", now);
        }
        self.dials.clear();
        self.send(now);
        self.driver.flush();
    }
}
