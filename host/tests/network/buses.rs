//! Daemons on a bus: messages between them, what becomes of them when something goes wrong, and what people see.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kozo_auth::keys::{self, NewKey};
use rustix::process::Signal;
use serde_json::Value;

use super::control::{kozo, said, status, wait_for_why};
use super::hub::Hub;
use super::injector::Injector;
use super::process::{Process, wait_until};
use super::scene::{Scene, fixture_folder, gate_folder, start, start_with_roles};

/// Between lines that each come alone.
const PACE: Duration = Duration::from_millis(5);

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

/// The lines of a log that are of this sender, without what stands before it.
fn lines_of(log: &Path, sender: &str) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let start = format!("<{sender}> ");
    let lines = text.lines().filter_map(|line| line.split_once(&start));
    lines.map(|(_, said)| said.to_owned()).collect()
}

/// Waits until a sender's lines are exactly these.
#[track_caller]
fn wait_for_lines(log: &Path, sender: &str, expected: &[String]) {
    let what = format!("{} lines of {sender} in {}", expected.len(), log.display());
    wait_until(&what, || {
        let lines = lines_of(log, sender);
        (lines.len() >= expected.len()).then_some(())
    });
    assert_eq!(lines_of(log, sender), expected);
}

fn numbered(text: &str, numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("{text} {number}")).collect()
}

fn send_all(injector: &mut Injector, lines: &[String]) {
    for line in lines {
        injector.send(&format!("('log', '{line}')"));
    }
}

/// The first bus of a node, as its status has it.
fn bus_of(scene: &Scene, node: &str) -> Option<Value> {
    Some(status(scene, node)?["buses"][0].clone())
}

/// Waits until the first bus of a node fits.
#[track_caller]
fn wait_for_bus(scene: &Scene, node: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    wait_until(&format!("the bus of {node}: {what}"), || {
        bus_of(scene, node).filter(&fits)
    })
}

fn wait_for_up(daemon: &mut Process) {
    daemon.wait_for_text("bus", "up");
}

/// Two daemons on the bus: what `clock` is told to send, `scribe` writes down.
struct Pair {
    scene: Scene,
    /// The file of scribe's logger.
    log: PathBuf,
    /// Clock and scribe.
    daemons: [Process; 2],
    /// What clock is told by.
    injector: Injector,
}

impl Pair {
    fn start(hub: &Hub) -> Self {
        Self::start_with(hub, |_| {})
    }

    /// The same, when something was changed of the scene.
    fn start_with(hub: &Hub, change: impl FnOnce(&mut Scene)) -> Self {
        let nodes = ["clock", "scribe"];
        let mut scene = hub.scene(&nodes);
        change(&mut scene);
        let log = logger(&mut scene, "scribe");
        let port = Injector::on(&mut scene, "clock");
        let mut daemons = nodes.map(|node| scene.start(node));
        daemons.iter_mut().for_each(wait_for_up);
        hub.wait_for_nodes(&nodes);
        Self {
            scene,
            log,
            daemons,
            injector: Injector::connect(port),
        }
    }
}

#[test]
fn messages_go_both_ways_among_three_in_order_once_and_from_whom_they_are() {
    let hub = Hub::start();
    let nodes = ["clock", "cottage", "scribe"];
    let mut scene = hub.scene(&nodes);
    let logs = nodes.map(|node| logger(&mut scene, node));
    let ports = nodes.map(|node| Injector::on(&mut scene, node));
    let mut daemons = nodes.map(|node| scene.start(node));
    daemons.iter_mut().for_each(wait_for_up);
    hub.wait_for_nodes(&nodes);
    let mut injectors = ports.map(Injector::connect);
    for (injector, node) in injectors.iter_mut().zip(nodes) {
        send_all(injector, &numbered(node, 0..100));
    }
    for log in &logs {
        for node in nodes {
            let sender = format!("message_injector@{node}");
            wait_for_lines(log, &sender, &numbered(node, 0..100));
        }
    }
    for node in nodes {
        let bus = wait_for_bus(&scene, node, "all counted", |bus| {
            bus["received"].as_u64() >= Some(200)
        });
        assert_eq!(bus["state"], "up", "{bus}");
        assert_eq!(
            (&bus["missed"], &bus["dropped_by_limit"]),
            (&0.into(), &0.into())
        );
        // More may have come before a sender's key than waits for it; all of that came again, as it was asked for.
        let refused = bus["refused"].as_array().unwrap();
        let odd = refused.iter().find(|why| why["reason"] != "too-many");
        assert_eq!(odd, None, "{bus}");
        assert_eq!(
            status(&scene, node).unwrap()["peers"],
            serde_json::json!([])
        );
    }
    // A role that nobody wants to hear of sends nothing at all.
    injectors[0].send("('event', 'unheard of', 'x')");
    injectors[0].send("('log', 'the last one')");
    let last = || lines_of(&logs[1], "message_injector@clock").contains(&"the last one".to_owned());
    wait_until("the last line", || last().then_some(()));
    let bus = bus_of(&scene, "clock").unwrap();
    assert_eq!(
        (&bus["sent"], &bus["lanes_out"]),
        (&101.into(), &1.into()),
        "{bus}"
    );
}

#[test]
fn what_people_see_of_a_bus_says_what_is_so() {
    let hub = Hub::start();
    let Pair {
        scene,
        log,
        daemons: _daemons,
        mut injector,
    } = Pair::start(&hub);
    injector.send("('log', 'hello')");
    wait_for_lines(&log, "message_injector@clock", &["hello".to_owned()]);

    let table = said(&scene, "scribe", &["status"]).unwrap();
    assert!(table.contains("fleet  hub     up"), "{table}");
    assert!(!table.contains("link"), "{table}");
    let nodes = said(&scene, "scribe", &["status", "--nodes"]).unwrap();
    assert!(nodes.contains("clock  fleet  heard"), "{nodes}");
    let nodes = said(&scene, "scribe", &["status", "--nodes", "--json"]).unwrap();
    let nodes: Value = serde_json::from_str(&nodes).unwrap();
    assert_eq!(nodes["nodes"][0]["state"], "heard", "{nodes}");

    wait_for_why(
        &scene,
        "scribe",
        "clock",
        &[
            "go over the bus `fleet`: both are on it, and scribe has heard clock",
            "Of clock's messages 1 came",
        ],
    );
    wait_for_why(
        &scene,
        "clock",
        "scribe",
        &["scribe reads what clock sends"],
    );
    let pong = said(&scene, "clock", &["ping", "scribe", "--count", "1"]).unwrap();
    assert!(
        pong.contains("pong from scribe over the bus fleet"),
        "{pong}"
    );
    let summary = said(
        &scene,
        "scribe",
        &["ping", "clock", "--count", "1", "--json"],
    )
    .unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["answers"][0]["bus"], "fleet", "{summary}");

    // The engine has it, which is all that anybody knows.
    let sent = said(&scene, "clock", &["send", "log", "by hand", "--wait"]).unwrap();
    assert!(sent.contains("bus fleet: its engine has it"), "{sent}");
    wait_for_lines(&log, "cli@clock", &["by hand".to_owned()]);
    hub.tell("silent on");
    let unconfirmed = kozo(
        &scene,
        "clock",
        &["send", "log", "unconfirmed", "--wait", "--timeout", "0.2"],
    );
    assert_eq!(unconfirmed.status.code(), Some(2), "{unconfirmed:?}");
    let text = String::from_utf8(unconfirmed.stdout).unwrap();
    assert!(text.contains("bus fleet: not confirmed yet"), "{text}");
    hub.tell("silent off");

    let unknown = kozo(&scene, "clock", &["why", "scribbe"]);
    let error = String::from_utf8(unknown.stderr).unwrap();
    assert!(error.contains("scribe"), "{error}");
}

#[test]
fn an_engine_that_goes_and_comes_back_costs_nothing_that_is_young_and_why_says_how_it_is() {
    let mut hub = Hub::start();
    let Pair {
        scene,
        log,
        daemons: _daemons,
        mut injector,
    } = Pair::start_with(&hub, |scene| {
        scene.option("connectionRetry", "1");
    });
    send_all(&mut injector, &numbered("line", 0..20));
    wait_for_lines(&log, "message_injector@clock", &numbered("line", 0..20));
    hub.restart(|| {
        wait_for_bus(&scene, "clock", "down", |bus| bus["state"] == "down");
        wait_for_why(
            &scene,
            "clock",
            "scribe",
            &["clock has not been connected to it for", "hub at `"],
        );
        let ping = kozo(&scene, "clock", &["ping", "scribe", "--count", "1"]);
        assert_eq!(ping.status.code(), Some(2), "{ping:?}");
        send_all(&mut injector, &numbered("line", 20..40));
    });
    wait_for_lines(&log, "message_injector@clock", &numbered("line", 0..40));
    // A cut that the sender alone sees: what was not confirmed is sent again, and taken once.
    hub.tell("silent on");
    send_all(&mut injector, &numbered("line", 40..50));
    hub.tell("silent off");
    hub.tell("cut clock");
    send_all(&mut injector, &numbered("line", 50..60));
    wait_for_lines(&log, "message_injector@clock", &numbered("line", 0..60));
    let bus = bus_of(&scene, "scribe").unwrap();
    assert_eq!(bus["missed"], 0, "{bus}");
}

#[test]
fn what_an_engine_loses_repeats_and_reorders_is_put_right() {
    let hub = Hub::start();
    let Pair {
        scene,
        log,
        daemons: _daemons,
        mut injector,
    } = Pair::start(&hub);
    let expected = numbered("line", 0..50);
    // How many datagrams lines come in is not for a test to know: so each fault is over before the next one begins.
    let faults = ["drop", "repeat", "reorder", "corrupt"];
    for (number, fault) in (1..).zip(faults) {
        let end = 10 * number;
        hub.tell(&format!("{fault} kozo.fleet.m.> times 2 to scribe"));
        send_all(&mut injector, &expected[end - 10..end]);
        wait_for_lines(&log, "message_injector@clock", &expected[..end]);
        hub.tell("forget");
    }
    send_all(&mut injector, &expected[40..]);
    wait_for_lines(&log, "message_injector@clock", &expected);
    let bus = wait_for_bus(&scene, "scribe", "repaired", |bus| {
        bus["repaired"].as_u64() > Some(0)
    });
    assert_eq!(bus["missed"], 0, "{bus}");
    let table = said(&scene, "scribe", &["status"]).unwrap();
    assert!(table.contains("not sealed with"), "{table}");
}

#[test]
fn orders_are_taken_from_those_alone_that_the_file_names() {
    let hub = Hub::start();
    let mut scene = hub.scene(&["hall", "friend", "guest"]);
    scene.role("hall", "gate", "{acceptOrdersFrom: ['*@friend']}");
    let mut hall = start_with_roles(&scene.write(), "hall", &gate_folder());
    wait_for_up(&mut hall);
    let mut others = ["friend", "guest"].map(|node| scene.start(node));
    others.iter_mut().for_each(wait_for_up);
    hub.wait_for_nodes(&["hall", "friend", "guest"]);
    for node in ["guest", "friend"] {
        said(&scene, node, &["send", "order", "open", node, "--wait"]).unwrap();
    }
    hall.wait_for_any_text("told to open by cli@friend: friend");
    hall.wait_for_any_text("refused the order `open` of cli@guest");
    assert!(!hall.has_said("told to open by cli@guest"));
    assert_eq!(status(&scene, "hall").unwrap()["orders_refused"], 1);
}

#[test]
fn nobody_hears_a_node_whose_key_the_file_does_not_have() {
    let hub = Hub::start();
    let mut scene = hub.scene(&["clock", "scribe"]);
    let log = logger(&mut scene, "scribe");
    let port = Injector::on(&mut scene, "clock");
    let mut scribe = scene.start("scribe");
    // Its file has the key that it holds; the others' file has another one.
    let stranger = keys::generate(NewKey::Ed25519, "clock").unwrap();
    let key = scene.folder().join("stranger.key");
    keys::write_private(&key, &stranger).unwrap();
    let own = scene.key_path("clock");
    let honest = scene.set_key("clock", stranger).text();
    let text = honest.replace(own.to_str().unwrap(), key.to_str().unwrap());
    let mut clock = start(&scene.write_as("other.yml", &text), "clock");
    [&mut clock, &mut scribe].into_iter().for_each(wait_for_up);
    hub.wait_for_nodes(&["clock", "scribe"]);
    Injector::connect(port).send("('log', 'let me in')");
    wait_for_why(
        &scene,
        "scribe",
        "clock",
        &["with a key that the network file does not have"],
    );
    scribe.wait_for_any_text("has another key than the network file here");
    let bus = wait_for_bus(&scene, "scribe", "refused", |bus| {
        bus["refused"]
            .as_array()
            .is_some_and(|refused| !refused.is_empty())
    });
    assert_eq!(bus["received"], 0, "{bus}");
    assert!(lines_of(&log, "message_injector@clock").is_empty());
}

#[test]
fn a_daemon_that_was_killed_is_heard_again_in_a_later_run_and_an_earlier_one_is_not() {
    let hub = Hub::start();
    let mut scene = hub.scene(&["clock", "scribe"]);
    let log = logger(&mut scene, "scribe");
    let port = Injector::on(&mut scene, "clock");
    let mut scribe = scene.start("scribe");
    wait_for_up(&mut scribe);
    let mut expected = Vec::new();
    for run in 1..=3 {
        let mut clock = scene.start("clock");
        wait_for_up(&mut clock);
        hub.wait_for_nodes(&["clock", "scribe"]);
        let lines = numbered(&format!("run {run}, line"), 0..10);
        send_all(&mut Injector::connect(port), &lines);
        expected.extend(lines);
        wait_for_lines(&log, "message_injector@clock", &expected);
        let nodes = said(&scene, "scribe", &["status", "--nodes", "--json"]).unwrap();
        let nodes: Value = serde_json::from_str(&nodes).unwrap();
        assert_eq!(nodes["nodes"][0]["counter"], run, "{nodes}");
        clock.kill();
    }
    // Without the number of the last run it would be taken for one that is long gone.
    let counter = scene
        .folder()
        .join("clock-state/clock.fleet/session-counter");
    assert_eq!(std::fs::read_to_string(&counter).unwrap(), "3\n");
    std::fs::write(&counter, "garbage").unwrap();
    let mut clock = scene.start("clock");
    assert_ne!(clock.end().code(), Some(0));
    assert!(clock.has_said("does not hold the number of the last run"));
}

#[test]
fn what_was_sent_last_is_with_the_engine_when_a_daemon_has_stopped() {
    let hub = Hub::start();
    let Pair {
        scene,
        log,
        mut daemons,
        mut injector,
    } = Pair::start(&hub);
    send_all(&mut injector, &["first".to_owned()]);
    wait_for_lines(&log, "message_injector@clock", &["first".to_owned()]);
    send_all(&mut injector, &numbered("last", 0..50));
    daemons[0].signal(Signal::INT);
    assert_eq!(daemons[0].end().code(), Some(0));
    let mut expected = vec!["first".to_owned()];
    expected.extend(numbered("last", 0..50));
    wait_for_lines(&log, "message_injector@clock", &expected);
    assert!(!daemons[0].has_said("are left behind"));
    wait_for_why(&scene, "scribe", "clock", &["go over the bus `fleet`"]);
    let ping = kozo(&scene, "scribe", &["ping", "clock", "--count", "1"]);
    let error = String::from_utf8(ping.stderr).unwrap();
    assert!(error.contains("not connected"), "{error}");
    wait_for_why(&scene, "scribe", "clock", &["clock is not connected to it"]);
}

#[test]
fn a_pair_has_either_a_link_or_the_bus_and_never_both() {
    let hub = Hub::start();
    let nodes = ["hub", "mesh", "field", "near"];
    let mut scene = hub.mixed(&nodes);
    // `mesh` has links alone, `field` is on the bus alone, `hub` and `near` have both and a link by their choice.
    for node in ["hub", "field", "near"] {
        scene.on_bus(node, "fleet", "{}");
    }
    scene.without_tcp("field");
    scene.node_option("near", "direct: [hub]");
    let log = logger(&mut scene, "hub");
    let ports = nodes.map(|node| Injector::on(&mut scene, node));
    let mut daemons = nodes.map(|node| scene.start(node));
    for (node, daemon) in nodes.iter().zip(&mut daemons) {
        if *node != "mesh" {
            wait_for_up(daemon);
        }
    }
    for peer in ["mesh", "near"] {
        wait_until(&format!("a link with {peer}"), || {
            let status = status(&scene, "hub")?;
            let mut peers = status["peers"].as_array()?.iter();
            peers
                .find(|it| it["peer"] == peer && it["state"] == "up")
                .map(|_| ())
        });
    }
    let peers: Vec<_> = status(&scene, "hub").unwrap()["peers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| peer["peer"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(peers, ["mesh", "near"]);
    let mut injectors = ports.map(Injector::connect);
    for (injector, node) in injectors.iter_mut().zip(nodes) {
        send_all(injector, &numbered(node, 0..20));
    }
    for node in nodes {
        let sender = format!("message_injector@{node}");
        wait_for_lines(&log, &sender, &numbered(node, 0..20));
    }
    assert_eq!(bus_of(&scene, "hub").unwrap()["received"], 20);
    wait_for_why(&scene, "mesh", "field", &["no bus in common"]);
    wait_for_why(
        &scene,
        "hub",
        "near",
        &["There is a link between hub and near"],
    );
    wait_for_why(&scene, "hub", "field", &["go over the bus `fleet`"]);
}

#[test]
fn a_changed_file_moves_a_node_from_links_to_a_bus() {
    let hub = Hub::start();
    let nodes = ["clock", "scribe"];
    let mut scene = hub.mixed(&nodes);
    let log = logger(&mut scene, "scribe");
    let port = Injector::on(&mut scene, "clock");
    let mut daemons = nodes.map(|node| scene.start(node));
    daemons[0].wait_for_link("scribe");
    send_all(&mut Injector::connect(port), &numbered("link", 0..10));
    let mut expected = numbered("link", 0..10);
    wait_for_lines(&log, "message_injector@clock", &expected);
    for node in nodes {
        scene.on_bus(node, "fleet", "{}");
    }
    // One after the other: between the two, no file says the same to both.
    for (node, daemon) in nodes.iter().zip(&mut daemons) {
        daemon.signal(Signal::INT);
        assert_eq!(daemon.end().code(), Some(0));
        *daemon = scene.start(node);
        wait_for_up(daemon);
    }
    hub.wait_for_nodes(&nodes);
    assert_eq!(
        status(&scene, "clock").unwrap()["peers"],
        serde_json::json!([])
    );
    send_all(&mut Injector::connect(port), &numbered("bus", 0..10));
    expected.extend(numbered("bus", 0..10));
    wait_for_lines(&log, "message_injector@clock", &expected);
}

#[test]
fn files_that_differ_and_policies_that_forbid_are_named() {
    let hub = Hub::start();
    let mut scene = hub.scene(&["clock", "scribe", "hermit"]);
    let log = logger(&mut scene, "scribe");
    let port = Injector::on(&mut scene, "clock");
    scene.node_option("hermit", "selfToOthersConnectPolicy: never");
    scene.node_option("hermit", "othersToSelfConnectPolicy: never");
    let mut scribe = scene.start("scribe");
    let text = format!("{}messageMaxAge: 500\n", scene.text());
    let mut clock = start(&scene.write_as("other.yml", &text), "clock");
    [&mut scribe, &mut clock].into_iter().for_each(wait_for_up);
    hub.wait_for_nodes(&["clock", "scribe"]);
    Injector::connect(port).send("('log', 'hello')");
    wait_for_lines(&log, "message_injector@clock", &["hello".to_owned()]);
    wait_for_why(
        &scene,
        "scribe",
        "clock",
        &[
            "both are on it",
            "clock has another version of the configuration file",
        ],
    );
    scribe.wait_for_any_text("has another version of the configuration file");
    let table = said(&scene, "scribe", &["status"]).unwrap();
    let expected = "bus fleet: 1 node with another version of the configuration file";
    assert!(table.contains(expected), "{table}");
    wait_for_why(&scene, "scribe", "hermit", &["the policies forbid it"]);
}

#[test]
fn what_the_engine_refuses_a_node_is_named() {
    let hub = Hub::start();
    let mut scene = hub.scene(&["clock", "scribe"]);
    logger(&mut scene, "scribe");
    let port = Injector::on(&mut scene, "clock");
    hub.tell("refuse clock kozo.fleet.m.>");
    let mut daemons = ["clock", "scribe"].map(|node| scene.start(node));
    daemons.iter_mut().for_each(wait_for_up);
    hub.wait_for_nodes(&["clock", "scribe"]);
    Injector::connect(port).send("('log', 'hello')");
    wait_for_why(
        &scene,
        "clock",
        "scribe",
        &[
            "The engine of `fleet` refuses clock `kozo.fleet.m.",
            "does not let `clock` publish there",
        ],
    );
    let table = said(&scene, "clock", &["status"]).unwrap();
    assert!(table.contains("its engine refuses this node"), "{table}");
    let lines = daemons[0].count("the engine refuses this node");
    assert!(lines >= 1, "{lines}");
    let sent = kozo(&scene, "clock", &["send", "log", "hello", "--wait"]);
    let told = String::from_utf8_lossy(&sent.stdout).into_owned();
    assert!(told.contains("its engine has refused something"), "{told}");
    assert!(!sent.status.success(), "{sent:?}");
}

#[test]
fn two_daemons_with_one_key_are_told_of() {
    let hub = Hub::start();
    let mut scene = hub.scene(&["clock", "scribe"]);
    let log = logger(&mut scene, "scribe");
    let port = Injector::on(&mut scene, "clock");
    let mut daemons = ["clock", "scribe"].map(|node| scene.start(node));
    daemons.iter_mut().for_each(wait_for_up);
    // The other machine has the same card, and folders of its own: its runs are counted from the start.
    let other_port = kozo_abi::bench::reserve_port().unwrap();
    let text = scene.text();
    let text = text
        .replace("clock-state", "twin-state")
        .replace("clock-storage", "twin-storage");
    let text = text.replace(&port.to_string(), &other_port.to_string());
    let machine = scene.folder().join("other");
    std::fs::create_dir(&machine).unwrap();
    let mut twin = start(&scene.write_as("other/kozo.yml", &text), "clock");
    wait_for_up(&mut twin);
    daemons[0].wait_for_any_text("two daemons run with its key");
    // If scribe has told it first that there is a later run, it says that another daemon may run with its key.
    twin.wait_for_any_text("with its key");
    send_all(&mut Injector::connect(port), &["one".to_owned()]);
    wait_for_why(
        &scene,
        "clock",
        "scribe",
        &["Another daemon runs with the key of clock"],
    );
    drop(log);
}

/// Lets nodes find the module of the hub, and one that hangs.
fn find_hub_and_hang(scene: &mut Scene) {
    let modules = fixture_folder("fixture-bus-hub", "hub");
    let hangs = fixture_folder("fixture-bus-hang", "hang");
    let both = format!("{}:{}", modules.display(), hangs.display());
    scene.option("transportPath", &both);
}

#[test]
fn a_module_that_hangs_costs_its_own_bus_alone() {
    let hub = Hub::start();
    let nodes = ["clock", "scribe"];
    let mut scene = hub.mixed(&nodes);
    let until = scene.folder().join("go on");
    let socket = hub.socket().display();
    find_hub_and_hang(&mut scene);
    let buses = format!(
        "{{stuck: {{type: hang, hangsIn: publish, until: {}}}, fleet: {{type: hub, socket: {socket}}}}}",
        until.display()
    );
    scene.option("buses", &buses);
    scene.on_bus("clock", "stuck", "{}");
    for node in nodes {
        scene.on_bus(node, "fleet", "{}").without_tcp(node);
    }
    let log = logger(&mut scene, "scribe");
    let port = Injector::on(&mut scene, "clock");
    let mut daemons = nodes.map(|node| scene.start(node));
    daemons[0].wait_for_any_text("hangs in publish");
    hub.wait_for_nodes(&nodes);
    send_all(&mut Injector::connect(port), &numbered("line", 0..20));
    wait_for_lines(&log, "message_injector@clock", &numbered("line", 0..20));
    let stuck = || {
        let status = status(&scene, "clock")?;
        let mut buses = status["buses"].as_array()?.iter();
        buses.find(|bus| bus["name"] == "stuck").cloned()
    };
    let bus = wait_until("it is told of", || {
        stuck().filter(|bus| bus["state"] == "down")
    });
    let error = bus["error"].as_str().unwrap();
    assert!(error.contains("has not come back"), "{error}");
    // When it comes back, it is used again.
    std::fs::write(&until, "").unwrap();
    wait_until("it is up again", || {
        stuck().filter(|bus| bus["state"] == "up")
    });
    daemons[0].signal(Signal::INT);
    assert_eq!(daemons[0].end().code(), Some(0));
}

#[test]
fn a_module_that_hangs_in_the_thread_of_a_role_costs_that_role_alone() {
    let hub = Hub::start();
    // Nobody starts `ghost`; but it would want all that is logged.
    let mut scene = hub.mixed(&["clock", "scribe", "ghost"]);
    let until = scene.folder().join("go on");
    let socket = hub.socket().display();
    find_hub_and_hang(&mut scene);
    let buses = format!(
        "{{fleet: {{type: hub, socket: {socket}}}, stuck: {{type: hang, hangsIn: publish, fromRoles: true, until: {}}}}}",
        until.display()
    );
    scene.option("buses", &buses);
    for (node, bus) in [
        // A role's thread does the work of the last one alone.
        ("clock", "fleet"),
        ("clock", "stuck"),
        ("scribe", "fleet"),
        ("ghost", "stuck"),
    ] {
        scene.on_bus(node, bus, "{}");
    }
    for node in ["clock", "scribe", "ghost"] {
        scene.without_tcp(node);
    }
    let log = logger(&mut scene, "scribe");
    logger(&mut scene, "ghost");
    let port = Injector::on(&mut scene, "clock");
    let other_port = kozo_abi::bench::reserve_port().unwrap();
    let other = format!(
        "{{type: message_injector, bindAddress: 127.0.0.1, bindPort: {other_port}, log: false}}"
    );
    scene.role("clock", "other", &other);
    let mut daemons = ["clock", "scribe"].map(|node| scene.start(node));
    hub.wait_for_nodes(&["clock", "scribe"]);
    let is_enough = Arc::new(AtomicBool::new(false));
    let unlucky = std::thread::spawn({
        let is_enough = Arc::clone(&is_enough);
        let mut injector = Injector::connect(port);
        move || {
            let mut sent = 0;
            // One of them comes alone, and the answer to it late.
            while !is_enough.load(Ordering::Acquire) {
                injector.send(&format!("('log', 'line {sent}')"));
                sent += 1;
                std::thread::sleep(PACE);
            }
            (injector, sent)
        }
    });
    daemons[0].wait_for_any_text("hangs in publish");
    is_enough.store(true, Ordering::Release);
    // Neither another role nor another bus is kept by that.
    let mut other = Injector::connect(other_port);
    send_all(&mut other, &numbered("line", 0..20));
    wait_for_lines(&log, "other@clock", &numbered("line", 0..20));
    let stuck = || {
        let status = status(&scene, "clock")?;
        let mut buses = status["buses"].as_array()?.iter();
        buses.find(|bus| bus["name"] == "stuck").cloned()
    };
    let bus = wait_until("it is told of", || {
        stuck().filter(|bus| bus["state"] == "down")
    });
    let error = bus["error"].as_str().unwrap();
    assert!(
        error.contains("has not come back") && error.contains("the role `message_injector`"),
        "{error}"
    );
    daemons[0].wait_for_any_text("stands still in the module of the bus");
    // When it comes back, the role goes on, and the bus is used again, by its own thread.
    std::fs::write(&until, "").unwrap();
    let (mut injector, sent) = unlucky.join().unwrap();
    wait_until("it is up again", || {
        stuck().filter(|bus| bus["state"] == "up")
    });
    let end = sent + 20;
    send_all(&mut injector, &numbered("line", sent..end));
    wait_for_lines(&log, "message_injector@clock", &numbered("line", 0..end));
    daemons[0].wait_for_any_text("a message by `bus stuck`");
    daemons[0].signal(Signal::INT);
    assert_eq!(daemons[0].end().code(), Some(0));
}

#[test]
fn a_role_that_hangs_keeps_nothing_back_from_the_others() {
    let hub = Hub::start();
    let mut scene = hub.scene(&["hall", "friend"]);
    let hinge = scene.folder().join("hinge");
    let block = format!("{{hinge: {}, messageQueueLength: 4}}", hinge.display());
    scene.role("hall", "gate", &block);
    let log = logger(&mut scene, "hall");
    let port = Injector::on(&mut scene, "friend");
    let mut hall = start_with_roles(&scene.write(), "hall", &gate_folder());
    wait_for_up(&mut hall);
    let mut friend = scene.start("friend");
    wait_for_up(&mut friend);
    hub.wait_for_nodes(&["hall", "friend"]);
    let mut injector = Injector::connect(port);
    for number in 0..50 {
        injector.send("('order', 'open', 'now')");
        injector.send(&format!("('log', 'line {number}')"));
    }
    wait_for_lines(&log, "message_injector@friend", &numbered("line", 0..50));
    wait_until("the gate's messages roll out", || {
        let status = status(&scene, "hall")?;
        let mut roles = status["roles"].as_array()?.iter();
        let gate = roles.find(|role| role["name"] == "gate")?;
        gate["inbox"]["dropped_by_limit"]
            .as_u64()
            .filter(|dropped| *dropped >= 40)
    });
    std::fs::write(&hinge, "").unwrap();
}
