//! Nodes that reach a bus through others.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use super::control::{said, status, wait_for_why};
use super::hub::Hub;
use super::injector::Injector;
use super::process::{Process, wait_until};
use super::scene::{Scene, gate_folder, start, start_with_roles};

/// A network with the bus `fleet`: these gateways are on it and in the mesh, `house` reaches it through them, and
/// `field` is on it alone.
fn scene(hub: &Hub, gateways: &[&str]) -> Scene {
    let names = [gateways, &["house", "field"]].concat();
    let mut scene = hub.mixed(&names);
    for node in gateways {
        scene.on_bus(node, "fleet", "{}");
    }
    let through = format!("{{through: [{}]}}", gateways.join(", "));
    scene.on_bus("house", "fleet", &through);
    scene.on_bus("field", "fleet", "{}").without_tcp("field");
    scene.option("connectionRetry", "1");
    scene
}

/// Gives a node a logger; returns its file.
fn logger(scene: &mut Scene, node: &str) -> PathBuf {
    let file = scene.folder().join(format!("{node}.log"));
    // However busy the machine is, the role need not keep up.
    let block = format!(
        "{{file: {}, flushEvery: 1, messageQueueLength: 10000}}",
        file.display()
    );
    scene.role(node, "logger", &block);
    file
}

/// Waits until the lines of a log that are of a node's injector are exactly these.
#[track_caller]
fn wait_for_lines(log: &Path, node: &str, expected: &[String]) {
    let start = format!("<message_injector@{node}> ");
    let lines = || -> Vec<String> {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(&start));
        lines.map(|(_, said)| said.to_owned()).collect()
    };
    let what = format!("{} lines of {node} in {}", expected.len(), log.display());
    wait_until(&what, || (lines().len() >= expected.len()).then_some(()));
    assert_eq!(lines(), expected);
}

fn numbered(text: &str, numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("{text} {number}")).collect()
}

fn send_all(injector: &mut Injector, lines: &[String]) {
    for line in lines {
        injector.send(&format!("('log', '{line}')"));
    }
}

/// Waits until the bus of a node fits.
#[track_caller]
fn wait_for_bus(scene: &Scene, node: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    wait_until(&format!("the bus of {node}: {what}"), || {
        Some(status(scene, node)?["buses"][0].clone()).filter(&fits)
    })
}

/// Waits until a node reaches the bus through this one.
#[track_caller]
fn wait_for_way(scene: &Scene, node: &str, gateway: &str) {
    wait_for_bus(scene, node, &format!("through {gateway}"), |bus| {
        let server = bus["server"].as_str().unwrap_or_default();
        bus["state"] == "up" && server.ends_with(&format!("through {gateway}"))
    });
}

fn start_all<const N: usize>(scene: &Scene, nodes: [&str; N]) -> [Process; N] {
    nodes.map(|node| scene.start(node))
}

#[test]
fn messages_go_both_ways_through_a_gateway_in_order_once_and_from_whom_they_are() {
    let hub = Hub::start();
    let mut scene = scene(&hub, &["hub"]);
    let logs = ["house", "field", "hub"].map(|node| logger(&mut scene, node));
    let ports = ["house", "field", "hub"].map(|node| Injector::on(&mut scene, node));
    let _daemons = start_all(&scene, ["hub", "house", "field"]);
    wait_for_way(&scene, "house", "hub");
    hub.wait_for_nodes(&["hub", "field"]);
    assert!(!hub.tell("nodes").contains(&"house".to_owned()));
    let mut injectors = ports.map(Injector::connect);
    let large = "x".repeat(50_000);
    for (injector, node) in injectors.iter_mut().zip(["house", "field", "hub"]) {
        send_all(injector, &numbered(node, 0..100));
        send_all(injector, &[format!("{node} {large}")]);
    }
    for log in &logs {
        for node in ["house", "field", "hub"] {
            let mut expected = numbered(node, 0..100);
            expected.push(format!("{node} {large}"));
            wait_for_lines(log, node, &expected);
        }
    }
    for node in ["house", "field"] {
        let bus = wait_for_bus(&scene, node, "counted", |bus| {
            bus["received"].as_u64() >= Some(101)
        });
        assert_eq!(bus["missed"], 0, "{bus}");
        // More may have come before a sender's key than waits for it; all of that came again, as it was asked for.
        let refused = bus["refused"].as_array().unwrap();
        let odd = refused.iter().find(|why| why["reason"] != "too-many");
        assert_eq!(odd, None, "{bus}");
    }
    let bus = wait_for_bus(&scene, "hub", "a gateway", |bus| bus["gateway"].is_object());
    let gateway = &bus["gateway"];
    assert_eq!(
        (&gateway["neighbours"], &gateway["linked"]),
        (&1.into(), &1.into())
    );
    for count in [
        "refused",
        "dropped_by_length",
        "dropped_by_limit",
        "dropped_by_engine",
        "dropped_by_link",
    ] {
        assert_eq!(gateway[count], 0, "{count} in {bus}");
    }
    assert!(gateway["published"].as_u64() > Some(0), "{bus}");
    assert!(gateway["delivered"].as_u64() > Some(0), "{bus}");
    let table = said(&scene, "hub", &["status"]).unwrap();
    assert!(
        table.contains("this node is the gateway of 1 node"),
        "{table}"
    );
    let table = said(&scene, "house", &["status"]).unwrap();
    assert!(table.contains("through hub"), "{table}");
    wait_for_why(
        &scene,
        "house",
        "field",
        &[
            "go over the bus `fleet`: both are on it, and house has heard field",
            "house reaches the bus through `hub`",
            "through hub for",
        ],
    );
    let pong = said(&scene, "field", &["ping", "house", "--count", "1"]).unwrap();
    assert!(
        pong.contains("pong from house over the bus fleet"),
        "{pong}"
    );
}

#[test]
fn orders_through_a_gateway_are_taken_from_those_alone_that_the_file_names() {
    let hub = Hub::start();
    let mut scene = scene(&hub, &["hub"]);
    scene.role("field", "gate", "{acceptOrdersFrom: ['*@house']}");
    let _daemons = start_all(&scene, ["hub", "house"]);
    let mut field = start_with_roles(&scene.write(), "field", &gate_folder());
    field.wait_for_text("bus", "up");
    wait_for_way(&scene, "house", "hub");
    hub.wait_for_nodes(&["hub", "field"]);
    for node in ["hub", "house"] {
        said(&scene, node, &["send", "order", "open", node, "--wait"]).unwrap();
    }
    field.wait_for_any_text("told to open by cli@house: house");
    field.wait_for_any_text("refused the order `open` of cli@hub");
    assert!(!field.has_said("told to open by cli@hub"));
}

#[test]
fn a_gateway_that_is_killed_and_comes_back_loses_nothing() {
    let hub = Hub::start();
    let mut scene = scene(&hub, &["hub"]);
    let logs = ["house", "field"].map(|node| logger(&mut scene, node));
    let ports = ["house", "field"].map(|node| Injector::on(&mut scene, node));
    let [mut gateway, _house, _field] = start_all(&scene, ["hub", "house", "field"]);
    wait_for_way(&scene, "house", "hub");
    hub.wait_for_nodes(&["hub", "field"]);
    let mut injectors = ports.map(Injector::connect);
    let mut send = |numbers: std::ops::Range<u64>| {
        for (injector, node) in injectors.iter_mut().zip(["house", "field"]) {
            send_all(injector, &numbered(node, numbers.clone()));
        }
    };
    let arrived = |end: u64| {
        wait_for_lines(&logs[0], "field", &numbered("field", 0..end));
        wait_for_lines(&logs[1], "house", &numbered("house", 0..end));
    };
    send(0..20);
    arrived(20);
    gateway.kill();
    wait_for_bus(&scene, "house", "down", |bus| bus["state"] == "down");
    wait_for_why(
        &scene,
        "house",
        "field",
        &["there is no link with its gateway `hub`"],
    );
    send(20..40);
    let gateway = scene.start("hub");
    arrived(40);
    // The engine is lost to the gateway, and with it to who is behind it.
    hub.tell("away");
    wait_for_bus(&scene, "house", "down", |bus| {
        let error = bus["error"].as_str().unwrap_or_default();
        bus["state"] == "down" && error.contains("its gateway `hub` says")
    });
    send(40..60);
    hub.tell("back");
    arrived(60);
    // Only the link stands still for a moment.
    gateway.signal(Signal::STOP);
    send(60..80);
    gateway.signal(Signal::CONT);
    arrived(80);
    for node in ["house", "field"] {
        let bus = wait_for_bus(&scene, node, "counted", |bus| bus["received"] == 80);
        assert_eq!(bus["missed"], 0, "{bus}");
    }
}

#[test]
fn another_gateway_takes_over_from_one_that_is_lost() {
    let hub = Hub::start();
    let mut scene = scene(&hub, &["first", "second"]);
    let logs = ["house", "field"].map(|node| logger(&mut scene, node));
    let ports = ["house", "field"].map(|node| Injector::on(&mut scene, node));
    let [mut first, _second] = start_all(&scene, ["first", "second"]);
    let [_house, _field] = start_all(&scene, ["house", "field"]);
    wait_until("the house reaches the bus", || {
        (status(&scene, "house")?["buses"][0]["state"] == "up").then_some(())
    });
    hub.wait_for_nodes(&["first", "second", "field"]);
    let mut injectors = ports.map(Injector::connect);
    let mut send = |numbers: std::ops::Range<u64>| {
        for (injector, node) in injectors.iter_mut().zip(["house", "field"]) {
            send_all(injector, &numbered(node, numbers.clone()));
        }
    };
    let arrived = |end: u64| {
        wait_for_lines(&logs[0], "field", &numbered("field", 0..end));
        wait_for_lines(&logs[1], "house", &numbered("house", 0..end));
    };
    send(0..20);
    arrived(20);
    first.kill();
    send(20..40);
    wait_for_way(&scene, "house", "second");
    send(40..60);
    arrived(60);
    let _first = scene.start("first");
    wait_until("the house is linked with the first again", || {
        let status = status(&scene, "house")?;
        let mut peers = status["peers"].as_array()?.iter();
        peers
            .find(|peer| peer["peer"] == "first" && peer["state"] == "up")
            .map(|_| ())
    });
    // It stays with the one that it has.
    wait_for_way(&scene, "house", "second");
    send(60..80);
    arrived(80);
}

#[test]
fn who_is_not_behind_a_gateway_by_its_file_is_refused_and_both_say_why() {
    let hub = Hub::start();
    let mut scene = hub.mixed(&["hub", "house", "field"]);
    scene.on_bus("hub", "fleet", "{}");
    scene.on_bus("field", "fleet", "{}").without_tcp("field");
    let honest = scene.write();
    scene.on_bus("house", "fleet", "{through: [hub]}");
    let other = scene.write_as("other.yml", &scene.text());
    let gateway = start(&honest, "hub");
    let _house = start(&other, "house");
    gateway
        .wait_for_any_text("wants to reach the bus through this node, whose file does not say so");
    wait_for_bus(&scene, "house", "refused", |bus| {
        let error = bus["error"].as_str().unwrap_or_default();
        error.contains("the file of hub does not say that house reaches the bus through it")
    });
    let table = said(&scene, "hub", &["status"]).unwrap();
    assert!(
        table.contains("house wants this node to carry for a bus what it does not"),
        "{table}"
    );
}
