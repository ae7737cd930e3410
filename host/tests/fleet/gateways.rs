//! A node that reaches the servers through another one of its house.

use kozo_testnet::Nats;

use super::daemons::{Fleet, Plan, newest_server};
use super::process::{Process, wait_until};
use super::record::Verdict;

/// More messages than any outage of this test lets pass.
const AMPLE: usize = 1_000_000;

/// How often the server is killed.
const KILLS: usize = 6;

/// Has a node send an order, over whatever it is that leads to others.
#[track_caller]
fn order(fleet: &Fleet, from: &str, text: &str) {
    let sent = fleet.said(from, &["send", "order", "open", text]);
    assert!(sent.is_some(), "the order {text} of {from} was not taken");
}

/// How often a node has done what an order of another one says.
fn obeyed(daemon: &Process, from: &str, text: &str) -> usize {
    let said = format!("told to open by cli@{from}: {text}");
    daemon.count_lines(|line| line["message"] == *said)
}

#[test]
#[ignore = "it needs NATS servers: make test-fleet"]
fn a_house_behind_a_gateway_loses_and_repeats_nothing_when_the_server_is_killed() {
    let Some(program) = newest_server() else {
        return;
    };
    let mut server = Nats::start(&program, "");
    let nodes = ["inner", "gate", "far"];
    let mut fleet = Fleet::new(&Plan {
        nodes: &nodes,
        bus: format!("servers: [{}]\npingInterval: 1", server.url()),
        queue: AMPLE,
        interval: 0.002,
        max_age: 86_400,
    });
    fleet.in_mesh("inner");
    fleet.in_mesh("gate");
    fleet.on_bus_with("inner", "through: [gate]");
    let pair = [("inner", "far"), ("far", "inner")];
    for (node, other) in pair {
        fleet.obeys(node, other);
    }
    let daemons = fleet.start_all();
    let daemon = |name: &str| {
        let place = nodes.iter().position(|node| *node == name);
        &daemons[place.unwrap()]
    };
    fleet.wait_for_bus("inner", "goes through the gateway", |bus| {
        let server = bus["server"].as_str().unwrap_or_default();
        bus["state"] == "up" && server.ends_with("through gate")
    });
    for node in nodes {
        fleet.go(node);
    }
    let everybody: Vec<_> = nodes
        .iter()
        .flat_map(|from| nodes.iter().map(move |to| (*from, *to)))
        .filter(|(from, to)| from != to)
        .collect();
    for (from, to) in &everybody {
        fleet.wait_for_event(to, from, 1);
    }
    let mut orders = Vec::new();
    for kill in 0..KILLS {
        server.process().kill();
        // How far those who are cut off have noticed is part of what is tried.
        for node in nodes.iter().take(kill % 4) {
            fleet.wait_for_bus(node, "is down", |bus| bus["state"] != "up");
        }
        let text = format!("at kill {kill}");
        for node in nodes {
            order(&fleet, node, &text);
        }
        orders.push(text);
        server.restart();
        // What was sent after all this comes everywhere before the next one.
        for (from, to) in &everybody {
            fleet.wait_for_event(to, from, fleet.sent(from));
        }
    }
    for from in nodes {
        let sent = fleet.halt(from);
        for (_, to) in everybody.iter().filter(|pair| pair.0 == from) {
            fleet.wait_for_event(to, from, sent);
            let verdict = fleet.verdict(to, from, sent);
            let bus = fleet.bus(to);
            assert_eq!(verdict, Verdict::default(), "{from} to {to}: {bus:#?}");
        }
    }
    // Each order once, of whom the file names and nobody else: a gateway cannot send as another.
    for (node, other) in pair {
        let daemon = daemon(node);
        for text in &orders {
            let what = format!("{node} does what {other} orders {text}");
            wait_until(&what, || (obeyed(daemon, other, text) > 0).then_some(()));
        }
        let refused = "refused the order `open` of cli@gate";
        daemon.wait_for_any_text(refused);
        for text in &orders {
            assert_eq!(
                obeyed(daemon, other, text),
                1,
                "{text} of {other} at {node}"
            );
            assert_eq!(obeyed(daemon, "gate", text), 0, "{text} of gate at {node}");
        }
    }
    for node in nodes {
        let bus = fleet.bus(node).unwrap();
        for count in ["missed", "expired", "dropped_by_limit", "dropped_by_age"] {
            assert_eq!(bus[count], 0, "{count} at {node}: {bus:#}");
        }
    }
    let bus = fleet.bus("gate").unwrap();
    let gateway = &bus["gateway"];
    assert_eq!(gateway["linked"], 1, "{bus:#}");
    for count in [
        "refused",
        "dropped_by_length",
        "dropped_by_limit",
        "dropped_by_link",
    ] {
        assert_eq!(gateway[count], 0, "{count} in {bus:#}");
    }
    for count in ["published", "delivered"] {
        assert!(gateway[count].as_u64() > Some(100), "{count} in {bus:#}");
    }
}
