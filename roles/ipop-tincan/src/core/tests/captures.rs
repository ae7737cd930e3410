//! What four public controllers said and were told, over the real control port: each gets field by field what it got
//! then.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::port::Port;

/// How long a datagram may take on this machine.
const LIMIT: Duration = Duration::from_secs(20);

/// What depends on the time, or on how the link of those days was: only that it is there counts, and of what type it is.
const INEXACT: [&str; 3] = ["xmpp_time", "last_time", "stats"];

/// A port that is free on both loopback addresses.
fn free_port() -> (Port, u16) {
    loop {
        let probe = UdpSocket::bind("127.0.0.1:0").unwrap();
        let number = probe.local_addr().unwrap().port();
        drop(probe);
        match Port::open(number) {
            Ok(port) => return (port, number),
            // Another test was quicker.
            Err(crate::port::PortError::Taken { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A line of a capture.
struct Line {
    to_tincan: bool,
    bytes: Vec<u8>,
}

fn capture(name: &str) -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../libs/ipop/captures")
        .join(name);
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let datagram = line["datagram"].as_str().unwrap();
        Line {
            to_tincan: line["tincan"] == "in",
            bytes: datagram.chars().map(|character| character as u8).collect(),
        }
    });
    lines.collect()
}

/// A tincan with a port and nothing else, and a controller at it.
struct Replay {
    api: Api,
    port: Port,
    client: UdpSocket,
    scene: Scene,
}

impl Replay {
    fn new(api: Api) -> Self {
        // Python takes IPv6 where it is, as here.
        let client = UdpSocket::bind("[::1]:0").unwrap();
        let (port, number) = free_port();
        client.connect(("::1", number)).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        Self {
            api,
            port,
            client,
            scene: Scene::new(api),
        }
    }

    /// Sends what the controller sent.
    fn send(&mut self, datagram: &[u8]) {
        self.client.send(datagram).unwrap();
        let mut buffer = [0; 65536];
        let deadline = std::time::Instant::now() + LIMIT;
        let (length, sender) = loop {
            if let Some(read) = self.port.read(1, &mut buffer) {
                break read;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "the datagram has not come"
            );
            std::thread::yield_now();
        };
        let Scene {
            core, world, now, ..
        } = &mut self.scene;
        core.datagram(sender, &buffer[..length], *now, world);
        self.flush();
    }

    fn flush(&mut self) {
        for (to, datagram) in std::mem::take(&mut self.scene.world.sent) {
            assert!(self.port.send(to, &datagram));
        }
    }

    /// What the controller gets next.
    fn receive(&self) -> Value {
        let mut buffer = [0; 65536];
        let length = self.client.recv(&mut buffer).unwrap();
        message(self.api, &buffer[..length])
    }
}

fn message(api: Api, datagram: &[u8]) -> Value {
    let Ok(Datagram::Control(json)) = api.read(datagram) else {
        panic!("no message: {datagram:?}");
    };
    assert!(json.ends_with(b"}\n") && json.starts_with(b"{\n"));
    serde_json::from_slice(json).unwrap()
}

fn compare(mut got: Value, mut expected: Value, context: &str) {
    for key in INEXACT {
        let parts = (
            got.get_mut(key).map(Value::take),
            expected.get_mut(key).map(Value::take),
        );
        match parts {
            (None, None) => {}
            (Some(Value::Array(got)), Some(Value::Array(expected))) => {
                let keys = |stats: &Value| {
                    stats
                        .as_object()
                        .unwrap()
                        .keys()
                        .cloned()
                        .collect::<Vec<_>>()
                };
                assert_eq!(keys(&got[0]), keys(&expected[0]), "{context}");
            }
            (Some(got), Some(expected)) => {
                assert!(got.is_i64() && expected.is_i64(), "{context}: {key}")
            }
            parts => panic!("{context}: {key}: {parts:?}"),
        }
    }
    // Only this tincan says so.
    if let Some(fields) = got.as_object_mut() {
        fields.remove("_xmpp");
    }
    assert_eq!(got, expected, "{context}");
}

/// Plays a capture, and says which methods the peer was sent.
fn replay(name: &str, api: Api) -> Vec<String> {
    let lines = capture(name);
    let mut signals = Vec::new();
    let mut replay = Replay::new(api);
    let mut links_made = 0;
    for (number, line) in lines.iter().enumerate() {
        let context = format!("{name}:{}", number + 1);
        if !line.to_tincan {
            let expected = message(api, &line.bytes);
            let kind = expected["type"].as_str().unwrap().to_owned();
            let text = |key: &str| expected[key].as_str().unwrap_or_default().to_owned();
            let Scene {
                core, world, now, ..
            } = &mut replay.scene;
            match kind.as_str() {
                "con_req" | "con_resp" => {
                    core.heard(uid(&text("uid")), &kind, &text("data"), *now, world)
                }
                "con_stat" if text("data") == "online" => {
                    core.up(&uid(&text("uid")), "direct", world)
                }
                "con_stat" => core.down(&uid(&text("uid")), world),
                // Tincan asks nobody whether it is there.
                "echo_request" => continue,
                _ => {}
            }
            replay.flush();
            compare(replay.receive(), expected, &context);
            continue;
        }
        let request: Value = {
            let Ok(Datagram::Control(json)) = api.read(&line.bytes) else {
                panic!("{context}");
            };
            serde_json::from_slice(json).unwrap()
        };
        match request["m"].as_str().unwrap_or_default() {
            // The tincan of the capture was started anew.
            "set_logging" => {
                signals.append(&mut replay.scene.world.signals);
                replay = Replay::new(api);
                replay.scene.world.stats = 1;
            }
            "get_state" => {
                // Who is told of next has been seen on XMPP.
                let told = lines[number + 1..]
                    .iter()
                    .take_while(|line| !line.to_tincan);
                for state in told.map(|line| message(api, &line.bytes)) {
                    if state["type"] == "peer_state" {
                        let peer = uid(state["uid"].as_str().unwrap());
                        let Scene {
                            core, world, now, ..
                        } = &mut replay.scene;
                        world.present.insert(peer);
                        core.seen(peer, *now, world);
                    }
                }
            }
            _ => {}
        }
        replay.send(&line.bytes);
        let world = &replay.scene.world;
        let peer = request["uid"].as_str().and_then(|text| text.parse().ok());
        match (request["m"].as_str().unwrap_or_default(), peer) {
            ("set_local_ip", Some(own)) => assert_eq!(world.became[0].uid, own, "{context}"),
            ("register_svc", _) => {
                let account = &world.accounts[0];
                assert_eq!(account.username, "alice@kozo.test", "{context}");
                assert_eq!(
                    (account.host.as_str(), account.password.0.as_str()),
                    ("127.0.0.1", "secret")
                );
            }
            ("create_link", Some(peer)) => {
                let link = &world.links[&peer];
                assert_eq!(
                    (link.stun.as_str(), link.turn.as_str()),
                    ("127.0.0.1:3478", "127.0.0.1:3478")
                );
                assert_eq!(link.controlling, peer < uid(OWN), "{context}");
                let expected = usize::from(request["cas"] != "");
                assert_eq!(link.candidates.len(), expected, "{context}");
                links_made += 1;
            }
            ("trim_link", Some(peer)) => assert!(!world.links.contains_key(&peer), "{context}"),
            ("set_translation", _) => assert!(replay.scene.core.overlay.translate),
            _ => {}
        }
    }
    signals.append(&mut replay.scene.world.signals);
    // Twice for each of the two peers, one with a smaller uid and one with a greater.
    assert_eq!(links_made, 4, "{name}");
    signals.into_iter().map(|(_, kind, _)| kind).collect()
}

#[test]
fn each_public_controller_gets_what_it_got() {
    for (name, api, messages) in [
        ("gvpn-v14.01.1.jsonl", Api::V14_01, 6),
        ("gvpn-v14.07.0.jsonl", Api::V14_07, 6),
        ("svpn-v14.01.1.jsonl", Api::V14_01, 4),
        ("svpn-v14.07.0.jsonl", Api::V14_07, 4),
    ] {
        let sent = replay(name, api);
        let asked = sent.iter().filter(|kind| *kind == "con_req").count();
        assert_eq!((sent.len(), asked), (messages, 4), "{name}: {sent:?}");
    }
}
