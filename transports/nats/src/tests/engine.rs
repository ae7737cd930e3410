//! What the engine does, and what is made of it.

use std::time::Duration;

use kozo_abi::Publish;
use kozo_testnet::{Nats, NatsCluster};

use super::kit::{LIMIT, accepted, bus, hears, newest, programs, until, up};

#[test]
fn what_the_contract_says_holds_with_each_version() {
    for program in programs() {
        let server = Nats::start(&program, "");
        let (alice, bob) = (
            up(bus("alice", &[&server.url()])),
            up(bus("bob", &[&server.url()])),
        );
        let limits = alice.limits().unwrap();
        assert_eq!(limits.max_datagram, 1024 * 1024);
        assert!(limits.wildcards && limits.no_responders);
        let version = format!("NATS {}", program.version());
        assert!(limits.server.contains(&version), "{}", limits.server);
        alice.exchange(&bob, LIMIT).unwrap();
        alice.stop().unwrap();
        bob.stop().unwrap();
    }
}

#[test]
fn a_request_that_nobody_listens_to_is_told_by_its_subject() {
    for program in programs() {
        let server = Nats::start(&program, "");
        let (alice, bob) = (
            up(bus("alice", &[&server.url()])),
            up(bus("bob", &[&server.url()])),
        );
        alice.subscribe("re.alice.>", true).unwrap();
        alice.publish("ask.bob", Some("re.alice.1"), b"?").unwrap();
        alice.wait_for_nobody("ask.bob", LIMIT).unwrap();
        assert!(alice.received().is_empty());
        hears(&alice, &bob, "ask.bob");
        alice.publish("ask.bob", Some("re.alice.2"), b"?").unwrap();
        let asked = bob.wait_for(1, LIMIT).unwrap();
        assert_eq!(asked[0].reply.as_deref(), Some("re.alice.2"));
        bob.publish("re.alice.2", None, b"!").unwrap();
        assert_eq!(alice.wait_for(1, LIMIT).unwrap()[0].data, b"!");
    }
}

#[test]
fn the_largest_datagram_goes_through_and_what_a_server_allows_is_told() {
    let Some(program) = newest() else { return };
    let server = Nats::start(&program, "max_payload: 4096\nserver_name: small");
    let (alice, bob) = (
        up(bus("alice", &[&server.url()])),
        up(bus("bob", &[&server.url()])),
    );
    let limits = alice.limits().unwrap();
    assert_eq!(limits.max_datagram, 4096);
    assert!(limits.server.contains("`small`"), "{}", limits.server);
    hears(&alice, &bob, "large");
    let data: Vec<u8> = (0..4096u32).map(|number| (number % 251) as u8).collect();
    alice.publish("large", None, &data).unwrap();
    assert_eq!(bob.wait_for(1, LIMIT).unwrap()[0].data, data);
    // One byte more, which no host sends, costs the connection, and that is said.
    alice.publish("large", None, &[0; 4097]).unwrap();
    let reason = alice.wait_until_down(1, LIMIT).unwrap();
    assert!(reason.contains("Maximum Payload Violation"), "{reason}");
}

#[test]
fn another_server_takes_over_at_once_also_one_that_is_not_in_the_file() {
    for program in programs() {
        let mut cluster = NatsCluster::start(&program, 3, "");
        let urls = cluster.urls();
        let alice = up(bus("alice", &[&urls[0]]));
        let bob = up(bus("bob", &[&urls[1]]));
        hears(&alice, &bob, "a.b");
        cluster.servers[0].process().kill();
        let reason = alice.wait_until_down(1, LIMIT).unwrap();
        assert!(reason.starts_with(&urls[0]), "{reason}");
        until("another server has taken over", || alice.ups() == 2);
        let server = alice.limits().unwrap().server;
        assert!(!server.contains(&urls[0]), "{server}");
        // What is wanted is subscribed to there as well.
        bob.subscribe("c.d", true).unwrap();
        hears(&bob, &alice, "c.d");
        hears(&alice, &bob, "a.b");
    }
}

#[test]
fn of_a_cluster_that_is_gone_each_server_is_named_once_by_the_name_in_the_file() {
    let Some(program) = newest() else { return };
    let mut cluster = NatsCluster::start(&program, 3, "");
    let urls = cluster.urls();
    // The servers tell of each other by their addresses.
    let names: Vec<_> = urls
        .iter()
        .map(|url| url.replace("127.0.0.1", "localhost"))
        .collect();
    let alice = up(bus("alice", &[&names[0], &names[1]]));
    for server in &mut cluster.servers {
        server.process().kill();
    }
    let servers = [&*names[0], &names[1], &urls[2]].join(", ");
    let mut logged = Vec::new();
    until("it is told", || {
        logged.extend(alice.logged().into_iter().map(|(_, text)| text));
        logged.iter().any(|text| text.contains(&servers))
    });
    let told = logged.iter().find(|text| text.contains(&servers)).unwrap();
    assert!(
        told.contains(&format!("{servers}: nothing listens there")) && !told.contains("more"),
        "{told}"
    );
}

#[test]
fn a_server_that_stands_still_confirms_nothing_and_is_left() {
    let Some(program) = newest() else { return };
    let mut cluster = NatsCluster::start(&program, 2, "");
    let urls = cluster.urls();
    let alice = up(bus("alice", &[&urls[0], &urls[1]]).option("pingInterval", 1));
    let bob = up(bus("bob", &[&urls[1]]));
    hears(&alice, &bob, "a");
    let number = accepted(alice.publish("a", None, b"before").unwrap());
    alice.wait_until_confirmed(number, LIMIT).unwrap();
    assert!(alice.round_trip().is_some());
    cluster.servers[0].process().freeze();
    // The socket takes it, and a client whose `flush` ends there would call it sent.
    let number = accepted(alice.publish("a", None, b"into the void").unwrap());
    let reason = alice.wait_until_down(1, LIMIT).unwrap();
    assert!(reason.contains("has fallen silent"), "{reason}");
    until("another server has taken over", || alice.ups() == 2);
    assert!(alice.confirmed() < Some(number));
    cluster.servers[0].process().kill();
    let number = accepted(alice.publish("a", None, b"again").unwrap());
    alice.wait_until_confirmed(number, LIMIT).unwrap();
    until("it is heard", || {
        bob.received()
            .iter()
            .any(|datagram| datagram.data == b"again")
    });
}

#[test]
fn what_waits_for_a_server_is_bounded_and_nothing_ever_waits() {
    let Some(program) = newest() else { return };
    let mut server = Nats::start(&program, "");
    let limited = |length: usize, size: usize| {
        bus("alice", &[&server.url()])
            .option("pendingLength", length)
            .option("pendingSize", size)
            .option("pingInterval", 600)
    };
    let (few, small) = (up(limited(100, 1 << 28)), up(limited(1_000_000, 65536)));
    server.process().freeze();
    for (bus, most) in [(&few, 100), (&small, 200)] {
        let mut taken = 0;
        // What the system's sockets take comes on top.
        while let Publish::Accepted(_) = bus.publish("a", None, &[0; 1024]).unwrap() {
            taken += 1;
            assert!(taken < 100_000, "there is no bound");
        }
        assert!(taken >= most / 4, "{taken}");
        assert_eq!(bus.publish("a", None, &[0; 1024]).unwrap(), Publish::Full);
    }
    server.process().thaw();
    for bus in [&few, &small] {
        until("there is room again", || {
            matches!(bus.publish("a", None, b"x").unwrap(), Publish::Accepted(_))
        });
        let number = accepted(bus.publish("a", None, b"last").unwrap());
        bus.wait_until_confirmed(number, LIMIT).unwrap();
    }
}

#[test]
fn a_host_without_room_slows_the_server_down_and_what_is_thrown_away_is_counted() {
    let Some(program) = newest() else { return };
    let server = Nats::start(&program, "");
    let (alice, bob) = (
        up(bus("alice", &[&server.url()])),
        up(bus("bob", &[&server.url()])),
    );
    hears(&alice, &bob, "a");
    bob.set_room(100);
    for number in 0..300u32 {
        accepted(alice.publish("a", None, &number.to_le_bytes()).unwrap());
    }
    // There is room soon enough: nothing is lost, and all is in its order.
    let mut got = Vec::new();
    until("all is there", || {
        got.extend(bob.received());
        got.len() == 300
    });
    assert!(
        got.iter()
            .map(|datagram| &datagram.data[..])
            .eq((0..300u32).map(u32::to_le_bytes))
    );
    assert_eq!(bob.dropped(), 0);
    // There is none for too long: what comes is thrown away, until there is.
    for number in 0..300u32 {
        accepted(alice.publish("a", None, &number.to_le_bytes()).unwrap());
    }
    until("it is counted", || bob.dropped() == 200);
    assert_eq!(bob.wait_for(100, LIMIT).unwrap().len(), 100);
    hears(&alice, &bob, "a");
    assert_eq!(bob.downs(), Vec::<String>::new());
}

#[test]
fn leaf_nodes_carry_it() {
    for program in programs() {
        let port = kozo_testnet::free_port();
        let hub = Nats::start(
            &program,
            &format!("leafnodes {{ listen: \"127.0.0.1:{port}\" }}"),
        );
        let leaf =
            format!("leafnodes {{ remotes: [{{ url: \"nats-leaf://127.0.0.1:{port}\" }}] }}");
        let leaf = Nats::start(&program, &leaf);
        let (alice, bob) = (
            up(bus("alice", &[&hub.url()])),
            up(bus("bob", &[&leaf.url()])),
        );
        hears(&alice, &bob, "to.bob");
        hears(&bob, &alice, "to.alice");
        alice.subscribe("re.alice.>", true).unwrap();
        alice
            .publish("ask.carol", Some("re.alice.1"), b"?")
            .unwrap();
        alice.wait_for_nobody("ask.carol", LIMIT).unwrap();
    }
}

#[test]
fn it_goes_over_websockets() {
    for program in programs() {
        let port = kozo_testnet::free_port();
        let lines = format!("websocket {{ listen: \"127.0.0.1:{port}\", no_tls: true }}");
        let server = Nats::start(&program, &lines);
        let alice = up(bus("alice", &[&format!("ws://127.0.0.1:{port}")]));
        let bob = up(bus("bob", &[&server.url()]));
        alice.exchange(&bob, LIMIT).unwrap();
        bob.exchange(&alice, LIMIT).unwrap();
    }
}

#[test]
fn a_server_that_is_to_be_shut_down_is_told_of() {
    let Some(program) = newest() else { return };
    let mut server = Nats::start(
        &program,
        "lame_duck_grace_period: 1s\nlame_duck_duration: 30s",
    );
    let alice = up(bus("alice", &[&server.url()]));
    server.process().signal_usr2();
    until("it is told", || {
        alice.status().contains("about to be shut down")
    });
    server.process().kill();
    alice.wait_until_down(1, LIMIT).unwrap();
    server.restart();
    until("it is up again", || alice.ups() == 2);
    assert_eq!(alice.status(), "");
}

#[test]
fn what_was_accepted_leaves_before_a_stop() {
    let Some(program) = newest() else { return };
    let server = Nats::start(&program, "");
    let (alice, bob) = (
        up(bus("alice", &[&server.url()])),
        up(bus("bob", &[&server.url()])),
    );
    hears(&alice, &bob, "a");
    for _ in 0..100 {
        accepted(alice.publish("a", None, b"x").unwrap());
    }
    alice.stop().unwrap();
    assert_eq!(bob.wait_for(100, LIMIT).unwrap().len(), 100);
    // One that looks for a server stops at once as well.
    let nowhere = bus("carol", &["nats://192.0.2.1:4222"]).option("connectTimeout", 60);
    let nowhere = nowhere.start().unwrap();
    nowhere.run_in_background();
    std::thread::sleep(Duration::from_millis(50));
    nowhere.stop().unwrap();
}
