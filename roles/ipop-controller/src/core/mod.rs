//! What decides: who is asked for a link, when one is made and when it is ended. It is told what happened and when,
//! and says what to do.
//!
//! ```text
//!                 peer_state without a link            con_req, uid less than ours: make it
//!   (nothing) ───────────────────────────────▶ asked ───────────────────────────────────────┐
//!      ▲                                         │ con_req, uid greater: trim, make it       │
//!      └─────────────────────────────────────────┘                                           │
//!                              con_resp, at any time: make it, with the peer's candidates    ▼
//!                                                                                        answered
//! ```
//! With links on demand, a `con_req` is only remembered, and a frame for the peer, or its `send_msg`, makes the link.

mod frame;
mod links;
mod multihop;
mod switch;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use kozo_ipop::address::{Group, Social};
use kozo_ipop::notification::LocalState;
use kozo_ipop::request::{LocalIp, Password};
use kozo_ipop::{Api, Notification, Packet, Request, Uid, icc};

pub(crate) use frame::Mac;
use multihop::Multihop;
pub(crate) use multihop::MultihopSettings;
use switch::Switch;

/// How often tincan is told everything again as long as it says nothing.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// In how many rounds an answer has to come at least.
const SILENT_ROUNDS: u32 = 3;

/// How often it is restarted in a row.
pub(crate) const MAX_RESTARTS: u32 = 3;

/// In which mode, and who has which address.
#[derive(Debug)]
pub(crate) enum Addresses {
    Group(Group),
    Social(Social),
}

/// A TURN server.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) server: String,
    pub(crate) user: String,
    pub(crate) password: Password,
}

/// What the options say.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) api: Api,
    pub(crate) uid: Uid,
    pub(crate) ip4: Ipv4Addr,
    pub(crate) ip4_prefix: u8,
    pub(crate) user: String,
    pub(crate) password: Password,
    pub(crate) host: String,
    pub(crate) stun: Vec<String>,
    pub(crate) turn: Vec<Turn>,
    pub(crate) wait: Duration,
    pub(crate) encrypt: bool,
    /// How long a link may do nothing, if links are made on demand.
    pub(crate) on_demand: Option<Duration>,
    pub(crate) trim_relayed: bool,
    pub(crate) switch: bool,
    pub(crate) multihop: Option<MultihopSettings>,
    pub(crate) ignore: Vec<String>,
    pub(crate) logging: i64,
    /// How long tincan may say nothing before something is wrong with it; at least for [`SILENT_ROUNDS`].
    pub(crate) silence: Duration,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// Tincan said something.
    Notification(Notification),
    /// Tincan has a packet that it does not know the way of.
    Packet(Packet<'a>),
    /// Another controller said something, from this address.
    Controller(Ipv6Addr, icc::Datagram),
    /// Somebody wants a link with this peer.
    Link(Uid),
    /// Somebody wants it to end.
    Unlink(Uid),
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Ask tincan for something.
    Ask(Request),
    /// Answer tincan's question whether anybody is there.
    Echo,
    /// Give tincan a frame for the network device.
    Inject(Vec<u8>),
    /// Send to the controller with this address.
    Tell(Ipv6Addr, icc::Datagram),
    /// Keep who has which address.
    Keep,
    /// Restart tincan.
    Restart,
    /// Somebody should know of this.
    Warn(String),
}

/// How often something came that was of no use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// What a peer sent before it was asked for a link.
    pub(crate) unasked: u64,
    /// What came of nodes that cannot be of this network, or were too many.
    pub(crate) strangers: u64,
    /// Offers of links without encryption, where there shall be some, or with a fingerprint that is none.
    pub(crate) unproven: u64,
    /// Packets that nothing could be done with.
    pub(crate) packets: u64,
    /// What other controllers sent that was wrong.
    pub(crate) controllers: u64,
}

impl Counts {
    /// Of all kinds.
    pub(crate) fn total(&self) -> u64 {
        self.unasked + self.strangers + self.unproven + self.packets + self.controllers
    }
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Tincan has said nothing yet, or no more.
    Silent,
    /// Tincan is another node already.
    Other(String),
    /// Tincan is not on XMPP, for this reason.
    Offline(String),
    /// All is well, as far as it can be known.
    Online,
}

/// The controller.
#[derive(Debug)]
pub(crate) struct Controller {
    settings: Settings,
    addresses: Addresses,
    random: fastrand::Rng,
    /// What tincan said of itself.
    local: Option<LocalState>,
    /// What it said of a fault.
    fault: Option<String>,
    links: links::Links,
    switch: Switch,
    multihop: Multihop,
    port: u16,
    round: Duration,
    started: Duration,
    heard: Duration,
    restarts: u32,
    counts: Counts,
    actions: Vec<Action>,
}

impl Controller {
    /// A controller. `seed` decides which of several servers are asked.
    pub(crate) fn new(settings: Settings, addresses: Addresses, seed: u64) -> Self {
        Self {
            settings,
            addresses,
            random: fastrand::Rng::with_seed(seed),
            local: None,
            fault: None,
            links: links::Links::default(),
            switch: Switch::default(),
            multihop: Multihop::default(),
            port: 0,
            round: Duration::ZERO,
            started: Duration::ZERO,
            heard: Duration::ZERO,
            restarts: 0,
            counts: Counts::default(),
            actions: Vec::new(),
        }
    }

    /// Begins, from this port of UDP: tells tincan who it is. Once more where the port is another one.
    pub(crate) fn start(&mut self, port: u16, now: Duration) {
        self.port = port;
        self.heard = now;
        self.tell_all(now);
    }

    /// Nobody is at tincan's port.
    pub(crate) fn refused(&mut self) {
        self.local = None;
        self.links.forget();
    }

    /// Takes in what happened.
    pub(crate) fn input(&mut self, input: Input<'_>, now: Duration) {
        match input {
            Input::Notification(notification) => self.notified(notification, now),
            Input::Packet(packet) => self.packet(&packet, now),
            Input::Controller(from, datagram) => self.controller(from, datagram, now),
            Input::Link(uid) => self.link(uid, now),
            Input::Unlink(uid) => self.unlink(uid),
        }
    }

    /// What to do now, in this order.
    pub(crate) fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// When [`pass`](Self::pass) is to be called, if nothing happens before.
    pub(crate) fn due(&self) -> Duration {
        let mut due = match self.local {
            Some(_) => self.round + self.settings.wait,
            // There are no rounds as long as tincan says nothing.
            None => self.started + RETRY,
        };
        if let Some(lookup) = self.multihop.due() {
            due = due.min(lookup);
        }
        due
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, now: Duration) {
        self.look_again(now);
        if now.saturating_sub(self.heard) >= self.silence() {
            self.silent(now);
        }
        if self.local.is_none() {
            if now >= self.started + RETRY {
                self.tell_all(now);
            }
        } else if now >= self.round + self.settings.wait {
            self.round = now;
            self.trim(now);
            self.ask(Request::GetState {
                stats: Some(true),
                uid: String::new(),
            });
        }
    }

    /// How it stands.
    pub(crate) fn state(&self) -> State {
        match &self.local {
            None => State::Silent,
            Some(local) if local.uid != self.settings.uid.to_string() => {
                State::Other(local.uid.clone())
            }
            Some(local) => match (&local.xmpp, &self.fault) {
                (Some(xmpp), _) if xmpp != "online" => State::Offline(xmpp.clone()),
                (None, Some(fault)) => State::Offline(fault.clone()),
                _ => State::Online,
            },
        }
    }

    /// Who this node is.
    pub(crate) fn uid(&self) -> Uid {
        self.settings.uid
    }

    /// Its address.
    pub(crate) fn ip4(&self) -> Ipv4Addr {
        self.settings.ip4
    }

    /// How many peers there are.
    pub(crate) fn peers(&self) -> usize {
        self.links.peers().len()
    }

    /// How many of them have a link that is up.
    pub(crate) fn linked(&self) -> usize {
        self.links.online().count()
    }

    /// What was of no use.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Who has which address, in a SocialVPN.
    pub(crate) fn social(&self) -> Option<&Social> {
        match &self.addresses {
            Addresses::Social(social) => Some(social),
            Addresses::Group(_) => None,
        }
    }

    fn is_group(&self) -> bool {
        matches!(self.addresses, Addresses::Group(_))
    }

    fn ask(&mut self, request: Request) {
        self.actions.push(Action::Ask(request));
    }

    fn tell(&mut self, to: Ipv6Addr, datagram: icc::Datagram) {
        self.actions.push(Action::Tell(to, datagram));
    }

    fn inject(&mut self, frame: Vec<u8>) {
        self.actions.push(Action::Inject(frame));
    }

    fn warn(&mut self, text: String) {
        self.actions.push(Action::Warn(text));
    }

    /// Tells tincan all that it has to know, in the order that the public controllers have.
    fn tell_all(&mut self, now: Duration) {
        self.started = now;
        self.round = now;
        let newer = self.settings.api == Api::V14_07;
        let group = self.is_group();
        let settings = &self.settings;
        let mut requests = vec![Request::SetLogging(settings.logging)];
        if !group {
            requests.push(Request::SetTranslation(true));
        }
        requests.extend([
            // Tincan takes it for: where this came from.
            Request::SetCallback {
                ip: "::".to_owned(),
                port: self.port,
            },
            Request::SetLocalIp(LocalIp {
                uid: settings.uid.to_string(),
                ip4: settings.ip4.to_string(),
                ip6: settings.uid.ip6_text(),
                ip4_mask: settings.ip4_prefix,
                ip6_mask: 64,
                subnet_mask: 32,
            }),
            Request::RegisterService {
                username: settings.user.clone(),
                password: settings.password.clone(),
                host: settings.host.clone(),
            },
        ]);
        if newer && group {
            requests.push(Request::SetSwitchMode(settings.switch));
        }
        if newer {
            requests.push(Request::SetTrimPolicy(settings.trim_relayed));
        }
        requests.push(Request::GetState {
            stats: Some(true),
            uid: String::new(),
        });
        if newer && !settings.ignore.is_empty() {
            requests.push(Request::SetNetworkIgnoreList(Some(settings.ignore.clone())));
        }
        self.actions.extend(requests.into_iter().map(Action::Ask));
    }

    /// How long tincan may say nothing: it is asked once a round.
    fn silence(&self) -> Duration {
        self.settings
            .silence
            .max(self.settings.wait * SILENT_ROUNDS)
    }

    fn silent(&mut self, now: Duration) {
        // From here on it is told everything again, as at the start.
        self.local = None;
        self.links.forget();
        self.heard = now;
        if self.restarts < MAX_RESTARTS {
            self.restarts += 1;
            self.actions.push(Action::Restart);
        }
    }

    fn notified(&mut self, notification: Notification, now: Duration) {
        match notification {
            Notification::LocalState(local) => self.local_state(local, now),
            Notification::PeerState(state) => self.peer_state(state, now),
            Notification::LinkStatus { uid, data } => self.link_status(&uid, &data),
            Notification::ConnectionRequest { uid, data } => self.request(&uid, data, now),
            Notification::ConnectionResponse { uid, data } => self.response(&uid, &data, now),
            Notification::Message { kind, uid, data } if kind == "send_msg" => {
                self.message(&uid, &data, now);
            }
            Notification::Message { .. } => self.counts.unasked += 1,
            Notification::EchoRequest { .. } => self.actions.push(Action::Echo),
            Notification::EchoReply => {}
            Notification::Error { text } => self.fault = Some(text),
        }
    }

    fn local_state(&mut self, local: LocalState, now: Duration) {
        self.heard = now;
        self.restarts = 0;
        if local.uid.is_empty() {
            // It has been told nothing: it was started anew, or what it was told was lost.
            self.local = None;
            self.links.forget();
            if now >= self.started + RETRY {
                self.tell_all(now);
            }
            return;
        }
        if self.local.is_none() {
            self.fault = None;
        }
        self.local = Some(local);
    }

    /// Of this node, once tincan has said it and is the one that it should be.
    fn own_fpr(&self) -> Option<&str> {
        let local = self.local.as_ref()?;
        (local.uid == self.settings.uid.to_string()).then_some(local.fpr.as_str())
    }

    /// The address of the network device.
    fn own_mac(&self) -> Option<Mac> {
        frame::read_mac(self.local.as_ref()?.mac.as_deref()?)
    }

    fn packet(&mut self, packet: &Packet<'_>, now: Duration) {
        let frame = frame::Frame::read(packet.frame);
        let taken = match frame {
            frame::Frame::Arp(arp) if self.settings.switch => self.switch_arp(&arp, now),
            frame::Frame::Ipv4(to) if self.wants_on_demand(to, now) => true,
            frame::Frame::Ipv4(to) if self.settings.switch => {
                self.switch_packet(to, packet.frame, now)
            }
            frame::Frame::Ipv6(to) => {
                self.wants_on_demand6(to, now) || self.send_far(to, packet.frame, now)
            }
            _ => false,
        };
        if !taken {
            self.counts.packets += 1;
        }
    }

    fn controller(&mut self, from: Ipv6Addr, datagram: icc::Datagram, now: Duration) {
        // Only who has a link with us has something to say.
        if !self.links.online().any(|(uid, _)| uid.ip6() == from) {
            self.counts.controllers += 1;
            return;
        }
        let taken = match datagram {
            icc::Datagram::Message(message) => match message {
                icc::Message::ArpRequest { target } => self.switch_asked(from, target, now),
                icc::Message::ArpReply { target, .. } => self.switch_told(from, target, now),
                icc::Message::LookupRequest { target, via, ttl } => {
                    self.lookup_asked(from, target, via, ttl)
                }
                icc::Message::LookupReply { target, via, index } => {
                    self.lookup_told(target, via, index)
                }
                icc::Message::RouteError { via, index } => self.route_failed(&via, index),
            },
            icc::Datagram::Frame(frame) => {
                self.switch_frame(&frame, now) || self.near_frame(&frame)
            }
            icc::Datagram::Routed(routed) => self.routed(routed),
        };
        if !taken {
            self.counts.controllers += 1;
        }
    }
}
