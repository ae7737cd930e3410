//! The networks themselves: who reaches whom, and that two peers by others find each other. As root.

use std::io::Write as _;
use std::net::Ipv4Addr;

use kozo_testnet::{DEADLINE, Host, Ipv6, Nat, Network, PeerOptions, Pings, Server, Unavailable};

/// Says past the capture of output why a test did nothing.
fn skipped(reason: &Unavailable) {
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

macro_rules! or_skip {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(reason) => return skipped(&reason),
        }
    };
}

fn pings(network: &Network, host: Host, address: &str) -> bool {
    network
        .run(host, "ping", &["-c", "1", "-W", "2", address])
        .is_ok()
}

#[test]
fn homes_reach_what_is_public_and_nobody_reaches_homes() {
    let network = or_skip!(Network::start(Nat::Cone, Ipv6::Yes));
    for host in [Host::A, Host::B] {
        assert!(pings(&network, host, "203.0.113.1"));
        assert!(pings(&network, host, "2001:db8::1"));
    }
    assert!(!pings(&network, Host::A, "2001:db8:b::2"));
    assert!(!pings(&network, Host::A, "203.0.113.20"));
    network.cut(Host::RouterA);
    assert!(!pings(&network, Host::A, "203.0.113.1"));
    assert!(pings(&network, Host::B, "203.0.113.1"));
    network.mend(Host::RouterA);
    assert!(pings(&network, Host::A, "203.0.113.1"));
}

#[test]
fn networks_at_the_same_time_do_not_see_each_other_and_leave_nothing() {
    let one = or_skip!(Network::start(Nat::None, Ipv6::No));
    let other = or_skip!(Network::start(Nat::None, Ipv6::No));
    assert!(
        one.run(
            Host::A,
            "ip",
            &["address", "add", "192.0.2.1/32", "dev", "lo"]
        )
        .is_ok()
    );
    let seen = other
        .run(Host::A, "ip", &["address", "show", "dev", "lo"])
        .expect("it can be shown");
    assert!(!seen.contains("192.0.2.1"), "{seen}");
    let mut sleeper = one.spawn(Host::B, "sleeper", "sh", &["-c", "echo up; exec sleep 600"]);
    sleeper.wait_for("up").expect("it starts");
    drop(one);
    // What still runs is in its namespace as before, and ends by itself.
    assert!(sleeper.ended().is_none());
    sleeper.stop();
    let names = std::process::Command::new("ip")
        .args(["netns", "list"])
        .output()
        .expect("ip runs");
    assert!(!String::from_utf8_lossy(&names.stdout).contains("nat-a"));
}

/// Two peers that others wrote, with everything between them. Which kinds of candidates they end up with.
fn two_peers(nat: Nat, ipv6: Ipv6, server: Server, more: &[&str]) -> Result<String, Unavailable> {
    let network = Network::start(nat, ipv6)?;
    let xmpp = network.xmpp(server, &["alice", "bob"])?;
    let _relay = network.relay()?;
    let options = |account, uid, ip4| PeerOptions {
        account,
        uid,
        ip4,
        ca: xmpp.ca(),
        more,
        pings: Pings::Then(3),
    };
    let alice = options(
        "alice",
        "437e4c0475866c6030734fef0187b095078832d3",
        "172.31.0.100",
    );
    let bob = options(
        "bob",
        "6e25917a5bf25897c8dd05e7cef95687455e32b0",
        "172.31.0.103",
    );
    let mut alice = network.peer(Host::A, &alice)?;
    let mut bob = network.peer(Host::B, &bob)?;
    for peer in [&mut alice, &mut bob] {
        peer.wait_for_pongs(DEADLINE)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let ice = alice.event("ice").expect("they have a way");
    let to = ice["to"].as_str().unwrap_or_default();
    let family = if to.parse::<Ipv4Addr>().is_ok() { 4 } else { 6 };
    Ok(format!(
        "{} to {}, IPv{family}",
        ice["local"], ice["remote"]
    ))
}

#[test]
fn peers_behind_cones_punch_holes() {
    let way = or_skip!(two_peers(
        Nat::Cone,
        Ipv6::No,
        Server::Prosody,
        &["--no-relay"]
    ));
    assert!(!way.contains("relay"), "{way}");
}

#[test]
fn peers_behind_symmetric_nat_need_the_relay() {
    let way = or_skip!(two_peers(
        Nat::Symmetric,
        Ipv6::No,
        Server::Prosody,
        &["--digest", "sha256"]
    ));
    assert!(way.contains("relay"), "{way}");
}

#[test]
fn peers_with_ipv6_are_direct_and_meet_through_ejabberd() {
    let way = or_skip!(two_peers(
        Nat::Symmetric,
        Ipv6::Yes,
        Server::Ejabberd,
        &["--no-relay"]
    ));
    assert!(!way.contains("relay") && way.ends_with("IPv6"), "{way}");
}
