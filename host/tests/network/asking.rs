//! What can be asked of a node over its control socket: of itself, and of others through it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use kozo_wire::{AnswerFrame, Frame};
use serde_json::{Value, json};

use super::control::no_status_here;
use super::guest::Guest;
use super::inside::Daemon;
use super::process::{DEADLINE, wait_until};
use super::scene::Scene;

/// A connection with a daemon, for several requests.
struct Client(BufReader<UnixStream>);

impl Client {
    fn of(scene: &Scene, node: &str) -> Self {
        let path = scene.control(node);
        let stream = wait_until("the socket is there", || UnixStream::connect(&path).ok());
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// The whole answer to a request.
    fn asked(&mut self, request: Value) -> Value {
        self.say(request);
        serde_json::from_str(&self.line()).unwrap()
    }

    fn say(&mut self, mut request: Value) {
        request["version"] = json!(1);
        request["several"] = json!(true);
        let line = format!("{request}\n");
        self.0.get_mut().write_all(line.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    fn answer(&mut self, request: Value) -> Value {
        let answer = self.asked(request);
        assert!(answer.get("answer").is_some(), "{answer}");
        answer["answer"].clone()
    }

    fn error(&mut self, request: Value) -> String {
        let answer = self.asked(request);
        answer["error"].as_str().expect("an error").to_owned()
    }
}

/// Two nodes that have a link; the second one has these options besides.
fn pair(options: &[&str]) -> (Scene, [Daemon; 2], Client) {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer1", "{type: timer, tick: 0.2}");
    for line in options {
        scene.node_option("scribe", line);
    }
    let daemons = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    let mut client = Client::of(&scene, "clock");
    wait_until("the link is up", || {
        let status = client.answer(json!({"request": "status"}));
        (status["peers"][0]["state"] == "up").then_some(())
    });
    (scene, daemons, client)
}

#[test]
fn another_node_is_asked_over_the_link() {
    let (_scene, daemons, mut clock) = pair(&[]);
    let report = clock.answer(json!({"request": "status-of", "node": "scribe"}));
    assert_eq!(report["node"], "scribe");
    assert_eq!(report["status"]["node"], "scribe");
    assert_eq!(report["status"]["peers"][0]["peer"], "clock");
    assert_eq!(report["other_file"], false);
    let network = clock.answer(json!({"request": "network"}));
    assert_eq!(network["asked"], "clock");
    let digest = |place: usize| network["nodes"][place]["status"]["file_digest"].clone();
    assert_eq!(network["nodes"][1]["node"], "scribe");
    assert_eq!(digest(0), digest(1));

    let ping = clock.answer(json!({"request": "ping", "peer": "scribe", "bytes": 60_000}));
    assert_eq!(
        (&ping["node"], &ping["transport"]),
        (&json!("scribe"), &json!("tcp"))
    );
    assert!(ping["round_trip_seconds"].as_f64().unwrap() > 0.0, "{ping}");
    let error = clock.error(json!({"request": "ping", "peer": "scribe", "bytes": 1_000_000}));
    assert!(error.contains("at most"), "{error}");
    let error = clock.error(json!({"request": "status-of", "node": "scribble"}));
    assert!(error.contains("did you mean `scribe`?"), "{error}");
    // What a peer tells of its own links takes more than it tells here.
    let why = json!({"request": "why-of", "node": "scribe", "peer": "clock"});
    let error = clock.error(why);
    assert!(error.contains("its status, and no more"), "{error}");
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn a_peer_speaks_of_itself_alone_whatever_it_answers() {
    let scene = Scene::new(&["clock", "guest"]);
    let daemon = Daemon::start(&scene, "clock");
    let mut clock = Client::of(&scene, "clock");
    let mut guest = Guest::connect(&scene, "guest", "clock").unwrap();
    let mut hello = guest.hello();
    hello.features = vec!["questions".to_owned()];
    guest.say(|frames| frames.hello(&hello));
    wait_until("the link is up", || {
        let status = clock.answer(json!({"request": "status"}));
        (status["peers"][0]["state"] == "up").then_some(())
    });
    let mut lie = clock.answer(json!({"request": "status"}));
    lie["version"] = json!("\u{1b}[2J9.9");
    let answered = |answer: Value| rmp_serde::to_vec(&answer).unwrap();
    let mut told = |answer: Vec<u8>| {
        clock.say(json!({"request": "status-of", "node": "guest", "wait_ms": 60_000}));
        let asked = guest.wait_for("a question", |frame| matches!(frame, Frame::Question(_)));
        let Frame::Question(asked) = asked else {
            unreachable!()
        };
        guest.say(|frames| {
            frames.answer(&AnswerFrame {
                number: asked.number,
                more: false,
                part: answer.into(),
            });
        });
        let line = clock.line();
        assert!(!line.contains('\u{1b}'), "{line}");
        let answer: Value = serde_json::from_str(&line).unwrap();
        answer["answer"].clone()
    };
    // It says that it is the other one.
    let report = told(answered(json!({"answer": lie})));
    assert_eq!(report["status"]["version"], "\u{1b}[2J9.9");
    assert_eq!(
        (&report["node"], &report["status"]["node"]),
        (&json!("guest"), &json!("guest"))
    );
    let report = told(answered(json!({"error": "\u{1b}[2Jno"})));
    assert_eq!(report["error"], "`guest` says: \\u{1b}[2Jno");
    lie["roles"] = json!("many");
    for nonsense in [answered(json!({"answer": lie})), vec![0xc1; 99]] {
        let report = told(nonsense);
        let error = report["error"].as_str().unwrap();
        assert!(error.contains("not understood"), "{report}");
        assert_eq!(report["status"], Value::Null);
    }
    let report = told(Vec::new());
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("refuses to answer"), "{report}");
    daemon.stop();
}

#[test]
fn another_node_tells_what_its_roles_are_for_people_and_other_systems() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "cuckoo", "{timer: slow}");
    let face = "{name: Slow, enabled: true, category: null}";
    let slow = format!("{{type: timer, tick: 1000, face: {face}}}");
    scene.role("scribe", "slow", &slow);
    let isolated = "{type: timer, tick: 1000, isolate: true, face: {hidden: true}}";
    scene.role("scribe", "unseen", isolated);
    let daemons = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    let mut clock = Client::of(&scene, "clock");
    let roles = wait_until("the other node answers", || {
        let report = clock.answer(json!({"request": "status-of", "node": "scribe"}));
        report["status"]["roles"].as_array().cloned()
    });
    let faces = json!([{
        "face": "tick", "kind": "sensor", "name": "Slow", "class": "timestamp", "enabled": true,
        "state": {"event": "tick"}, "value": "time",
    }]);
    assert_eq!(
        (&roles[0]["name"], &roles[0]["faces"]),
        (&json!("slow"), &faces)
    );
    assert_eq!(roles[1].get("faces"), None);
    let own = clock.answer(json!({"request": "status"}));
    assert_eq!(own["roles"][0].get("faces"), None);
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn a_node_that_is_not_here_is_looked_for_in_the_networks_of_those_that_are() {
    let mut scene = Scene::new(&["clock", "scribe", "hall"]);
    scene.role("clock", "timer1", "{type: timer, tick: 0.2}");
    let daemons = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    wait_until("both are there", || {
        let said = no_status_here(&scene, "nobody");
        let begins = said.contains("no node of this machine knows a node `nobody`: there are ");
        (begins && said.contains("`clock`") && said.contains("`scribe`")).then_some(())
    });
    let said = no_status_here(&scene, "hall");
    assert!(said.contains("there is no link with it"), "{said}");
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn a_node_tells_what_its_block_says_and_whom() {
    let (_scene, daemons, mut clock) = pair(&["introspection: full"]);
    let why = json!({"request": "why-of", "node": "scribe", "peer": "clock"});
    let why = clock.answer(why);
    assert_eq!(
        (&why["node"], &why["peer"]["peer"]),
        (&json!("scribe"), &json!("clock"))
    );
    let explain = json!({"request": "explain", "node": "scribe", "peer": "clock"});
    let explained = clock.answer(explain);
    assert_eq!(explained["details"]["node"], "scribe");
    let line = explained["lines"][0].as_str().unwrap();
    assert!(
        line.starts_with("There is a link between scribe and clock: over `tcp`"),
        "{line}"
    );
    let own = clock.answer(json!({"request": "explain", "peer": "scribe"}));
    assert_eq!(own["details"]["node"], "clock");
    daemons.into_iter().for_each(Daemon::stop);

    for options in [&["introspection: none"][..], &["introspectionFor: [porch]"]] {
        let (_scene, daemons, mut clock) = pair(options);
        let report = clock.answer(json!({"request": "status-of", "node": "scribe"}));
        assert_eq!(report["status"], Value::Null);
        let error = report["error"].as_str().unwrap();
        assert!(error.contains("nothing of itself"), "{error}");
        // That it is there is told to whoever has a link with it.
        clock.answer(json!({"request": "ping", "peer": "scribe"}));
        daemons.into_iter().for_each(Daemon::stop);
    }
}

#[test]
fn a_node_that_cannot_be_reached_is_named_at_once() {
    let (_scene, [clock_daemon, scribe_daemon], mut clock) = pair(&[]);
    scribe_daemon.stop();
    // A question may be under way while the link ends, and then it is that which the report says.
    let report = wait_until("the link is gone", || {
        let report = clock.answer(json!({"request": "status-of", "node": "scribe"}));
        let error = report["error"].as_str().unwrap_or_default();
        let is_gone = error.starts_with("there is no link with it");
        is_gone.then_some(report)
    });
    assert_eq!(report["status"], Value::Null);
    assert!(report["unreachable_seconds"].is_number(), "{report}");
    let error = clock.error(json!({"request": "ping", "peer": "scribe"}));
    assert!(
        error.contains("`scribe` cannot be asked: there is no link"),
        "{error}"
    );
    clock_daemon.stop();
}

#[test]
fn messages_are_seen_as_they_pass_and_what_is_not_taken_is_counted() {
    let (scene, daemons, mut clock) = pair(&[]);
    let interests = json!([{"type": ["ti*"], "role": ["timer1"]}]);
    let tap = clock.answer(json!({"request": "open-tap", "interests": interests}))["tap"].clone();
    let taken = json!({"request": "tapped", "tap": tap, "wait_ms": 30_000});
    let passed = clock.answer(taken.clone());
    let message = &passed["messages"][0];
    assert_eq!(
        (&message["type"], &message["kind"]),
        (&json!("tick"), &json!("event"))
    );
    assert_eq!(
        (&message["node"], &message["role"]),
        (&json!("clock"), &json!("timer1"))
    );
    assert_eq!(message["data"][0], "Ping!", "{message}");
    // A tap belongs to the connection that has opened it.
    let mut other = Client::of(&scene, "clock");
    let error = other.error(taken.clone());
    assert!(error.contains("no open tap"), "{error}");
    clock.answer(json!({"request": "close-tap", "tap": tap}));
    assert!(clock.error(taken).contains("no open tap"));
    // Nothing is kept for whoever wants what never passes.
    let nothing = json!([{"type": ["nothing"]}]);
    let tap = clock.answer(json!({"request": "open-tap", "interests": nothing}))["tap"].clone();
    let passed = clock.answer(json!({"request": "tapped", "tap": tap, "wait_ms": 300}));
    assert_eq!(passed, json!({"messages": [], "left_out": 0}));
    let refused = (0..20).find_map(|_| {
        let opened = clock.asked(json!({"request": "open-tap"}));
        opened.get("error").map(ToString::to_string)
    });
    assert!(refused.unwrap().contains("taps open already"));
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn whoever_waits_for_a_change_hears_of_it() {
    let (scene, [clock_daemon, scribe_daemon], mut clock) = pair(&[]);
    // The link is new, so there may be one more change.
    let changed = |client: &mut Client, since: &Value, wait_ms: u64| {
        client.answer(json!({"request": "changed", "since": since, "wait_ms": wait_ms}))
    };
    let version = wait_until("nothing changes", || {
        let before = changed(&mut clock, &Value::Null, 0)["version"].clone();
        let after = changed(&mut clock, &before, 500)["version"].clone();
        (before == after).then_some(after)
    });
    let waiting = std::thread::spawn(move || {
        let mut client = Client::of(&scene, "clock");
        (changed(&mut client, &version, 60_000), scene)
    });
    scribe_daemon.stop();
    let (now, _scene) = waiting.join().unwrap();
    assert_ne!(now["status"]["peers"][0]["state"], "up");
    clock_daemon.stop();
}

#[test]
fn the_modules_that_a_node_has_are_described_with_their_options() {
    let (_scene, daemons, mut clock) = pair(&[]);
    let modules = clock.answer(json!({"request": "modules"}));
    let modules = modules.as_array().unwrap();
    let timer = modules.iter().find(|module| module["name"] == "timer");
    let timer = timer.expect("the module of its role is among them");
    let options = timer["options"].as_array().unwrap();
    let tick = options
        .iter()
        .find(|option| option["name"] == "tick")
        .unwrap();
    assert_eq!(
        (&tick["type"], &tick["unit"]),
        (&json!("number"), &json!("seconds"))
    );
    assert!(modules.iter().any(|module| module["kind"] == "transport"));
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn what_nobody_knows_is_refused_and_the_connection_goes_on() {
    let (_scene, daemons, mut clock) = pair(&[]);
    assert!(clock.error(json!({"request": "dance"})).contains("dance"));
    assert!(clock.error(json!({"request": "tapped"})).contains("tap"));
    clock.answer(json!({"request": "status"}));
    daemons.into_iter().for_each(Daemon::stop);
}
