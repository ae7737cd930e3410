//! What `kozo bus permissions` prints is what a server enforces: as it is.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use kozo_testnet::Nats;

use super::daemons::{Fleet, Plan, newest_server};
use super::engine::{Client, Datagram};
use super::record::Verdict;

/// What the program prints for the server.
fn printed(fleet: &Fleet) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args(["bus", "permissions"])
        .arg(fleet.file())
        .arg("fleet")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Lets a node log in as a user with this password.
fn log_in(fleet: &Fleet, node: &str, user: &str, word: &str) {
    let password = fleet.path(&format!("{node}.password"));
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&password)
        .unwrap();
    writeln!(file, "{word}").unwrap();
    fleet.on_bus_with(
        node,
        &format!("user: {user}, passwordFile: {}", password.display()),
    );
}

#[test]
#[ignore = "it needs NATS servers: make test-fleet"]
fn with_the_printed_permissions_nodes_reach_each_other_and_cannot_pose_as_others() {
    let Some(program) = newest_server() else {
        return;
    };
    let nodes = ["a", "b"];
    let mut passwords = String::new();
    for node in nodes {
        writeln!(passwords, "password_{node}: \"{node}'s own word\"").unwrap();
    }
    let mut server = Nats::with(&program, "", |folder| {
        std::fs::write(folder.join("passwords.conf"), passwords).unwrap();
    });
    let fleet = Fleet::new(&Plan {
        nodes: &nodes,
        bus: format!("servers: ['{}']", server.url()),
        queue: 100_000,
        interval: 0.001,
        max_age: 86_400,
    });
    for node in nodes {
        log_in(&fleet, node, node, &format!("{node}'s own word"));
    }
    server.reload(&printed(&fleet));
    let _daemons = fleet.start_all();
    for (from, to) in [("a", "b"), ("b", "a")] {
        fleet.go(from);
        fleet.wait_for_event(to, from, 500);
    }
    for node in nodes {
        let bus = fleet.bus(node).unwrap();
        assert_eq!(bus["denied"], serde_json::json!([]), "{bus:#}");
    }
    // A member that would publish as another one, and hear what that one is asked.
    let login = ",\"user\":\"b\",\"pass\":\"b's own word\"";
    let mut poser = Client::connect(server.port(), login);
    poser.subscribe("kozo.fleet.m.>");
    let token = |datagram: &Datagram| datagram.subject.rsplit('.').next().unwrap().to_owned();
    let mut heard: Vec<Datagram> = Vec::new();
    while heard.len() < nodes.len() {
        let datagram = poser.next(super::process::DEADLINE).expect("both send");
        if heard.iter().all(|known| token(known) != token(&datagram)) {
            heard.push(datagram);
        }
    }
    poser.flush();
    let refused = heard.iter().map(|datagram| {
        let token = token(datagram);
        poser.publish(&datagram.subject, None, &datagram.data);
        poser.publish(&format!("kozo.fleet.here.{token}"), None, b"x");
        poser.subscribe(&format!("kozo.fleet.ask.{token}"));
        let (errors, _) = poser.flush();
        assert!(
            errors
                .iter()
                .all(|error| error.contains("Permissions Violation")),
            "{errors:?}"
        );
        errors.len()
    });
    let mut refused: Vec<_> = refused.collect();
    refused.sort_unstable();
    assert_eq!(
        refused,
        [0, 3],
        "as itself all, and as the other one nothing"
    );
    for (from, to) in [("a", "b"), ("b", "a")] {
        let sent = fleet.halt(from);
        fleet.wait_for_event(to, from, sent);
        assert_eq!(fleet.verdict(to, from, sent), Verdict::default());
    }
}

#[test]
#[ignore = "it needs NATS servers: make test-fleet"]
fn a_node_with_a_wrong_password_or_without_rights_says_why_nothing_comes() {
    let Some(program) = newest_server() else {
        return;
    };
    let lines = "authorization { users = [
        {user: a, password: right, permissions: {publish: [\"elsewhere\"], subscribe: [\">\"]}}
        {user: b, password: right}
    ] }";
    let server = Nats::start(&program, lines);
    let fleet = Fleet::new(&Plan {
        nodes: &["a", "b", "c"],
        bus: format!("servers: ['{}']", server.url()),
        queue: 1000,
        interval: 0.1,
        max_age: 86_400,
    });
    for (node, word) in [("a", "right"), ("b", "right"), ("c", "wrong")] {
        let user = if node == "c" { "b" } else { node };
        log_in(&fleet, node, user, word);
    }
    let _daemons = ["a", "b", "c"].map(|node| fleet.start(node));
    fleet.go("a");
    fleet.wait_for_bus("a", "is told what it may not do", |bus| {
        bus["denied"]
            .as_array()
            .is_some_and(|denied| !denied.is_empty())
    });
    fleet.wait_for_bus("c", "is refused", |bus| {
        let error = bus["error"].as_str().unwrap_or_default();
        bus["state"] == "down" && error.contains("the login is wrong")
    });
    fleet.wait_for_why("a", "b", &["fleet"]);
}
