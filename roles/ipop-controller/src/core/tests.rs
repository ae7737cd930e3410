//! The controller as a whole, without a socket and without waiting: the table of who asks whom, the datagrams of the
//! public controllers, links on demand, and controllers among themselves.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;
use std::time::Duration;

use kozo_ipop::address::{Group, Social};
use kozo_ipop::icc::{self, Datagram as Icc, Message};
use kozo_ipop::notification::{LocalState, PeerState, Stats};
use kozo_ipop::request::Password;
use kozo_ipop::{Api, Datagram, Digest, Fingerprint, Notification, Packet, Request, Uid};

use super::frame::{Arp, BROADCAST, Frame, Mac, readdressed};
use super::links::MAX_PEERS;
use super::multihop::MultihopSettings;
use super::{Action, Addresses, Controller, Input, MAX_RESTARTS, RETRY, Settings, State, Turn};

const OWN: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 100);
/// Whose uid is greater than that of [`OWN`], and whose is less.
const GREATER: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 103);
const SMALLER: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 2);
const CAS: &str = "1:1:udp:192.0.2.1:40000:1:name:password:local:eth0:0:1";
const WAIT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(60);

fn settings(ip4: Ipv4Addr) -> Settings {
    Settings {
        api: Api::V14_07,
        uid: Uid::of_ip4(ip4),
        ip4,
        ip4_prefix: 24,
        user: "alice@kozo.test".to_owned(),
        password: Password("secret".to_owned()),
        host: "127.0.0.1".to_owned(),
        stun: vec!["127.0.0.1:3478".to_owned()],
        turn: vec![Turn {
            server: "127.0.0.1:3478".to_owned(),
            user: "turner".to_owned(),
            password: Password("secret".to_owned()),
        }],
        wait: WAIT,
        encrypt: true,
        on_demand: None,
        trim_relayed: false,
        switch: false,
        multihop: None,
        ignore: Vec::new(),
        logging: 1,
        silence: SILENCE,
    }
}

/// Made once: it is 65,025 hashes.
static GROUP: LazyLock<Group> = LazyLock::new(|| Group::around(OWN).unwrap());

fn group() -> Addresses {
    Addresses::Group(GROUP.clone())
}

fn social(ip4: Ipv4Addr) -> Addresses {
    Addresses::Social(Social::new(ip4, []))
}

fn fpr(uid: Uid) -> String {
    Fingerprint::of(uid.bytes(), Digest::Sha1).to_string()
}

fn mac(uid: Uid) -> Mac {
    let mut mac = [2; 6];
    mac[1..].copy_from_slice(&uid.bytes()[..5]);
    mac
}

/// A controller, and the time.
struct Bench {
    controller: Controller,
    now: Duration,
}

impl Bench {
    /// One whose tincan has said who it is.
    fn new(settings: Settings, addresses: Addresses) -> Self {
        let mut bench = Self::unheard(settings, addresses);
        bench.local("online");
        bench
    }

    fn unheard(settings: Settings, addresses: Addresses) -> Self {
        let mut controller = Controller::new(settings, addresses, 1);
        let now = Duration::from_secs(1000);
        controller.start(40000, now);
        let mut bench = Self { controller, now };
        bench.texts();
        bench
    }

    fn group() -> Self {
        Self::new(settings(OWN), group())
    }

    fn local(&mut self, xmpp: &str) {
        let uid = self.controller.uid();
        self.notify(Notification::LocalState(LocalState {
            uid: uid.to_string(),
            fpr: fpr(uid),
            mac: Some(mac(uid).map(|byte| format!("{byte:02x}")).join(":")),
            xmpp: Some(xmpp.to_owned()),
            ..LocalState::default()
        }));
    }

    fn notify(&mut self, notification: Notification) {
        self.controller
            .input(Input::Notification(notification), self.now);
    }

    /// Tincan sees a peer on XMPP; `link` is whether its link is up, and for how many seconds it has been there.
    fn sees(&mut self, peer: Uid, link: Option<(bool, i64)>) {
        self.sees_bytes(peer, link, 0);
    }

    fn sees_bytes(&mut self, peer: Uid, link: Option<(bool, i64)>, bytes: u64) {
        let online = link.is_some_and(|(online, _)| online);
        let stats = Stats {
            sent_total_bytes: bytes,
            ..Stats::default()
        };
        self.notify(Notification::PeerState(PeerState {
            uid: peer.to_string(),
            online,
            xmpp_time: Some(1),
            fpr: link.map(|_| fpr(peer)),
            last_time: link.map(|(_, age)| age),
            stats: online.then(|| vec![stats]),
            ..PeerState::default()
        }));
    }

    fn request(&mut self, peer: Uid) {
        let (uid, data) = (peer.to_string(), fpr(peer));
        self.notify(Notification::ConnectionRequest { uid, data });
    }

    fn response(&mut self, peer: Uid) {
        let (uid, data) = (peer.to_string(), format!("{} {CAS}", fpr(peer)));
        self.notify(Notification::ConnectionResponse { uid, data });
    }

    fn message(&mut self, peer: Uid, data: &str) {
        self.notify(Notification::Message {
            kind: "send_msg".to_owned(),
            uid: peer.to_string(),
            data: data.to_owned(),
        });
    }

    fn packet(&mut self, frame: &[u8]) {
        let packet = Packet {
            source: self.controller.uid(),
            destination: Uid::NULL,
            frame,
        };
        self.controller.input(Input::Packet(packet), self.now);
    }

    /// Lets a round pass.
    fn round(&mut self) {
        self.now += WAIT;
        self.controller.pass(self.now);
    }

    /// What it asks tincan for, in short; and what else it does.
    fn texts(&mut self) -> Vec<String> {
        self.controller.actions().iter().map(short).collect()
    }
}

/// An action with the last part of an address in place of a uid.
fn short(action: &Action) -> String {
    let who = |uid: &str| match uid.parse::<Uid>() {
        Ok(uid) => (0..255)
            .find(|last| Uid::of_ip4([172, 31, 0, *last].into()) == uid)
            .map_or("?".to_owned(), |last| last.to_string()),
        Err(_) => uid.to_owned(),
    };
    match action {
        Action::Ask(Request::Forward {
            method, uid, data, ..
        }) => {
            let word = if data.starts_with("destroy") {
                " destroy"
            } else {
                ""
            };
            format!("{method} {}{word}", who(uid))
        }
        Action::Ask(Request::CreateLink(link)) => {
            let cas = if link.cas.is_empty() {
                ""
            } else {
                " with candidates"
            };
            format!("create_link {}{cas}", who(&link.uid))
        }
        Action::Ask(Request::SetRemoteIp { uid, ip4, .. }) => {
            format!("set_remote_ip {} {ip4}", who(uid))
        }
        Action::Ask(Request::TrimLink { uid }) => format!("trim_link {}", who(uid)),
        Action::Ask(Request::GetState { uid, .. }) if uid.is_empty() => "get_state".to_owned(),
        Action::Ask(Request::GetState { uid, .. }) => format!("get_state {}", who(uid)),
        Action::Ask(request) => format!("{request:?}")
            .split([' ', '('])
            .next()
            .unwrap_or_default()
            .to_owned(),
        other => format!("{other:?}")
            .split([' ', '('])
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

fn uid(ip4: Ipv4Addr) -> Uid {
    Uid::of_ip4(ip4)
}

#[test]
fn a_peer_without_a_link_is_asked_for_one_at_every_round() {
    let mut bench = Bench::group();
    for _ in 0..3 {
        bench.sees(uid(GREATER), None);
        assert_eq!(bench.texts(), ["con_req 103"]);
        bench.round();
        assert_eq!(bench.texts(), ["get_state"]);
    }
    bench.sees(uid(GREATER), Some((false, 1)));
    assert!(bench.texts().is_empty());
}

#[test]
fn who_was_not_on_xmpp_for_eight_rounds_is_not_asked() {
    let mut bench = Bench::group();
    for (seconds, asked) in [(119, true), (120, false), (i64::MAX, false), (-1, true)] {
        bench.notify(Notification::PeerState(PeerState {
            uid: uid(GREATER).to_string(),
            xmpp_time: Some(seconds),
            ..PeerState::default()
        }));
        assert_eq!(!bench.texts().is_empty(), asked, "{seconds}");
    }
}

#[test]
fn nobody_is_asked_before_tincan_has_said_its_fingerprint() {
    let mut bench = Bench::unheard(settings(OWN), group());
    bench.sees(uid(GREATER), None);
    bench.response(uid(GREATER));
    assert!(bench.texts().is_empty());
}

#[test]
fn a_request_of_a_greater_uid_trims_and_makes_the_link_once() {
    let mut bench = Bench::group();
    bench.sees(uid(GREATER), None);
    bench.texts();
    bench.request(uid(GREATER));
    let made = [
        "trim_link 103",
        "create_link 103",
        "set_remote_ip 103 172.31.0.103",
    ];
    assert_eq!(bench.texts(), made);
    bench.request(uid(GREATER));
    assert!(bench.texts().is_empty());
    assert_eq!(bench.controller.counts().unasked, 1);
}

#[test]
fn a_request_of_a_smaller_uid_makes_the_link_without_trimming() {
    let mut bench = Bench::group();
    bench.sees(uid(SMALLER), None);
    bench.texts();
    for _ in 0..2 {
        bench.request(uid(SMALLER));
        assert_eq!(
            bench.texts(),
            ["create_link 2", "set_remote_ip 2 172.31.0.2"]
        );
    }
}

#[test]
fn a_request_that_comes_before_ours_is_left_out() {
    let mut bench = Bench::group();
    bench.request(uid(GREATER));
    bench.request(uid(SMALLER));
    assert!(bench.texts().is_empty());
    assert_eq!(bench.controller.counts().unasked, 2);
}

#[test]
fn a_response_makes_the_link_with_its_candidates_at_any_time() {
    let mut bench = Bench::group();
    bench.response(uid(GREATER));
    assert_eq!(
        bench.texts(),
        [
            "create_link 103 with candidates",
            "set_remote_ip 103 172.31.0.103"
        ]
    );
    // From then on a request is no collision.
    bench.request(uid(GREATER));
    assert!(bench.texts().is_empty());
}

#[test]
fn a_link_says_who_it_is_with_and_through_whom_it_may_be_found() {
    let mut bench = Bench::group();
    bench.response(uid(GREATER));
    let actions = bench.controller.actions();
    let Action::Ask(Request::CreateLink(link)) = &actions[0] else {
        panic!("{actions:?}");
    };
    assert_eq!(
        (link.fpr.as_str(), link.cas.as_str()),
        (&*fpr(uid(GREATER)), CAS)
    );
    assert_eq!(
        (link.stun.as_str(), link.turn.as_str()),
        ("127.0.0.1:3478", "127.0.0.1:3478")
    );
    assert_eq!(
        (link.turn_user.as_str(), link.turn_pass.0.as_str()),
        ("turner", "secret")
    );
    assert!(link.sec && link.overlay_id == 1);
    assert_eq!(
        actions[1],
        Action::Ask(Request::SetRemoteIp {
            uid: uid(GREATER).to_string(),
            ip4: "172.31.0.103".to_owned(),
            ip6: uid(GREATER).ip6_text(),
        })
    );
}

#[test]
fn a_link_that_is_down_is_trimmed_after_two_rounds_and_a_group_says_so_first() {
    let mut bench = Bench::group();
    for (link, trimmed) in [
        ((false, 30), false),
        ((false, 31), true),
        ((true, 1000), false),
    ] {
        bench.sees(uid(GREATER), Some(link));
        bench.round();
        let expected: &[&str] = if trimmed {
            &["send_msg 103 destroy", "trim_link 103", "get_state"]
        } else {
            &["get_state"]
        };
        assert_eq!(bench.texts(), expected, "{link:?}");
    }
    let mut social = Bench::new(settings(OWN), social(OWN));
    social.sees(uid(GREATER), Some((false, 31)));
    social.round();
    assert_eq!(social.texts(), ["trim_link 103", "get_state"]);
}

#[test]
fn peers_that_tincan_tells_no_more_of_are_forgotten() {
    let mut bench = Bench::group();
    bench.sees(uid(GREATER), None);
    for _ in 0..8 {
        assert_eq!(bench.controller.peers(), 1);
        bench.round();
        bench.local("online");
    }
    bench.round();
    assert_eq!(bench.controller.peers(), 0);
}

#[test]
fn who_is_of_no_address_of_the_group_is_a_stranger() {
    let mut bench = Bench::group();
    bench.sees(uid([10, 0, 0, 1].into()), None);
    bench.response(uid([10, 0, 0, 1].into()));
    bench.sees(bench.controller.uid(), None);
    let (short, data) = ("0".repeat(39), String::new());
    bench.notify(Notification::ConnectionRequest { uid: short, data });
    assert!(bench.texts().is_empty());
    assert_eq!(bench.controller.counts().strangers, 4);
    assert_eq!(bench.controller.peers(), 0);
}

#[test]
fn an_offer_without_a_fingerprint_gets_no_link_unless_links_are_not_encrypted() {
    let offers = [
        Fingerprint::null().to_string(),
        String::new(),
        "x".repeat(59),
        // As long as it would be with the other digest: what is cut off of it is none.
        Fingerprint::of(b"", Digest::Sha256)
            .to_string()
            .to_lowercase()
            .replace(':', "-"),
    ];
    for encrypt in [true, false] {
        let mut bench = Bench::new(
            Settings {
                encrypt,
                ..settings(OWN)
            },
            group(),
        );
        for data in &offers {
            let (uid, data) = (uid(GREATER).to_string(), data.clone());
            bench.notify(Notification::ConnectionResponse { uid, data });
            let first = bench.texts().remove(0);
            let expected = if encrypt { "Warn" } else { "create_link 103" };
            assert!(first.starts_with(expected), "{first}");
        }
        assert_eq!(
            bench.controller.counts().unproven,
            if encrypt { 4 } else { 0 }
        );
    }
}

#[test]
fn there_is_an_end_to_how_many_peers_are_known() {
    let mut bench = Bench::new(settings(OWN), social(OWN));
    for number in 0..=MAX_PEERS {
        let mut bytes = [1; Uid::LEN];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bench.sees(Uid::new(bytes), None);
    }
    assert_eq!(bench.controller.peers(), MAX_PEERS);
    assert_eq!(bench.controller.counts().strangers, 1);
}

#[test]
fn a_social_node_gives_its_peers_addresses_and_keeps_who_has_which() {
    let mut bench = Bench::new(settings(OWN), social(OWN));
    bench.response(uid(GREATER));
    let first = [
        "Keep",
        "create_link 103 with candidates",
        "set_remote_ip 103 172.31.0.101",
    ];
    assert_eq!(bench.texts(), first);
    bench.response(uid(SMALLER));
    assert!(
        bench
            .texts()
            .contains(&"set_remote_ip 2 172.31.0.102".to_owned())
    );
    bench.response(uid(GREATER));
    assert_eq!(bench.texts(), first[1..]);
}

#[test]
fn a_link_that_came_up_is_known_at_once_and_its_figures_are_asked_for() {
    let mut bench = Bench::group();
    bench.sees(uid(GREATER), Some((false, 1)));
    for (data, linked) in [("online", 1), ("unknown", 0), ("online", 1), ("offline", 0)] {
        let (uid, data) = (uid(GREATER).to_string(), data.to_owned());
        bench.notify(Notification::LinkStatus { uid, data });
        assert_eq!(bench.texts(), ["get_state 103"]);
        assert_eq!(bench.controller.linked(), linked);
    }
}

#[test]
fn a_question_whether_anybody_is_there_is_answered() {
    let mut bench = Bench::group();
    let message = "still there?".to_owned();
    bench.notify(Notification::EchoRequest { message });
    assert_eq!(bench.texts(), ["Echo"]);
}

// Tincan.

#[test]
fn a_tincan_that_says_nothing_is_told_everything_again_and_restarted_three_times() {
    let mut bench = Bench::unheard(settings(OWN), group());
    let mut restarts = 0;
    let end = bench.now + SILENCE * 6;
    while bench.now < end {
        bench.now += RETRY;
        bench.controller.pass(bench.now);
        let texts = bench.texts();
        assert!(texts.contains(&"SetLocalIp".to_owned()), "{texts:?}");
        restarts += u32::from(texts.contains(&"Restart".to_owned()));
    }
    assert_eq!(restarts, MAX_RESTARTS);
    assert_eq!(bench.controller.state(), State::Silent);
    bench.local("online");
    assert_eq!(bench.controller.state(), State::Online);
    // It may be restarted again from here on.
    bench.now += SILENCE;
    bench.controller.pass(bench.now);
    assert!(bench.texts().contains(&"Restart".to_owned()));
}

#[test]
fn rounds_that_are_longer_than_tincan_may_be_silent_are_no_silence() {
    let wait = SILENCE * 2;
    let mut bench = Bench::new(
        Settings {
            wait,
            ..settings(OWN)
        },
        group(),
    );
    for _ in 0..3 {
        bench.now = bench.controller.due();
        bench.controller.pass(bench.now);
        assert_eq!(bench.texts(), ["get_state"]);
        bench.local("online");
    }
}

#[test]
fn nothing_is_due_twice_at_the_same_time() {
    let wait = Duration::from_millis(100);
    let mut bench = Bench::new(
        Settings {
            wait,
            ..settings(OWN)
        },
        group(),
    );
    for step in 0..100 {
        match step % 10 {
            0 => bench.local("online"),
            5 => bench.controller.refused(),
            _ => {}
        }
        bench.now = bench.controller.due().max(bench.now);
        bench.controller.pass(bench.now);
        assert!(bench.controller.due() > bench.now, "{step}");
    }
}

#[test]
fn a_tincan_that_was_started_anew_is_told_who_it_is() {
    let mut bench = Bench::group();
    bench.sees(uid(GREATER), Some((true, 1)));
    assert_eq!(bench.controller.linked(), 1);
    bench.round();
    bench.texts();
    bench.notify(Notification::LocalState(LocalState::default()));
    assert!(bench.texts().contains(&"SetLocalIp".to_owned()));
    assert_eq!(bench.controller.linked(), 0);
    // Its answer to what it was asked before it was told.
    bench.notify(Notification::LocalState(LocalState::default()));
    assert!(bench.texts().is_empty());
    bench.local("online");
    assert_eq!(bench.controller.state(), State::Online);
}

#[test]
fn what_is_wrong_with_tincan_is_told() {
    let mut bench = Bench::group();
    bench.local("the password is wrong");
    assert_eq!(
        bench.controller.state(),
        State::Offline("the password is wrong".to_owned())
    );
    bench.local("online");
    assert_eq!(bench.controller.state(), State::Online);
    let other = uid(GREATER).to_string();
    bench.notify(Notification::LocalState(LocalState {
        uid: other.clone(),
        ..LocalState::default()
    }));
    assert_eq!(bench.controller.state(), State::Other(other));
    // A tincan that says nothing of XMPP, but of faults.
    let mut old = Bench::unheard(settings(OWN), group());
    let (text, uid) = (
        "1000:xmpp_connect_failed".to_owned(),
        old.controller.uid().to_string(),
    );
    old.notify(Notification::LocalState(LocalState {
        uid,
        ..LocalState::default()
    }));
    old.notify(Notification::Error { text: text.clone() });
    assert_eq!(old.controller.state(), State::Offline(text));
    old.sees(Uid::of_ip4(GREATER), None);
    assert_eq!(old.controller.state(), State::Online);
}

// What the public controllers sent.

/// One run in a capture: which datagrams tincan got and sent.
struct Run {
    api: Api,
    is_group: bool,
    lines: Vec<(bool, Vec<u8>)>,
}

fn runs() -> Vec<Run> {
    let captures = [
        (
            Api::V14_01,
            true,
            include_str!("../../../../libs/ipop/captures/gvpn-v14.01.1.jsonl"),
        ),
        (
            Api::V14_07,
            true,
            include_str!("../../../../libs/ipop/captures/gvpn-v14.07.0.jsonl"),
        ),
        (
            Api::V14_01,
            false,
            include_str!("../../../../libs/ipop/captures/svpn-v14.01.1.jsonl"),
        ),
        (
            Api::V14_07,
            false,
            include_str!("../../../../libs/ipop/captures/svpn-v14.07.0.jsonl"),
        ),
    ];
    let mut runs: Vec<Run> = Vec::new();
    for (api, is_group, text) in captures {
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let datagram = line["datagram"].as_str().unwrap();
            let bytes: Vec<u8> = datagram
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap())
                .collect();
            if datagram.contains("set_logging") {
                let lines = Vec::new();
                runs.push(Run {
                    api,
                    is_group,
                    lines,
                });
            }
            runs.last_mut()
                .unwrap()
                .lines
                .push((line["tincan"] == "in", bytes));
        }
    }
    runs
}

/// A request without what differs by chance, or on purpose: the port, and that figures are always asked for.
fn comparable(request: &Request) -> Request {
    match request.clone() {
        Request::SetCallback { ip, .. } => Request::SetCallback { ip, port: 0 },
        Request::GetState { uid, .. } => Request::GetState {
            stats: Some(true),
            uid,
        },
        other => other,
    }
}

#[test]
fn what_the_public_controllers_sent_is_sent_in_the_same_order() {
    let runs = runs();
    // With a peer whose uid is greater, and one whose uid is less, for each of four controllers.
    assert_eq!(runs.len(), 8);
    for run in runs {
        let wait = Duration::from_secs(1);
        let addresses = if run.is_group { group() } else { social(OWN) };
        let settings = Settings {
            api: run.api,
            wait,
            ..settings(OWN)
        };
        let mut controller = Controller::new(settings, addresses, 1);
        let mut now = Duration::ZERO;
        controller.start(40000, now);
        let mut sent: VecDeque<Request> = VecDeque::new();
        let mut compared = 0;
        for (to_tincan, bytes) in &run.lines {
            let Ok(Datagram::Control(json)) = run.api.read(bytes) else {
                panic!("a packet");
            };
            if !to_tincan {
                let notification = Notification::read(json).unwrap();
                controller.input(Input::Notification(notification), now);
            }
            sent.extend(controller.actions().into_iter().filter_map(asked));
            if *to_tincan {
                if sent.is_empty() {
                    now += wait;
                    controller.pass(now);
                    sent.extend(controller.actions().into_iter().filter_map(asked));
                }
                let expected = comparable(&Request::read(json).unwrap());
                assert_eq!(
                    sent.pop_front(),
                    Some(expected),
                    "datagram {compared} of {:?}",
                    run.api
                );
                compared += 1;
            }
        }
        assert!(compared > 15 && sent.is_empty(), "{compared}, {sent:?}");
    }
}

fn asked(action: Action) -> Option<Request> {
    match action {
        // What is asked as soon as a link comes up, the public ones learn at the next round.
        Action::Ask(Request::GetState { uid, .. }) if !uid.is_empty() => None,
        Action::Ask(request) => Some(comparable(&request)),
        Action::Echo => Some(Request::EchoReply),
        _ => None,
    }
}

// Links on demand.

fn on_demand() -> Bench {
    let on_demand = Some(Duration::from_secs(600));
    Bench::new(
        Settings {
            on_demand,
            ..settings(OWN)
        },
        group(),
    )
}

fn ipv4(to: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![0; 34];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[30..].copy_from_slice(&to.octets());
    frame
}

fn ipv6(to: Ipv6Addr) -> Vec<u8> {
    let mut frame = vec![0; 54];
    frame[12..14].copy_from_slice(&[0x86, 0xdd]);
    frame[38..].copy_from_slice(&to.octets());
    frame
}

#[test]
fn on_demand_a_request_is_remembered_and_a_packet_makes_the_link_once() {
    let mut bench = on_demand();
    bench.sees(uid(GREATER), None);
    assert_eq!(bench.texts(), ["con_req 103"]);
    bench.request(uid(GREATER));
    assert!(bench.texts().is_empty());
    let made = [
        "send_msg 103",
        "create_link 103",
        "set_remote_ip 103 172.31.0.103",
    ];
    bench.packet(&ipv4(GREATER));
    assert_eq!(bench.texts(), made);
    bench.packet(&ipv4(GREATER));
    bench.packet(&ipv6(uid(GREATER).ip6()));
    assert!(bench.texts().is_empty());
    // It did not come up in two rounds.
    bench.now += WAIT * 2;
    bench.packet(&ipv6(uid(GREATER).ip6()));
    assert_eq!(bench.texts(), made);
    bench.response(uid(GREATER));
    assert_eq!(bench.texts()[0], "create_link 103 with candidates");
    assert_eq!(bench.controller.counts().packets, 0);
}

#[test]
fn on_demand_packets_for_nobody_are_counted() {
    let mut bench = on_demand();
    bench.packet(&ipv4(GREATER));
    bench.packet(&ipv4([10, 0, 0, 1].into()));
    bench.packet(&ipv6(uid(GREATER).ip6()));
    bench.packet(&[]);
    bench.packet(&[0; 20]);
    assert!(bench.texts().is_empty());
    assert_eq!(bench.controller.counts().packets, 5);
}

#[test]
fn on_demand_the_peers_word_makes_and_ends_the_link() {
    let mut bench = on_demand();
    bench.message(uid(GREATER), &fpr(uid(GREATER)));
    assert_eq!(
        bench.texts(),
        ["create_link 103", "set_remote_ip 103 172.31.0.103"]
    );
    bench.message(uid(GREATER), &format!("destroy{}", uid(GREATER)));
    assert_eq!(bench.texts(), ["trim_link 103"]);
    // Without links on demand, neither is listened to.
    let mut bench = Bench::group();
    bench.message(uid(GREATER), &fpr(uid(GREATER)));
    bench.message(uid(GREATER), "destroy");
    assert!(bench.texts().is_empty());
}

#[test]
fn on_demand_a_link_that_nothing_passes_is_ended() {
    let mut bench = on_demand();
    let mut bytes = 0;
    // As long as something passes, it stays; the figures of a link begin anew with it.
    for _ in 0..100 {
        bytes += 1;
        bench.sees_bytes(uid(GREATER), Some((true, 1)), bytes);
        bench.round();
        bench.local("online");
        assert_eq!(bench.texts(), ["get_state"]);
    }
    for _ in 0..39 {
        bench.sees_bytes(uid(GREATER), Some((true, 1)), bytes);
        bench.round();
        bench.local("online");
        assert_eq!(bench.texts(), ["get_state"]);
    }
    bench.sees_bytes(uid(GREATER), Some((true, 1)), bytes);
    bench.round();
    assert_eq!(
        bench.texts(),
        ["send_msg 103 destroy", "trim_link 103", "get_state"]
    );
}

#[test]
fn orders_ask_for_a_link_and_end_one() {
    let mut bench = Bench::group();
    bench.controller.input(Input::Link(uid(GREATER)), bench.now);
    assert_eq!(bench.texts(), ["con_req 103"]);
    bench
        .controller
        .input(Input::Unlink(uid(GREATER)), bench.now);
    assert_eq!(bench.texts(), ["send_msg 103 destroy", "trim_link 103"]);
    bench
        .controller
        .input(Input::Link(uid([10, 0, 0, 1].into())), bench.now);
    assert_eq!(bench.texts(), ["Warn"]);
    let mut bench = on_demand();
    bench.request(uid(GREATER));
    bench.controller.input(Input::Link(uid(GREATER)), bench.now);
    assert_eq!(bench.texts()[..2], ["send_msg 103", "create_link 103"]);
}

// Controllers among themselves.

/// Controllers that are linked as a chain, and what each put into its device.
struct Chain {
    benches: Vec<Bench>,
    injected: Vec<Vec<Vec<u8>>>,
    said: usize,
}

impl Chain {
    /// A chain of nodes with these last parts of their addresses.
    fn new(
        hosts: &[u8],
        change: impl Fn(&mut Settings),
        addresses: impl Fn(Ipv4Addr) -> Addresses,
    ) -> Self {
        let ip4 = |last: u8| Ipv4Addr::new(172, 31, 0, last);
        let benches = hosts.iter().enumerate().map(|(place, last)| {
            let mut settings = settings(ip4(*last));
            change(&mut settings);
            let mut bench = Bench::new(settings, addresses(ip4(*last)));
            for next in [place.checked_sub(1), Some(place + 1)]
                .into_iter()
                .flatten()
            {
                if let Some(last) = hosts.get(next) {
                    bench.sees(uid(ip4(*last)), Some((true, 1)));
                }
            }
            bench.texts();
            bench
        });
        let benches: Vec<_> = benches.collect();
        let injected = vec![Vec::new(); hosts.len()];
        let said = 0;
        Self {
            benches,
            injected,
            said,
        }
    }

    fn node(&self, place: usize) -> Ipv6Addr {
        self.benches[place].controller.uid().ip6()
    }

    /// Carries what they say to each other, until nobody says anything.
    fn settle(&mut self) {
        loop {
            let mut carried: Vec<(Ipv6Addr, Ipv6Addr, Icc)> = Vec::new();
            for (place, bench) in self.benches.iter_mut().enumerate() {
                let from = bench.controller.uid().ip6();
                for action in bench.controller.actions() {
                    match action {
                        Action::Tell(to, datagram) => carried.push((from, to, datagram)),
                        Action::Inject(frame) => self.injected[place].push(frame),
                        _ => {}
                    }
                }
            }
            if carried.is_empty() {
                return;
            }
            self.said += carried.len();
            assert!(self.said < 10_000, "they do not stop");
            for (from, to, datagram) in carried {
                let datagram = Icc::read(&datagram.write()).unwrap();
                let found = self
                    .benches
                    .iter_mut()
                    .find(|bench| bench.controller.uid().ip6() == to);
                let bench = found.expect("there is such a node");
                bench
                    .controller
                    .input(Input::Controller(from, datagram), bench.now);
            }
        }
    }

    fn packet(&mut self, place: usize, frame: &[u8]) {
        self.benches[place].packet(frame);
        self.settle();
    }

    fn take(&mut self, place: usize) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.injected[place])
    }

    fn unlink(&mut self, place: usize, other: usize) {
        let uid = self.benches[other].controller.uid();
        self.benches[place].sees(uid, Some((false, 1)));
        self.settle();
    }
}

const HOST_A: (Mac, Ipv4Addr) = ([0xa; 6], Ipv4Addr::new(172, 31, 7, 1));
const HOST_B: (Mac, Ipv4Addr) = ([0xb; 6], Ipv4Addr::new(172, 31, 7, 2));

/// The MAC address that hosts elsewhere have at a node.
fn gate(uid: Uid) -> Mac {
    let mut gate = mac(uid);
    gate[5] = !gate[5];
    gate
}

fn question(from: (Mac, Ipv4Addr), target: Ipv4Addr) -> Vec<u8> {
    let arp = Arp {
        is_reply: false,
        sender: from,
        target: (Mac::default(), target),
    };
    arp.write(BROADCAST)
}

fn answer(from: (Mac, Ipv4Addr), to: (Mac, Ipv4Addr)) -> Vec<u8> {
    let arp = Arp {
        is_reply: true,
        sender: from,
        target: to,
    };
    arp.write(to.0)
}

#[test]
fn in_switch_mode_hosts_behind_nodes_find_each_other() {
    let mut chain = Chain::new(&[100, 103], |settings| settings.switch = true, |_| group());
    let (gate_a, gate_b) = (gate(uid(OWN)), gate(uid(GREATER)));
    // A host behind the first node looks for one behind the second.
    chain.packet(0, &question(HOST_A, HOST_B.1));
    let asked = chain.take(1);
    assert_eq!(asked, [question((gate_b, GREATER), HOST_B.1)]);
    chain.packet(1, &answer(HOST_B, (gate_b, GREATER)));
    // The first node's device is the way there, for whoever is behind it.
    let told = chain.take(0);
    let Frame::Arp(told) = Frame::read(&told[0]) else {
        panic!("{told:?}");
    };
    assert!(told.is_reply && told.sender == (gate_a, HOST_B.1));
    // From then on it answers by itself, and frames go there.
    chain.packet(0, &question(HOST_A, HOST_B.1));
    assert_eq!(chain.take(0), [answer((gate_a, HOST_B.1), HOST_A)]);
    chain.packet(0, &ipv4(HOST_B.1));
    assert_eq!(
        chain.take(1),
        [readdressed(&ipv4(HOST_B.1), HOST_B.0, Some(gate_b))]
    );
}

#[test]
fn in_switch_mode_a_question_is_not_asked_again_at_once_and_places_are_forgotten() {
    let mut chain = Chain::new(&[100, 103], |settings| settings.switch = true, |_| group());
    for _ in 0..10 {
        chain.packet(0, &question(HOST_A, HOST_B.1));
        chain.packet(0, &ipv4(HOST_B.1));
    }
    assert_eq!((chain.said, chain.take(1).len()), (1, 1));
    chain.packet(1, &answer(HOST_B, (gate(uid(GREATER)), GREATER)));
    chain.take(0);
    chain.benches[0].now += super::switch::LIFETIME;
    let before = chain.said;
    chain.packet(0, &question(HOST_A, HOST_B.1));
    assert_eq!(chain.said, before + 1);
    assert!(chain.take(0).is_empty());
}

#[test]
fn in_switch_mode_a_node_answers_for_a_peer_and_for_itself() {
    let mut chain = Chain::new(&[100, 103], |settings| settings.switch = true, |_| group());
    // The node's own address is asked for through the other one.
    chain.packet(0, &question(HOST_A, GREATER));
    assert!(!chain.take(0).is_empty());
    chain.packet(0, &ipv4(GREATER));
    let mac_b = mac(uid(GREATER));
    assert_eq!(
        chain.take(1),
        [readdressed(&ipv4(GREATER), mac_b, Some(gate(uid(GREATER))))]
    );
}

fn far(settings: &mut Settings) {
    settings.multihop = Some(MultihopSettings {
        links: 100,
        hops: 3,
        max_hops: 10,
        wait: Duration::from_secs(1),
    });
}

#[test]
fn a_peer_of_a_peer_gets_frames_the_way_that_was_found() {
    let mut chain = Chain::new(&[1, 2, 3, 4], far, social);
    let frame = ipv6(chain.node(3));
    // The first one is lost: it only makes the node be looked for.
    chain.packet(0, &frame);
    assert!(chain.take(3).is_empty());
    chain.packet(0, &frame);
    let last = chain.benches[3].controller.uid();
    assert_eq!(chain.take(3), [readdressed(&frame, mac(last), None)]);
    assert!(chain.take(1).is_empty() && chain.take(2).is_empty());
    // A link on the way is lost: the sender is told, and looks for it again.
    chain.unlink(2, 3);
    chain.packet(0, &frame);
    let before = chain.said;
    chain.packet(0, &frame);
    assert!(chain.said > before && chain.take(3).is_empty());
    let wrong: u64 = chain
        .benches
        .iter()
        .map(|bench| bench.controller.counts().controllers)
        .sum();
    assert_eq!(wrong, 0);
}

#[test]
fn who_is_far_is_looked_for_farther_until_the_limit() {
    let hosts: Vec<u8> = (1..=13).collect();
    let mut chain = Chain::new(&hosts, far, social);
    for (place, found) in [(4, true), (7, true), (11, true), (12, false)] {
        let frame = ipv6(chain.node(place));
        chain.packet(0, &frame);
        for _ in 0..5 {
            let bench = &mut chain.benches[0];
            bench.now += Duration::from_secs(1);
            bench.controller.pass(bench.now);
            chain.settle();
        }
        assert_eq!(chain.benches[0].controller.multihop.due(), None);
        chain.packet(0, &frame);
        assert_eq!(!chain.take(place).is_empty(), found, "{place}");
    }
}

#[test]
fn what_controllers_say_is_believed_only_of_who_is_linked_and_for_its_part() {
    let mut chain = Chain::new(&[1, 2, 3], far, social);
    let nodes: Vec<_> = (0..3).map(|place| chain.node(place)).collect();
    let stranger = uid([172, 31, 0, 9].into()).ip6();
    let via = |places: &[usize]| places.iter().map(|place| nodes[*place]).collect::<Vec<_>>();
    let lookup = |via| {
        Icc::Message(Message::LookupRequest {
            target: stranger,
            via,
            ttl: 3,
        })
    };
    let reply = |via, index| {
        Icc::Message(Message::LookupReply {
            target: stranger,
            via,
            index,
        })
    };
    let wrong = [
        (stranger, lookup(via(&[0, 1]))),
        // Not from whom it says, not for this node, or for nobody.
        (nodes[2], lookup(via(&[0, 1]))),
        (nodes[0], lookup(via(&[0, 2]))),
        (nodes[0], lookup(vec![])),
        (nodes[0], reply(via(&[1, 0]), -1)),
        (nodes[0], reply(via(&[1, 0]), 7)),
        (nodes[0], reply(via(&[1, 0]), i64::MIN + 2)),
        (nodes[0], reply(via(&[1, 0]), i64::MAX)),
        // Nobody asked.
        (nodes[0], reply(via(&[1, 0]), -2)),
        // To be passed on to somebody who is no peer, and may be anywhere.
        (nodes[0], reply(vec![stranger, nodes[1]], -1)),
        (
            nodes[0],
            Icc::Message(Message::RouteError {
                via: vec![stranger, nodes[1]],
                index: 1,
            }),
        ),
        (
            nodes[0],
            Icc::Routed(icc::Routed {
                index: 1,
                hops: vec![stranger, nodes[1], stranger],
                frame: vec![],
            }),
        ),
        // Frames for somebody else at the end of their way.
        (
            nodes[0],
            Icc::Routed(icc::Routed {
                index: 1,
                hops: via(&[0, 1]),
                frame: ipv6(stranger),
            }),
        ),
        (
            nodes[0],
            Icc::Routed(icc::Routed {
                index: 1,
                hops: via(&[0, 1]),
                frame: ipv4(OWN),
            }),
        ),
        (
            nodes[0],
            Icc::Message(Message::RouteError {
                via: vec![],
                index: 0,
            }),
        ),
        (
            nodes[0],
            Icc::Message(Message::RouteError {
                via: via(&[0, 1]),
                index: -1,
            }),
        ),
        (
            nodes[0],
            Icc::Routed(icc::Routed {
                index: 200,
                hops: via(&[0, 1]),
                frame: vec![],
            }),
        ),
        (nodes[0], Icc::Frame(ipv6(stranger))),
        (nodes[0], Icc::Frame(vec![])),
        // For switch mode.
        (nodes[0], Icc::Message(Message::ArpRequest { target: OWN })),
    ];
    let count = wrong.len() as u64;
    for (from, datagram) in wrong {
        let bench = &mut chain.benches[1];
        bench
            .controller
            .input(Input::Controller(from, datagram), bench.now);
    }
    assert_eq!(chain.benches[1].controller.actions(), []);
    assert_eq!(chain.benches[1].controller.counts().controllers, count);
    // A circle is nobody's fault.
    let bench = &mut chain.benches[1];
    bench.controller.input(
        Input::Controller(nodes[0], lookup(via(&[1, 0, 1]))),
        bench.now,
    );
    assert!(bench.texts().is_empty());
    assert_eq!(bench.controller.counts().controllers, count);
}

#[test]
fn a_node_has_no_more_links_than_it_may() {
    let mut bench = Bench::new(
        Settings {
            multihop: Some(MultihopSettings {
                links: 1,
                hops: 3,
                max_hops: 10,
                wait: Duration::from_secs(1),
            }),
            ..settings(OWN)
        },
        social(OWN),
    );
    bench.sees(uid(SMALLER), Some((true, 1)));
    bench.response(uid(GREATER));
    assert!(bench.texts().is_empty());
    bench.sees(uid(GREATER), Some((true, 1)));
    bench.round();
    assert_eq!(bench.texts(), ["trim_link 103", "get_state"]);
}
