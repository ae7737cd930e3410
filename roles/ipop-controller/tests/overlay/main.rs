//! Both roles of IPOP in real daemons, with real servers, NAT and kernels. As root; each network is in namespaces of its
//! own. `make test-ipop` builds what they need, and runs them: without it they are ignored.

mod scene;

use std::time::Duration;

use kozo_testnet::{Host, Ipv6, Nat, Pings, Server, Unavailable, XmppOptions, wait_until};

use scene::{ALICE, BOB, CAROL, Scene, skipped};

/// How long pings of a peer may take on a machine that has much to do.
const LIMIT: Duration = Duration::from_secs(90);

macro_rules! or_skip {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(reason) => return skipped(&reason),
        }
    };
}

/// A daemon with a peer that others wrote: both ways of asking for a link, and pings of both.
fn with_foreign_peer(
    nat: Nat,
    ipv6: Ipv6,
    server: Server,
    more: &[&str],
) -> Result<(), Unavailable> {
    let scene = Scene::start(nat, ipv6, server)?;
    let alice = scene.daemon(Host::A, ALICE, &scene.both(""));
    let mut peer = scene.peer(more, Pings::None)?;
    peer.wait_for("online")
        .unwrap_or_else(|error| panic!("{error}\n{}", alice.output()));
    for address in [BOB.ip4, BOB.ip6] {
        assert!(
            scene.pings(Host::A, address),
            "{address}\n{}",
            alice.output()
        );
    }
    alice.wait_for_status("172.31.0.100, 1 of 1 peers linked");
    // Another one in its place, which others would call a restart: it asks, and the kernel answers.
    drop(peer);
    let mut peer = scene.peer(more, Pings::Then(3))?;
    peer.wait_for_pongs(LIMIT)
        .unwrap_or_else(|error| panic!("{error}\n{}", alice.output()));
    Ok(())
}

#[test]
#[ignore = "make test-ipop"]
fn a_foreign_peer_is_linked_through_the_usual_routers() {
    or_skip!(with_foreign_peer(
        Nat::Cone,
        Ipv6::No,
        Server::Prosody,
        &["--no-relay"]
    ));
}

#[test]
#[ignore = "make test-ipop"]
fn a_foreign_peer_is_linked_through_a_relay_and_with_another_digest() {
    let more = ["--digest", "sha1", "--relay-only"];
    or_skip!(with_foreign_peer(
        Nat::Symmetric,
        Ipv6::No,
        Server::Prosody,
        &more
    ));
}

#[test]
#[ignore = "make test-ipop"]
fn a_foreign_peer_is_met_through_ejabberd_and_linked_over_ipv6() {
    or_skip!(with_foreign_peer(
        Nat::Symmetric,
        Ipv6::Yes,
        Server::Ejabberd,
        &["--no-relay"]
    ));
}

#[test]
#[ignore = "make test-ipop"]
fn a_link_of_two_nodes_carries_data_is_trimmed_when_one_was_killed_and_comes_back() {
    let scene = or_skip!(Scene::start(Nat::Cone, Ipv6::No, Server::Prosody));
    let alice = scene.daemon(Host::A, ALICE, &scene.both(""));
    let mut bob = scene.daemon(Host::B, BOB, &scene.both(""));
    for node in [&alice, &bob] {
        node.wait_for_status("1 of 1 peers linked");
    }
    for (host, peer) in [(Host::A, BOB), (Host::B, ALICE)] {
        for address in [peer.ip4, peer.ip6] {
            assert!(scene.pings(host, address), "{address}\n{}", alice.output());
        }
    }
    match scene.throughput(BOB.ip6) {
        Some(rate) => eprintln!("TCP through the overlay: {:.0} Mbit/s", rate / 1e6),
        None => skipped(&Unavailable("no `iperf3`".to_owned())),
    }
    bob.process.kill();
    alice.wait_for_status("0 of 1 peers linked");
    // It was ended, not only lost: without a link, the peer is asked again, and asks for one itself when it is back.
    let bob = scene.daemon(Host::B, BOB, &scene.both(""));
    for node in [&alice, &bob] {
        node.wait_for_status("1 of 1 peers linked");
    }
    wait_until("pings pass again", || {
        scene.pings(Host::A, BOB.ip6).then_some(())
    });
}

#[test]
#[ignore = "make test-ipop"]
fn nodes_of_a_social_network_number_each_other_and_keep_who_they_are() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No, Server::Prosody));
    let social = scene.both(", mode: socialvpn");
    let mut alice = scene.daemon(Host::A, ALICE, &social);
    let bob = scene.daemon(Host::B, BOB, &social);
    for node in [&alice, &bob] {
        node.wait_for_status("1 of 1 peers linked");
    }
    // Each is the other's first peer, whatever address that has given itself.
    for host in [Host::A, Host::B] {
        assert!(scene.pings(host, "172.31.0.101"), "{}", alice.output());
    }
    alice.process.stop();
    let alice = scene.daemon(Host::A, ALICE, &social);
    alice.wait_for_status("1 of 1 peers linked");
    // It is still the same peer, with the same address.
    wait_until("pings pass again", || {
        scene.pings(Host::B, "172.31.0.101").then_some(())
    });
}

#[test]
#[ignore = "make test-ipop"]
fn a_ping_makes_a_link_on_demand() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No, Server::Prosody));
    let roles = scene.both(", onDemand: true");
    let alice = scene.daemon(Host::A, ALICE, &roles);
    let bob = scene.daemon(Host::B, BOB, &roles);
    for node in [&alice, &bob] {
        node.wait_for_status("0 of 1 peers linked");
    }
    wait_until("pings pass", || scene.pings(Host::A, BOB.ip4).then_some(()));
    for node in [&alice, &bob] {
        node.wait_for_status("1 of 1 peers linked");
    }
}

#[test]
#[ignore = "make test-ipop"]
fn a_network_of_kozo_goes_over_the_overlay() {
    let scene = or_skip!(Scene::start(Nat::Cone, Ipv6::No, Server::Prosody));
    let nodes = [(ALICE, BOB), (BOB, ALICE)];
    let text = scene.network_file(&nodes.map(|(node, _)| (node, scene.both(""))));
    let daemons =
        [(Host::A, ALICE), (Host::B, BOB)].map(|(host, node)| scene.run(host, node, &text));
    for (daemon, (_, peer)) in daemons.iter().zip(nodes) {
        daemon.wait_for_status("1 of 1 peers linked");
        wait_until("the nodes are linked", || {
            let status = daemon.status();
            let line = status
                .lines()
                .find(|line| line.contains(peer.account) && line.contains("tcp"))?;
            line.contains("up").then_some(())
        });
    }
}

#[test]
#[ignore = "make test-ipop"]
fn in_switch_mode_hosts_behind_the_nodes_reach_each_other() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No, Server::Prosody));
    let roles = scene.both(", switchMode: true");
    let alice = scene.daemon(Host::A, ALICE, &roles);
    let bob = scene.daemon(Host::B, BOB, &roles);
    for node in [&alice, &bob] {
        node.wait_for_status("1 of 1 peers linked");
    }
    let behind_alice = scene.host_behind(Host::A, ALICE, "172.31.7.1/16");
    let _behind_bob = scene.host_behind(Host::B, BOB, "172.31.7.2/16");
    wait_until("the hosts reach each other", || {
        let target = behind_alice.id().to_string();
        let ping = [
            "--net",
            "--target",
            &target,
            "ping",
            "-c",
            "3",
            "-i",
            "0.2",
            "-W",
            "2",
            "172.31.7.2",
        ];
        scene.network.run(Host::A, "nsenter", &ping).ok()
    });
}

#[test]
#[ignore = "make test-ipop"]
fn a_friends_friend_is_reached_through_the_friend() {
    let options = XmppOptions {
        chain: true,
        ..XmppOptions::default()
    };
    let accounts = ["alice", "carol", "bob"];
    let scene = or_skip!(Scene::start_with(
        Nat::None,
        Ipv6::No,
        Server::Prosody,
        &accounts,
        options
    ));
    let roles = scene.both(", mode: socialvpn, multihop: true, uid: \"{uid}\"");
    let alice = scene.daemon(Host::A, ALICE, &roles);
    let carol = scene.daemon(Host::Public, CAROL, &roles);
    let bob = scene.daemon(Host::B, BOB, &roles);
    for (node, linked) in [(&alice, "1 of 1"), (&carol, "2 of 2"), (&bob, "1 of 1")] {
        node.wait_for_status(&format!("{linked} peers linked"));
    }
    wait_until("pings pass both ways", || {
        let passes = scene.pings(Host::A, BOB.ip6) && scene.pings(Host::B, ALICE.ip6);
        passes.then_some(())
    });
}

// What can be wrong.

#[test]
#[ignore = "make test-ipop"]
fn what_keeps_a_node_from_xmpp_is_told_and_mends() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No, Server::Prosody));
    let wrong = scene.network.folder().join("wrong");
    std::fs::write(&wrong, "not the password\n").unwrap();
    let mut alice = scene.daemon(
        Host::A,
        ALICE,
        &scene
            .both("")
            .replace(scene.password(), wrong.to_str().unwrap()),
    );
    alice.wait_for_status(
        "is not on XMPP: the XMPP server refuses `alice@kozo.test`: wrong password",
    );
    alice.process.stop();
    let without_ca = scene
        .both("")
        .replace(&format!("caFile: {}", scene.ca().display()), "");
    let mut alice = scene.daemon(Host::A, ALICE, &without_ca);
    // By whom the certificate should be, or that this machine knows nobody who could vouch for one.
    wait_until("it says what is wrong with the certificate", || {
        let status = alice.status();
        (status.contains("is not on XMPP: ") && status.contains("certificate")).then_some(())
    });
    alice.process.stop();
    let alice = scene.daemon(Host::A, ALICE, &scene.both(""));
    let mut peer = or_skip!(scene.peer(&["--no-relay"], Pings::None));
    peer.wait_for("online")
        .unwrap_or_else(|error| panic!("{error}\n{}", alice.output()));
    // The server is gone: the link stays, and what is wrong is told; until it is there again.
    scene.stop_xmpp();
    alice.wait_for_status("is not on XMPP: ");
    assert!(scene.pings(Host::A, BOB.ip4), "{}", alice.output());
    or_skip!(scene.start_xmpp(XmppOptions {
        without_tls: true,
        ..XmppOptions::default()
    }));
    wait_until("it says that there is no STARTTLS", || {
        alice.status().contains("STARTTLS").then_some(())
    });
    scene.stop_xmpp();
    or_skip!(scene.start_xmpp(XmppOptions::default()));
    alice.wait_for_status("172.31.0.100, ");
}

#[test]
#[ignore = "make test-ipop"]
fn a_relayed_link_comes_back_with_its_relay() {
    let scene = or_skip!(Scene::start(Nat::Symmetric, Ipv6::No, Server::Prosody));
    let alice = scene.daemon(Host::A, ALICE, &scene.both(""));
    let bob = scene.daemon(Host::B, BOB, &scene.both(""));
    for node in [&alice, &bob] {
        node.wait_for_status("1 of 1 peers linked");
    }
    assert!(scene.pings(Host::A, BOB.ip4), "{}", alice.output());
    scene.stop_relay();
    for node in [&alice, &bob] {
        node.wait_for_status("0 of 1 peers linked");
    }
    or_skip!(scene.start_relay());
    wait_until("pings pass again", || {
        scene.pings(Host::A, BOB.ip4).then_some(())
    });
}

#[test]
#[ignore = "make test-ipop"]
fn a_peer_that_lies_about_its_certificate_gets_no_link() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No, Server::Prosody));
    let alice = scene.daemon(Host::A, ALICE, &scene.both(""));
    let mut liar = or_skip!(scene.peer(&["--wrong-fingerprint"], Pings::None));
    // It has a way, over which the handshake fails.
    liar.wait_for("ice")
        .unwrap_or_else(|error| panic!("{error}\n{}", alice.output()));
    wait_until("the handshake fails", || {
        liar.event("failed")
            .or_else(|| liar.event("offline"))
            .map(|_| ())
    });
    assert!(
        alice.status().contains("0 of 1 peers linked"),
        "{}",
        alice.status()
    );
    assert!(!scene.pings(Host::A, BOB.ip4));
    drop(liar);
    let mut peer = or_skip!(scene.peer(&["--foreign-frame"], Pings::Then(3)));
    peer.wait_for_pongs(LIMIT)
        .unwrap_or_else(|error| panic!("{error}\n{}", alice.output()));
    // Who asked for itself was answered, who asked in another's name was not.
    let numbers: Vec<_> = peer
        .events()
        .into_iter()
        .filter(|event| event["what"] == "pong")
        .collect();
    assert_eq!(numbers.len(), 3);
}

#[test]
#[ignore = "make test-ipop"]
fn floods_of_datagrams_that_mean_nothing_cost_no_memory_and_no_link() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No, Server::Prosody));
    let alice = scene.daemon(Host::A, ALICE, &scene.both(""));
    let bob = scene.daemon(Host::B, BOB, &scene.both(""));
    for node in [&alice, &bob] {
        node.wait_for_status("1 of 1 peers linked");
    }
    let before = alice.memory();
    scene.flood(&alice, Duration::from_secs(10));
    let after = alice.memory();
    // In KiB; what is bounded is far below that.
    assert!(
        after < before + 32 * 1024,
        "from {before} KiB to {after} KiB"
    );
    assert!(scene.pings(Host::A, BOB.ip4), "{}", alice.output());
    alice.wait_for_status("1 of 1 peers linked");
}
