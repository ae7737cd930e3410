//! The link with one peer: ICE finds ways, DTLS protects what goes over the best of them.

mod pairs;
mod report;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use is::stun::{StunMessage, StunPacket};
use is::{IceAgent, IceAgentEvent, IceConnectionState, IceCreds, Protocol};

use crate::candidate::{Candidate, CandidateKind, Credentials, fill_with_random, unusable};
use crate::endpoint::NotSent;
use crate::event::{Event, PeerId};
use crate::limits;
use crate::reason::Reason;
use crate::session::{Output, Session};
use crate::settings::{PeerSettings, Security, Settings};
use crate::status::{Drops, Path, State};
use crate::stun::{Class, Message, Transaction, attribute};
pub(crate) use pairs::Addresses;
use pairs::Pairs;

/// How often checks are begun: one pair each time.
const PACE: Duration = Duration::from_millis(20);
/// How many checks without an answer in a row are the end of a pair: after some thirteen seconds.
const UNANSWERED: usize = 7;
/// How many pairs are tried at most.
const TRIED_PAIRS: usize = 200;
/// When no pair works, how long until all are tried again, at first and at most.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How often old pairs are looked for.
const TIDY: Duration = Duration::from_secs(30);

/// What comes of what happens to a peer.
#[derive(Debug)]
pub(crate) enum Action {
    /// Send this from one of our addresses, which may be a relay's.
    Transmit {
        addresses: Addresses,
        contents: Vec<u8>,
    },
    /// Tell the caller.
    Event(Event),
    /// The peer has proven that it is there: what comes from it is its.
    Route(Addresses),
    /// It is not there any more.
    NoRoute(Addresses),
    /// The answer to this check is the peer's.
    Check(Transaction),
    /// It is not waited for any more.
    NoCheck(Transaction),
    /// Data goes over this pair from now on.
    Selected(Addresses),
}

/// What a STUN message was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    Foreign,
    Replayed,
}

pub(crate) struct Peer {
    id: PeerId,
    settings: PeerSettings,
    loopback: bool,
    agent: IceAgent,
    /// The same for all agents that this one has in turn, so that the peer does not take us for somebody who has begun
    /// anew.
    tie_breaker: u64,
    session: Option<Session>,
    locals: Vec<(Candidate, is::Candidate)>,
    remote: Option<Credentials>,
    remotes: Vec<Candidate>,
    /// How many candidates the peer has named at a time, usable or not.
    named: usize,
    pairs: Pairs,
    selected: Option<Addresses>,
    /// What was told last.
    path: Option<Path>,
    state: State,
    since: Instant,
    /// Why the last link was lost, or none has come about.
    loss: Option<Reason>,
    last_heard: Option<Instant>,
    peer_tie_breaker: Option<u64>,
    retry: Option<Instant>,
    failures: u32,
    tidied: Instant,
    /// Until when servers are waited for; `None` when candidates are complete.
    gathering: Option<Instant>,
    drops: Drops,
    outputs: Vec<Output>,
}

impl Peer {
    /// `None` if DTLS cannot be had with these settings.
    pub(crate) fn new(
        now: Instant,
        id: PeerId,
        settings: PeerSettings,
        general: &Settings,
    ) -> Option<Self> {
        let session = match &settings.security {
            Security::None => None,
            Security::Dtls {
                identity,
                fingerprint,
                client,
            } => Some(Session::new(
                identity.clone(),
                fingerprint.clone(),
                *client,
                general.mtu,
            )?),
        };
        let mut tie_breaker = [0; 8];
        fill_with_random(&mut tie_breaker);
        let tie_breaker = u64::from_ne_bytes(tie_breaker);
        let mut agent = new_agent(&settings, tie_breaker);
        // It has no timeouts before the first one.
        agent.handle_timeout(now);
        Some(Self {
            id,
            loopback: general.loopback,
            agent,
            tie_breaker,
            session,
            settings,
            locals: Vec::new(),
            remote: None,
            remotes: Vec::new(),
            named: 0,
            pairs: Pairs::default(),
            selected: None,
            path: None,
            state: State::Waiting,
            since: now,
            loss: None,
            last_heard: None,
            peer_tie_breaker: None,
            retry: None,
            failures: 0,
            tidied: now,
            gathering: Some(now + general.gathering_time),
            drops: Drops::default(),
            outputs: Vec::new(),
        })
    }

    pub(crate) fn settings(&self) -> &PeerSettings {
        &self.settings
    }

    pub(crate) fn is_online(&self) -> bool {
        self.state == State::Online
    }

    /// Whether datagrams pass over this pair.
    pub(crate) fn is_online_over(&self, addresses: &Addresses) -> bool {
        self.is_online() && self.selected == Some(*addresses)
    }

    pub(crate) fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.locals.iter().map(|(candidate, _)| candidate)
    }

    /// Where the peer says that it is.
    pub(crate) fn remotes(&self) -> &[Candidate] {
        &self.remotes
    }

    /// Until when servers are waited for; `None` when candidates are complete.
    pub(crate) fn gathering(&self) -> Option<Instant> {
        self.gathering
    }

    /// Candidates are complete.
    pub(crate) fn gathered(&mut self, actions: &mut Vec<Action>) {
        self.gathering = None;
        actions.push(Action::Event(Event::Gathered { peer: self.id }));
    }

    /// Our own candidates are these now; their priorities are still to be set.
    pub(crate) fn set_locals(
        &mut self,
        now: Instant,
        wanted: Vec<Candidate>,
        actions: &mut Vec<Action>,
    ) {
        let same = |one: &Candidate, other: &Candidate| {
            (one.kind, one.address, one.base) == (other.kind, other.address, other.base)
        };
        let mut changed = false;
        let agent = &mut self.agent;
        self.locals.retain(|(candidate, known)| {
            let kept = wanted.iter().any(|wanted| same(wanted, candidate));
            if !kept {
                agent.invalidate_candidate(known);
                changed = true;
            }
            kept
        });
        for candidate in wanted {
            if self.locals.iter().any(|(known, _)| same(known, &candidate)) {
                continue;
            }
            changed |= self.add_local(candidate);
        }
        if changed && self.gathering.is_none() {
            actions.push(Action::Event(Event::CandidatesChanged { peer: self.id }));
        }
        if changed {
            self.retry_soon(now);
        }
        self.drive(now, None, actions);
    }

    /// False if the agent has no use for it, as for what a server sees where there is no NAT.
    fn add_local(&mut self, mut candidate: Candidate) -> bool {
        let base = candidate.base.unwrap_or(candidate.address);
        let made = match candidate.kind {
            CandidateKind::Host => is::Candidate::host(candidate.address, Protocol::Udp),
            CandidateKind::ServerReflexive => {
                is::Candidate::server_reflexive(candidate.address, base, Protocol::Udp)
            }
            CandidateKind::Relayed => {
                is::Candidate::relayed(candidate.address, base, Protocol::Udp)
            }
            CandidateKind::PeerReflexive => return false,
        };
        let Some(made) = made
            .ok()
            .and_then(|made| self.agent.add_local_candidate(made).cloned())
        else {
            return false;
        };
        candidate.priority = made.prio();
        self.locals.push((candidate, made));
        true
    }

    /// Takes what the peer says of itself.
    pub(crate) fn add_remote(
        &mut self,
        now: Instant,
        credentials: &Credentials,
        candidates: impl IntoIterator<Item = Candidate>,
        actions: &mut Vec<Action>,
    ) {
        if !credentials.are_usable() {
            self.drops.candidates += candidates.into_iter().count() as u64;
            return;
        }
        if self
            .remote
            .as_ref()
            .is_some_and(|known| known != credentials)
        {
            self.begin_anew(now, actions);
        }
        self.remote = Some(credentials.clone());
        self.agent.set_remote_credentials(to_agent(credentials));
        let mut news = false;
        let mut named = 0;
        for candidate in candidates {
            named += 1;
            if self
                .remotes
                .iter()
                .any(|known| (known.address, known.kind) == (candidate.address, candidate.kind))
            {
                continue;
            }
            let usable = unusable(candidate.address, self.loopback).is_none()
                && candidate.kind != CandidateKind::PeerReflexive
                && candidate.foundation.len() <= limits::FOUNDATION
                && self.remotes.len() < limits::CANDIDATES_PER_PEER;
            if !usable {
                self.drops.candidates += 1;
                continue;
            }
            self.agent
                .add_remote_candidate(remote_candidate(&candidate));
            // Nobody needs its name on another machine, which may be as long as the peer likes.
            self.remotes.push(Candidate {
                interface: String::new(),
                ..candidate
            });
            news = true;
        }
        self.named = self.named.max(named);
        if news {
            self.retry_soon(now);
        }
        self.drive(now, None, actions);
    }

    /// The peer has other credentials: it is another process, or has forgotten everything.
    fn begin_anew(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for check in self.pairs.checks() {
            actions.push(Action::NoCheck(*check));
        }
        for (addresses, _) in self.pairs.iter() {
            actions.push(Action::NoRoute(*addresses));
        }
        self.pairs.begin_anew();
        self.remotes.clear();
        self.named = 0;
        self.selected = None;
        self.peer_tie_breaker = None;
        if let Some(session) = &mut self.session {
            session.forget();
        }
        self.remote = None;
        self.renew_agent(now);
        self.loss = Some(Reason::Closed);
        self.update(now, actions);
        self.loss = None;
    }

    /// An agent that has forgotten which pairs did not work.
    fn renew_agent(&mut self, now: Instant) {
        self.agent = new_agent(&self.settings, self.tie_breaker);
        self.pairs.forget_unnamed();
        for (candidate, _) in std::mem::take(&mut self.locals) {
            self.add_local(candidate);
        }
        if let Some(remote) = &self.remote {
            self.agent.set_remote_credentials(to_agent(remote));
        }
        for candidate in &self.remotes {
            self.agent.add_remote_candidate(remote_candidate(candidate));
        }
        self.agent.handle_timeout(now);
    }

    /// Something has changed that may help: a try that was put off is made now.
    fn retry_soon(&mut self, now: Instant) {
        self.failures = 0;
        if let Some(retry) = &mut self.retry {
            *retry = now;
        }
    }

    /// Takes a STUN message whose user name or transaction is this peer's.
    pub(crate) fn handle_stun(
        &mut self,
        now: Instant,
        addresses: Addresses,
        datagram: &[u8],
        message: &Message<'_>,
        actions: &mut Vec<Action>,
    ) -> Verdict {
        let (local, remote) = addresses;
        let Ok(parsed) = StunMessage::parse(datagram) else {
            return Verdict::Foreign;
        };
        if !self.agent.accepts_message(&parsed) {
            return Verdict::Foreign;
        }
        // From here on it is known to be the peer's, but it may have been recorded and sent from elsewhere.
        match message.class {
            Class::Request => {
                if self.pairs.is_replay(&message.transaction, &addresses) {
                    return Verdict::Replayed;
                }
                let named = self
                    .remotes
                    .iter()
                    .any(|candidate| candidate.address == remote);
                if unusable(remote, self.loopback).is_some()
                    || !(named || self.pairs.admit_remote(remote))
                {
                    return Verdict::Foreign;
                }
                self.pairs
                    .request_received(now, addresses, message.transaction);
                self.hear_tie_breaker(now, message);
            }
            Class::Success | Class::Error => {
                if self.pairs.check(&message.transaction) != Some(addresses) {
                    return Verdict::Foreign;
                }
                let mapped = message.address(attribute::XOR_MAPPED_ADDRESS);
                let known = mapped.is_none_or(|mapped| {
                    self.locals
                        .iter()
                        .any(|(candidate, _)| candidate.address == mapped)
                });
                if !known && !mapped.is_some_and(|mapped| self.pairs.admit_local(mapped)) {
                    return Verdict::Foreign;
                }
                if message.class == Class::Success {
                    self.pairs.check_answered(now, &message.transaction, mapped);
                    actions.push(Action::NoCheck(message.transaction));
                }
            }
            Class::Indication => return Verdict::Foreign,
        }
        self.last_heard = Some(now);
        actions.push(Action::Route(addresses));
        let packet = StunPacket {
            proto: Protocol::Udp,
            source: remote,
            destination: local,
            message: parsed,
        };
        self.agent.handle_packet(now, packet);
        self.drive(now, None, actions);
        Verdict::Taken
    }

    /// The number that an agent keeps for as long as it lives.
    fn hear_tie_breaker(&mut self, now: Instant, message: &Message<'_>) {
        let Some(found) = message.tie_breaker() else {
            return;
        };
        let restarted = self.peer_tie_breaker.is_some_and(|known| known != found);
        self.peer_tie_breaker = Some(found);
        if restarted && let Some(session) = &mut self.session {
            session.peer_restarted(now);
        }
    }

    /// Takes a datagram that is not STUN, from an address at which the peer has proven to be.
    pub(crate) fn handle_data(
        &mut self,
        now: Instant,
        addresses: Addresses,
        datagram: &[u8],
        actions: &mut Vec<Action>,
    ) {
        if let Some(pair) = self.pairs.get_mut(&addresses) {
            pair.received.count(now, datagram.len());
        }
        let Some(session) = &mut self.session else {
            actions.push(Action::Event(Event::Datagram {
                peer: self.id,
                contents: datagram.to_vec(),
            }));
            return;
        };
        let mut outputs = std::mem::take(&mut self.outputs);
        session.handle(now, datagram, &mut outputs);
        if !self.take_outputs(now, &mut outputs, Some(addresses), actions) {
            self.drive(now, Some(addresses), actions);
        }
        self.outputs = outputs;
    }

    /// Does what DTLS wants. True when it was nothing but data, after which nothing else can have changed.
    fn take_outputs(
        &mut self,
        now: Instant,
        outputs: &mut Vec<Output>,
        reply: Option<Addresses>,
        actions: &mut Vec<Action>,
    ) -> bool {
        let mut only_data = true;
        for output in outputs.drain(..) {
            match output {
                Output::Send(contents) => {
                    if let Some(addresses) = self.selected.or(reply) {
                        if let Some(pair) = self.pairs.get_mut(&addresses) {
                            pair.sent.count(now, contents.len());
                        }
                        actions.push(Action::Transmit {
                            addresses,
                            contents,
                        });
                    }
                }
                Output::Data(contents) => actions.push(Action::Event(Event::Datagram {
                    peer: self.id,
                    contents,
                })),
                Output::NotAuthentic => self.drops.not_authentic += 1,
                Output::Connected => {
                    self.loss = None;
                    only_data = false;
                }
                Output::Lost(reason) => {
                    self.loss = Some(reason);
                    only_data = false;
                }
            }
        }
        only_data && self.is_online()
    }

    /// Sends a datagram of the application.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        contents: &[u8],
        queue_full: bool,
        actions: &mut Vec<Action>,
    ) -> Result<(), NotSent> {
        if contents.len() > limits::DATAGRAM {
            return Err(NotSent::TooLong);
        }
        let Some(addresses) = self.selected.filter(|_| self.is_online()) else {
            self.drops.not_online += 1;
            return Err(NotSent::NotOnline);
        };
        if queue_full {
            self.drops.queue_full += 1;
            return Err(NotSent::QueueFull);
        }
        let Some(session) = &mut self.session else {
            if let Some(pair) = self.pairs.get_mut(&addresses) {
                pair.sent.count(now, contents.len());
            }
            actions.push(Action::Transmit {
                addresses,
                contents: contents.to_vec(),
            });
            return Ok(());
        };
        let mut outputs = std::mem::take(&mut self.outputs);
        let sent = session.send(now, contents, &mut outputs);
        if !self.take_outputs(now, &mut outputs, None, actions) {
            self.drive(now, None, actions);
        }
        self.outputs = outputs;
        if sent {
            Ok(())
        } else {
            Err(NotSent::NotOnline)
        }
    }

    /// A datagram of this peer was dropped because nobody fetches events.
    pub(crate) fn not_fetched(&mut self) {
        self.drops.not_fetched += 1;
    }

    pub(crate) fn poll_timeout(&mut self) -> Option<Instant> {
        [
            self.agent.poll_timeout(),
            self.session.as_ref().and_then(Session::poll_timeout),
            self.retry,
            self.gathering,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.retry.is_some_and(|retry| retry <= now) {
            self.retry = None;
            if self.selected.is_none() {
                self.renew_agent(now);
            }
        }
        if now.duration_since(self.tidied) >= TIDY {
            self.tidied = now;
            let (forgotten, checks) = self.pairs.tidy(now, self.selected);
            actions.extend(forgotten.into_iter().map(Action::NoRoute));
            actions.extend(checks.into_iter().map(Action::NoCheck));
        }
        self.drive(now, None, actions);
    }

    /// Says farewell.
    pub(crate) fn close(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if let Some(session) = &mut self.session {
            let mut outputs = Vec::new();
            session.close(now, &mut outputs);
            self.take_outputs(now, &mut outputs, None, actions);
        }
        for check in self.pairs.checks() {
            actions.push(Action::NoCheck(*check));
        }
        for (addresses, _) in self.pairs.iter() {
            actions.push(Action::NoRoute(*addresses));
        }
    }

    /// Lets agent and session do all that is due, and tells of what has become of it.
    fn drive(&mut self, now: Instant, reply: Option<Addresses>, actions: &mut Vec<Action>) {
        if self.agent.poll_timeout().is_some_and(|due| due <= now) {
            self.agent.handle_timeout(now);
        }
        while let Some(event) = self.agent.poll_event() {
            match event {
                IceAgentEvent::NominatedSend {
                    source,
                    destination,
                    ..
                } => self.select(now, (source, destination), actions),
                IceAgentEvent::IceConnectionStateChange(state) => self.agent_is(now, state),
                IceAgentEvent::DiscoveredRecv { .. } | IceAgentEvent::IceRestart(_) => {}
            }
        }
        while let Some(transmit) = self.agent.poll_transmit() {
            let addresses = (transmit.source, transmit.destination);
            let contents = Vec::from(transmit.contents);
            if let Some(message) = Message::read(&contents)
                && message.class == Class::Request
            {
                self.pairs.check_sent(now, addresses, message.transaction);
                actions.push(Action::Check(message.transaction));
            }
            actions.push(Action::Transmit {
                addresses,
                contents,
            });
        }
        if let Some(session) = &mut self.session
            && session.poll_timeout().is_some_and(|due| due <= now)
        {
            let mut outputs = Vec::new();
            session.handle_timeout(now, &mut outputs);
            self.take_outputs(now, &mut outputs, reply, actions);
        }
        self.update(now, actions);
    }

    fn select(&mut self, now: Instant, addresses: Addresses, actions: &mut Vec<Action>) {
        self.selected = Some(addresses);
        self.retry = None;
        self.failures = 0;
        actions.push(Action::Selected(addresses));
        if let Some(session) = &mut self.session {
            session.start(now);
        }
    }

    fn agent_is(&mut self, now: Instant, state: IceConnectionState) {
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => {}
            // There is no pair any more that works and that the two have agreed on.
            IceConnectionState::New
            | IceConnectionState::Checking
            | IceConnectionState::Disconnected => {
                if self.selected.take().is_some() {
                    let silence = self
                        .last_heard
                        .map_or(Duration::ZERO, |heard| now.duration_since(heard));
                    self.loss = Some(Reason::Silent(silence));
                }
                if state == IceConnectionState::Disconnected {
                    let rest = REST
                        .saturating_mul(1 << self.failures.min(8))
                        .min(LONGEST_REST);
                    self.failures += 1;
                    self.retry = Some(now + rest);
                }
            }
        }
    }

    /// Sees what state all this amounts to, and tells of changes.
    fn update(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let peer = self.id;
        let state = self.judge();
        let before = std::mem::replace(&mut self.state, state);
        if state != before {
            self.since = now;
        }
        if state == State::Online {
            self.loss = None;
            let path = self.selected.map(|selected| self.path_of(&selected));
            match (path, self.path) {
                (Some(path), _) if before != State::Online => {
                    actions.push(Action::Event(Event::Online { peer, path }));
                }
                (Some(path), known) if known != Some(path) => {
                    actions.push(Action::Event(Event::PathChanged { peer, path }));
                }
                _ => {}
            }
            self.path = path;
            return;
        }
        self.path = self.selected.map(|selected| self.path_of(&selected));
        if before == State::Online {
            let reason = self.loss.clone().unwrap_or(Reason::Closed);
            actions.push(Action::Event(Event::Offline { peer, reason }));
        } else if state == State::Failed
            && before != State::Failed
            && let Some(reason) = self.loss.clone()
        {
            actions.push(Action::Event(Event::Failed { peer, reason }));
        }
    }

    fn judge(&self) -> State {
        if self.selected.is_some() {
            return match (&self.session, &self.loss) {
                (None, _) => State::Online,
                (Some(session), _) if session.is_connected() => State::Online,
                (Some(_), Some(Reason::WrongFingerprint { .. })) => State::Failed,
                (Some(_), _) => State::Securing,
            };
        }
        if matches!(self.loss, Some(Reason::WrongFingerprint { .. })) {
            State::Failed
        } else if self.remote.is_none() || self.remotes.is_empty() {
            State::Waiting
        } else if self.agent.state() == IceConnectionState::Disconnected || self.loss.is_some() {
            State::Offline
        } else {
            State::Checking
        }
    }

    /// Which of the peer's servers matter to it.
    pub(crate) fn servers(&self) -> BTreeSet<&str> {
        let turn = self.settings.turn.iter().map(|turn| turn.server.as_str());
        let stun = self
            .settings
            .stun
            .iter()
            .filter(|_| !self.settings.relay_only)
            .map(String::as_str);
        turn.chain(stun).collect()
    }
}

fn new_agent(settings: &PeerSettings, tie_breaker: u64) -> IceAgent {
    let mut agent = IceAgent::new(to_agent(&settings.credentials));
    agent.set_control_tie_breaker(tie_breaker);
    agent.set_controlling(settings.controlling);
    agent.set_timing_advance(PACE);
    agent.set_max_stun_retransmits(UNANSWERED);
    agent.set_max_candidate_pairs(TRIED_PAIRS);
    agent
}

fn to_agent(credentials: &Credentials) -> IceCreds {
    IceCreds {
        ufrag: credentials.user.clone(),
        pass: credentials.password.clone(),
    }
}

fn remote_candidate(candidate: &Candidate) -> is::Candidate {
    let kind = match candidate.kind {
        CandidateKind::Host => is::CandidateKind::Host,
        CandidateKind::ServerReflexive => is::CandidateKind::ServerReflexive,
        CandidateKind::PeerReflexive => is::CandidateKind::PeerReflexive,
        CandidateKind::Relayed => is::CandidateKind::Relayed,
    };
    is::Candidate::from_parts(
        candidate.foundation.clone(),
        1,
        Protocol::Udp,
        candidate.priority,
        candidate.address,
        kind,
        None,
        None,
        None,
    )
}
