//! What controllers ask for.

use std::net::SocketAddr;
use std::time::Instant;

use kozo_ipop::notification::LocalState;
use kozo_ipop::request::{CreateLink, LocalIp};
use kozo_ipop::{Api, Fingerprint, Notification, Request, Uid, candidate};

use super::controllers::Callback;
use super::outside::{Account, Level, Node, Outside, Wishes};
use super::peers::{Addresses, Link};
use super::{Core, Local, Xmpp};
use crate::counts::Drop;
use crate::frames::Own;

/// How many interfaces can be left out, and how long their names are at most.
const MAX_IGNORED: usize = 64;
const MAX_INTERFACE_NAME: usize = 15;

impl Core {
    pub(super) fn request(
        &mut self,
        sender: SocketAddr,
        api: Api,
        request: Request,
        now: Instant,
        outside: &mut impl Outside,
    ) {
        match request {
            // What is logged is the daemon's affair, and an echo of our own is never sent.
            Request::SetLogging(_) | Request::EchoReply => {}
            Request::SetCallback { ip, port } => self.set_callback(sender, api, &ip, port, outside),
            Request::SetLocalIp(local) => self.set_local(&local, outside),
            Request::RegisterService {
                username,
                password,
                host,
            } => {
                let Some(local) = &self.local else {
                    let text = "register_svc came before a set_local_ip that could be taken: it is ignored";
                    return outside.say(Level::Warn, text);
                };
                let account = Account {
                    uid: local.uid,
                    fingerprint: local.fingerprint.clone(),
                    username,
                    password,
                    host,
                };
                self.register(&account, outside);
            }
            Request::GetState { stats, uid } => {
                self.tell_state(sender, api, stats, &uid, now, outside);
            }
            Request::CreateLink(request) => self.create_link(&request, now, outside),
            Request::SetRemoteIp { uid, ip4, ip6 } => self.set_remote(&uid, &ip4, &ip6, outside),
            Request::TrimLink { uid } => {
                if let Ok(uid) = uid.parse() {
                    self.trim(&uid, outside);
                }
            }
            Request::SetTranslation(on) => self.overlay.translate = on,
            Request::SetSwitchMode(on) => self.overlay.switch = on,
            // There is only ever one way of a link, and a better one takes its place by itself.
            Request::SetTrimPolicy(_) => {}
            Request::SetNetworkIgnoreList(Some(names)) => {
                let (fit, more) = names.split_at(names.len().min(MAX_IGNORED));
                let fit = fit.iter().filter(|name| name.len() <= MAX_INTERFACE_NAME);
                if !more.is_empty() {
                    let text = format!(
                        "set_network_ignore_list: of {} interfaces, the first {MAX_IGNORED} are left out",
                        names.len()
                    );
                    outside.say(Level::Warn, &text);
                }
                outside.ignore_interfaces(fit.cloned().collect());
            }
            Request::SetNetworkIgnoreList(None) => {
                outside.say(
                    Level::Warn,
                    "set_network_ignore_list: it is no list, and ignored",
                );
            }
            Request::EchoRequest { message } => {
                self.answer(sender, api, Notification::EchoRequest { message }, outside);
            }
            Request::Forward {
                method, uid, data, ..
            } => {
                let sent = uid
                    .parse()
                    .is_ok_and(|uid| !method.is_empty() && outside.signal(&uid, &method, &data));
                if !sent {
                    self.counts.add(Drop::NotOnXmpp, 1);
                }
            }
        }
    }

    fn set_callback(
        &mut self,
        sender: SocketAddr,
        api: Api,
        ip: &str,
        port: u16,
        outside: &mut impl Outside,
    ) {
        let address = match ip {
            // Python says so of a socket that has no address of its own.
            "::" | "0.0.0.0" => Some(sender),
            ip => ip.parse().ok().map(|ip| SocketAddr::new(ip, port)),
        };
        // The port is open on this machine alone, and so is what it sends.
        match address.filter(|address| address.ip().is_loopback() && address.port() != 0) {
            Some(address) => {
                self.callback = Some(Callback {
                    address,
                    api,
                    named_by: sender,
                    takes_presences: false,
                    knows_this_node: false,
                });
            }
            None => {
                let text = format!(
                    "set_cb_endpoint: `{ip}` port {port} is no place on this machine, and ignored: controllers have \
                     to be on it"
                );
                outside.say(Level::Warn, &text);
            }
        }
    }

    fn set_local(&mut self, wanted: &LocalIp, outside: &mut impl Outside) {
        let given = (
            wanted.uid.parse::<Uid>(),
            wanted.ip4.parse(),
            wanted.ip6.parse(),
        );
        let (Ok(uid), Ok(ip4), Ok(ip6)) = given else {
            let text = match given {
                (Err(error), ..) => format!("set_local_ip: {error}: it is ignored"),
                _ => "set_local_ip: `ip4` and `ip6` have to be addresses: it is ignored".to_owned(),
            };
            return outside.say(Level::Warn, &text);
        };
        if let Some(local) = &self.local {
            let is_same = local.uid == uid && local.ip4 == wanted.ip4 && local.ip6 == wanted.ip6;
            if !is_same {
                let text = format!(
                    "set_local_ip: this node is {} at {} already: {uid} at {} is ignored; it takes a restart of \
                     the role to be somebody else",
                    local.uid, local.ip4, wanted.ip4
                );
                outside.say(Level::Warn, &text);
            }
            return;
        }
        let node = Node {
            uid,
            ip4,
            ip4_bits: bits(wanted.ip4_mask, 24, 32),
            ip6,
            ip6_bits: bits(wanted.ip6_mask, 64, 128),
        };
        let became = match outside.become_node(&node) {
            Ok(became) => became,
            Err(reason) => {
                return outside.say(Level::Warn, &format!("set_local_ip: {reason}"));
            }
        };
        self.overlay.set_own(Own {
            uid,
            ip4,
            ip6,
            subnet_bits: bits(wanted.subnet_mask, 32, 32),
            mac: became.mac,
        });
        self.local = Some(Local {
            uid,
            ip4: wanted.ip4.clone(),
            ip6: wanted.ip6.clone(),
            mac: became.mac.map(|byte| format!("{byte:02x}")).join(":"),
            fingerprint: became.fingerprint,
            member: (Uid::of_ip4(ip4) == uid).then_some(ip4),
            group: None,
        });
        let text = format!("this node is {uid}, at {ip4} and {ip6}");
        outside.say(Level::Info, &text);
    }

    fn register(&mut self, account: &Account, outside: &mut impl Outside) {
        let given = [&account.username, &account.password.0, &account.host];
        if self.is_logged_in() {
            return;
        }
        if given.iter().any(|text| text.is_empty()) {
            let text = "register_svc: it takes `username`, `password` and `host`: it is ignored";
            return outside.say(Level::Warn, text);
        }
        match outside.log_in(account) {
            Ok(()) if self.xmpp.is_none() => {
                self.xmpp = Some(Xmpp::Offline("not logged in yet".to_owned()));
            }
            Ok(()) => {}
            Err(reason) => {
                outside.say(Level::Warn, &format!("register_svc: {reason}"));
                self.xmpp = Some(Xmpp::Offline(reason));
            }
        }
    }

    fn tell_state(
        &mut self,
        sender: SocketAddr,
        api: Api,
        stats: Option<bool>,
        only: &str,
        now: Instant,
        outside: &mut impl Outside,
    ) {
        let local = self.local.as_ref();
        let state = LocalState {
            uid: local.map(|local| local.uid.to_string()).unwrap_or_default(),
            ip4: local.map(|local| local.ip4.clone()).unwrap_or_default(),
            ip6: local.map(|local| local.ip6.clone()).unwrap_or_default(),
            fpr: local
                .map(|local| local.fingerprint.clone())
                .unwrap_or_default(),
            xmpp: self.xmpp.as_ref().map(|xmpp| match xmpp {
                Xmpp::Online => "online".to_owned(),
                Xmpp::Offline(reason) => reason.clone(),
            }),
            mac: (api == Api::V14_07)
                .then(|| local.map(|local| local.mac.clone()).unwrap_or_default()),
        };
        let mut states = vec![Notification::LocalState(state)];
        for (uid, peer) in self.peers.iter().filter(|(_, peer)| peer.is_listed()) {
            if !only.is_empty() && uid.to_string() != only {
                continue;
            }
            let mut state = peer.state(uid, now);
            if stats == Some(true) && state.online {
                state.stats = Some(outside.figures(uid));
            }
            states.push(Notification::PeerState(state));
        }
        for state in states {
            self.answer(sender, api, state, outside);
        }
        let callback = self.callback.as_mut();
        let is_its =
            |callback: &&mut Callback| callback.address == sender || callback.named_by == sender;
        if let Some(callback) = callback.filter(is_its) {
            callback.knows_this_node |= self.local.is_some();
            callback.takes_presences = stats.is_none();
        }
    }

    fn create_link(&mut self, request: &CreateLink, now: Instant, outside: &mut impl Outside) {
        let (Some(own), Ok(uid)) = (
            self.local.as_ref().map(|local| local.uid),
            request.uid.parse::<Uid>(),
        ) else {
            return;
        };
        if uid == own {
            return;
        }
        let Some(peer) = self.peers.entry(uid) else {
            return self.counts.add(Drop::TooManyPeers, 1);
        };
        // The peer was started again, and has another certificate: what was begun cannot come up any more. A link that
        // is up counts as lost once the peer has told where it is now.
        let is_outdated = peer.link.as_ref().is_some_and(|link| {
            let is_over = !link.online || !request.cas.is_empty();
            let is_new =
                link.fingerprint != request.fpr && request.fpr.parse::<Fingerprint>().is_ok();
            link.encrypted && is_over && is_new
        });
        if is_outdated {
            self.down(&uid, outside);
            self.trim(&uid, outside);
        }
        let Some(peer) = self.peers.entry(uid) else {
            return;
        };
        if peer.link.is_none() {
            let fingerprint = request.fpr.parse::<Fingerprint>();
            let is_known = fingerprint.is_ok_and(|fingerprint| !fingerprint.is_null());
            if request.sec && !is_known {
                let text = format!(
                    "create_link: `{}` is no fingerprint of the peer {uid}, and a link that is to be encrypted is not \
                     made without one; do both ends have the same `digest`?",
                    request
                        .fpr
                        .chars()
                        .take(100)
                        .collect::<String>()
                        .escape_debug()
                );
                return outside.say(Level::Warn, &text);
            }
            let wishes = Wishes {
                request,
                controlling: uid < own,
                client: own < uid,
            };
            if let Err(reason) = outside.begin_link(uid, &wishes) {
                let text = format!("create_link: there is no link with {uid}: {reason}");
                return outside.say(Level::Warn, &text);
            }
            peer.link = Some(Link {
                fingerprint: request.fpr.clone(),
                encrypted: request.sec,
                made: now,
                online: false,
                path: None,
                untold: None,
            });
        }
        if !request.cas.is_empty() {
            let candidates = candidate::read(&request.cas);
            self.counts.add(Drop::Candidate, candidates.skipped as u64);
            if !candidates.list.is_empty() {
                outside.add_candidates(&uid, candidates.list);
            }
        }
    }

    fn set_remote(&mut self, uid: &str, ip4: &str, ip6: &str, outside: &mut impl Outside) {
        let (Ok(uid), Ok(v4), Ok(v6)) = (uid.parse::<Uid>(), ip4.parse(), ip6.parse()) else {
            return;
        };
        if self.is_own(&uid) {
            return;
        }
        let Some(peer) = self.peers.entry(uid) else {
            return self.counts.add(Drop::TooManyPeers, 1);
        };
        if peer.addresses.is_some() {
            return;
        }
        peer.addresses = Some(Addresses {
            ip4: v4,
            ip6: v6,
            ip4_text: ip4.to_owned(),
            ip6_text: ip6.to_owned(),
        });
        let is_online = peer.is_online();
        self.overlay.add(uid, v4, v6);
        // Its addresses are part of what was told when the link came up.
        if is_online {
            self.report(&uid, outside);
        }
    }
}

/// The length of a prefix; what is none, or too long, is the usual one.
fn bits(given: u8, usual: u8, longest: u8) -> u8 {
    if (1..=longest).contains(&given) {
        given
    } else {
        usual
    }
}
