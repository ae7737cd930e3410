//! What is asked through a node of others, and what people do with its messages and roles.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::control::{kozo, said, status};
use super::inside::Daemon;
use super::process::wait_until;
use super::scene::Scene;

/// What a command prints as JSON, once it goes well.
fn answer(scene: &Scene, node: &str, words: &[&str]) -> Option<Value> {
    let text = said(scene, node, &[words, &["--json"]].concat())?;
    Some(serde_json::from_str(&text).unwrap())
}

/// The exit code of a command, and what it says of its failure.
fn refusal(scene: &Scene, node: &str, words: &[&str]) -> (i32, String) {
    let output = kozo(scene, node, words);
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

fn wait_for_link(scene: &Scene, node: &str) {
    wait_until("a link", || {
        let status = status(scene, node)?;
        let mut peers = status["peers"].as_array()?.iter();
        peers.any(|peer| peer["state"] == "up").then_some(())
    });
}

/// A clock that ticks for the cuckoo of a scribe, and a cottage that is not there.
fn ticking() -> (Scene, [Daemon; 2]) {
    let mut scene = Scene::new(&["clock", "scribe", "cottage"]);
    scene.role(
        "clock",
        "timer1",
        "{type: timer, tick: 0.05, message: cuckoo time}",
    );
    scene.role("scribe", "cuckoo", "{timer: \"*\"}");
    scene.role("cottage", "logger", "{file: /nowhere/log}");
    scene.node_option("scribe", "introspection: full");
    let clock = Daemon::start(&scene, "clock");
    // Its file is another one.
    scene.option("idleTimeout", "1234");
    let scribe = Daemon::start(&scene, "scribe");
    wait_for_link(&scene, "clock");
    (scene, [clock, scribe])
}

#[test]
fn nodes_stand_side_by_side_with_those_that_are_unreachable_and_those_that_differ() {
    let (scene, daemons) = ticking();
    let all = wait_until("scribe answers", || {
        let all = answer(&scene, "clock", &["status", "--all"])?;
        all["nodes"][2]["status"].is_object().then_some(all)
    });
    assert_eq!(all["asked"], "clock");
    let nodes = all["nodes"].as_array().unwrap();
    let names: Vec<_> = nodes.iter().map(|node| &node["node"]).collect();
    assert_eq!(names, ["clock", "cottage", "scribe"]);
    let [own, cottage, scribe] = [0, 1, 2].map(|place| &nodes[place]);
    assert!(cottage["status"].is_null() && cottage["unreachable_seconds"].is_f64());
    let error = cottage["error"].as_str().unwrap();
    assert!(error.contains("no link"), "{error}");
    assert_ne!(
        own["status"]["file_digest"],
        scribe["status"]["file_digest"]
    );
    assert_eq!(scribe["other_file"], true);
    assert_eq!(scribe["status"]["roles"][0]["name"], "cuckoo");

    let text = said(&scene, "clock", &["status", "--all"]).unwrap();
    let digest = scribe["status"]["file_digest"].as_str().unwrap();
    for part in [
        "unreachable".to_owned(),
        "cottage has been unreachable for".to_owned(),
        format!("scribe has another version of the configuration file, {digest}"),
    ] {
        assert!(text.contains(&part), "{part} in\n{text}");
    }
    let own = said(&scene, "clock", &["status"]).unwrap();
    assert!(own.contains(", file "), "{own}");
    // One node looks as on its own machine, several stand side by side.
    let one = answer(&scene, "clock", &["status", "scribe"]).unwrap();
    assert_eq!(
        (&one["node"], &one["roles"][0]["name"]),
        (&"scribe".into(), &"cuckoo".into())
    );
    let two = answer(&scene, "clock", &["status", "scribe", "clock"]).unwrap();
    assert_eq!(two[1]["node"], "clock");
    let (code, error) = refusal(&scene, "clock", &["status", "cottage"]);
    assert!(code == 5 && error.contains("unreachable for"), "{error}");
    let (code, error) = refusal(&scene, "clock", &["status", "scrib"]);
    assert!(
        code == 5 && error.contains("did you mean `scribe`"),
        "{error}"
    );

    let why = said(&scene, "clock", &["why", "clock", "--of", "scribe"]).unwrap();
    assert!(
        why.starts_with("There is a link between scribe and clock"),
        "{why}"
    );
    let own = said(&scene, "clock", &["why", "scribe", "--of", "clock"]).unwrap();
    assert!(
        own.starts_with("There is a link between clock and scribe"),
        "{own}"
    );
    // The clock tells others its status, and no more.
    let (_, error) = refusal(&scene, "scribe", &["why", "scribe", "--of", "clock"]);
    assert!(error.contains("its status, and no more"), "{error}");
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn messages_are_shown_as_they_pass() {
    let (scene, daemons) = ticking();
    let text = said(&scene, "scribe", &["tail", "--type", "ti*", "--count", "2"]).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    for part in ["timer1@clock", "event", "tick", "[\"cuckoo time\","] {
        assert!(lines[0].contains(part), "{part} in {text}");
    }
    let words = ["tail", "--once", "--kind", "log", "--node", "clock"];
    let message = answer(&scene, "clock", &words).unwrap();
    assert_eq!(
        (&message["kind"], &message["role"]),
        (&"log".into(), &"timer1".into())
    );
    assert!(message["data"].as_str().unwrap().starts_with("cuckoo time"));

    let wait = ["tail", "--channel", "none", "--timeout", "0.2"];
    assert_eq!(refusal(&scene, "clock", &wait).0, 2);
    let few = ["tail", "--count", "100000", "--timeout", "0.3"];
    let (code, error) = refusal(&scene, "clock", &few);
    assert!(code == 2 && error.contains("of 100,000"), "{error}");
    let some = kozo(
        &scene,
        "clock",
        &["tail", "--type", "tick", "--timeout", "1"],
    );
    assert!(some.status.success() && !some.stdout.is_empty());
    daemons.into_iter().for_each(Daemon::stop);
}

/// A tail that runs, and is killed when it is dropped.
struct Tail(Child);

impl Tail {
    fn start(scene: &Scene, node: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kozo"));
        command.args(["tail", "--type", "tick", "--control"]);
        command.arg(scene.control(node)).stdin(Stdio::null());
        Self(
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_tail_that_was_stopped_goes_on_and_says_what_it_missed() {
    let (scene, daemons) = ticking();
    let mut tail = Tail::start(&scene, "clock");
    let mut lines = BufReader::new(tail.0.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    assert!(line().contains("tick"));
    tail.signal(Signal::STOP);
    // The daemon waits for 5 s for a client's next request.
    std::thread::sleep(Duration::from_secs(7));
    let before = status(&scene, "clock").unwrap();
    tail.signal(Signal::CONT);
    wait_until("it says so", || {
        line().contains("had closed the connection").then_some(())
    });
    wait_until("it goes on", || line().contains("tick").then_some(()));
    // The messages themselves went on meanwhile.
    let taken = |status: &Value| status["peers"][1]["acknowledged"].as_u64().unwrap();
    assert!(taken(&before) > 20, "{before}");
    daemons.into_iter().for_each(Daemon::stop);
    // With the daemon it ends, and says why.
    let status = tail.0.wait().unwrap();
    assert_eq!(status.code(), Some(5));
}

#[test]
fn a_tail_ends_with_who_reads_it() {
    let (scene, daemons) = ticking();
    let mut tail = Tail::start(&scene, "clock");
    drop(tail.0.stdout.take());
    assert_eq!(tail.0.wait().unwrap().code(), Some(0));
    let mut error = String::new();
    tail.0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut error)
        .unwrap();
    assert_eq!(error, "");
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn what_is_sent_by_hand_goes_to_those_who_want_it() {
    let (scene, daemons) = ticking();
    let words = ["send", "event", "tick", "{by: hand, n: 1}", "--wait"];
    let sent = answer(&scene, "clock", &words).unwrap();
    assert_eq!(sent["roles"], serde_json::json!([]));
    let scribe = serde_json::json!({
        "node": "scribe", "roles": ["cuckoo"], "fate": "acknowledged"
    });
    assert_eq!(sent["nodes"], serde_json::json!([scribe]));
    let text = said(&scene, "scribe", &["send", "event", "tick"]).unwrap();
    assert_eq!(text, "here: cuckoo\n");

    let nobody = ["send", "order", "dance", "--channel", "hall", "--wait"];
    let (code, error) = refusal(&scene, "clock", &nobody);
    assert!(code == 2 && error.contains("nobody took it"), "{error}");
    // Of a node that is not there it is said in time that it has not come.
    let log = ["send", "log", "a word", "--wait", "--timeout", "0.2"];
    let output = kozo(&scene, "clock", &log);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "cottage: logger (not acknowledged yet)\n");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("not acknowledged within 200 ms: cottage"),
        "{error}"
    );

    for (data, part) in [("[1", "no YAML"), ("012", "not a number")] {
        let (code, error) = refusal(&scene, "clock", &["send", "event", "tick", data]);
        assert!(code == 1 && error.contains(part), "{error}");
    }
    // An object of this one key stands for bytes.
    let (code, error) = refusal(&scene, "clock", &["send", "event", "tick", "{base64: x}"]);
    assert!(code == 5 && error.contains("is no Base64"), "{error}");
    let (code, error) = refusal(&scene, "clock", &["send", "news", "tick"]);
    assert!(code == 1 && error.contains("event, order, log"), "{error}");
    let long = "x".repeat(300);
    let (code, error) = refusal(&scene, "clock", &["send", "event", &long]);
    assert!(code == 5 && error.contains("255"), "{error}");
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn what_is_sent_by_hand_is_seen_as_of_the_role_cli_and_comes_from_the_standard_input() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("scribe", "cli", "{type: timer, tick: 1000}");
    let daemons = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    wait_for_link(&scene, "clock");
    let mut tail = Tail::start(&scene, "clock");
    let mut lines = BufReader::new(tail.0.stdout.take().unwrap()).lines();
    let send = |data: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kozo"));
        command.args(["send", "event", "tick", "-", "--control"]);
        command.arg(scene.control("clock")).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(data.as_bytes())
            .unwrap_or_default();
        child.wait_with_output().unwrap()
    };
    // Until the tail is there, nobody sees them.
    let seen = std::sync::atomic::AtomicBool::new(false);
    let sender = std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let line = lines.next().unwrap().unwrap();
            seen.store(true, std::sync::atomic::Ordering::Relaxed);
            line
        });
        wait_until("it is seen", || {
            assert!(send("a:\n  - 1\n").status.success());
            seen.load(std::sync::atomic::Ordering::Relaxed)
                .then_some(())
        });
        first.join().unwrap()
    });
    for part in ["cli@clock", "tick", "{\"a\":[1]}"] {
        assert!(sender.contains(part), "{part} in {sender}");
    }
    let refused = send(&"x".repeat(100_000));
    assert_eq!(refused.status.code(), Some(1));
    // Where a role is called so, nobody is to be taken for it.
    let (code, error) = refusal(&scene, "scribe", &["send", "event", "tick"]);
    assert!(code == 5 && error.contains("hosts a role `cli`"), "{error}");
    drop(tail);
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn round_trips_are_measured_where_there_is_a_link() {
    let (scene, daemons) = ticking();
    let trips = answer(&scene, "clock", &["ping", "scribe", "-c", "2"]).unwrap();
    assert_eq!(
        (&trips["sent"], &trips["node"]),
        (&2.into(), &"scribe".into())
    );
    assert_eq!(trips["answers"][0]["transport"], "tcp");
    assert!(trips["jitter_seconds"].is_f64() && trips["mean_seconds"].is_f64());
    let text = said(&scene, "clock", &["ping", "scribe", "--count", "1"]).unwrap();
    assert!(
        text.starts_with("pong from scribe over tcp (127.0.0.1:"),
        "{text}"
    );
    assert!(text.contains("1 of 1 answered"), "{text}");
    let (code, error) = refusal(&scene, "clock", &["ping", "cottage"]);
    assert!(
        code == 2 && error.contains("no link") && error.contains("kozo why"),
        "{error}"
    );
    // Nothing more can be said of what is no other node.
    for node in ["clock", "nobody"] {
        let (code, error) = refusal(&scene, "clock", &["ping", node]);
        assert!(code == 2 && !error.contains("kozo why"), "{error}");
    }
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn a_role_is_stopped_and_started_again() {
    let (scene, daemons) = ticking();
    let role = || status(&scene, "scribe").unwrap()["roles"][0].clone();
    wait_until("it takes messages", || {
        (role()["inbox"]["taken"].as_u64() > Some(0)).then_some(())
    });
    let stopped = answer(&scene, "scribe", &["roles", "stop", "cuckoo"]).unwrap();
    assert_eq!(stopped["role"]["state"], "stopped");
    assert_eq!(stopped["role"]["inbox"]["waiting"], 0);
    wait_until("messages are dropped", || {
        let inbox = &role()["inbox"];
        assert_eq!(inbox["taken"], stopped["role"]["inbox"]["taken"]);
        (inbox["dropped_by_stop"].as_u64() > Some(3)).then_some(())
    });
    let list = said(&scene, "scribe", &["roles", "list"]).unwrap();
    assert!(list.contains("stopped"), "{list}");
    let (_, error) = refusal(&scene, "scribe", &["roles", "restart", "cuckoo"]);
    assert!(error.contains("kozo roles start cuckoo"), "{error}");
    // What stops it twice changes nothing.
    assert!(said(&scene, "scribe", &["roles", "stop", "cuckoo"]).is_some());
    let started = answer(&scene, "scribe", &["roles", "start", "cuckoo"]).unwrap();
    let role_status = &started["role"];
    assert_eq!(
        (&role_status["state"], &role_status["restarts"]),
        (&"running".into(), &1.into())
    );
    wait_until("it takes messages again", || {
        let taken = role()["inbox"]["taken"].as_u64();
        (taken > stopped["role"]["inbox"]["taken"].as_u64()).then_some(())
    });
    let (code, error) = refusal(&scene, "scribe", &["roles", "start", "cuckoo"]);
    assert!(code == 5 && error.contains("nothing to start"), "{error}");
    // A daemon ends with a role that is stopped.
    assert!(said(&scene, "scribe", &["roles", "stop", "cuckoo"]).is_some());
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn the_log_of_a_running_node_says_more_when_it_is_asked_to() {
    let scene = Scene::new(&["clock"]);
    let mut clock = scene.start("clock");
    wait_until("the socket is there", || status(&scene, "clock"));
    let levels = |words: &[&str]| {
        let words = [&["log-level"], words].concat();
        answer(&scene, "clock", &words).unwrap()["levels"].clone()
    };
    // As tests start their nodes.
    assert_eq!(levels(&[]), "debug");
    assert_eq!(
        levels(&["warn", "link=trace", "russh=info"]),
        "warn,link=trace,russh=info"
    );
    assert_eq!(
        levels(&["control=info", "link=off"]),
        "warn,link=off,russh=info,control=info"
    );
    clock.wait_for_text("control", "the log's levels are warn,link=off");
    assert_eq!(levels(&["--reset"]), "debug");
    assert_eq!(levels(&["--reset", "control=error"]), "debug,control=error");
    let (code, error) = refusal(&scene, "clock", &["log-level", "loud"]);
    assert!(code == 5 && error.contains("is not a level"), "{error}");
    // A node in somebody else's program leaves that one's log alone.
    drop(clock);
    let inside = Daemon::start(&scene, "clock");
    wait_until("the socket is there", || status(&scene, "clock"));
    let (_, error) = refusal(&scene, "clock", &["log-level", "debug"]);
    assert!(error.contains("not the node's own"), "{error}");
    inside.stop();
}
