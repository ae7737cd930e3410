//! An engine that is gone for a while, frozen, or started anew; daemons that are cut off, frozen or killed.

use std::thread;
use std::time::Duration;

use kozo_testnet::{Nats, NatsCluster};
use rustix::process::Signal;

use super::daemons::{Fleet, Plan, newest_server};
use super::record::Verdict;

/// More messages than any outage of these tests lets pass.
const AMPLE: usize = 1_000_000;

fn plan<'a>(nodes: &'a [&'a str], servers: &[String], queue: usize) -> Plan<'a> {
    Plan {
        nodes,
        bus: format!("servers: [{}]\npingInterval: 1", servers.join(", ")),
        queue,
        interval: 0.001,
        max_age: 86_400,
    }
}

#[track_caller]
fn assert_all_there(fleet: &Fleet, from: &str, to: &str) {
    let sent = fleet.halt(from);
    fleet.wait_for_event(to, from, sent);
    let verdict = fleet.verdict(to, from, sent);
    let bus = fleet.bus(to);
    assert_eq!(verdict, Verdict::default(), "{from} to {to}: {bus:#?}");
}

#[test]
#[ignore = "it needs NATS servers: make test-fleet"]
fn what_is_sent_while_the_engine_is_away_arrives_when_it_is_back() {
    let Some(program) = newest_server() else {
        return;
    };
    let mut server = Nats::start(&program, "");
    let fleet = Fleet::new(&plan(&["a", "b"], &[server.url()], AMPLE));
    let _daemons = fleet.start_all();
    fleet.go("a");
    fleet.wait_for_event("b", "a", 100);
    server.process().stop();
    for node in ["a", "b"] {
        fleet.wait_for_bus(node, "is down", |bus| bus["state"] != "up");
    }
    let before = fleet.sent("a");
    super::process::wait_until("more is sent meanwhile", || {
        (fleet.sent("a") > before + 2000).then_some(())
    });
    server.restart();
    assert_all_there(&fleet, "a", "b");
}

#[test]
#[ignore = "it needs NATS servers: make test-fleet"]
fn what_the_queue_cannot_keep_is_counted_exactly_where_it_is_missed() {
    let Some(program) = newest_server() else {
        return;
    };
    let mut server = Nats::start(&program, "");
    let fleet = Fleet::new(&plan(&["a", "b"], &[server.url()], 100));
    let _daemons = fleet.start_all();
    fleet.go("a");
    fleet.wait_for_event("b", "a", 100);
    for _ in 0..3 {
        server.process().kill();
        fleet.wait_for_bus("a", "is down", |bus| bus["state"] != "up");
        let before = fleet.sent("a");
        super::process::wait_until("more is sent than is kept", || {
            (fleet.sent("a") > before + 500).then_some(())
        });
        server.restart();
        fleet.wait_for_event("b", "a", fleet.sent("a"));
    }
    let sent = fleet.halt("a");
    fleet.wait_for_event("b", "a", sent);
    let verdict = fleet.verdict("b", "a", sent);
    assert_eq!(verdict.repeated_or_reordered, 0);
    assert!(verdict.lost > 0, "{verdict:?}");
    let bus = fleet.wait_for_bus("b", "has counted all that it missed", |bus| {
        bus["missed"].as_u64() >= Some(verdict.lost)
    });
    assert_eq!(bus["missed"].as_u64(), Some(verdict.lost), "{bus:#}");
}

#[test]
#[ignore = "it needs NATS servers: make test-fleet"]
fn servers_that_freeze_and_daemons_that_freeze_lose_nothing() {
    let Some(program) = newest_server() else {
        return;
    };
    let mut cluster = NatsCluster::start(&program, 3, "");
    let fleet = Fleet::new(&plan(&["a", "b"], &cluster.urls(), AMPLE));
    let daemons = fleet.start_all();
    fleet.go("a");
    fleet.wait_for_event("b", "a", 100);
    for server in &mut cluster.servers {
        server.process().freeze();
        // Whoever is connected to it has to find out, and to go to another one.
        for node in ["a", "b"] {
            fleet.wait_for_bus(node, "is up without it", |bus| bus["state"] == "up");
        }
        fleet.wait_for_event("b", "a", fleet.sent("a"));
        server.process().thaw();
    }
    cluster.wait();
    for daemon in &daemons {
        daemon.signal(Signal::STOP);
        thread::sleep(Duration::from_millis(300));
        daemon.signal(Signal::CONT);
        fleet.wait_for_event("b", "a", fleet.sent("a"));
    }
    assert_all_there(&fleet, "a", "b");
}

#[test]
#[ignore = "it needs NATS servers: make test-fleet"]
fn a_receiver_that_was_killed_begins_at_the_present_and_loses_nothing_from_then_on() {
    let Some(program) = newest_server() else {
        return;
    };
    let server = Nats::start(&program, "");
    let fleet = Fleet::new(&plan(&["a", "b"], &[server.url()], AMPLE));
    let mut daemons = fleet.start_all();
    fleet.go("a");
    fleet.wait_for_event("b", "a", 100);
    daemons[1].kill();
    let before = fleet.sent("a");
    let again = fleet.start("b");
    fleet.wait_for_event("b", "a", before + 100);
    let sent = fleet.halt("a");
    fleet.wait_for_event("b", "a", sent);
    let bus = fleet.bus("b").unwrap();
    assert_eq!(bus["missed"], 0, "{bus:#}");
    let lives = fleet.lives("b", "a");
    assert_eq!(lives.len(), 2, "one before, and one after");
    for numbers in lives {
        let steps = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(steps, "one after the other, in each life");
    }
    drop(again);
}
