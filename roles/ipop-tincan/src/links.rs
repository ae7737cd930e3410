//! Links with peers: ICE and DTLS, by uid.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use kozo_ice::{
    Candidate, CandidateKind, Credentials, Digest, Driver, EndpointDrops, Event, Identity,
    PairStatus, PeerId, PeerSettings, Ready, Reason, Security, Settings, State, TurnServer, Waker,
};
use kozo_ipop::Uid;
use kozo_ipop::candidate::{self, Kind};
use kozo_ipop::notification::Stats;
use kozo_ipop::request::CreateLink;

use crate::core::Wishes;

/// How many peers' credentials are remembered beyond their links.
const MAX_CREDENTIALS: usize = 4096;

/// All links.
pub(crate) struct Links {
    driver: Driver,
    /// The name of the network device, whose addresses are of no use for what goes through it.
    device: String,
    digest: Digest,
    identity: Option<Arc<Identity>>,
    by_uid: HashMap<Uid, PeerId>,
    by_peer: HashMap<PeerId, Uid>,
    /// What this end proves itself with to each peer. It outlives a link: candidates of an earlier one, which are
    /// still under way when a controller makes it anew, fit the next one then.
    credentials: HashMap<Uid, Credentials>,
}

impl Links {
    pub(crate) fn new(device: &str, digest: Digest) -> io::Result<Self> {
        let settings = Settings {
            ignored_interfaces: vec![device.to_owned()],
            ..Settings::default()
        };
        Ok(Self {
            driver: Driver::new(settings)?,
            device: device.to_owned(),
            digest,
            identity: None,
            by_uid: HashMap::new(),
            by_peer: HashMap::new(),
            credentials: HashMap::new(),
        })
    }

    /// What ends a wait from another thread.
    pub(crate) fn waker(&self) -> Waker {
        self.driver.waker()
    }

    /// Sends what is to be sent, and waits: see [`Driver::wait`].
    pub(crate) fn wait(
        &mut self,
        others: &[BorrowedFd<'_>],
        until: Option<Instant>,
    ) -> io::Result<Ready> {
        self.driver.wait(others, until)
    }

    /// What has happened next, and to whose link.
    pub(crate) fn next_event(&mut self) -> Option<(Uid, Event)> {
        // What is left of a link that was ended is passed over.
        loop {
            let event = self.driver.next_event()?;
            let (Event::Gathered { peer }
            | Event::CandidatesChanged { peer }
            | Event::Online { peer, .. }
            | Event::PathChanged { peer, .. }
            | Event::Offline { peer, .. }
            | Event::Failed { peer, .. }
            | Event::Datagram { peer, .. }) = event;
            if let Some(uid) = self.by_peer.get(&peer) {
                return Some((*uid, event));
            }
        }
    }

    /// Makes the certificate that all links show, and tells its fingerprint.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(crate) fn make_identity(&mut self, uid: &Uid) -> Result<String, String> {
        let identity = Identity::generate(&uid.to_string())
            .map_err(|error| format!("cannot make a certificate: {error}"))?;
        let fingerprint = identity.fingerprint(self.digest).to_string();
        self.identity = Some(Arc::new(identity));
        Ok(fingerprint)
    }

    /// Begins a link.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn begin(&mut self, uid: Uid, wishes: &Wishes<'_>) -> Result<(), String> {
        self.end(&uid);
        let request = wishes.request;
        let security = match (request.sec, &self.identity) {
            (false, _) => Security::None,
            (true, Some(identity)) => Security::Dtls {
                identity: Arc::clone(identity),
                fingerprint: request
                    .fpr
                    .parse()
                    .map_err(|error| format!("the fingerprint: {error}"))?,
                client: wishes.client,
            },
            (true, None) => return Err("this node has no certificate yet".to_owned()),
        };
        let settings = PeerSettings {
            credentials: self.credentials(uid),
            controlling: wishes.controlling,
            security,
            stun: Some(&request.stun)
                .filter(|stun| !stun.is_empty())
                .cloned()
                .into_iter()
                .collect(),
            turn: turn(request).into_iter().collect(),
            relay_only: false,
        };
        let peer = self
            .driver
            .add_peer(settings)
            .map_err(|error| error.to_string())?;
        self.by_uid.insert(uid, peer);
        self.by_peer.insert(peer, uid);
        Ok(())
    }

    fn credentials(&mut self, uid: Uid) -> Credentials {
        if let Some(known) = self.credentials.get(&uid) {
            return known.clone();
        }
        if self.credentials.len() >= MAX_CREDENTIALS {
            self.credentials
                .retain(|uid, _| self.by_uid.contains_key(uid));
        }
        let new = Credentials::random();
        self.credentials.insert(uid, new.clone());
        new
    }

    /// Ends a link, if there is one.
    pub(crate) fn end(&mut self, uid: &Uid) {
        if let Some(peer) = self.by_uid.remove(uid) {
            self.by_peer.remove(&peer);
            self.driver.remove_peer(peer);
        }
    }

    /// Ends all links, and tells their other ends so.
    pub(crate) fn end_all(&mut self) {
        for uid in self.by_uid.keys().copied().collect::<Vec<_>>() {
            self.end(&uid);
        }
        self.driver.flush();
    }

    /// Tells a link where its other end may be reached, and what that proves itself with.
    pub(crate) fn add_candidates(&mut self, uid: &Uid, candidates: Vec<candidate::Candidate>) {
        let (Some(peer), Some(first)) = (self.by_uid.get(uid), candidates.first()) else {
            return;
        };
        // One end has one name and one password; what differs from the first is of something else.
        let credentials = Credentials {
            user: first.username.clone(),
            password: first.password.clone(),
        };
        let same = candidates
            .into_iter()
            .filter(|one| one.username == credentials.user && one.password == credentials.password);
        let candidates: Vec<_> = same.map(from_text).collect();
        self.driver.add_remote(*peer, &credentials, candidates);
    }

    /// Where this end of a link may be reached.
    pub(crate) fn candidates(&self, uid: &Uid) -> Vec<candidate::Candidate> {
        let (Some(peer), Some(credentials)) = (self.by_uid.get(uid), self.credentials.get(uid))
        else {
            return Vec::new();
        };
        let candidates = self.driver.candidates(*peer);
        let numbered = candidates.into_iter().zip(1..);
        numbered
            .filter_map(|(candidate, number)| to_text(candidate, number, credentials))
            .collect()
    }

    /// Sends a datagram; whether the link took it.
    pub(crate) fn send(&mut self, uid: &Uid, data: &[u8]) -> bool {
        let peer = self.by_uid.get(uid);
        peer.is_some_and(|peer| self.driver.send(*peer, data).is_ok())
    }

    /// The figures of a link, the pair that is used first.
    pub(crate) fn figures(&self, uid: &Uid) -> Vec<Stats> {
        let status = self
            .by_uid
            .get(uid)
            .and_then(|peer| self.driver.status(*peer));
        status.map_or_else(Vec::new, |status| {
            status.pairs.iter().map(figures).collect()
        })
    }

    /// The links that are not up, and why, as far as that is known.
    pub(crate) fn not_up(&self) -> impl Iterator<Item = (Uid, Vec<Reason>)> {
        self.by_uid.iter().filter_map(|(uid, peer)| {
            let status = self.driver.status(*peer)?;
            (status.state != State::Online).then_some((*uid, status.reasons))
        })
    }

    /// Says which interfaces' addresses are no candidates, besides the device's.
    pub(crate) fn ignore_interfaces(&mut self, mut names: Vec<String>) {
        names.push(self.device.clone());
        self.driver.ignore_interfaces(names);
    }

    /// What was dropped that belongs to no link.
    pub(crate) fn drops(&self) -> EndpointDrops {
        self.driver.drops()
    }
}

fn turn(request: &CreateLink) -> Option<TurnServer> {
    let is_used = !request.turn.is_empty() && !request.turn_user.is_empty();
    is_used.then(|| TurnServer {
        server: request.turn.clone(),
        user: request.turn_user.clone(),
        password: request.turn_pass.0.clone(),
    })
}

fn from_text(candidate: candidate::Candidate) -> Candidate {
    Candidate {
        kind: match candidate.kind {
            Kind::Local => CandidateKind::Host,
            Kind::Stun => CandidateKind::ServerReflexive,
            Kind::Relay => CandidateKind::Relayed,
        },
        address: candidate.address,
        base: None,
        priority: candidate.priority,
        foundation: candidate.foundation,
        interface: candidate.interface,
    }
}

fn to_text(
    candidate: Candidate,
    number: u32,
    credentials: &Credentials,
) -> Option<candidate::Candidate> {
    let kind = match candidate.kind {
        CandidateKind::Host => Kind::Local,
        CandidateKind::ServerReflexive => Kind::Stun,
        CandidateKind::Relayed => Kind::Relay,
        // Peers find it out as this end did.
        CandidateKind::PeerReflexive => return None,
    };
    Some(candidate::Candidate {
        id: number.to_string(),
        component: 1,
        address: candidate.address,
        priority: candidate.priority,
        username: credentials.user.clone(),
        password: credentials.password.clone(),
        kind,
        interface: candidate.interface,
        generation: 0,
        foundation: candidate.foundation,
    })
}

fn figures(pair: &PairStatus) -> Stats {
    let kind = |kind: CandidateKind| match kind {
        CandidateKind::Host => Kind::Local.name(),
        CandidateKind::ServerReflexive | CandidateKind::PeerReflexive => Kind::Stun.name(),
        CandidateKind::Relayed => Kind::Relay.name(),
    };
    let rtt = pair.rtt.unwrap_or_default().as_millis();
    Stats {
        local_addr: pair.path.local.to_string(),
        rem_addr: pair.path.remote.to_string(),
        local_type: kind(pair.path.local_kind).to_owned(),
        rem_type: kind(pair.path.remote_kind).to_owned(),
        best_conn: pair.selected,
        writable: pair.writable,
        readable: pair.readable,
        timeout: pair.timed_out,
        new_conn: pair.new,
        rtt: u64::try_from(rtt).unwrap_or(u64::MAX),
        sent_total_bytes: pair.sent.bytes,
        sent_bytes_second: pair.sent.bytes_per_second,
        recv_total_bytes: pair.received.bytes,
        recv_bytes_second: pair.received.bytes_per_second,
    }
}
