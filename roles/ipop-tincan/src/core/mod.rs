//! What tincan decides: requests of controllers, messages of peers, links that come and go, frames.
//!
//! ```text
//!  controller ─▶ datagram ─▶ requests ─┐                      ┌─▶ notifications, answers
//!  XMPP ───────▶ heard, seen ──────────┼─▶ peers, overlay ────┼─▶ XMPP, links, device (Outside)
//!  links ──────▶ gathered, up, down ───┘                      └─▶ the event `ipop-peer`
//!  device, links ─▶ frame_from_kernel, frame_from_peer ─▶ crate::frames
//! ```
//! It is pure but for [`Outside`], and takes the time as an argument. The original's habits are in
//! [`controllers`] (what must not reach public controllers) and in [`peers`] (what they have to be told).

mod controllers;
mod limiter;
mod outside;
mod peers;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use kozo_ipop::address::Group;
use kozo_ipop::{Api, Datagram, Fingerprint, Notification, Packet, Request, Uid};
use serde::Serialize;

pub(crate) use controllers::Framings;
use controllers::{Callback, Senders};
use limiter::Limiter;
pub(crate) use outside::{Account, Became, Change, Level, Node, Outside, Wishes};
pub(crate) use peers::MAX_PEERS;
use peers::Peers;

use crate::counts::{Counts, Drop};
use crate::frames::{self, ETHERNET_HEADER, HEADER, MAX_FRAME, Outgoing, Overlay, Sender};

/// How many frames that nobody is known for go to the controller in a second. What waits for an answer of ARP or
/// looks for printers would drown it.
const UNKNOWN_FRAMES_PER_SECOND: u32 = 50;

/// How many requests that cannot be read are answered in a second.
const ERRORS_PER_SECOND: u32 = 100;

/// How long a message to a peer may be, with which this end's candidates go: what a controller of 14.01 at the other
/// end still reads, with all that is put around it.
const MAX_RESPONSE: usize = 3600;

/// The state of a tincan.
#[derive(Debug)]
pub(crate) struct Core {
    senders: Senders,
    callback: Option<Callback>,
    local: Option<Local>,
    /// How it stands with XMPP; none before an account was given.
    xmpp: Option<Xmpp>,
    peers: Peers,
    overlay: Overlay,
    unknown_frames: Limiter,
    errors: Limiter,
    pub(crate) counts: Counts,
}

/// How it stands with XMPP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Xmpp {
    Online,
    /// Why it is not logged in, in words.
    Offline(String),
}

/// Who this node is, as its controller wrote it.
#[derive(Debug)]
struct Local {
    uid: Uid,
    ip4: String,
    ip6: String,
    mac: String,
    fingerprint: String,
    /// The address of a member of a group, as its uid says that it is one: controllers of groups end at other uids.
    member: Option<Ipv4Addr>,
    /// Who can be of the group, once that was asked: there are tens of thousands.
    group: Option<Group>,
}

/// The event `ipop-status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Status {
    pub(crate) uid: Option<String>,
    pub(crate) ip4: Option<String>,
    pub(crate) ip6: Option<String>,
    /// Whether it is logged in to XMPP.
    pub(crate) xmpp: bool,
    /// How many peers are known.
    pub(crate) peers: usize,
    /// How many of them have a link that is up.
    pub(crate) online: usize,
    /// What was dropped, by reason.
    pub(crate) dropped: BTreeMap<&'static str, u64>,
}

impl Status {
    /// The same in one line, for `kozo status`. `trouble` is what keeps it from XMPP.
    pub(crate) fn text(&self, trouble: Option<&str>) -> String {
        let Some(ip4) = &self.ip4 else {
            return "no controller has said yet who this node is".to_owned();
        };
        let dropped: u64 = self.dropped.values().sum();
        let dropped = match dropped {
            0 => String::new(),
            count => format!(", {count} frames and messages dropped"),
        };
        let linked = format!("{} of {} peers linked{dropped}", self.online, self.peers);
        match (self.xmpp, trouble) {
            (true, _) => format!("{ip4}, {linked}"),
            (false, None) => format!("{ip4}, not logged in to XMPP, {linked}"),
            (false, Some(trouble)) => format!("{ip4}, {linked}, not logged in to XMPP: {trouble}"),
        }
    }
}

impl Local {
    /// Whether a controller can take a message of this peer.
    fn is_of_the_group(&mut self, uid: &Uid) -> bool {
        if self.group.is_none() {
            self.group = self.member.and_then(Group::around);
        }
        self.group
            .as_ref()
            .is_none_or(|group| group.ip4(uid).is_some())
    }
}

impl Core {
    pub(crate) fn new(framings: Framings) -> Self {
        Self {
            senders: Senders::new(framings),
            callback: None,
            local: None,
            xmpp: None,
            peers: Peers::default(),
            overlay: Overlay::default(),
            unknown_frames: Limiter::new(UNKNOWN_FRAMES_PER_SECOND),
            errors: Limiter::new(ERRORS_PER_SECOND),
            counts: Counts::default(),
        }
    }

    /// How it is on the whole.
    pub(crate) fn status(&self) -> Status {
        let local = self.local.as_ref();
        Status {
            uid: local.map(|local| local.uid.to_string()),
            ip4: local.map(|local| local.ip4.clone()),
            ip6: local.map(|local| local.ip6.clone()),
            xmpp: self.is_logged_in(),
            peers: self
                .peers
                .iter()
                .filter(|(_, peer)| peer.is_listed())
                .count(),
            online: self.peers.online().count(),
            dropped: self.counts.named(),
        }
    }

    /// Takes a datagram of the control port.
    pub(crate) fn datagram(
        &mut self,
        sender: SocketAddr,
        datagram: &[u8],
        now: Instant,
        outside: &mut impl Outside,
    ) {
        let Some(api) = self.senders.api(sender, datagram) else {
            return self.counts.add(Drop::Datagram, 1);
        };
        match api.read(datagram) {
            Ok(Datagram::Control(json)) => match Request::read(json) {
                Ok(request) => {
                    self.senders.remember(sender, api);
                    self.request(sender, api, request, now, outside);
                }
                Err(_) => {
                    self.counts.add(Drop::Json, 1);
                    if self.errors.lets_pass(now) {
                        let text = "json parsing failed".to_owned();
                        self.answer(sender, api, Notification::Error { text }, outside);
                    }
                }
            },
            Ok(Datagram::Packet(packet)) => self.frame_from_controller(&packet, outside),
            Err(_) => self.counts.add(Drop::Datagram, 1),
        }
    }

    /// A controller puts a frame into the device, as it is.
    fn frame_from_controller(&mut self, packet: &Packet<'_>, outside: &mut impl Outside) {
        let length = packet.frame.len();
        if self.local.is_none() || !(ETHERNET_HEADER..=MAX_FRAME).contains(&length) {
            self.counts.add(Drop::ControllerFrame, 1);
        } else if !outside.to_kernel(packet.frame) {
            self.counts.add(Drop::DeviceFull, 1);
        }
    }

    fn answer(
        &mut self,
        to: SocketAddr,
        api: Api,
        notification: Notification,
        outside: &mut impl Outside,
    ) {
        match controllers::datagram(api, notification) {
            None => self.counts.add(Drop::HarmfulMessage, 1),
            Some(datagram) if !outside.send(to, &datagram) => {
                self.counts.add(Drop::ControllerFull, 1);
            }
            Some(_) => {}
        }
    }

    /// Tells the controller what happens.
    fn notify(&mut self, notification: Notification, outside: &mut impl Outside) {
        match self.callback {
            Some(callback) => {
                self.answer(callback.address, callback.api, notification, outside);
            }
            None => self.counts.add(Drop::NoController, 1),
        }
    }

    /// XMPP is there, or gone.
    pub(crate) fn xmpp(&mut self, xmpp: Xmpp) {
        self.xmpp = Some(xmpp);
    }

    fn is_logged_in(&self) -> bool {
        self.xmpp == Some(Xmpp::Online)
    }

    /// A peer is there, on XMPP.
    pub(crate) fn seen(&mut self, uid: Uid, now: Instant, outside: &mut impl Outside) {
        if self.is_own(&uid) {
            return;
        }
        let Some(peer) = self.peers.entry(uid) else {
            return self.counts.add(Drop::TooManyPeers, 1);
        };
        peer.seen = Some(now);
        // It was not there when this end had its candidates.
        let link = peer.link.as_mut();
        if let Some(link) = link.filter(|link| link.untold.is_some()) {
            let told = link
                .untold
                .as_deref()
                .is_some_and(|data| outside.signal(&uid, "con_resp", data));
            if told {
                link.untold = None;
            }
        }
    }

    /// A peer's presence says what the fingerprint of its certificate is. Before 14.01.1 that was how peers asked for
    /// links, so a controller of that time is told of it as a request.
    pub(crate) fn offered(
        &mut self,
        uid: Uid,
        fingerprint: &str,
        now: Instant,
        outside: &mut impl Outside,
    ) {
        let is_taken = self
            .callback
            .is_some_and(|callback| callback.takes_presences);
        if is_taken && fingerprint.parse::<Fingerprint>().is_ok() {
            self.heard(uid, "con_req", fingerprint, now, outside);
        }
    }

    /// A peer has sent a message over XMPP.
    pub(crate) fn heard(
        &mut self,
        uid: Uid,
        kind: &str,
        data: &str,
        now: Instant,
        outside: &mut impl Outside,
    ) {
        if self.is_own(&uid) {
            return;
        }
        if !controllers::may_come_from_peers(kind) {
            return self.counts.add(Drop::HarmfulMessage, 1);
        }
        if !self
            .local
            .as_mut()
            .is_none_or(|local| local.is_of_the_group(&uid))
        {
            self.counts.add(Drop::NotOfTheGroup, 1);
            let text = format!(
                "the peer {uid} is on XMPP, but its uid is that of no address of this GroupVPN: what it says is \
                 not handed to the controller"
            );
            return outside.say(Level::Debug, &text);
        }
        self.seen(uid, now, outside);
        if !self
            .callback
            .is_some_and(|callback| callback.knows_this_node)
        {
            return self.counts.add(Drop::NoController, 1);
        }
        let (uid, data) = (uid.to_string(), data.to_owned());
        let notification = match kind {
            "con_req" => Notification::ConnectionRequest { uid, data },
            "con_resp" => Notification::ConnectionResponse { uid, data },
            kind => Notification::Message {
                kind: kind.to_owned(),
                uid,
                data,
            },
        };
        self.notify(notification, outside);
    }

    fn is_own(&self, uid: &Uid) -> bool {
        self.local.as_ref().is_some_and(|local| local.uid == *uid)
    }

    /// The candidates of this end of a link are known, or have changed: the peer is told.
    pub(crate) fn gathered(
        &mut self,
        uid: &Uid,
        candidates: &[kozo_ipop::candidate::Candidate],
        outside: &mut impl Outside,
    ) {
        let Some(local) = &self.local else { return };
        let mut data = local.fingerprint.clone();
        for candidate in candidates {
            let candidate = candidate.to_string();
            if data.len() + 1 + candidate.len() > MAX_RESPONSE {
                break;
            }
            data.push(' ');
            data.push_str(&candidate);
        }
        let link = self.peers.find_mut(uid).and_then(|peer| peer.link.as_mut());
        let Some(link) = link else { return };
        link.untold = match outside.signal(uid, "con_resp", &data) {
            true => None,
            false => Some(data),
        };
    }

    /// A link is up, or goes another way than before.
    pub(crate) fn up(&mut self, uid: &Uid, path: &'static str, outside: &mut impl Outside) {
        let link = self.peers.find_mut(uid).and_then(|peer| peer.link.as_mut());
        let Some(link) = link else { return };
        let was_online = std::mem::replace(&mut link.online, true);
        let was_path = link.path.replace(path);
        if !was_online {
            self.tell_status(uid, "online", outside);
        }
        if !was_online || was_path != Some(path) {
            self.report(uid, outside);
        }
    }

    /// A link is not up any more, or will never be.
    pub(crate) fn down(&mut self, uid: &Uid, outside: &mut impl Outside) {
        let link = self.peers.find_mut(uid).and_then(|peer| peer.link.as_mut());
        let Some(link) = link else { return };
        link.path = None;
        if std::mem::replace(&mut link.online, false) {
            self.tell_status(uid, "offline", outside);
            self.report(uid, outside);
        }
    }

    fn tell_status(&mut self, uid: &Uid, status: &str, outside: &mut impl Outside) {
        let notification = Notification::LinkStatus {
            uid: uid.to_string(),
            data: status.to_owned(),
        };
        self.notify(notification, outside);
    }

    fn report(&self, uid: &Uid, outside: &mut impl Outside) {
        let Some(peer) = self.peers.find(uid) else {
            return;
        };
        let addresses = peer.addresses.as_ref();
        let link = peer.link.as_ref().filter(|link| link.online);
        outside.report(Change {
            uid: uid.to_string(),
            ip4: addresses.map(|addresses| addresses.ip4_text.clone()),
            ip6: addresses.map(|addresses| addresses.ip6_text.clone()),
            status: if link.is_some() { "online" } else { "offline" },
            security: link.map(peers::Link::security),
            path: link.and_then(|link| link.path),
        });
    }

    /// Sends on what the kernel has sent: `data` is a frame with room for a header before it.
    pub(crate) fn frame_from_kernel(
        &mut self,
        data: &mut [u8],
        now: Instant,
        outside: &mut impl Outside,
    ) {
        let Some((header, frame)) = data.split_at_mut_checked(HEADER) else {
            return;
        };
        let Some(own) = self.overlay.own().map(|own| own.uid) else {
            return;
        };
        match self.overlay.outgoing(frame) {
            Outgoing::Ignore => {}
            Outgoing::Answer(answer) => {
                if !outside.to_kernel(&answer) {
                    self.counts.add(Drop::DeviceFull, 1);
                }
            }
            Outgoing::Peer(uid) => {
                let link = self.peers.find(&uid).and_then(|peer| peer.link.as_ref());
                match link.map(|link| link.online) {
                    Some(true) => {
                        header.copy_from_slice(&frames::header(own, Some(uid)));
                        if !outside.to_peer(&uid, data) {
                            self.counts.add(Drop::LinkFull, 1);
                        }
                    }
                    Some(false) => self.counts.add(Drop::LinkNotUp, 1),
                    None => self.frame_to_controller(own, uid, frame, now, outside),
                }
            }
            Outgoing::All => {
                let mut full = 0;
                for uid in self.peers.online() {
                    data[..HEADER].copy_from_slice(&frames::header(own, Some(*uid)));
                    full += u64::from(!outside.to_peer(uid, data));
                }
                self.counts.add(Drop::LinkFull, full);
            }
            Outgoing::Nobody => self.frame_to_controller(own, Uid::NULL, frame, now, outside),
        }
    }

    /// The controller may know whom a frame is for, and make a link.
    fn frame_to_controller(
        &mut self,
        own: Uid,
        destination: Uid,
        frame: &[u8],
        now: Instant,
        outside: &mut impl Outside,
    ) {
        let callback = self.callback.filter(|callback| callback.knows_this_node);
        let Some(callback) = callback.filter(|_| self.unknown_frames.lets_pass(now)) else {
            return self.counts.add(Drop::NobodyKnown, 1);
        };
        let packet = Packet {
            source: own,
            destination,
            frame,
        };
        let datagram = callback.api.packet(&packet);
        if !controllers::packet_is_harmless(callback.api, &datagram) {
            self.counts.add(Drop::HarmfulMessage, 1);
        } else if !outside.send(callback.address, &datagram) {
            self.counts.add(Drop::ControllerFull, 1);
        }
    }

    /// Hands on what came through the link with a peer.
    pub(crate) fn frame_from_peer(
        &mut self,
        uid: &Uid,
        data: &mut [u8],
        outside: &mut impl Outside,
    ) {
        let Some(peer) = self.peers.find(uid) else {
            return;
        };
        let sender = Sender {
            uid: *uid,
            ip4: peer.addresses.as_ref().map(|addresses| addresses.ip4),
        };
        match self.overlay.incoming(data, sender) {
            Ok(frame) => {
                if !outside.to_kernel(frame) {
                    self.counts.add(Drop::DeviceFull, 1);
                }
            }
            Err(refusal) => self.counts.add(Drop::Refused(refusal), 1),
        }
    }

    /// The order `ipop-connect`: asks a peer for a link, as controllers do at every round; what comes of it, they see to.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn connect(&mut self, uid: &Uid, outside: &mut impl Outside) -> Result<(), String> {
        let Some(local) = &self.local else {
            return Err("no controller has said yet who this node is (set_local_ip)".to_owned());
        };
        if local.uid == *uid {
            return Err("this is the node itself".to_owned());
        }
        match outside.signal(uid, "con_req", &local.fingerprint) {
            true => Ok(()),
            false => Err("it is not seen on XMPP".to_owned()),
        }
    }

    /// The order `ipop-trim`, and the request `trim_link`: ends a link. Whether there was one.
    pub(crate) fn trim(&mut self, uid: &Uid, outside: &mut impl Outside) -> bool {
        let Some(peer) = self.peers.find_mut(uid) else {
            return false;
        };
        let Some(link) = peer.link.take() else {
            return false;
        };
        outside.end_link(uid);
        // Controllers are told nothing: they asked for it.
        if link.online {
            self.report(uid, outside);
        }
        true
    }
}
