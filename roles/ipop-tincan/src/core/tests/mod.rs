//! The core with a world that is none.

mod captures;
mod habits;
mod passing;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kozo_ipop::candidate::Candidate;
use kozo_ipop::notification::Stats;
use kozo_ipop::{Api, Datagram, Notification, Packet, Uid};
use serde_json::{Value, json};

use super::{Account, Became, Change, Core, Framings, Level, Node, Outside, Wishes, Xmpp};

/// Where the controller is.
const CONTROLLER: &str = "[::1]:40000";

/// This node's uid is the SHA-1 of 172.31.0.100, those of the two peers are of 172.31.0.103 and of .2.
const OWN: &str = "437e4c0475866c6030734fef0187b095078832d3";
const GREATER: &str = "6e25917a5bf25897c8dd05e7cef95687455e32b0";
const SMALLER: &str = "36970ad9b2cf08e561de38c247d0328997453807";

const FINGERPRINT: &str = "39:DA:65:4E:5F:95:03:A4:FB:93:3A:E4:E6:EF:10:6F:AB:AF:2D:64";
const OF_PEER: &str = "13:DF:0F:7F:1D:9C:6E:65:1D:97:D2:90:7E:F6:39:6F:4A:1E:7A:82";
const CANDIDATE: &str =
    "1:1:udp:192.0.2.151:40000:2130706431:name5900:passwordpassword5900:local:eth0:0:1";

/// A world that writes down what is done in it.
#[derive(Default)]
struct World {
    sent: Vec<(SocketAddr, Vec<u8>)>,
    became: Vec<Node>,
    refuses_node: bool,
    kernel: Vec<Vec<u8>>,
    accounts: Vec<Account>,
    present: BTreeSet<Uid>,
    signals: Vec<(Uid, String, String)>,
    links: BTreeMap<Uid, Begun>,
    frames: Vec<(Uid, Vec<u8>)>,
    stats: usize,
    ignored: Vec<String>,
    reported: Vec<Change>,
    said: Vec<(Level, String)>,
}

/// A link that was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Begun {
    stun: String,
    turn: String,
    sec: bool,
    controlling: bool,
    client: bool,
    candidates: Vec<Candidate>,
}

impl Outside for World {
    fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> bool {
        self.sent.push((to, datagram.to_vec()));
        true
    }

    fn become_node(&mut self, node: &Node) -> Result<Became, String> {
        if self.refuses_node {
            return Err("the network is taken".to_owned());
        }
        self.became.push(node.clone());
        Ok(Became {
            mac: [2, 0, 0, 0, 0, 1],
            fingerprint: FINGERPRINT.to_owned(),
        })
    }

    fn to_kernel(&mut self, frame: &[u8]) -> bool {
        self.kernel.push(frame.to_vec());
        true
    }

    fn log_in(&mut self, account: &Account) -> Result<(), String> {
        self.accounts.push(account.clone());
        Ok(())
    }

    fn signal(&mut self, uid: &Uid, kind: &str, data: &str) -> bool {
        self.signals.push((*uid, kind.to_owned(), data.to_owned()));
        self.present.contains(uid)
    }

    fn begin_link(&mut self, uid: Uid, wishes: &Wishes<'_>) -> Result<(), String> {
        let begun = Begun {
            stun: wishes.request.stun.clone(),
            turn: wishes.request.turn.clone(),
            sec: wishes.request.sec,
            controlling: wishes.controlling,
            client: wishes.client,
            candidates: Vec::new(),
        };
        let before = self.links.insert(uid, begun);
        assert_eq!(before, None, "there is a link with {uid} already");
        Ok(())
    }

    fn add_candidates(&mut self, uid: &Uid, candidates: Vec<Candidate>) {
        let link = self.links.get_mut(uid).expect("there is a link");
        link.candidates.extend(candidates);
    }

    fn end_link(&mut self, uid: &Uid) {
        self.links.remove(uid).expect("there is a link");
    }

    fn to_peer(&mut self, uid: &Uid, data: &[u8]) -> bool {
        self.frames.push((*uid, data.to_vec()));
        true
    }

    fn figures(&self, _uid: &Uid) -> Vec<Stats> {
        vec![Stats::default(); self.stats]
    }

    fn ignore_interfaces(&mut self, names: Vec<String>) {
        self.ignored = names;
    }

    fn report(&mut self, change: Change) {
        self.reported.push(change);
    }

    fn say(&mut self, level: Level, text: &str) {
        self.said.push((level, text.to_owned()));
    }
}

/// A core, its world, and what time it is in it.
struct Scene {
    core: Core,
    world: World,
    now: Instant,
    api: Api,
}

impl Scene {
    fn new(api: Api) -> Self {
        Self {
            core: Core::new(Framings::Both),
            world: World::default(),
            now: Instant::now(),
            api,
        }
    }

    /// One whose controller has said who this node is, and been told so.
    fn ready(api: Api) -> Self {
        let mut scene = Self::new(api);
        scene.request(&json!({"m": "set_cb_endpoint", "ip": "::", "port": 40000}));
        scene.request(&local_ip());
        scene.get_state(true);
        scene
    }

    /// One that has a link with this peer, too.
    fn linked(api: Api, peer: &str) -> Self {
        let mut scene = Self::ready(api);
        scene.world.present.insert(uid(peer));
        scene.core.seen(uid(peer), scene.now, &mut scene.world);
        scene.request(&create_link(peer, OF_PEER, ""));
        scene.request(&remote_ip(peer, "172.31.0.103"));
        scene.core.up(&uid(peer), "direct", &mut scene.world);
        assert_eq!(
            scene.told(),
            [json!({"type": "con_stat", "uid": peer, "data": "online"})]
        );
        scene
    }

    fn request(&mut self, request: &Value) {
        let datagram = self.api.control(request.to_string().as_bytes());
        self.datagram(&datagram);
    }

    fn datagram(&mut self, datagram: &[u8]) {
        let sender = CONTROLLER.parse().unwrap();
        self.core
            .datagram(sender, datagram, self.now, &mut self.world);
    }

    fn heard(&mut self, peer: &str, kind: &str, data: &str) {
        self.core
            .heard(uid(peer), kind, data, self.now, &mut self.world);
    }

    /// All messages that the controller has got since, as JSON.
    fn told(&mut self) -> Vec<Value> {
        let sent = std::mem::take(&mut self.world.sent);
        let told = sent.iter().map(|(to, datagram)| {
            assert_eq!(to.to_string(), CONTROLLER);
            let Ok(Datagram::Control(json)) = self.api.read(datagram) else {
                panic!("it is no message: {datagram:?}");
            };
            serde_json::from_slice(json).unwrap()
        });
        told.collect()
    }

    /// The answer to `get_state`.
    fn get_state(&mut self, stats: bool) -> Vec<Value> {
        self.request(&json!({"m": "get_state", "stats": stats}));
        self.told()
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// What was dropped, by name.
    fn dropped(&self) -> BTreeMap<&'static str, u64> {
        self.core.counts.named()
    }
}

fn uid(text: &str) -> Uid {
    text.parse().unwrap()
}

fn local_ip() -> Value {
    json!({"m": "set_local_ip", "uid": OWN, "ip4": "172.31.0.100", "ip6": uid(OWN).ip6_text(), "ip4_mask": 24,
        "ip6_mask": 64, "subnet_mask": 32})
}

fn create_link(peer: &str, fingerprint: &str, candidates: &str) -> Value {
    json!({"m": "create_link", "uid": peer, "fpr": fingerprint, "overlay_id": 1, "stun": "192.0.2.1:3478", "turn": "",
        "turn_user": "", "turn_pass": "", "sec": true, "cas": candidates})
}

fn remote_ip(peer: &str, ip4: &str) -> Value {
    json!({"m": "set_remote_ip", "uid": peer, "ip4": ip4, "ip6": uid(peer).ip6_text()})
}

/// A frame of IPv4 from this node to that address.
fn ipv4_frame(target: [u8; 4]) -> Vec<u8> {
    let mut frame = [0xff; 12].to_vec();
    frame.extend([0x08, 0x00, 0x45]);
    frame.extend([0; 11]);
    frame.extend([172, 31, 0, 100]);
    frame.extend(target);
    frame
}

/// The same with room for a header.
fn with_room(frame: &[u8]) -> Vec<u8> {
    [&[0; super::HEADER], frame].concat()
}
