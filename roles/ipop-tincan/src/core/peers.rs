//! What is known of the other nodes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use kozo_ipop::Uid;
use kozo_ipop::notification::PeerState;

/// How many peers are known at a time, with links or without. One more pushes out one that has neither a link nor
/// an address and has not been seen for the longest time.
pub(crate) const MAX_PEERS: usize = 4096;

/// What a peer that was never seen on XMPP was last seen, in seconds: so long ago that no controller asks it for a
/// link.
const NEVER: i64 = i32::MAX as i64;

/// Another node.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// When it was last seen on XMPP.
    pub(super) seen: Option<Instant>,
    /// Which addresses it has here; they outlive links.
    pub(super) addresses: Option<Addresses>,
    pub(super) link: Option<Link>,
}

/// The addresses of a peer, and how the controller wrote them: controllers compare texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) ip4: Ipv4Addr,
    pub(super) ip6: Ipv6Addr,
    pub(super) ip4_text: String,
    pub(super) ip6_text: String,
}

/// A link, be it up or not.
///
/// ```text
/// create_link ──▶ being made ──▶ online ◀──▶ offline ──▶ trim_link
/// ```
#[derive(Debug)]
pub(super) struct Link {
    pub(super) fingerprint: String,
    pub(super) encrypted: bool,
    pub(super) made: Instant,
    pub(super) online: bool,
    /// How it goes, once it is up, in words.
    pub(super) path: Option<&'static str>,
    /// What the peer is to be told of this end, and was not, since it could not be reached.
    pub(super) untold: Option<String>,
}

/// All peers, by uid.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<Uid, Peer>);

impl Peers {
    pub(super) fn find(&self, uid: &Uid) -> Option<&Peer> {
        self.0.get(uid)
    }

    pub(super) fn find_mut(&mut self, uid: &Uid) -> Option<&mut Peer> {
        self.0.get_mut(uid)
    }

    /// The peer, which is new perhaps. None where there are too many.
    pub(super) fn entry(&mut self, uid: Uid) -> Option<&mut Peer> {
        if !self.0.contains_key(&uid) && self.0.len() >= MAX_PEERS {
            let forgettable = self.0.iter().filter(|(_, peer)| peer.is_only_seen());
            let oldest = *forgettable.min_by_key(|(_, peer)| peer.seen)?.0;
            self.0.remove(&oldest);
        }
        Some(self.0.entry(uid).or_default())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Uid, &Peer)> {
        self.0.iter()
    }

    /// Those whose links are up.
    pub(super) fn online(&self) -> impl Iterator<Item = &Uid> {
        let online = self.0.iter().filter(|(_, peer)| peer.is_online());
        online.map(|(uid, _)| uid)
    }
}

impl Peer {
    pub(super) fn is_online(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.online)
    }

    fn is_only_seen(&self) -> bool {
        self.link.is_none() && self.addresses.is_none()
    }

    /// Whether controllers are told of it.
    pub(super) fn is_listed(&self) -> bool {
        self.seen.is_some() || self.link.is_some()
    }

    /// How it is, as controllers are told. They end without some of these keys in some states.
    pub(super) fn state(&self, uid: &Uid, now: Instant) -> PeerState {
        let link = self.link.as_ref();
        // SocialVPN's controllers end where one that is online has no addresses.
        let online = self.is_online() && self.addresses.is_some();
        PeerState {
            uid: uid.to_string(),
            online,
            xmpp_time: Some(self.seen.map_or(NEVER, |seen| seconds(seen, now))),
            ip4: self.addresses.as_ref().map(|own| own.ip4_text.clone()),
            ip6: self.addresses.as_ref().map(|own| own.ip6_text.clone()),
            fpr: link.map(|link| link.fingerprint.clone()),
            last_time: link.map(|link| seconds(link.made, now)),
            security: link
                .filter(|_| online)
                .map(|link| link.security().to_owned()),
            stats: None,
        }
    }
}

impl Link {
    pub(super) fn security(&self) -> &'static str {
        if self.encrypted { "dtls" } else { "none" }
    }
}

fn seconds(since: Instant, now: Instant) -> i64 {
    let seconds = now.saturating_duration_since(since).as_secs();
    i64::try_from(seconds).unwrap_or(NEVER)
}
