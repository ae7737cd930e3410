//! Servers that are killed while events flow: nothing is lost, repeated or out of order within what nodes keep.

use std::thread;
use std::time::Duration;

use kozo_testnet::NatsCluster;

use super::daemons::{Fleet, Plan, newest_server};
use super::record::Verdict;

/// How often a server is killed, if nobody says otherwise.
const KILLS: usize = 100;

/// More messages than any outage of these tests lets pass.
const AMPLE: usize = 1_000_000;

fn variable(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().expect("a number"))
}

#[test]
#[ignore = "it needs NATS servers and takes minutes: make test-fleet"]
fn nothing_is_lost_repeated_or_out_of_order_when_servers_are_killed() {
    let Some(program) = newest_server() else {
        return;
    };
    let mut cluster = NatsCluster::start(&program, 3, "");
    let servers = cluster.urls().join(", ");
    let fleet = Fleet::new(&Plan {
        nodes: &["a", "b", "c"],
        bus: format!("servers: [{servers}]\npingInterval: 2\nconnectTimeout: 5"),
        queue: AMPLE,
        // Some 5,000 events a second of both sources.
        interval: 0.000_3,
        max_age: 86_400,
    });
    let daemons = fleet.start_all();
    let pairs = [("a", "b"), ("a", "c"), ("b", "a"), ("b", "c")];
    for source in ["a", "b"] {
        fleet.go(source);
    }
    for (from, to) in pairs {
        fleet.wait_for_event(to, from, 1);
    }
    let seed = variable("KOZO_SEED", 1) as u64;
    let mut random = fastrand::Rng::with_seed(seed);
    for kill in 0..variable("KOZO_FLEET_KILLS", KILLS) {
        let victim = random.usize(0..cluster.servers.len());
        let server = &mut cluster.servers[victim];
        server.process().kill();
        // How long it is away is part of what is tried.
        thread::sleep(Duration::from_millis(random.u64(0..200)));
        server.restart();
        cluster.wait();
        // Events that were sent after all this come everywhere before the next one.
        for (from, to) in pairs {
            fleet.wait_for_event(to, from, fleet.sent(from));
        }
        if kill % 10 == 9 {
            eprintln!(
                "{} kills, {} and {} events",
                kill + 1,
                fleet.sent("a"),
                fleet.sent("b")
            );
        }
    }
    for from in ["a", "b"] {
        let sent = fleet.halt(from);
        for (_, to) in pairs.iter().filter(|pair| pair.0 == from) {
            fleet.wait_for_event(to, from, sent);
            let verdict = fleet.verdict(to, from, sent);
            assert_eq!(
                verdict,
                Verdict::default(),
                "{from} to {to}, {:#?}, see {}",
                fleet.bus(to),
                fleet.keep().display()
            );
        }
    }
    for node in ["a", "b", "c"] {
        let bus = fleet.bus(node).unwrap();
        assert_eq!(bus["missed"], 0, "{bus:#}");
        assert_eq!(bus["dropped_by_limit"], 0, "{bus:#}");
    }
    drop(daemons);
}
