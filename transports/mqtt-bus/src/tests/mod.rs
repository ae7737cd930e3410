//! With a real Mosquitto.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use kozo_abi::Publish;
use kozo_abi::bench::{BusBench, StartedBus};
use kozo_testnet::{Authority, Mosquitto, free_port};

use crate::MqttBus;

/// How long anything may take: the machine may have a lot to do.
const LIMIT: Duration = Duration::from_secs(90);

/// A broker with these lines, or the reason why there is none.
fn broker(lines: &str) -> Option<Mosquitto> {
    broker_with(lines, |_| {})
}

fn broker_with(lines: &str, prepare: impl FnOnce(&Path)) -> Option<Mosquitto> {
    match Mosquitto::with(lines, prepare) {
        Ok(broker) => Some(broker),
        Err(reason) => {
            eprintln!("skipped: {reason}");
            None
        }
    }
}

fn bus(node: &str, url: &str) -> BusBench<MqttBus> {
    BusBench::new()
        .node(node)
        .name("fleet")
        .option("servers", [url])
}

fn url(broker: &Mosquitto) -> String {
    format!("mqtt://127.0.0.1:{}", broker.port())
}

#[track_caller]
fn up(bench: BusBench<MqttBus>) -> StartedBus {
    let bus = bench.start().unwrap();
    bus.run_in_background();
    bus.wait_until_up(LIMIT).unwrap();
    bus
}

#[track_caller]
fn reason(bench: BusBench<MqttBus>) -> String {
    bench.start().unwrap().run().unwrap_err().to_string()
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says something until it is heard, and then until it is quiet.
#[track_caller]
fn hears(from: &StartedBus, to: &StartedBus, subject: &str) {
    to.subscribe(subject, true).unwrap();
    until("it is heard", || {
        from.publish(subject, None, b"hello").unwrap();
        !to.received().is_empty()
    });
    until("it is quiet", || {
        std::thread::sleep(Duration::from_millis(20));
        to.received().is_empty()
    });
}

fn write(folder: &Path, name: &str, text: &str, mode: u32) {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn accepted(publish: Publish) -> u64 {
    match publish {
        Publish::Accepted(number) => number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_contract_says_holds_over_each_way_to_a_broker() {
    let certificates = |folder: &Path| {
        let authority = Authority::new();
        authority.write(&folder.join("ca.crt"));
        authority.sign(folder, "broker", "127.0.0.1", false);
    };
    let tls = "allow_anonymous true\ncafile FOLDER/ca.crt\ncertfile FOLDER/broker.crt\nkeyfile FOLDER/broker.key\n";
    for (scheme, lines) in [
        ("mqtt", "allow_anonymous true".to_owned()),
        ("ws", "allow_anonymous true\nprotocol websockets".to_owned()),
        ("mqtts", tls.to_owned()),
    ] {
        let Some(broker) = broker_with(&lines, certificates) else {
            return;
        };
        let url = format!("{scheme}://127.0.0.1:{}", broker.port());
        let with = |node| {
            let bench = bus(node, &url);
            match scheme {
                "mqtts" => bench.option("caFile", broker.file("ca.crt")),
                _ => bench,
            }
        };
        let (alice, bob) = (up(with("alice")), up(with("bob")));
        let limits = alice.limits().unwrap();
        assert!(limits.wildcards && !limits.no_responders);
        assert_eq!(limits.max_datagram, 512 * 1024);
        match scheme {
            // Mosquitto 2.0 reads 40 KB a second of a WebSocket: the largest datagrams would take a minute.
            "ws" => hears(&alice, &bob, "a.b"),
            _ => alice.exchange(&bob, LIMIT).unwrap(),
        }
        alice.stop().unwrap();
        bob.stop().unwrap();
    }
}

#[test]
fn requests_and_their_answers_are_told_apart_and_confirmed() {
    let Some(broker) = broker("allow_anonymous true") else {
        return;
    };
    let (alice, bob) = (
        up(bus("alice", &url(&broker))),
        up(bus("bob", &url(&broker))),
    );
    hears(&alice, &bob, "ask.bob");
    hears(&bob, &alice, "re.alice.1");
    let number = accepted(alice.publish("ask.bob", Some("re.alice.1"), b"?").unwrap());
    let asked = bob.wait_for(1, LIMIT).unwrap();
    assert_eq!(asked[0].reply.as_deref(), Some("re.alice.1"));
    bob.publish("re.alice.1", None, b"!").unwrap();
    let answer = alice.wait_for(1, LIMIT).unwrap();
    assert_eq!(
        (&answer[0].data[..], answer[0].reply.as_deref()),
        (&b"!"[..], None)
    );
    alice.wait_until_confirmed(number, LIMIT).unwrap();
    assert!(alice.round_trip().is_some());
}

#[test]
fn a_broker_that_stands_still_confirms_nothing_and_what_waits_is_bounded() {
    let Some(mut broker) = broker("allow_anonymous true") else {
        return;
    };
    let alice = up(bus("alice", &url(&broker))
        .option("keepAlive", 5)
        .option("pendingLength", 100));
    let number = accepted(alice.publish("a", None, b"x").unwrap());
    alice.wait_until_confirmed(number, LIMIT).unwrap();
    broker.process().freeze();
    let mut taken = 0;
    while let Publish::Accepted(_) = alice.publish("a", None, &[0; 1024]).unwrap() {
        taken += 1;
        assert!(taken < 10_000, "there is no bound");
    }
    let reason = alice.wait_until_down(1, LIMIT).unwrap();
    assert!(reason.contains("silent"), "{reason}");
    assert_eq!(alice.confirmed(), Some(number));
    broker.process().thaw();
    until("it is up again", || alice.ups() == 2);
    let number = accepted(alice.publish("a", None, b"again").unwrap());
    alice.wait_until_confirmed(number, LIMIT).unwrap();
}

#[test]
fn a_broker_that_is_started_again_is_found_and_subscribed_to() {
    let Some(mut broker) = broker("allow_anonymous true") else {
        return;
    };
    let (alice, bob) = (
        up(bus("alice", &url(&broker))),
        up(bus("bob", &url(&broker))),
    );
    hears(&alice, &bob, "a.b");
    broker.process().kill();
    alice.wait_until_down(1, LIMIT).unwrap();
    assert_eq!(alice.publish("a.b", None, b"x").unwrap(), Publish::Down);
    broker.restart();
    until("both are up again", || alice.ups() >= 2 && bob.ups() >= 2);
    hears(&alice, &bob, "a.b");
}

#[test]
fn a_host_without_room_slows_the_broker_down_and_what_is_thrown_away_is_counted() {
    let Some(broker) = broker("allow_anonymous true\nall max_queued_messages 0") else {
        return;
    };
    let (alice, bob) = (
        up(bus("alice", &url(&broker))),
        up(bus("bob", &url(&broker))),
    );
    hears(&alice, &bob, "a");
    bob.set_room(10);
    let mut last = 0;
    for number in 0..30u32 {
        last = accepted(alice.publish("a", None, &number.to_le_bytes()).unwrap());
    }
    alice.wait_until_confirmed(last, LIMIT).unwrap();
    let mut got = Vec::new();
    until("all is there", || {
        got.extend(bob.received());
        got.len() == 30
    });
    assert!(
        got.iter()
            .map(|datagram| &datagram.data[..])
            .eq((0..30u32).map(u32::to_le_bytes))
    );
    assert_eq!(bob.dropped(), 0);
    for number in 0..30u32 {
        accepted(alice.publish("a", None, &number.to_le_bytes()).unwrap());
    }
    until("it is counted", || bob.dropped() == 20);
}

#[test]
fn only_what_fits_a_pattern_comes() {
    let Some(broker) = broker("allow_anonymous true") else {
        return;
    };
    let (alice, bob) = (
        up(bus("alice", &url(&broker))),
        up(bus("bob", &url(&broker))),
    );
    bob.subscribe("a.>", true).unwrap();
    hears(&alice, &bob, "end");
    // For MQTT `a/#` is also `a`.
    for subject in ["a", "a.b", "a.b.c", "b"] {
        alice.publish(subject, None, b"x").unwrap();
    }
    alice.publish("end", None, b"x").unwrap();
    let subjects: Vec<_> = bob
        .wait_for(3, LIMIT)
        .unwrap()
        .into_iter()
        .map(|datagram| datagram.subject)
        .collect();
    assert_eq!(subjects, ["a.b", "a.b.c", "end"]);
}

#[test]
fn what_a_broker_does_not_allow_is_told_by_its_subject_each_time() {
    let lists = |folder: &Path| {
        fs::write(folder.join("acl"), "topic readwrite own/#\n").unwrap();
    };
    let Some(broker) = broker_with("allow_anonymous true\nacl_file FOLDER/acl", lists) else {
        return;
    };
    let (alice, bob) = (
        up(bus("alice", &url(&broker))),
        up(bus("bob", &url(&broker))),
    );
    hears(&alice, &bob, "own.thing");
    for _ in 0..3 {
        let number = accepted(alice.publish("other.thing", None, b"forged").unwrap());
        alice.wait_until_confirmed(number, LIMIT).unwrap();
    }
    let mut refused = Vec::new();
    while refused.len() < 3 {
        refused.extend(alice.wait_for_refused(LIMIT).unwrap());
    }
    assert_eq!(refused.len(), 3);
    for (subject, reason) in refused {
        assert_eq!(subject, "other.thing");
        assert!(reason.contains("does not let it publish there"), "{reason}");
    }
    hears(&alice, &bob, "own.thing");
    assert_eq!(alice.status(), "");
}

/// The plug-in by which Mosquitto can refuse a subscription: its lists let everybody subscribe, and hand out nothing.
fn security() -> Option<PathBuf> {
    let arch = std::env::consts::ARCH;
    let folders = [format!("/usr/lib/{arch}-linux-gnu"), "/usr/lib".to_owned()];
    let mut files = folders
        .map(|folder| Path::new(&folder).join("mosquitto_dynamic_security.so"))
        .into_iter();
    let found = files.find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: Mosquitto is here without `mosquitto_dynamic_security.so`");
    }
    found
}

#[test]
fn what_a_broker_allows_later_is_subscribed_to_without_a_new_connection() {
    let Some(plugin) = security() else { return };
    let lines = format!(
        "allow_anonymous true\nplugin {}\nplugin_opt_config_file FOLDER/security.json",
        plugin.display()
    );
    let prepare = |folder: &Path| {
        write(folder, "password", "secret", 0o600);
        let made = Command::new("mosquitto_ctrl")
            .args(["dynsec", "init"])
            .arg(folder.join("security.json"))
            .args(["admin", "secret"])
            .output();
        assert!(made.unwrap().status.success());
    };
    let Some(broker) = broker_with(&lines, prepare) else {
        return;
    };
    let admin = up(bus("admin", &url(&broker))
        .option("user", "admin")
        .option("passwordFile", broker.file("password")));
    let allow = |what: &str| {
        let command = format!(
            r#"{{"commands": [{{"command": "setDefaultACLAccess", "acls": [{{"acltype": "{what}", "allow": true}}]}}]}}"#
        );
        let subject = "$CONTROL.dynamic-security.v1";
        let number = accepted(admin.publish(subject, None, command.as_bytes()).unwrap());
        admin.wait_until_confirmed(number, LIMIT).unwrap();
    };
    allow("publishClientSend");
    let (alice, bob) = (
        up(bus("alice", &url(&broker))),
        up(bus("bob", &url(&broker))),
    );
    alice.subscribe("other.*", true).unwrap();
    // It is asked for again for as long as it is refused.
    for _ in 0..3 {
        let refused = alice.wait_for_refused(LIMIT).unwrap();
        assert!(
            refused
                .iter()
                .all(|(subject, reason)| subject == "other.*" && reason.contains("subscribe"))
        );
    }
    allow("subscribe");
    until("it is heard", || {
        bob.publish("other.thing", None, b"x").unwrap();
        !alice.received().is_empty()
    });
    // An empty reason takes it back.
    until("it is taken back", || {
        let told = alice.wait_for_refused(LIMIT).unwrap();
        told.contains(&("other.*".to_owned(), String::new()))
    });
    assert_eq!((alice.ups(), alice.downs().len()), (1, 0));
    alice.stop().unwrap();
}

#[test]
fn what_is_wrong_is_told() {
    let password = |folder: &Path| {
        for (name, text, mode) in [
            ("right", "secret", 0o600),
            ("wrong", "x", 0o600),
            ("open", "secret", 0o644),
        ] {
            write(folder, name, text, mode);
        }
        // `fleet:secret`, as `mosquitto_passwd` hashes it, is made by the broker's own tool.
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(folder.join("passwords"))
            .args(["fleet", "secret"])
            .status();
        assert!(made.unwrap().success());
    };
    let lines = "allow_anonymous false\npassword_file FOLDER/passwords";
    let Some(broker) = broker_with(lines, password) else {
        return;
    };
    let with = |name: &str| {
        bus("alice", &url(&broker))
            .option("user", "fleet")
            .option("passwordFile", broker.file(name))
    };
    up(with("right"));
    for (name, words) in [
        ("wrong", "does not let this user in"),
        (
            "wrong",
            "one that is new it may not know before its files are read again",
        ),
        ("open", "others can read or change it"),
        ("none", "cannot be read"),
    ] {
        let text = reason(with(name));
        assert!(text.contains(words), "{text}");
    }
    let nobody = format!("mqtt://127.0.0.1:{}", free_port());
    assert!(reason(bus("alice", &nobody)).contains("nothing listens there"));
    for servers in [&[][..], &["nats://hub"], &["mqtt://hub/path"]] {
        assert!(
            bus("alice", "mqtt://hub")
                .option("servers", servers)
                .start()
                .is_err()
        );
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let certificates = |folder: &Path| {
        let authority = Authority::new();
        authority.write(&folder.join("ca.crt"));
        authority.sign(folder, "broker", "127.0.0.1", false);
        authority.sign(folder, "client", "alice", false);
    };
    let lines = "allow_anonymous true\nrequire_certificate true\ncafile FOLDER/ca.crt\n\
        certfile FOLDER/broker.crt\nkeyfile FOLDER/broker.key\n";
    let Some(broker) = broker_with(lines, certificates) else {
        return;
    };
    let key = broker.file("client.key");
    let with = || {
        bus("alice", &format!("mqtts://127.0.0.1:{}", broker.port()))
            .option("caFile", broker.file("ca.crt"))
            .option("certificateFile", broker.file("client.crt"))
            .option("keyFile", &key)
    };
    up(with());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let text = reason(with());
    assert!(
        text.starts_with("`keyFile`") && text.contains("others can read or change it"),
        "{text}"
    );
}

#[test]
fn it_stops_at_once_wherever_it_waits() {
    let stops = |url: &str| {
        let bus = bus("alice", url).start().unwrap();
        bus.run_in_background();
        std::thread::sleep(Duration::from_millis(50));
        let began = Instant::now();
        bus.stop().unwrap();
        began.elapsed()
    };
    // Nobody answers; TCP comes about and then nothing. The client's own limit is ten seconds.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = format!("mqtt://{}", mute.local_addr().unwrap());
    for url in ["mqtt://192.0.2.1", &mute] {
        assert!(stops(url) < Duration::from_secs(9), "{url}");
    }
}
