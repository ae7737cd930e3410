//! Stand-ins for tincan, joined by an XMPP server that is only a map. They have no network device and no ICE: a link is
//! up as soon as both ends have got each other's candidates.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kozo_ipop::notification::{LocalState, PeerState, Stats};
use kozo_ipop::{Api, Datagram, Digest, Fingerprint, Notification, Request};

/// How often a thread looks whether it is to end.
const PERIOD: Duration = Duration::from_millis(5);

/// How long a test waits for something.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// All tincans, by the uid of their nodes.
#[derive(Clone, Default)]
pub(super) struct Xmpp(Arc<Mutex<BTreeMap<String, Node>>>);

#[derive(Default)]
struct Node {
    fpr: String,
    inbox: Vec<(String, String, String)>,
    links: BTreeMap<String, Link>,
}

struct Link {
    fpr: String,
    cas: String,
    made: Instant,
    older: Duration,
    up: bool,
    told: bool,
    bytes: u64,
}

impl Xmpp {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        self.0.lock().unwrap()
    }

    /// Cuts the link between two, and lets it look as if it was made long ago.
    pub(super) fn cut(&self, one: &str, other: &str) {
        let mut nodes = self.lock();
        for (from, to) in [(one, other), (other, one)] {
            if let Some(link) = nodes.get_mut(from).and_then(|node| node.links.get_mut(to)) {
                link.up = false;
                link.older = Duration::from_secs(3600);
            }
        }
    }

    /// Whether the link between two is up.
    pub(super) fn is_up(&self, one: &str, other: &str) -> bool {
        let nodes = self.lock();
        nodes
            .get(one)
            .and_then(|node| node.links.get(other))
            .is_some_and(|link| link.up)
    }
}

/// A tincan, on a port of both loopback addresses.
pub(super) struct Tincan {
    pub(super) port: u16,
    /// All that it was asked for.
    pub(super) asked: Receiver<Request>,
    /// Datagrams to send to its controller, as they are.
    send: Sender<Vec<u8>>,
    end: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// At which addresses a tincan listens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Both,
    Ipv4,
}

impl Tincan {
    pub(super) fn start(api: Api, xmpp: &Xmpp, at: At) -> Self {
        Self::start_at(0, api, xmpp, at)
    }

    pub(super) fn start_at(port: u16, api: Api, xmpp: &Xmpp, at: At) -> Self {
        let sockets = sockets(port, at);
        let port = sockets[0].local_addr().unwrap().port();
        let (asking, asked) = channel();
        let (send, sending) = channel();
        let (end, ended) = channel();
        let thread = Thread {
            api,
            xmpp: xmpp.clone(),
            sockets,
            uid: String::new(),
            local: LocalState::default(),
            addresses: BTreeMap::new(),
            callback: None,
            asking,
        };
        let thread = thread::spawn(move || thread.run(&sending, &ended));
        let thread = Some(thread);
        Self {
            port,
            asked,
            send,
            end,
            thread,
        }
    }

    /// Waits until it is asked for something like this.
    pub(super) fn wait_for(&self, what: &str, mut is_it: impl FnMut(&Request) -> bool) -> Request {
        let end = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        while let Ok(request) = self
            .asked
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if is_it(&request) {
                return request;
            }
            seen.push(request);
        }
        panic!("{what} was not asked for: {seen:#?}");
    }

    /// Sends a datagram to its controller.
    pub(super) fn send(&self, datagram: Vec<u8>) {
        self.send.send(datagram).unwrap();
    }
}

impl Drop for Tincan {
    fn drop(&mut self) {
        let _ = self.end.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn sockets(port: u16, at: At) -> Vec<UdpSocket> {
    for _ in 0..1000 {
        let ipv4 = bind(Ipv4Addr::LOCALHOST.into(), port).unwrap();
        if at == At::Ipv4 {
            return vec![ipv4];
        }
        let same = ipv4.local_addr().unwrap().port();
        match bind(Ipv6Addr::LOCALHOST.into(), same) {
            Ok(ipv6) => return vec![ipv6, ipv4],
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port == 0 => {}
            // A machine without IPv6.
            Err(_) => return vec![ipv4],
        }
    }
    panic!("no port is free in both families");
}

fn bind(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((address, port))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

struct Thread {
    api: Api,
    xmpp: Xmpp,
    sockets: Vec<UdpSocket>,
    uid: String,
    local: LocalState,
    addresses: BTreeMap<String, (String, String)>,
    callback: Option<(usize, SocketAddr)>,
    asking: Sender<Request>,
}

impl Thread {
    fn run(mut self, sending: &Receiver<Vec<u8>>, ended: &Receiver<()>) {
        let mut buffer = vec![0; kozo_ipop::MAX_DATAGRAM];
        while ended.try_recv().is_err() {
            let mut idle = true;
            for number in 0..self.sockets.len() {
                while let Ok((len, from)) = self.sockets[number].recv_from(&mut buffer) {
                    idle = false;
                    self.datagram(&buffer[..len], number, from);
                }
            }
            self.deliver();
            while let Ok(datagram) = sending.try_recv() {
                if let Some((number, to)) = self.callback {
                    let _ = self.sockets[number].send_to(&datagram, to);
                }
            }
            if idle {
                thread::sleep(PERIOD);
            }
        }
        self.xmpp.lock().remove(&self.uid);
    }

    fn datagram(&mut self, datagram: &[u8], number: usize, from: SocketAddr) {
        let request = match self.api.read(datagram) {
            Ok(Datagram::Control(json)) => Request::read(json).unwrap(),
            Ok(Datagram::Packet(_)) => return,
            Err(error) => panic!("{error}"),
        };
        let _ = self.asking.send(request.clone());
        match request {
            Request::SetCallback { ip, port } => {
                let to = match ip.as_str() {
                    "::" => from,
                    ip => SocketAddr::new(ip.parse().unwrap(), port),
                };
                self.callback = Some((number, to));
            }
            Request::SetLocalIp(local) if self.uid.is_empty() => {
                self.uid.clone_from(&local.uid);
                self.local = LocalState {
                    fpr: Fingerprint::of(local.uid.as_bytes(), Digest::Sha1).to_string(),
                    uid: local.uid,
                    ip4: local.ip4,
                    ip6: local.ip6,
                    mac: Some("02:00:00:00:00:01".to_owned()),
                    xmpp: None,
                };
            }
            Request::RegisterService { .. } if !self.uid.is_empty() => {
                let mut nodes = self.xmpp.lock();
                nodes
                    .entry(self.uid.clone())
                    .or_default()
                    .fpr
                    .clone_from(&self.local.fpr);
            }
            Request::GetState { uid, .. } => self.tell_state(&uid, number, from),
            Request::CreateLink(link) => {
                let mut nodes = self.xmpp.lock();
                let own = nodes.get_mut(&self.uid).unwrap();
                let is_new = !own.links.contains_key(&link.uid);
                let entry = own.links.entry(link.uid.clone()).or_insert(Link {
                    fpr: link.fpr,
                    cas: String::new(),
                    made: Instant::now(),
                    older: Duration::ZERO,
                    up: false,
                    told: false,
                    bytes: 0,
                });
                if entry.cas.is_empty() {
                    entry.cas = link.cas;
                }
                let answer = format!(
                    "{} 1:1:udp:192.0.2.1:{}:1:name:password:local:eth0:0:1",
                    own.fpr,
                    number + 1
                );
                if is_new {
                    if let Some(peer) = nodes.get_mut(&link.uid) {
                        peer.inbox
                            .push((self.uid.clone(), "con_resp".to_owned(), answer));
                    }
                }
                self.join(&mut nodes, &link.uid);
            }
            Request::SetRemoteIp { uid, ip4, ip6 } => {
                self.addresses.entry(uid).or_insert((ip4, ip6));
            }
            Request::TrimLink { uid } => {
                if let Some(own) = self.xmpp.lock().get_mut(&self.uid) {
                    own.links.remove(&uid);
                }
            }
            Request::Forward {
                method, uid, data, ..
            } => {
                if let Some(peer) = self.xmpp.lock().get_mut(&uid) {
                    peer.inbox.push((self.uid.clone(), method, data));
                }
            }
            _ => {}
        }
    }

    /// Both ends have what they need, or not yet.
    fn join(&self, nodes: &mut BTreeMap<String, Node>, uid: &str) {
        let is_ready = |from: &str, to: &str| {
            let link = nodes.get(from).and_then(|node| node.links.get(to));
            link.is_some_and(|link| !link.cas.is_empty())
        };
        if is_ready(&self.uid, uid) && is_ready(uid, &self.uid) {
            for (from, to) in [(&*self.uid, uid), (uid, &*self.uid)] {
                if let Some(link) = nodes.get_mut(from).and_then(|node| node.links.get_mut(to)) {
                    link.up = true;
                }
            }
        }
    }

    fn tell_state(&self, only: &str, number: usize, from: SocketAddr) {
        self.write(number, from, &Notification::LocalState(self.local.clone()));
        let nodes = self.xmpp.lock();
        let Some(own) = nodes.get(&self.uid) else {
            return;
        };
        for uid in nodes
            .keys()
            .filter(|uid| **uid != self.uid && (only.is_empty() || *uid == only))
        {
            let link = own.links.get(uid);
            let up = link.is_some_and(|link| link.up);
            let address = self.addresses.get(uid);
            let stats = Stats {
                sent_total_bytes: link.map_or(0, |link| link.bytes),
                ..Stats::default()
            };
            let state = PeerState {
                uid: uid.clone(),
                online: up,
                xmpp_time: Some(0),
                ip4: address.map(|(ip4, _)| ip4.clone()),
                ip6: address.map(|(_, ip6)| ip6.clone()),
                fpr: link.map(|link| link.fpr.clone()),
                last_time: link.map(|link| {
                    (link.made.elapsed() + link.older)
                        .as_secs()
                        .try_into()
                        .unwrap()
                }),
                security: up.then(|| "dtls".to_owned()),
                stats: up.then(|| vec![stats]),
            };
            self.write(number, from, &Notification::PeerState(state));
        }
    }

    /// Tells the controller what has come, and which links came up.
    fn deliver(&self) {
        let Some((number, to)) = self.callback else {
            return;
        };
        let mut nodes = self.xmpp.lock();
        let Some(own) = nodes.get_mut(&self.uid) else {
            return;
        };
        for (uid, kind, data) in std::mem::take(&mut own.inbox) {
            self.write(number, to, &Notification::Message { kind, uid, data });
        }
        for (uid, link) in &mut own.links {
            if link.up != link.told {
                link.told = link.up;
                let data = if link.up { "online" } else { "offline" }.to_owned();
                let uid = uid.clone();
                self.write(number, to, &Notification::LinkStatus { uid, data });
            }
        }
    }

    fn write(&self, number: usize, to: SocketAddr, notification: &Notification) {
        let datagram = self.api.control(&notification.write());
        let _ = self.sockets[number].send_to(&datagram, to);
    }
}
