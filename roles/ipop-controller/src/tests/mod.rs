//! The role with real sockets, and tincans that are none.

mod fake;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Instant;

use kozo_abi::bench::{Incoming, RoleBench, StartedRole};
use kozo_abi::{Error, Kind, Message};
use kozo_ipop::{Api, Notification, Packet, Request, Uid};
use serde::Deserialize;
use tempfile::TempDir;

use super::IpopController;
use fake::{At, DEADLINE, Tincan, Xmpp};

/// What the event says.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
struct Event {
    state: String,
    uid: String,
    ip4: String,
    ip6: String,
    peers: usize,
    linked: usize,
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "secret\n").unwrap();
    folder
}

/// A controller with rounds of a tenth of a second.
fn controller(folder: &TempDir, port: u16, ip4: &str) -> RoleBench<IpopController> {
    RoleBench::new()
        .option("ip4", ip4)
        .option("xmppUser", "alice@kozo.test")
        .option("xmppPasswordFile", folder.path().join("password"))
        .option("tincanPort", port)
        .option("port", 0)
        .option("waitTime", 0.1)
        .option("stun", ["127.0.0.1:3478"])
}

fn uid(last: u8) -> String {
    Uid::of_ip4(Ipv4Addr::new(172, 31, 0, last)).to_string()
}

fn event(message: &Message) -> Option<Event> {
    let is_it = message.kind() == Kind::Event && message.type_name() == "ipop-controller";
    is_it.then(|| message.data().unwrap())
}

/// Waits until the controller says what fits.
fn wait_for_event(
    role: &mut StartedRole,
    what: &str,
    mut fits: impl FnMut(&Event) -> bool,
) -> Event {
    let end = Instant::now() + DEADLINE;
    let mut last = None;
    while Instant::now() < end {
        for event in role.sent().iter().filter_map(event) {
            if fits(&event) {
                return event;
            }
            last = Some(event);
        }
        role.run().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!(
        "waited in vain for {what}; last: {last:?}, {:?}",
        role.logged()
    );
}

fn start(bench: RoleBench<IpopController>) -> StartedRole {
    bench.start().unwrap()
}

#[test]
fn two_controllers_link_their_nodes_trim_what_is_lost_and_link_them_again() {
    let folder = folder();
    for api in [Api::V14_01, Api::V14_07] {
        for mode in ["groupvpn", "socialvpn"] {
            let xmpp = Xmpp::default();
            let tincans = [100, 103].map(|last| (last, Tincan::start(api, &xmpp, At::Both)));
            let mut roles = tincans.each_ref().map(|(last, tincan)| {
                let bench = controller(&folder, tincan.port, &format!("172.31.0.{last}"));
                let bench = bench.option("api", api.to_string()).option("mode", mode);
                start(if mode == "socialvpn" {
                    bench.option("uid", uid(*last))
                } else {
                    bench
                })
            });
            for (place, role) in roles.iter_mut().enumerate() {
                let event = wait_for_event(role, "a link", |event| event.linked == 1);
                let own = uid(tincans[place].0);
                assert_eq!(
                    (event.state.as_str(), event.uid.as_str(), event.peers),
                    ("online", &*own, 1)
                );
                let status = format!("172.31.0.{}, 1 of 1 peers linked", tincans[place].0);
                assert!(role.status().starts_with(&status), "{}", role.status());
            }
            assert!(xmpp.is_up(&uid(100), &uid(103)));
            // Both see it as lost, long after it was made.
            xmpp.cut(&uid(100), &uid(103));
            for (last, tincan) in &tincans {
                tincan.wait_for("the end of the link", |request| {
                    *request
                        == Request::TrimLink {
                            uid: uid(if *last == 100 { 103 } else { 100 }),
                        }
                });
            }
            for role in &mut roles {
                wait_for_event(role, "the link again", |event| event.linked == 1);
            }
        }
    }
}

#[test]
fn a_tincan_is_found_at_the_other_address_and_after_it_was_started_anew() {
    let folder = folder();
    let xmpp = Xmpp::default();
    let tincan = Tincan::start(Api::V14_07, &xmpp, At::Ipv4);
    let port = tincan.port;
    let mut role = start(controller(&folder, port, "172.31.0.100"));
    wait_for_event(&mut role, "tincan", |event| event.state == "online");
    drop(tincan);
    let gone = wait_for_event(&mut role, "nobody there", |event| event.state != "online");
    assert!(
        gone.state.starts_with("no tincan answers at "),
        "{}",
        gone.state
    );
    assert!(gone.state.contains(&port.to_string()) && gone.state.contains("`tincanPort`"));
    assert_eq!(role.status(), gone.state);
    let again = Tincan::start_at(port, Api::V14_07, &xmpp, At::Ipv4);
    wait_for_event(&mut role, "tincan again", |event| event.state == "online");
    again.wait_for("who this node is", |request| {
        matches!(request, Request::SetLocalIp(_))
    });
}

#[test]
fn a_tincan_of_another_node_is_named() {
    let folder = folder();
    let xmpp = Xmpp::default();
    let tincan = Tincan::start(Api::V14_07, &xmpp, At::Both);
    let mut first = start(controller(&folder, tincan.port, "172.31.0.100"));
    wait_for_event(&mut first, "tincan", |event| event.state == "online");
    drop(first);
    let mut second = start(controller(&folder, tincan.port, "172.31.0.103"));
    let event = wait_for_event(&mut second, "the other node", |event| {
        event.state != "online"
    });
    assert!(
        event.state.contains(&uid(100)) && event.state.ends_with("restart it"),
        "{}",
        event.state
    );
}

#[test]
fn a_tincan_that_says_nothing_is_restarted_by_the_node_where_that_is_granted() {
    let folder = folder();
    let silent = UdpSocket::bind("[::1]:0")
        .or_else(|_| UdpSocket::bind("127.0.0.1:0"))
        .unwrap();
    let port = silent.local_addr().unwrap().port();
    let bench = controller(&folder, port, "172.31.0.100").option("watchdogTime", 1);
    let mut role = start(bench.option("watchdog", "vpn").answer("restart-role", &()));
    let mut asked: Vec<BTreeMap<String, String>> = Vec::new();
    let end = Instant::now() + DEADLINE;
    while asked.len() < 3 {
        assert!(Instant::now() < end, "{asked:?}");
        role.run().unwrap();
        asked.extend(role.asked::<BTreeMap<String, String>>().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let question = [("request", "restart-role"), ("role", "vpn")];
    let question = question.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert!(
        asked
            .iter()
            .all(|one| *one == BTreeMap::from(question.clone())),
        "{asked:?}"
    );
    assert!(
        role.status().starts_with("no tincan answers at "),
        "{}",
        role.status()
    );
}

#[test]
fn orders_link_and_unlink_by_address_or_uid_and_a_wrong_one_is_no_harm() {
    let folder = folder();
    let xmpp = Xmpp::default();
    let tincan = Tincan::start(Api::V14_07, &xmpp, At::Both);
    let bench = controller(&folder, tincan.port, "172.31.0.100").option("channel", "vpn");
    let mut role = start(bench);
    wait_for_event(&mut role, "tincan", |event| event.state == "online");
    let order = |name: &str, data: &str| Incoming::order(name).channel("vpn").data(data);
    assert!(
        !role.deliver(
            Incoming::order("ipop-link")
                .channel("other")
                .data("172.31.0.103")
        )
    );
    assert!(role.deliver(order("ipop-link", "172.31.0.103")));
    role.run().unwrap();
    tincan.wait_for("a request", |request| {
        matches!(request, Request::Forward { method, uid: to, .. } if method == "con_req" && *to == uid(103))
    });
    assert!(role.deliver(order("ipop-unlink", &uid(103))));
    role.run().unwrap();
    tincan.wait_for("the end", |request| {
        *request == Request::TrimLink { uid: uid(103) }
    });
    for (data, said) in [
        ("somebody", "neither an IPv4 address nor a uid"),
        ("", "neither"),
    ] {
        assert!(role.deliver(order("ipop-link", data)));
        role.run().unwrap();
        let logged = role.logged();
        assert!(
            logged.iter().any(|(_, line)| line.contains(said)),
            "{logged:?}"
        );
    }
    assert!(role.deliver(Incoming::order("ipop-link").channel("vpn").data(&7)));
    role.run().unwrap();
    assert!(
        role.logged()
            .iter()
            .any(|(_, line)| line.contains("its data is a text"))
    );
}

#[test]
fn a_question_whether_a_controller_is_there_is_answered_from_its_port() -> Result<(), Error> {
    let folder = folder();
    let xmpp = Xmpp::default();
    let tincan = Tincan::start(Api::V14_07, &xmpp, At::Ipv4);
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut role = start(controller(&folder, tincan.port, "172.31.0.100").option("port", port));
    wait_for_event(&mut role, "tincan", |event| event.state == "online");
    let message = "still there?".to_owned();
    let question = Api::V14_07.control(&Notification::EchoRequest { message }.write());
    tincan.send(question.clone());
    tincan.wait_for("an answer", |request| *request == Request::EchoReply);
    // From anywhere else, at the port itself.
    let asker = UdpSocket::bind("127.0.0.1:0")?;
    asker.set_read_timeout(Some(DEADLINE))?;
    asker.send_to(&question, ("127.0.0.1", port))?;
    let mut buffer = [0; 100];
    let (len, from) = asker.recv_from(&mut buffer)?;
    assert_eq!(from.port(), port);
    assert_eq!(&buffer[..len], b"\x02\x01{\"type\":\"echo_reply\"}");
    Ok(())
}

#[test]
fn a_packet_for_a_peer_makes_a_link_on_demand() {
    let folder = folder();
    let xmpp = Xmpp::default();
    let tincans = [100, 103].map(|last| (last, Tincan::start(Api::V14_07, &xmpp, At::Both)));
    let mut roles = tincans.each_ref().map(|(last, tincan)| {
        let bench = controller(&folder, tincan.port, &format!("172.31.0.{last}"));
        start(bench.option("onDemand", true).option("onDemandTimeout", 1))
    });
    for role in &mut roles {
        wait_for_event(role, "a peer", |event| event.peers == 1);
    }
    for (last, tincan) in &tincans {
        tincan.wait_for("an offer", |request| {
            matches!(request, Request::Forward { method, .. } if method == "con_req" && *last > 0)
        });
    }
    assert!(!xmpp.is_up(&uid(100), &uid(103)));
    let mut frame = vec![0; 34];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[30..].copy_from_slice(&[172, 31, 0, 103]);
    let packet = Packet {
        source: uid(100).parse().unwrap(),
        destination: Uid::NULL,
        frame: &frame,
    };
    // As a kernel does that has no answer.
    let end = Instant::now() + DEADLINE;
    while !xmpp.is_up(&uid(100), &uid(103)) {
        assert!(Instant::now() < end, "the link is not made");
        tincans[0].1.send(Api::V14_07.packet(&packet));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for role in &mut roles {
        wait_for_event(role, "the link", |event| event.linked == 1);
    }
    // Nothing passes it: both end it.
    for role in &mut roles {
        wait_for_event(role, "its end", |event| event.linked == 0);
    }
}

#[test]
fn datagrams_that_mean_nothing_are_no_harm() {
    let folder = folder();
    let xmpp = Xmpp::default();
    let tincan = Tincan::start(Api::V14_07, &xmpp, At::Both);
    let mut role = start(controller(&folder, tincan.port, "172.31.0.100"));
    wait_for_event(&mut role, "tincan", |event| event.state == "online");
    let mut random = fastrand::Rng::with_seed(7);
    for number in 1..=500 {
        let mut datagram: Vec<u8> = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
        if let (Some(first), true) = (datagram.first_mut(), random.bool()) {
            *first = 2;
        }
        tincan.send(datagram);
        // No more than a socket holds.
        if number % 50 == 0 {
            tincan.send(b"\x02\x01{\"type\":\"echo_request\"}".to_vec());
            tincan.wait_for("an answer", |request| *request == Request::EchoReply);
        }
    }
    let logged = role.logged();
    let wrong = |(_, line): &(_, String)| line.contains("sent what cannot be read");
    assert!(logged.iter().any(wrong), "{logged:?}");
    role.run().unwrap();
}

#[test]
fn options_that_cannot_be_are_refused_in_words() {
    let folder = folder();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let bench = |ip4: &str| controller(&folder, 5800, ip4);
    let with_turn = |server: &str, file: &Path| {
        let file = file.to_string_lossy().into_owned();
        let turn = BTreeMap::from([("server", server.to_owned()), ("passwordFile", file)]);
        bench("172.31.0.100").option("turn", [turn])
    };
    let cases = [
        (bench("172.31.0"), "`ip4`: `172.31.0` is no IPv4 address"),
        (bench("172.31.0.255"), "`ip4`: 172.31.0.255 is in no group"),
        (bench("127.0.0.1"), "can be the address of no machine"),
        (
            bench("172.31.0.100").option("xmppUser", "alice"),
            "`xmppUser`: `alice` is no account",
        ),
        (
            bench("172.31.0.100").option("xmppPasswordFile", folder.path().join("none")),
            "/none` cannot be read: No such file",
        ),
        (
            bench("172.31.0.100").option("xmppPasswordFile", &empty),
            "is empty, and no password",
        ),
        (
            bench("172.31.0.100").option("stun", ["stun"]),
            "`stun`: `stun` is no server with a port",
        ),
        (
            with_turn("turn", &empty),
            "`turn`: `turn` is no server with a port",
        ),
        (
            with_turn("turn:1", Path::new("relative")),
            "has to begin with a `/`",
        ),
        (with_turn("turn:1", &empty), "is empty, and no password"),
        (
            bench("172.31.0.100")
                .option("mode", "socialvpn")
                .option("uid", "abc"),
            "`uid`: a uid has 40 hexadecimal digits",
        ),
        (
            bench("172.31.0.100").option("mode", "socialvpn"),
            "(`roleStorage`), or the role a `uid`",
        ),
        (
            bench("172.31.0.100").option("uid", uid(1)),
            "in a GroupVPN the uid follows from `ip4`",
        ),
        (
            bench("172.31.0.100").option("multihop", true),
            "`multihop` is for `mode: socialvpn`",
        ),
    ];
    for (bench, expected) in cases {
        let error = bench.start().err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
