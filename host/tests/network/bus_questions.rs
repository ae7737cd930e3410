//! What nodes that share only a bus are asked of each other.

use std::fmt::Write;

use kozo_auth::keys::{self, NewKey};
use rustix::process::Signal;
use serde_json::Value;

use super::control::{kozo, no_status_here, said};
use super::hub::Hub;
use super::process::Process;
use super::scene::{Scene, start};

/// Starts these nodes, and waits until the hub has them.
fn start_all<const N: usize>(hub: &Hub, scene: &Scene, nodes: [&str; N]) -> [Process; N] {
    let mut daemons = nodes.map(|node| scene.start(node));
    for daemon in &mut daemons {
        daemon.wait_for_text("bus", "up");
    }
    hub.wait_for_nodes(&nodes);
    daemons
}

fn json(scene: &Scene, node: &str, words: &[&str]) -> Value {
    let words = [words, &["--json"]].concat();
    let text = said(scene, node, &words).expect("an answer");
    serde_json::from_str(&text).expect("JSON")
}

/// The code with which the program ended, and what it said of its failure.
fn failure(scene: &Scene, node: &str, words: &[&str]) -> (Option<i32>, String) {
    let output = kozo(scene, node, words);
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_node_says_over_the_bus_how_it_is_as_far_as_its_file_lets_it() {
    let hub = Hub::start();
    let mut scene = hub.scene(&["clock", "scribe", "open", "mute"]);
    scene.role("scribe", "timer1", "{type: timer, tick: 0.2}");
    scene.node_option("open", "introspection: full");
    scene.node_option("mute", "introspection: none");
    hub.tell("record kozo.fleet.>");
    let mut daemons = start_all(&hub, &scene, ["clock", "scribe", "open", "mute"]);
    // Nobody has heard of anybody yet.
    let scribe = json(&scene, "clock", &["status", "scribe"]);
    assert_eq!(scribe["node"], "scribe");
    assert_eq!(scribe["roles"][0]["name"], "timer1", "{scribe}");
    assert_eq!(scribe["buses"][0]["state"], "up", "{scribe}");
    let (code, error) = failure(&scene, "clock", &["status", "mute"]);
    assert_eq!(code, Some(5), "{error}");
    assert!(
        error.contains("`mute` says: it tells this node nothing of itself"),
        "{error}"
    );
    // What a node tells of others takes more than it tells here.
    let (_, error) = failure(&scene, "clock", &["why", "clock", "--of", "scribe"]);
    assert!(error.contains("its status, and no more"), "{error}");
    let why = said(&scene, "clock", &["why", "clock", "--of", "open"]).unwrap();
    assert!(why.contains("go over the bus `fleet`"), "{why}");
    let all = json(&scene, "clock", &["status", "--all"]);
    assert_eq!(
        (&all["asked"], &all["left_out"]),
        (&"clock".into(), &0.into())
    );
    let seen: Vec<_> = all["nodes"].as_array().unwrap().iter().map(tells).collect();
    let expected = [
        ("clock", true),
        ("mute", false),
        ("open", true),
        ("scribe", true),
    ];
    assert_eq!(seen, expected, "{all}");
    // The engine saw all of it, and nothing that it could read.
    let recorded = hub.recorded();
    let shows = |text: &[u8]| {
        let mut all = recorded.iter();
        all.any(|one| one.hex.contains(&hex(text)))
    };
    assert!(recorded.len() > 8);
    assert!(!shows(b"timer1") && !shows(b"request"));

    // One that is away is told of at once: nobody listens there.
    daemons[1].signal(Signal::INT);
    assert_eq!(daemons[1].end().code(), Some(0));
    let (code, error) = failure(&scene, "clock", &["status", "scribe"]);
    assert_eq!(code, Some(5), "{error}");
    let expected = "asked over the bus `fleet`: the engine says that it is not connected";
    assert!(error.contains(expected), "{error}");
    let (_, error) = failure(&scene, "clock", &["why", "clock", "--of", "scribe"]);
    let expected = "`scribe` does not answer over the bus `fleet`";
    assert!(error.contains(expected), "{error}");
    let all = said(&scene, "clock", &["status", "--all"]).unwrap();
    assert!(all.contains("scribe does not say how it is"), "{all}");
    // In its next run it is another session.
    let mut scribe = scene.start("scribe");
    scribe.wait_for_text("bus", "up");
    let again = json(&scene, "clock", &["status", "scribe"]);
    assert_eq!(again["pid"], scribe.id(), "{again}");
    let (_, error) = failure(&scene, "clock", &["bench", "scribe"]);
    assert!(error.contains("there is no link with `scribe`"), "{error}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A node of a report, and whether it says how it is.
fn tells(report: &Value) -> (&str, bool) {
    (
        report["node"].as_str().unwrap(),
        !report["status"].is_null(),
    )
}

#[test]
fn of_many_nodes_only_those_are_asked_that_were_heard_of() {
    let hub = Hub::start();
    let scene = hub.scene(&["clock", "scribe"]);
    let mut members = String::new();
    for number in 0..300 {
        let key = keys::generate(NewKey::Ed25519, "member").unwrap();
        if number == 7 {
            keys::write_private(&scene.key_path("field7"), &key).unwrap();
        }
        writeln!(members, "field{number} {}", keys::public_line(&key)).unwrap();
    }
    scene.write_as("field.keys", &members);
    let folder = scene.folder().display();
    let group = format!(
        "system:\n  field: {{members: field.keys, privateKey: {folder}/field7.key, roleStorage: {folder}/field7, \
         transportStorage: {folder}/field7-state, transports: {{fleet: {{}}}}}}\n"
    );
    let file = scene.write_as("kozo.yml", &scene.text().replace("system:\n", &group));
    let mut daemons = ["clock", "scribe"].map(|node| start(&file, node));
    for daemon in &mut daemons {
        daemon.wait_for_text("bus", "up");
    }
    hub.wait_for_nodes(&["clock", "scribe"]);
    let all = json(&scene, "clock", &["status", "--all"]);
    let seen: Vec<_> = all["nodes"].as_array().unwrap().iter().map(tells).collect();
    assert_eq!(seen, [("clock", true), ("scribe", true)], "{all}");
    assert_eq!(all["left_out"], 300, "{all}");
    let text = said(&scene, "clock", &["status", "--all"]).unwrap();
    assert!(text.contains("300 nodes more on buses"), "{text}");
    // One that people name is asked all the same.
    let (code, error) = failure(&scene, "clock", &["status", "field7"]);
    assert_eq!(code, Some(5), "{error}");
    assert!(error.contains("not connected"), "{error}");
    // So is one that nobody says which of several daemons to ask about.
    let error = no_status_here(&scene, "field7");
    assert!(error.contains("not connected"), "{error}");
    let error = no_status_here(&scene, "field300");
    assert!(error.contains("no node of this machine knows"), "{error}");
    let mut field = start(&file, "field7");
    field.wait_for_text("bus", "up");
    let status = json(&scene, "clock", &["status", "field7"]);
    assert_eq!(status["pid"], field.id(), "{status}");
    let all = json(&scene, "clock", &["status", "--all"]);
    let seen: Vec<_> = all["nodes"].as_array().unwrap().iter().map(tells).collect();
    assert_eq!(
        seen,
        [("clock", true), ("field7", true), ("scribe", true)],
        "{all}"
    );
    assert_eq!(all["left_out"], 299, "{all}");
}
