//! DTLS with a peer, over whatever way ICE finds.
//!
//! There can be two associations: the one that is in use, and one that is being made, because the peer has begun anew
//! (its process, or its link with us) and does not know the old one any more. The old one stays until the new one has
//! proven itself, so that nobody can end a link by pretending to be a peer that begins (RFC 6347, section 4.2.8).

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls};

use crate::identity::{Fingerprint, Identity};
use crate::reason::Reason;

/// How long an answer is waited for before a part of the handshake is sent again; twice as long each time.
const RETRANSMIT: Duration = Duration::from_millis(400);
const RETRIES: usize = 6;
/// How long a handshake takes at most.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// After a failure, how long the next try waits, at first and at most.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How long a beginning is held on to before another one takes its place: who forges beginnings must not keep those of the
/// peer out, nor cost much.
const BEGINNING: Duration = Duration::from_millis(200);
/// After this time at the latest, a peer knows that the handshake is done, and what looks like the beginning of one is
/// one.
const SETTLED: Duration = Duration::from_secs(5);
/// What is fetched from DTLS at first may be so much longer than a datagram; there is more room when more is needed.
const ROOM: usize = 100;
/// A datagram of UDP has no more bytes.
const LONGEST: usize = 65_507;

/// What comes of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// To the peer.
    Send(Vec<u8>),
    /// From the peer, authentic.
    Data(Vec<u8>),
    /// Datagrams pass from now on.
    Connected,
    /// There was an association, and it is gone, or one could not be made.
    Lost(Reason),
    /// A datagram was not taken.
    NotAuthentic,
}

struct Association {
    dtls: Dtls,
    since: Instant,
    /// Whether the peer's certificate is the right one.
    verified: bool,
    connected: bool,
    /// Whether the peer has shown that it is done with the handshake, too.
    settled: bool,
    timeout: Option<Instant>,
    /// The random number of the peer's beginning, if the peer begins.
    hello: Option<[u8; 32]>,
}

pub(crate) struct Session {
    config: Arc<Config>,
    identity: Arc<Identity>,
    expected: Fingerprint,
    client: bool,
    current: Option<Association>,
    next: Option<Association>,
    /// When we begin (again).
    begin: Option<Instant>,
    failures: u32,
    buffer: Vec<u8>,
}

impl Session {
    /// `None` if DTLS cannot have datagrams of this length.
    pub(crate) fn new(
        identity: Arc<Identity>,
        expected: Fingerprint,
        client: bool,
        mtu: usize,
    ) -> Option<Self> {
        let config = Config::builder()
            .mtu(mtu)
            // ICE has proven already that the peer is where it says.
            .use_server_cookie(false)
            .require_client_certificate(true)
            .flight_start_rto(RETRANSMIT)
            .flight_retries(RETRIES)
            .handshake_timeout(HANDSHAKE)
            .build()
            .ok()?;
        Some(Self {
            config: Arc::new(config),
            identity,
            expected,
            client,
            current: None,
            next: None,
            begin: None,
            failures: 0,
            buffer: vec![0; mtu.min(LONGEST) + ROOM],
        })
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.current.is_some()
    }

    /// Forgets the peer, which has begun anew.
    pub(crate) fn forget(&mut self) {
        self.current = None;
        self.next = None;
        self.begin = None;
        self.failures = 0;
    }

    /// There is a way to the peer (again). Who is to begin does so, if there is no association yet.
    pub(crate) fn start(&mut self, now: Instant) {
        if self.client && self.current.is_none() && self.next.is_none() {
            self.begin = Some(now);
        }
    }

    /// The peer has begun anew, as its checks show. Who is to begin does so again.
    pub(crate) fn peer_restarted(&mut self, now: Instant) {
        if self.client && self.current.is_some() && self.next.is_none() {
            self.begin = Some(now);
        }
    }

    fn association(&self, now: Instant) -> Association {
        let mut dtls = Dtls::new_12(self.config.clone(), self.identity.to_dtls(), now);
        if self.client {
            dtls.set_active(true);
        }
        Association {
            dtls,
            since: now,
            verified: false,
            connected: false,
            settled: false,
            timeout: Some(now),
            hello: None,
        }
    }

    /// Takes a datagram.
    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8], out: &mut Vec<Output>) {
        let hello = (!self.client).then(|| client_hello(datagram)).flatten();
        if let Some(hello) = hello
            && self.is_beginning(now, hello)
        {
            let mut association = self.association(now);
            association.hello = Some(hello);
            self.next = Some(association);
        }
        // All records of a datagram but those of a handshake are encrypted.
        let encrypted = epoch(datagram) != Some(0);
        if encrypted && let Some(mut current) = self.current.take() {
            let before = out.len();
            let alive = self.feed(now, &mut current, datagram, out);
            let taken = out.len() > before;
            current.settled |= out[before..]
                .iter()
                .any(|output| matches!(output, Output::Data(_)));
            if alive {
                self.current = Some(current);
            }
            if taken || !alive || self.next.is_none() {
                if !taken && alive {
                    out.push(Output::NotAuthentic);
                }
                return;
            }
        }
        if let Some(next) = self.next.take() {
            self.step(now, next, Some(datagram), out);
        } else if let Some(mut current) = self.current.take() {
            // The peer has not heard of the end of the handshake, and sends its last part again.
            if current.settled || now.duration_since(current.since) > SETTLED {
                out.push(Output::NotAuthentic);
                self.current = Some(current);
            } else if self.feed(now, &mut current, datagram, out) {
                self.current = Some(current);
            }
        } else {
            out.push(Output::NotAuthentic);
        }
    }

    /// Whether a peer's first message begins an association that is not under way yet.
    fn is_beginning(&self, now: Instant, hello: [u8; 32]) -> bool {
        if let Some(next) = &self.next {
            return next.hello != Some(hello)
                && !next.verified
                && now.duration_since(next.since) >= BEGINNING;
        }
        match &self.current {
            Some(current) => {
                current.hello != Some(hello)
                    && (current.settled || now.duration_since(current.since) > SETTLED)
            }
            None => self.begin.is_none_or(|begin| begin <= now),
        }
    }

    /// Goes on with the association that is being made.
    fn step(
        &mut self,
        now: Instant,
        mut next: Association,
        datagram: Option<&[u8]>,
        out: &mut Vec<Output>,
    ) {
        let alive = match datagram {
            Some(datagram) => self.feed(now, &mut next, datagram, out),
            None => self.drain(now, &mut next, out),
        };
        if !alive {
            return;
        }
        if next.connected {
            // What stood before is of no use to the peer any more.
            self.current = Some(next);
            self.failures = 0;
            out.push(Output::Connected);
        } else {
            self.next = Some(next);
        }
    }

    /// Gives an association a datagram. False when that was its end.
    fn feed(
        &mut self,
        now: Instant,
        association: &mut Association,
        datagram: &[u8],
        out: &mut Vec<Output>,
    ) -> bool {
        let result = if association.connected && association.settled {
            association.dtls.handle_packet(datagram)
        } else {
            association
                .dtls
                .handle_timeout(now)
                .and_then(|()| association.dtls.handle_packet(datagram))
        };
        match result {
            Ok(()) => self.drain(now, association, out),
            Err(error) => self.failed(now, association, Reason::Dtls(error.to_string()), out),
        }
    }

    /// Fetches all that an association has for us. False when that was its end.
    fn drain(
        &mut self,
        now: Instant,
        association: &mut Association,
        out: &mut Vec<Output>,
    ) -> bool {
        let mut end = None;
        loop {
            let needed = match association.dtls.poll_output(&mut self.buffer) {
                dimpl::Output::Packet(packet) => {
                    out.push(Output::Send(packet.to_vec()));
                    continue;
                }
                dimpl::Output::ApplicationData(data) => {
                    // A peer without the right certificate never comes so far.
                    if association.verified {
                        out.push(Output::Data(data.to_vec()));
                    }
                    continue;
                }
                dimpl::Output::PeerCert(certificate) => {
                    let found = Fingerprint::of(certificate, self.expected.digest());
                    if found == self.expected {
                        association.verified = true;
                    } else {
                        end = Some(Reason::WrongFingerprint {
                            expected: self.expected.clone(),
                            found,
                        });
                        break;
                    }
                    continue;
                }
                dimpl::Output::Connected => {
                    association.connected = association.verified;
                    association.since = now;
                    continue;
                }
                dimpl::Output::CloseNotify => {
                    end = Some(Reason::Closed);
                    break;
                }
                dimpl::Output::Timeout(timeout) => {
                    association.timeout = Some(timeout);
                    break;
                }
                dimpl::Output::BufferTooSmall { needed } => needed,
                _ => continue,
            };
            self.buffer.resize(needed, 0);
        }
        match end {
            Some(reason) => self.failed(now, association, reason, out),
            None => true,
        }
    }

    fn failed(
        &mut self,
        now: Instant,
        association: &Association,
        reason: Reason,
        out: &mut Vec<Output>,
    ) -> bool {
        let rest = REST
            .saturating_mul(1 << self.failures.min(8))
            .min(LONGEST_REST);
        self.failures += 1;
        if self.client {
            self.begin = Some(now + rest);
        }
        // While an older one stands, nothing is lost.
        if association.connected || self.current.is_none() {
            let reason = match reason {
                Reason::Dtls(_)
                    if !association.connected
                        && now.duration_since(association.since) >= HANDSHAKE =>
                {
                    Reason::DtlsTimedOut
                }
                reason => reason,
            };
            out.push(Output::Lost(reason));
        }
        false
    }

    /// Encrypts a datagram. False when there is no association.
    pub(crate) fn send(&mut self, now: Instant, contents: &[u8], out: &mut Vec<Output>) -> bool {
        let Some(mut current) = self.current.take() else {
            return false;
        };
        let alive = match current.dtls.send_application_data(contents) {
            Ok(_) => self.drain(now, &mut current, out),
            Err(error) => self.failed(now, &current, Reason::Dtls(error.to_string()), out),
        };
        if alive {
            self.current = Some(current);
        }
        alive
    }

    /// Says farewell.
    pub(crate) fn close(&mut self, now: Instant, out: &mut Vec<Output>) {
        if let Some(mut current) = self.current.take()
            && current.dtls.close().is_ok()
        {
            self.drain(now, &mut current, out);
        }
        self.next = None;
        self.begin = None;
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let of = |association: &Option<Association>| {
            association
                .as_ref()
                .and_then(|association| association.timeout)
        };
        [self.begin, of(&self.next), of(&self.current)]
            .into_iter()
            .flatten()
            .min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.begin.is_some_and(|begin| begin <= now) {
            self.begin = None;
            if self.client && self.next.is_none() {
                self.next = Some(self.association(now));
            }
        }
        if let Some(mut next) = take_if_due(&mut self.next, now) {
            match next.dtls.handle_timeout(now) {
                Ok(()) => self.step(now, next, None, out),
                Err(error) => {
                    self.failed(now, &next, Reason::Dtls(error.to_string()), out);
                }
            }
        }
        if let Some(mut current) = take_if_due(&mut self.current, now) {
            let alive = match current.dtls.handle_timeout(now) {
                Ok(()) => self.drain(now, &mut current, out),
                Err(error) => self.failed(now, &current, Reason::Dtls(error.to_string()), out),
            };
            if alive {
                self.current = Some(current);
            }
        }
    }
}

fn take_if_due(association: &mut Option<Association>, now: Instant) -> Option<Association> {
    association.take_if(|association| association.timeout.is_some_and(|timeout| timeout <= now))
}

/// The epoch of a datagram's first record; 0 is without encryption.
fn epoch(datagram: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(datagram.get(3..5)?.try_into().ok()?))
}

/// The random number in a first message of a client (RFC 6347, section 4.2.1), if this is one.
fn client_hello(datagram: &[u8]) -> Option<[u8; 32]> {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    const RECORD_HEADER: usize = 13;
    const MESSAGE_HEADER: usize = 12;
    let message = datagram.get(RECORD_HEADER..)?;
    if datagram[0] != HANDSHAKE || epoch(datagram) != Some(0) || *message.first()? != CLIENT_HELLO {
        return None;
    }
    // Only the beginning of the message has it.
    if message.get(6..9)? != [0; 3] {
        return None;
    }
    message
        .get(MESSAGE_HEADER + 2..MESSAGE_HEADER + 34)?
        .try_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Digest;

    struct Pair {
        now: Instant,
        sides: [Session; 2],
        /// What has come out of each.
        connected: [u32; 2],
        data: [Vec<Vec<u8>>; 2],
        lost: [Vec<Reason>; 2],
        /// Datagrams under way, and to whom.
        wire: Vec<(usize, Vec<u8>)>,
        identities: [Arc<Identity>; 2],
    }

    impl Pair {
        fn new() -> Self {
            let identities = ["a", "b"].map(|name| Arc::new(Identity::generate(name).unwrap()));
            let side = |own: usize, client| {
                let expected = identities[1 - own].fingerprint(Digest::Sha1);
                Session::new(identities[own].clone(), expected, client, 1400).unwrap()
            };
            Self {
                now: Instant::now(),
                sides: [side(0, true), side(1, false)],
                connected: [0; 2],
                data: Default::default(),
                lost: Default::default(),
                wire: Vec::new(),
                identities,
            }
        }

        fn take(&mut self, side: usize, out: Vec<Output>) {
            for output in out {
                match output {
                    Output::Send(contents) => self.wire.push((1 - side, contents)),
                    Output::Data(contents) => self.data[side].push(contents),
                    Output::Connected => self.connected[side] += 1,
                    Output::Lost(reason) => self.lost[side].push(reason),
                    Output::NotAuthentic => {}
                }
            }
        }

        /// Lets everything happen that is due until then.
        fn run(&mut self, duration: Duration) {
            let end = self.now + duration;
            loop {
                while !self.wire.is_empty() {
                    let (to, datagram) = self.wire.remove(0);
                    self.hand(to, &datagram);
                }
                let next = self.sides.iter().filter_map(Session::poll_timeout).min();
                let Some(next) = next.filter(|next| *next <= end) else {
                    break;
                };
                self.now = self.now.max(next);
                for side in 0..2 {
                    let mut out = Vec::new();
                    let now = self.now;
                    self.sides[side].handle_timeout(now, &mut out);
                    self.take(side, out);
                }
            }
            self.now = end;
        }

        fn hand(&mut self, to: usize, datagram: &[u8]) {
            let mut out = Vec::new();
            self.sides[to].handle(self.now, datagram, &mut out);
            self.take(to, out);
        }

        fn say(&mut self, from: usize, text: &[u8]) -> bool {
            let mut out = Vec::new();
            let sent = self.sides[from].send(self.now, text, &mut out);
            self.take(from, out);
            sent
        }

        fn connect(&mut self) {
            let now = self.now;
            self.sides.iter_mut().for_each(|side| side.start(now));
            self.run(Duration::from_secs(1));
        }

        fn restart(&mut self, side: usize) {
            let expected = self.identities[1 - side].fingerprint(Digest::Sha1);
            let identity = self.identities[side].clone();
            self.sides[side] = Session::new(identity, expected, side == 0, 1400).unwrap();
        }

        fn converse(&mut self) {
            for from in 0..2 {
                assert!(self.say(from, b"hello"));
                self.run(Duration::ZERO);
                assert_eq!(
                    std::mem::take(&mut self.data[1 - from]),
                    [b"hello".to_vec()]
                );
            }
        }
    }

    #[test]
    fn both_ends_agree_and_converse() {
        let mut pair = Pair::new();
        assert!(!pair.say(0, b"early"));
        pair.connect();
        assert_eq!(pair.connected, [1, 1]);
        pair.converse();
        assert_eq!(pair.lost, [vec![], vec![]]);
    }

    #[test]
    fn another_certificate_is_no_peer() {
        for wrong in 0..2 {
            let mut pair = Pair::new();
            let stranger = Identity::generate("stranger").unwrap();
            pair.sides[wrong].expected = stranger.fingerprint(Digest::Sha256);
            pair.connect();
            assert_eq!(pair.connected[wrong], 0);
            assert!(!pair.say(wrong, b"secret"));
            assert!(matches!(
                pair.lost[wrong][0],
                Reason::WrongFingerprint { .. }
            ));
        }
    }

    #[test]
    fn a_lost_flight_is_sent_again() {
        let mut pair = Pair::new();
        let now = pair.now;
        pair.sides[0].start(now);
        for _ in 0..3 {
            let mut out = Vec::new();
            let now = pair.sides[0].poll_timeout().unwrap();
            pair.now = now;
            pair.sides[0].handle_timeout(now, &mut out);
            pair.wire.clear();
        }
        pair.run(Duration::from_secs(10));
        assert_eq!(pair.connected, [1, 1]);
        pair.converse();
    }

    #[test]
    fn either_end_may_begin_anew_while_the_other_does_not_know() {
        for restarts in 0..2 {
            let mut pair = Pair::new();
            pair.connect();
            pair.converse();
            pair.run(Duration::from_secs(60));
            pair.restart(restarts);
            let now = pair.now;
            pair.sides[restarts].start(now);
            // Who has stayed hears of it by the checks.
            pair.sides[1 - restarts].peer_restarted(now);
            pair.run(Duration::from_secs(2));
            assert_eq!(pair.connected, [2, 2]);
            pair.converse();
            assert_eq!(pair.lost, [vec![], vec![]]);
        }
    }

    #[test]
    fn forged_beginnings_and_garbage_neither_end_nor_hinder_anything() {
        let mut pair = Pair::new();
        pair.connect();
        pair.converse();
        // A client's first message, of somebody else, and other things that are not encrypted.
        let mut stranger = Pair::new();
        stranger.sides[0].start(stranger.now);
        let mut out = Vec::new();
        stranger.sides[0].handle_timeout(stranger.now, &mut out);
        let Some(Output::Send(hello)) = out.pop() else {
            panic!("nothing was sent");
        };
        for round in 0..50_u8 {
            let mut forged = hello.clone();
            forged[30] = round;
            for side in 0..2 {
                pair.hand(side, &forged);
                for (position, value) in [
                    (0, 21),
                    (0, 23),
                    (0, 20),
                    (4, 1),
                    (13, 2),
                    (13, 14),
                    (12, 3),
                ] {
                    let mut other = forged.clone();
                    other[position] = value;
                    pair.hand(side, &other);
                    pair.hand(side, &other[..usize::from(round) % other.len()]);
                }
            }
            pair.wire.clear();
            pair.run(Duration::from_millis(100));
            pair.converse();
        }
        assert_eq!(pair.lost, [vec![], vec![]]);
        // And a real beginning gets through amidst them.
        pair.restart(0);
        let now = pair.now;
        pair.sides[0].start(now);
        for round in 0..50 {
            let mut forged = hello.clone();
            forged[31] = round;
            pair.hand(1, &forged);
            pair.run(Duration::from_millis(100));
        }
        assert_eq!(pair.connected[1], 2);
        pair.converse();
    }

    #[test]
    fn a_farewell_is_heard() {
        let mut pair = Pair::new();
        pair.connect();
        let mut out = Vec::new();
        let now = pair.now;
        pair.sides[0].close(now, &mut out);
        pair.take(0, out);
        pair.run(Duration::ZERO);
        assert_eq!(pair.lost[1], [Reason::Closed]);
        assert!(!pair.sides[1].is_connected());
    }
}
