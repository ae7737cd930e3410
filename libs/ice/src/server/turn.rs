//! A relay: an address at a TURN server (RFC 8656) from which, and to which, it passes datagrams on for a socket of ours.
//!
//! ```text
//!             401: who are you?            ready              no answer, refused, or lost
//!   asking ───────────────────▶ asking ─────────▶ ready ──────────────────────────────────▶ resting
//!     ▲      (without account)   (with it)         (refreshed)                                │
//!     └────────────────────────────────────────────────────────────────────────────────────────┘
//! ```

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use md5::{Digest, Md5};

use super::request::{Due, Request, new_transaction};
use crate::reason::{Reason, words};
use crate::settings::TurnServer;
use crate::stun::{Class, Message, Method, Transaction, Writer, attribute};

/// The number of UDP, in the first byte of four.
const UDP: [u8; 4] = [17, 0, 0, 0];
/// How long an allocation lives if the server does not say.
const LIFETIME: Duration = Duration::from_secs(600);
/// It is refreshed so long before its end.
const MARGIN: Duration = Duration::from_secs(60);
/// A permission lives five minutes; a channel ten, and its permission five.
const PERMISSION_REFRESH: Duration = Duration::from_secs(240);
/// Permissions and channels are kept for as long as something was sent to their peer within this time.
const IN_USE: Duration = Duration::from_secs(120);
/// How long a peer is not asked for again after the server has refused it.
const REFUSAL: Duration = Duration::from_secs(60);
/// How long a server is left alone after a failure, for the first time and at most.
const REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(120);
/// How often in a row a server may say that its nonce has got stale.
const STALE_IN_A_ROW: u32 = 4;
/// How many addresses of peers one relay serves.
const PERMISSIONS: usize = 512;
const CHANNELS: usize = 512;
/// The numbers that channels may have.
const FIRST_CHANNEL: u16 = 0x4000;
const LAST_CHANNEL: u16 = 0x4FFF;
/// How many datagrams wait for the permission to send them.
const WAITING: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Allocate,
    Refresh,
    Permission(IpAddr),
    Channel(SocketAddr),
}

#[derive(Debug)]
enum State {
    Asking,
    Ready { relayed: SocketAddr },
    Resting { until: Instant },
}

/// What lets datagrams of a peer through.
#[derive(Debug)]
struct Permission {
    /// Until it is so far, datagrams wait.
    granted: bool,
    refresh: Instant,
    last_used: Instant,
    refused_until: Option<Instant>,
    waiting: VecDeque<(SocketAddr, Vec<u8>)>,
}

/// A short name for a peer's address, which saves 32 bytes a datagram.
#[derive(Debug)]
struct Channel {
    number: u16,
    bound: bool,
    refresh: Instant,
    last_used: Instant,
}

/// A relay of ours at a server.
#[derive(Debug)]
pub(crate) struct Allocation {
    account: TurnServer,
    server: SocketAddr,
    state: State,
    realm: String,
    nonce: String,
    /// What requests are signed with, once the server has said who it is.
    key: Option<[u8; 16]>,
    stale: u32,
    requests: Vec<(What, Request)>,
    refresh: Instant,
    failures: u32,
    mapped: Option<SocketAddr>,
    problem: Option<Reason>,
    permissions: BTreeMap<IpAddr, Permission>,
    channels: HashMap<SocketAddr, Channel>,
    numbers: HashMap<u16, SocketAddr>,
    next_number: u16,
    /// What is to be sent to the server.
    out: VecDeque<Vec<u8>>,
}

impl Allocation {
    /// Begins to ask for one.
    pub(crate) fn new(now: Instant, account: &TurnServer, server: SocketAddr) -> Self {
        let mut allocation = Self {
            account: account.clone(),
            server,
            state: State::Asking,
            realm: String::new(),
            nonce: String::new(),
            key: None,
            stale: 0,
            requests: Vec::new(),
            refresh: now,
            failures: 0,
            mapped: None,
            problem: None,
            permissions: BTreeMap::new(),
            channels: HashMap::new(),
            numbers: HashMap::new(),
            next_number: FIRST_CHANNEL,
            out: VecDeque::new(),
        };
        allocation.ask(now, What::Allocate);
        allocation
    }

    /// The address that peers send to.
    pub(crate) fn relayed(&self) -> Option<SocketAddr> {
        match self.state {
            State::Ready { relayed } => Some(relayed),
            _ => None,
        }
    }

    /// Where the server sees the socket.
    pub(crate) fn mapped(&self) -> Option<SocketAddr> {
        self.relayed().and(self.mapped)
    }

    /// Why there is none, or was none the last time.
    pub(crate) fn problem(&self) -> Option<&Reason> {
        self.problem.as_ref()
    }

    /// Whether nothing more is to be expected soon.
    pub(crate) fn is_concluded(&self) -> bool {
        !matches!(self.state, State::Asking) || self.problem.is_some()
    }

    /// Why there is none yet, once its time is over.
    pub(crate) fn overdue(&self) -> Option<Reason> {
        (!self.is_concluded()).then(|| self.no_answer())
    }

    fn no_answer(&self) -> Reason {
        Reason::NoTurnAnswer {
            server: self.account.server.clone(),
            address: self.server,
        }
    }

    /// Takes another account, after the server has refused the one so far.
    pub(crate) fn use_account(&mut self, now: Instant, account: &TurnServer) {
        if self.account != *account && matches!(self.state, State::Resting { .. }) {
            let out = std::mem::take(&mut self.out);
            *self = Self::new(now, account, self.server);
            self.out.extend(out);
        }
    }

    /// What is to be sent to the server next.
    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// Gives it up. The server is told once; if that is lost, it finds out by itself.
    pub(crate) fn release(&mut self, now: Instant) {
        if self.relayed().is_some() {
            let request = self.write(What::Refresh, true).1;
            self.out.push_back(request);
        }
        self.requests.clear();
        self.state = State::Resting {
            until: now + LONGEST_REST,
        };
    }

    fn ask(&mut self, now: Instant, what: What) {
        if self.requests.iter().any(|(asked, _)| *asked == what) {
            return;
        }
        let (transaction, contents) = self.write(what, false);
        self.requests
            .push((what, Request::new(now, transaction, contents)));
        self.send_due(now);
    }

    /// A request, and its transaction.
    fn write(&self, what: What, release: bool) -> (Transaction, Vec<u8>) {
        let transaction = new_transaction();
        let method = match what {
            What::Allocate => Method::Allocate,
            What::Refresh => Method::Refresh,
            What::Permission(_) => Method::CreatePermission,
            What::Channel(_) => Method::ChannelBind,
        };
        let mut writer = Writer::new(Class::Request, method, &transaction);
        match what {
            What::Allocate => {
                writer = writer.attribute(attribute::REQUESTED_TRANSPORT, &UDP);
                // A server gives addresses of IPv4 if it is not asked for others.
                if self.server.is_ipv6() {
                    writer = writer.attribute(attribute::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
                }
            }
            What::Refresh if release => writer = writer.attribute(attribute::LIFETIME, &[0; 4]),
            What::Refresh => {}
            What::Permission(ip) => {
                writer = writer.address(attribute::XOR_PEER_ADDRESS, SocketAddr::new(ip, 0));
            }
            What::Channel(peer) => {
                let number = self
                    .channels
                    .get(&peer)
                    .map_or(FIRST_CHANNEL, |channel| channel.number);
                let [high, low] = number.to_be_bytes();
                writer = writer
                    .attribute(attribute::CHANNEL_NUMBER, &[high, low, 0, 0])
                    .address(attribute::XOR_PEER_ADDRESS, peer);
            }
        }
        if let Some(key) = &self.key {
            writer = writer
                .attribute(attribute::USERNAME, self.account.user.as_bytes())
                .attribute(attribute::REALM, self.realm.as_bytes())
                .attribute(attribute::NONCE, self.nonce.as_bytes())
                .sign(key);
        }
        (transaction, writer.with_fingerprint().into_bytes())
    }

    /// Takes an answer of the server. `None` when it is none to a request of ours; true when there is a relay now, or
    /// none any more, or a problem.
    pub(crate) fn handle(&mut self, now: Instant, message: &Message<'_>) -> Option<bool> {
        let position = self
            .requests
            .iter()
            .position(|(_, request)| request.transaction == message.transaction)?;
        match message.class {
            Class::Success => {
                // Whoever knows the transaction may refuse us something, but not make us believe in a relay.
                if !self.key.is_some_and(|key| message.is_signed_with(&key)) {
                    return None;
                }
                let (what, _) = self.requests.remove(position);
                self.stale = 0;
                Some(self.succeeded(now, what, message))
            }
            Class::Error => {
                let (what, _) = self.requests.remove(position);
                let (code, text) = message.error().unwrap_or_default();
                Some(self.refused(now, what, code, text, message))
            }
            _ => None,
        }
    }

    fn succeeded(&mut self, now: Instant, what: What, message: &Message<'_>) -> bool {
        let lifetime = message
            .number(attribute::LIFETIME)
            .map_or(LIFETIME, |seconds| Duration::from_secs(seconds.into()));
        match what {
            What::Allocate => {
                let Some(relayed) = message.address(attribute::XOR_RELAYED_ADDRESS) else {
                    self.fail(now, self.refusal(0, "it names no address"));
                    return true;
                };
                self.state = State::Ready { relayed };
                self.mapped = message.address(attribute::XOR_MAPPED_ADDRESS);
                self.problem = None;
                self.failures = 0;
                self.refresh = now + refresh_after(lifetime);
                true
            }
            What::Refresh => {
                self.refresh = now + refresh_after(lifetime);
                false
            }
            What::Permission(ip) => {
                self.permitted(now, ip);
                false
            }
            What::Channel(peer) => {
                if let Some(channel) = self.channels.get_mut(&peer) {
                    channel.bound = true;
                    channel.refresh = now + PERMISSION_REFRESH;
                }
                self.permitted(now, peer.ip());
                false
            }
        }
    }

    /// What has waited for it goes out.
    fn permitted(&mut self, now: Instant, ip: IpAddr) {
        let Some(permission) = self.permissions.get_mut(&ip) else {
            return;
        };
        permission.granted = true;
        permission.refused_until = None;
        permission.refresh = now + PERMISSION_REFRESH;
        for (to, contents) in std::mem::take(&mut permission.waiting) {
            self.out.push_back(indication(to, &contents));
        }
    }

    fn refused(
        &mut self,
        now: Instant,
        what: What,
        code: u16,
        text: &str,
        message: &Message<'_>,
    ) -> bool {
        let realm = message.text(attribute::REALM);
        let nonce = message.text(attribute::NONCE);
        match (code, nonce) {
            // It wants to know who we are, or has forgotten what it had said about that.
            (401 | 438, Some(nonce))
                if (self.key.is_none() || code == 438) && self.stale < STALE_IN_A_ROW =>
            {
                self.stale += 1;
                nonce.clone_into(&mut self.nonce);
                if let Some(realm) = realm {
                    realm.clone_into(&mut self.realm);
                }
                self.key = Some(long_term_key(
                    &self.account.user,
                    &self.realm,
                    &self.account.password,
                ));
                self.ask(now, what);
                false
            }
            // There is no such allocation any more, since the server was restarted, say; or there is still one of an
            // earlier process with our port, which is given back. A new one is asked for, then after a rest.
            (437, _) => {
                if what == What::Allocate {
                    let request = self.write(What::Refresh, true).1;
                    self.out.push_back(request);
                }
                self.fail(now, self.refusal(code, text));
                if what != What::Allocate {
                    self.state = State::Resting { until: now };
                }
                true
            }
            _ => match what {
                What::Allocate | What::Refresh => {
                    self.fail(now, self.refusal(code, text));
                    true
                }
                What::Permission(ip) => {
                    self.forbid(now, ip);
                    false
                }
                What::Channel(peer) => {
                    self.remove_channel(peer);
                    false
                }
            },
        }
    }

    fn refusal(&self, code: u16, text: &str) -> Reason {
        let server = self.account.server.clone();
        let user = self.account.user.clone();
        match code {
            401 | 431 | 441 => Reason::WrongTurnCredentials { server, user },
            486 => Reason::TurnQuota { server, user },
            _ => Reason::TurnRefused {
                server,
                code,
                text: words(text),
            },
        }
    }

    fn forbid(&mut self, now: Instant, ip: IpAddr) {
        if let Some(permission) = self.permissions.get_mut(&ip) {
            permission.granted = false;
            permission.refused_until = Some(now + REFUSAL);
            permission.refresh = now + REFUSAL;
            permission.waiting.clear();
        }
    }

    fn fail(&mut self, now: Instant, problem: Reason) {
        let rest = REST
            .saturating_mul(1 << self.failures.min(8))
            .min(LONGEST_REST);
        self.failures += 1;
        self.state = State::Resting { until: now + rest };
        self.problem = Some(problem);
        self.requests.clear();
        self.permissions.clear();
        self.channels.clear();
        self.numbers.clear();
        self.key = None;
        self.stale = 0;
    }

    /// Nothing comes through it any more: the server may have forgotten it, which it says when it is asked.
    pub(crate) fn verify(&mut self, now: Instant) {
        if self.relayed().is_some() {
            self.ask(now, What::Refresh);
        }
    }

    /// Wants datagrams from a peer to be let through, and such to it.
    pub(crate) fn permit(&mut self, now: Instant, ip: IpAddr) {
        if self
            .relayed()
            .is_none_or(|relayed| relayed.is_ipv4() != ip.is_ipv4())
        {
            return;
        }
        if let Some(permission) = self.permissions.get_mut(&ip) {
            permission.last_used = now;
            return;
        }
        if self.permissions.len() >= PERMISSIONS {
            return;
        }
        let permission = Permission {
            granted: false,
            refresh: now + PERMISSION_REFRESH,
            last_used: now,
            refused_until: None,
            waiting: VecDeque::new(),
        };
        self.permissions.insert(ip, permission);
        self.ask(now, What::Permission(ip));
    }

    /// Wants a channel to a peer: it has been chosen to carry data.
    pub(crate) fn bind(&mut self, now: Instant, peer: SocketAddr) {
        self.permit(now, peer.ip());
        if self.relayed().is_none()
            || self.channels.contains_key(&peer)
            || self.channels.len() >= CHANNELS
        {
            return;
        }
        // A number that was given up must not be used again for a while; when all were used, there are indications.
        if self.next_number > LAST_CHANNEL {
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        let channel = Channel {
            number,
            bound: false,
            refresh: now + PERMISSION_REFRESH,
            last_used: now,
        };
        self.channels.insert(peer, channel);
        self.numbers.insert(number, peer);
        self.ask(now, What::Channel(peer));
    }

    fn remove_channel(&mut self, peer: SocketAddr) {
        if let Some(channel) = self.channels.remove(&peer) {
            self.numbers.remove(&channel.number);
        }
    }

    /// Sends a datagram to a peer through the relay. False when it is dropped.
    pub(crate) fn send(&mut self, now: Instant, to: SocketAddr, contents: &[u8]) -> bool {
        if let Some(channel) = self.channels.get_mut(&to)
            && channel.bound
        {
            channel.last_used = now;
            let mut bytes = Vec::with_capacity(4 + contents.len());
            bytes.extend(channel.number.to_be_bytes());
            bytes.extend(
                u16::try_from(contents.len())
                    .unwrap_or(u16::MAX)
                    .to_be_bytes(),
            );
            bytes.extend(contents);
            self.out.push_back(bytes);
            return true;
        }
        self.permit(now, to.ip());
        let Some(permission) = self.permissions.get_mut(&to.ip()) else {
            return false;
        };
        if permission.granted {
            self.out.push_back(indication(to, contents));
            return true;
        }
        if permission.refused_until.is_some_and(|until| now < until)
            || permission.waiting.len() == WAITING
        {
            return false;
        }
        permission.waiting.push_back((to, contents.to_vec()));
        if permission.refused_until.take().is_some() {
            self.ask(now, What::Permission(to.ip()));
        }
        true
    }

    /// The sender and the contents of what came from a peer through the relay.
    pub(crate) fn receive<'a>(&self, datagram: &'a [u8]) -> Option<(SocketAddr, &'a [u8])> {
        self.relayed()?;
        if crate::stun::is_stun(datagram) {
            let message = Message::read(datagram)?;
            if (message.class, message.method) != (Class::Indication, Method::Data) {
                return None;
            }
            let peer = message.address(attribute::XOR_PEER_ADDRESS)?;
            return Some((peer, message.attribute(attribute::DATA)?));
        }
        let (header, rest) = datagram.split_at_checked(4)?;
        let peer = self
            .numbers
            .get(&u16::from_be_bytes([header[0], header[1]]))?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        Some((*peer, rest.get(..length)?))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let requests = self.requests.iter().map(|(_, request)| request.due());
        match self.state {
            State::Asking => requests.min(),
            State::Resting { until } => Some(until),
            State::Ready { .. } => requests
                .chain([self.refresh])
                .chain(
                    self.permissions
                        .values()
                        .map(|permission| permission.refresh),
                )
                .chain(self.channels.values().map(|channel| channel.refresh))
                .min(),
        }
    }

    /// Does what is due. True when there is no relay any more, or a problem.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        match self.state {
            State::Resting { until } if until <= now => {
                self.state = State::Asking;
                self.ask(now, What::Allocate);
            }
            State::Ready { .. } => self.refresh(now),
            _ => {}
        }
        self.send_due(now)
    }

    fn refresh(&mut self, now: Instant) {
        if self.refresh <= now {
            // The answer says when the next one is due.
            self.refresh = now + MARGIN;
            self.ask(now, What::Refresh);
        }
        let unused = |last_used: Instant| now.duration_since(last_used) > IN_USE;
        let due: Vec<_> = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.refresh <= now)
            .map(|(peer, channel)| (*peer, unused(channel.last_used)))
            .collect();
        for (peer, unused) in due {
            if unused {
                self.remove_channel(peer);
            } else {
                if let Some(channel) = self.channels.get_mut(&peer) {
                    channel.refresh = now + PERMISSION_REFRESH;
                }
                if let Some(permission) = self.permissions.get_mut(&peer.ip()) {
                    permission.last_used = now;
                }
                self.ask(now, What::Channel(peer));
            }
        }
        let due: Vec<_> = self
            .permissions
            .iter()
            .filter(|(_, permission)| permission.refresh <= now)
            .map(|(ip, permission)| (*ip, unused(permission.last_used)))
            .collect();
        for (ip, unused) in due {
            if unused {
                self.permissions.remove(&ip);
            } else {
                if let Some(permission) = self.permissions.get_mut(&ip) {
                    permission.refresh = now + PERMISSION_REFRESH;
                }
                self.ask(now, What::Permission(ip));
            }
        }
    }

    /// Sends requests whose time has come. True when the relay is given up for want of answers.
    fn send_due(&mut self, now: Instant) -> bool {
        let mut lost = Vec::new();
        for (what, request) in &mut self.requests {
            match request.poll(now) {
                Some(Due::Send(contents)) => self.out.push_back(contents),
                Some(Due::GiveUp) => lost.push(*what),
                None => {}
            }
        }
        if lost.is_empty() {
            return false;
        }
        self.requests.retain(|(what, _)| !lost.contains(what));
        if lost
            .iter()
            .any(|what| matches!(what, What::Allocate | What::Refresh))
        {
            self.fail(now, self.no_answer());
            return true;
        }
        for what in lost {
            match what {
                What::Permission(ip) => self.forbid(now, ip),
                What::Channel(peer) => self.remove_channel(peer),
                What::Allocate | What::Refresh => {}
            }
        }
        false
    }
}

/// When an allocation is refreshed that lives so long.
fn refresh_after(lifetime: Duration) -> Duration {
    lifetime
        .checked_sub(MARGIN)
        .filter(|after| *after >= lifetime / 2)
        .unwrap_or(lifetime / 2)
        .max(Duration::from_secs(1))
}

/// What carries a datagram to a peer without a channel.
fn indication(to: SocketAddr, contents: &[u8]) -> Vec<u8> {
    Writer::new(Class::Indication, Method::Send, &new_transaction())
        .address(attribute::XOR_PEER_ADDRESS, to)
        .attribute(attribute::DATA, contents)
        .into_bytes()
}

/// What messages to a TURN server are signed with.
pub(crate) fn long_term_key(user: &str, realm: &str, password: &str) -> [u8; 16] {
    let mut digest = Md5::new();
    for part in [user, ":", realm, ":", password] {
        digest.update(part.as_bytes());
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_long_term_credentials_is_that_of_the_standard() {
        // RFC 5769, section 2.4, whose request is signed with it.
        let key = long_term_key("マトリックス", "example.org", "TheMatrIX");
        let request = b"\x00\x01\x00\x60\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
            \x00\x06\x00\x12\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9\x00\x00\
            \x00\x15\x00\x1cf//499k954d6OL34oL9FSTvy64sA\
            \x00\x14\x00\x0bexample.org\x00\
            \x00\x08\x00\x14\xf6\x70\x24\x65\x6d\xd6\x4a\x3e\x02\xb8\xe0\x71\x2e\x85\xc9\xa2\x8c\xa8\x96\x66";
        assert!(Message::read(request).unwrap().is_signed_with(&key));
    }
}
