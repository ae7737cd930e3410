//! Peers, and the links with them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use kozo_ipop::notification::PeerState;
use kozo_ipop::request::CreateLink;
use kozo_ipop::{Fingerprint, Request, Uid, fingerprint};

use super::{Action, Addresses, Controller};

/// How many peers are known at most; what is told of others is counted as of strangers.
pub(super) const MAX_PEERS: usize = 4096;

/// A peer that was last seen on XMPP before this many rounds is not asked for a link.
const PRESENT_ROUNDS: u32 = 8;

/// A link that is down is ended when it was made before more than this many rounds.
const TRIM_ROUNDS: u32 = 2;

/// The only overlay.
const OVERLAY: i64 = 1;

/// What a GroupVPN's controller says before it ends a link, with its own uid behind.
const DESTROY: &str = "destroy";

/// How far the two sides have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It was asked for a link.
    Asked,
    /// It has told its candidates.
    Answered,
}

/// What is known of a peer.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// How far the two sides have come.
    asked: Option<Asked>,
    /// What tincan said last.
    pub(super) state: PeerState,
    /// When that was.
    at: Duration,
    /// The data of its last `con_req`, where links are made on demand.
    offer: Option<String>,
    /// When a link was last made on demand.
    wanted: Option<Duration>,
    /// How many bytes had passed its link, and when they became more.
    bytes: u64,
    active: Duration,
}

impl Peer {
    /// Whether its link is up.
    fn is_online(&self) -> bool {
        self.state.online
    }

    /// Whether it has a link, be it up or not.
    fn has_link(&self) -> bool {
        self.state.fpr.is_some()
    }
}

/// All peers.
#[derive(Debug, Default)]
pub(super) struct Links {
    peers: BTreeMap<Uid, Peer>,
}

impl Links {
    pub(super) fn peers(&self) -> &BTreeMap<Uid, Peer> {
        &self.peers
    }

    /// Those with a link that is up.
    pub(super) fn online(&self) -> impl Iterator<Item = (&Uid, &Peer)> {
        self.peers.iter().filter(|(_, peer)| peer.is_online())
    }

    /// Forgets all: tincan was started anew.
    pub(super) fn forget(&mut self) {
        self.peers.clear();
    }

    fn peer(&mut self, uid: Uid) -> Option<&mut Peer> {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&uid) {
            return None;
        }
        Some(self.peers.entry(uid).or_default())
    }
}

impl Controller {
    /// Whether somebody with this uid can be a peer.
    fn known(&mut self, uid: &str) -> Option<Uid> {
        let uid: Uid = uid.parse().ok()?;
        if uid == self.settings.uid || uid == Uid::NULL {
            return None;
        }
        // The uid of a group's member is of an address in it. Others with the same account may be seen, and are not
        // ours.
        match &self.addresses {
            Addresses::Group(group) => group.ip4(&uid).map(|_| uid),
            Addresses::Social(_) => Some(uid),
        }
    }

    fn peer(&mut self, uid: &str) -> Option<(Uid, &mut Peer)> {
        let known = self.known(uid);
        if let Some(uid) = known {
            if let Some(peer) = self.links.peer(uid) {
                return Some((uid, peer));
            }
        }
        self.counts.strangers += 1;
        None
    }

    pub(super) fn peer_state(&mut self, state: PeerState, now: Duration) {
        let wait = self.settings.wait;
        let Some((uid, peer)) = self.peer(&state.uid) else {
            return;
        };
        let passed = |stats: &kozo_ipop::notification::Stats| {
            stats
                .sent_total_bytes
                .saturating_add(stats.recv_total_bytes)
        };
        let bytes = state
            .stats
            .iter()
            .flatten()
            .map(passed)
            .fold(0, u64::saturating_add);
        // The figures begin anew with a link.
        if !peer.is_online() || bytes != peer.bytes {
            peer.active = now;
        }
        peer.bytes = bytes;
        peer.at = now;
        peer.state = state;
        // Before 14.01.1 nothing was said about the time; there a presence made the peer known.
        let seen = peer.state.xmpp_time.unwrap_or_default();
        let is_present = seconds(seen) < wait * PRESENT_ROUNDS;
        let has_link = peer.has_link();
        // Nobody is seen without XMPP, whatever fault there was before.
        self.fault = None;
        if !has_link && is_present {
            self.ask_for_link(uid);
        }
    }

    /// Asks a peer for a link.
    fn ask_for_link(&mut self, uid: Uid) {
        let Some(own) = self.own_fpr().map(str::to_owned) else {
            return;
        };
        if let Some(peer) = self.links.peer(uid) {
            peer.asked = Some(Asked::Asked);
            self.send(uid, "con_req", own);
        }
    }

    fn send(&mut self, uid: Uid, method: &str, data: String) {
        self.ask(Request::Forward {
            method: method.to_owned(),
            overlay_id: OVERLAY,
            uid: uid.to_string(),
            data,
        });
    }

    fn trim_link(&mut self, uid: Uid) {
        self.ask(Request::TrimLink {
            uid: uid.to_string(),
        });
    }

    /// A link came up or went down: the rest is asked for, so that it is known before the next round.
    pub(super) fn link_status(&mut self, uid: &str, data: &str) {
        let Some((uid, peer)) = self.peer(uid) else {
            return;
        };
        peer.state.online = data == "online";
        self.ask(Request::GetState {
            stats: Some(true),
            uid: uid.to_string(),
        });
    }

    pub(super) fn request(&mut self, uid: &str, data: String, now: Duration) {
        let (own, on_demand) = (self.settings.uid, self.settings.on_demand.is_some());
        let Some((uid, peer)) = self.peer(uid) else {
            return;
        };
        if on_demand {
            peer.at = now;
            peer.offer = Some(data);
            return;
        }
        if peer.asked != Some(Asked::Asked) {
            // Both have to have asked: the other one asks again as long as there is no link.
            self.counts.unasked += 1;
            return;
        }
        let is_greater = uid > own;
        if is_greater {
            peer.asked = None;
        }
        if self.is_full() {
            return;
        }
        if is_greater {
            self.trim_link(uid);
        }
        self.create(uid, &data);
    }

    pub(super) fn response(&mut self, uid: &str, data: &str, _now: Duration) {
        let Some((uid, peer)) = self.peer(uid) else {
            return;
        };
        peer.asked = Some(Asked::Answered);
        let has_link = peer.has_link();
        if has_link || !self.is_full() {
            self.create(uid, data);
        }
    }

    /// Whether there are as many links as there may be.
    fn is_full(&self) -> bool {
        let limit = self
            .settings
            .multihop
            .as_ref()
            .map(|multihop| multihop.links);
        limit.is_some_and(|limit| self.links.online().count() >= limit)
    }

    fn create(&mut self, uid: Uid, data: &str) {
        let Some(own) = self.own_fpr() else {
            return;
        };
        let (fpr, cas) = fingerprint::split(data, own);
        // Without a fingerprint, tincan would make a link that is not encrypted.
        let proven = fpr.parse::<Fingerprint>().is_ok_and(|fpr| !fpr.is_null());
        if self.settings.encrypt && !proven {
            self.counts.unproven += 1;
            self.warn(format!(
                "the peer {uid} has sent no fingerprint that is like ours, and gets no link: the option `digest` of its \
                 tincan has to be that of the one here"
            ));
            return;
        }
        let Some(ip4) = self.assign(uid) else {
            self.warn(format!(
                "there is no address left for the peer {uid}: 154 is all that a SocialVPN has"
            ));
            return;
        };
        let stun = self
            .random
            .choice(&self.settings.stun)
            .cloned()
            .unwrap_or_default();
        let turn = self.random.choice(&self.settings.turn).cloned();
        let mut link = CreateLink {
            uid: uid.to_string(),
            fpr,
            overlay_id: OVERLAY,
            stun,
            sec: self.settings.encrypt,
            cas,
            ..CreateLink::default()
        };
        if let Some(turn) = turn {
            link.turn = turn.server;
            link.turn_user = turn.user;
            link.turn_pass = turn.password;
        }
        self.ask(Request::CreateLink(link));
        self.ask(Request::SetRemoteIp {
            uid: uid.to_string(),
            ip4: ip4.to_string(),
            ip6: uid.ip6_text(),
        });
    }

    fn assign(&mut self, uid: Uid) -> Option<Ipv4Addr> {
        match &mut self.addresses {
            Addresses::Group(group) => group.ip4(&uid),
            Addresses::Social(social) => {
                let before = social.peers().len();
                let address = social.ip4(uid);
                if social.peers().len() > before {
                    self.actions.push(Action::Keep);
                }
                address
            }
        }
    }

    /// Ends links that are of no use, and forgets peers that are gone.
    pub(super) fn trim(&mut self, now: Duration) {
        let wait = self.settings.wait;
        let is_old = |peer: &Peer| {
            let made = peer.state.last_time.unwrap_or_default();
            peer.has_link() && !peer.is_online() && seconds(made) > wait * TRIM_ROUNDS
        };
        let is_idle = |peer: &Peer| {
            let limit = self.settings.on_demand;
            peer.is_online() && limit.is_some_and(|limit| now.saturating_sub(peer.active) > limit)
        };
        let mut over: Vec<Uid> = self
            .links
            .peers
            .iter()
            .filter(|(_, peer)| is_old(peer) || is_idle(peer))
            .map(|(uid, _)| *uid)
            .collect();
        if let Some(multihop) = &self.settings.multihop {
            over.extend(
                self.links
                    .online()
                    .skip(multihop.links)
                    .map(|(uid, _)| *uid),
            );
        }
        for uid in over {
            self.end_link(uid);
        }
        self.links
            .peers
            .retain(|_, peer| now.saturating_sub(peer.at) <= wait * PRESENT_ROUNDS);
    }

    fn end_link(&mut self, uid: Uid) {
        if self.is_group() {
            self.send(uid, "send_msg", format!("{DESTROY}{}", self.settings.uid));
        }
        self.trim_link(uid);
        if let Some(peer) = self.links.peers.get_mut(&uid) {
            peer.state.online = false;
            peer.wanted = None;
        }
    }

    /// What a peer's controller says: that it ends the link, or that it wants one.
    pub(super) fn message(&mut self, uid: &str, data: &str, now: Duration) {
        if self.settings.on_demand.is_none() {
            // In the original, this is for links on demand alone.
            self.counts.unasked += 1;
            return;
        }
        let Some((uid, peer)) = self.peer(uid) else {
            return;
        };
        if data.starts_with(DESTROY) {
            peer.state.online = false;
            peer.wanted = None;
            self.trim_link(uid);
        } else {
            // Its own words, unless it has offered itself before.
            let offer = peer.offer.clone().unwrap_or_else(|| data.to_owned());
            peer.wanted = Some(now);
            self.create(uid, &offer);
        }
    }

    /// There is a packet for this address: makes the link, if there is such a peer. Whether it is one.
    pub(super) fn wants_on_demand(&mut self, to: Ipv4Addr, now: Duration) -> bool {
        let is_of_group = matches!(&self.addresses, Addresses::Group(group) if group.contains(to));
        self.settings.on_demand.is_some() && is_of_group && self.want(Uid::of_ip4(to), now)
    }

    /// The same for an IPv6 address.
    pub(super) fn wants_on_demand6(&mut self, to: Ipv6Addr, now: Duration) -> bool {
        if self.settings.on_demand.is_none() {
            return false;
        }
        let uid = self.links.peers.keys().find(|uid| uid.ip6() == to).copied();
        uid.is_some_and(|uid| self.want(uid, now))
    }

    fn want(&mut self, uid: Uid, now: Duration) -> bool {
        let wait = self.settings.wait;
        let Some(own) = self.own_fpr().map(str::to_owned) else {
            return false;
        };
        let Some(peer) = self.links.peers.get_mut(&uid) else {
            return false;
        };
        let Some(offer) = peer.offer.clone() else {
            return false;
        };
        // More packets come before the link is up; one that is not up by then is asked for again.
        let is_under_way = peer
            .wanted
            .is_some_and(|wanted| now.saturating_sub(wanted) < wait * TRIM_ROUNDS);
        if !peer.is_online() && !is_under_way {
            peer.wanted = Some(now);
            self.send(uid, "send_msg", own);
            self.create(uid, &offer);
        }
        true
    }

    /// Somebody wants a link.
    pub(super) fn link(&mut self, uid: Uid, now: Duration) {
        if self.known(&uid.to_string()).is_none() {
            self.warn(format!(
                "{uid} cannot be a peer here: it is this node, or of no address of this group"
            ));
            return;
        }
        if !self.want(uid, now) {
            self.ask_for_link(uid);
        }
    }

    /// Somebody wants it to end.
    pub(super) fn unlink(&mut self, uid: Uid) {
        self.end_link(uid);
    }
}

/// Seconds as tincan tells them; there are none below zero.
fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
