//! What people see of running daemons: `kozo status`, `kozo why` and `kozo roles`.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

use kozo_auth::keys::{self, NewKey};
use rustix::process::Signal;
use serde_json::Value;

use super::inside::Daemon;
use super::process::{DEADLINE, wait_until};
use super::scene::{Scene, start};

/// Runs `kozo` with these words and the control socket of `node`.
pub(crate) fn kozo(scene: &Scene, node: &str, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args(words)
        .arg("--control")
        .arg(scene.control(node))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Why `kozo status` does not tell of a node, when nobody says which of the daemons here is to be asked.
pub(crate) fn no_status_here(scene: &Scene, node: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kozo"));
    command.args(["status", node]).stdin(Stdio::null());
    // Where a service of systemd would have its sockets.
    command.env("RUNTIME_DIRECTORY", scene.folder());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What it prints when all goes well.
pub(crate) fn said(scene: &Scene, node: &str, words: &[&str]) -> Option<String> {
    let output = kozo(scene, node, words);
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then_some(text)
}

pub(crate) fn status(scene: &Scene, node: &str) -> Option<Value> {
    let text = said(scene, node, &["status", "--json"])?;
    Some(serde_json::from_str(&text).unwrap())
}

/// Waits until `kozo why` says something that fits.
pub(crate) fn wait_for_why(scene: &Scene, node: &str, peer: &str, parts: &[&str]) -> String {
    let fits = |text: &String| parts.iter().all(|part| text.contains(part));
    wait_until(&format!("why {peer}: {parts:?}"), || {
        said(scene, node, &["why", peer]).filter(fits)
    })
}

fn wait_for_peer(scene: &Scene, node: &str, fits: impl Fn(&Value) -> bool) -> Value {
    wait_until("the peer's state", || {
        let status = status(scene, node)?;
        Some(status["peers"][0].clone()).filter(&fits)
    })
}

fn failure(output: Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_status_of_a_pair_shows_roles_links_transports_and_what_crossed() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    // The first one measures the round trip.
    scene.option("heartbeat", "1");
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    scene.role("scribe", "cuckoo", "{}");
    let daemons = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    // One of two links may have to go first, and a role takes its messages when it has its turn.
    let there = wait_until("the receiver's state", || {
        let status = status(&scene, "scribe")?;
        let has_all = status["peers"][0]["links"].as_array()?.len() == 1
            && status["transports"][0]["state"] == "listening"
            && status["roles"][0]["inbox"]["taken"].as_u64() > Some(0);
        has_all.then_some(status)
    });
    let peer = wait_for_peer(&scene, "clock", |peer| {
        let link = &peer["links"][0];
        link["sent"].as_u64() > Some(2)
            && peer["acknowledged"].as_u64() > Some(2)
            && link["round_trip_seconds"].is_f64()
    });
    let link = &peer["links"][0];
    assert_eq!(
        (&peer["state"], &peer["peer"]),
        (&"up".into(), &"scribe".into())
    );
    assert_eq!(link["transport"], "tcp");
    assert!(link["address"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(link["bytes_sent"].as_u64() > Some(1000), "{peer}");
    assert!(link["bytes_received"].as_u64() > Some(1000), "{peer}");
    assert_eq!(peer["missed"], 0);

    let back = &there["peers"][0]["links"][0];
    assert_ne!(back["dialled"], link["dialled"]);
    // Only who dialled knows what was agreed on.
    let dialler = if link["dialled"] == true { link } else { back };
    assert!(dialler["cipher"].is_string(), "{dialler}");
    assert!(there["peers"][0]["received"].as_u64() > Some(0));
    let role = &there["roles"][0];
    assert_eq!(
        (&role["name"], &role["state"]),
        (&"cuckoo".into(), &"running".into())
    );
    assert!(role["inbox"]["taken"].as_u64() > Some(0), "{role}");
    assert_eq!(there["transports"][0]["state"], "listening");
    assert_eq!(there["orders_refused"], 0);

    let table = said(&scene, "clock", &["status"]).unwrap();
    for part in [
        "clock: kozo ",
        "timer1",
        "running",
        "scribe",
        "up",
        "listening",
    ] {
        assert!(table.contains(part), "{part} in\n{table}");
    }
    assert!(!table.contains('\x1b'), "colours are for terminals");
    let why = said(&scene, "clock", &["why", "scribe"]).unwrap();
    assert!(
        why.starts_with("There is a link between clock and scribe: over `tcp` with 127.0.0.1:"),
        "{why}"
    );
    assert!(why.contains("came up, dialled from"), "{why}");
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn a_mac_that_is_not_used_is_noted() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.option("hmac", "hmac-sha1");
    scene.role("clock", "timer1", "{type: timer}");
    let daemons = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    let noted = |node: &str| -> bool {
        let status = status(&scene, node).unwrap_or_default();
        let link = &status["peers"][0]["links"][0];
        link["note"]
            .as_str()
            .is_some_and(|note| note.contains("`hmac` is not used"))
    };
    wait_until("the end that dialled notes it", || {
        (noted("clock") || noted("scribe")).then_some(())
    });
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn why_names_the_port_that_refuses_and_when_the_next_try_is_due() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    scene.role("scribe", "cuckoo", "{}");
    let _clock = scene.start("clock");
    let port = format!("127.0.0.1:{}", scene.port("scribe"));
    let why = wait_for_why(
        &scene,
        "clock",
        "scribe",
        &[
            "There is no link",
            &port,
            "the next one is due in",
            "times since",
            "there wait",
        ],
    );
    assert!(
        why.contains("`othersToSelfConnectPolicy` of scribe is `constant`"),
        "{why}"
    );
    let peer = wait_for_peer(&scene, "clock", |peer| peer["state"] == "waiting");
    assert!(
        peer["last_error"].as_str().unwrap().contains(&port),
        "{peer}"
    );
    assert!(peer["queued"]["messages"].as_u64() > Some(0), "{peer}");
}

#[test]
fn why_names_the_key_that_does_not_fit() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer1", "{type: timer}");
    scene.node_option("scribe", "selfToOthersConnectPolicy: never");
    let other = keys::generate(NewKey::Ed25519, "clock").unwrap();
    let text = scene.text();
    let own = text
        .lines()
        .find(|line| line.contains("publicKey"))
        .unwrap();
    let wrong = format!("    publicKey: {}", keys::public_line(&other));
    let scribes = scene.write_as("scribe.yml", &text.replace(own, &wrong));
    let _clock = scene.start("clock");
    let _scribe = start(&scribes, "scribe");
    wait_for_why(&scene, "clock", "scribe", &["There is no link", "key"]);
    let counted = || {
        let status = status(&scene, "scribe")?;
        (status["connections"]["refused"].as_u64() > Some(0)).then_some(())
    };
    wait_until("the refused connection is counted", counted);
}

#[test]
fn why_names_the_policies_that_forbid_or_leave_a_link_to_the_other() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer1", "{type: timer}");
    scene.node_option("clock", "selfToOthersConnectPolicy: never");
    let mut clock = scene.start("clock");
    clock.wait_for_text("kozo", "started");
    wait_for_why(
        &scene,
        "clock",
        "scribe",
        &[
            "clock may not dial scribe",
            "`selfToOthersConnectPolicy` of clock is `never`",
        ],
    );
    clock.kill();
    scene.node_option("clock", "othersToSelfConnectPolicy: never");
    let _clock = scene.start("clock");
    wait_for_why(
        &scene,
        "clock",
        "scribe",
        &["there will be none", "`never`"],
    );
    let error = failure(kozo(&scene, "clock", &["why", "scrib"]));
    assert!(error.contains("did you mean `scribe`"), "{error}");
    let error = failure(kozo(&scene, "clock", &["why", "clock"]));
    assert!(error.contains("this node itself"), "{error}");
}

#[test]
fn why_says_that_nothing_is_to_be_sent_where_links_are_made_on_demand() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer1", "{type: timer, tick: 1000}");
    for node in ["clock", "scribe"] {
        scene.node_option(node, "selfToOthersConnectPolicy: ondemand");
    }
    let _clock = scene.start("clock");
    let why = wait_for_why(&scene, "clock", "scribe", &["none is wanted", "on demand"]);
    assert!(why.contains("Nothing waits for scribe."), "{why}");
}

#[test]
fn a_role_is_restarted_and_the_result_is_told() {
    let mut scene = Scene::new(&["clock"]);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    let clock = Daemon::start(&scene, "clock");
    let restart = |role: &str| kozo(&scene, "clock", &["roles", "restart", role]);
    let done = wait_until("the socket is there", || {
        Some(restart("timer1")).filter(|output| output.status.success())
    });
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("`timer1` runs again"), "{text}");
    let role = &status(&scene, "clock").unwrap()["roles"][0];
    assert_eq!(
        (&role["restarts"], &role["state"]),
        (&1.into(), &"running".into())
    );
    let error = failure(restart("timer2"));
    assert!(error.contains("its roles are timer1"), "{error}");
    clock.stop();
}

#[test]
fn the_socket_is_for_its_user_and_group_and_goes_with_the_daemon() {
    let scene = Scene::new(&["clock", "scribe"]);
    let path = scene.control("clock");
    let mut clock = scene.start("clock");
    wait_until("the socket is there", || status(&scene, "clock"));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // A second daemon of the same node leaves it alone, and ends.
    let mut second = scene.start("clock");
    second.wait_for_text("start", "runs on this machine already");
    assert_eq!(second.end().code(), Some(5));
    // One of another node that is told to be there leaves it alone, too, and runs without one.
    let mut other = scene.start_at("scribe", &path);
    other.wait_for_text("control", "another daemon listens on");
    assert_eq!(status(&scene, "clock").unwrap()["pid"], clock.id());
    other.kill();
    // A killed daemon leaves it behind; the next one takes its place.
    clock.kill();
    assert!(path.exists());
    let error = failure(kozo(&scene, "clock", &["status"]));
    assert!(error.contains("does not answer"), "{error}");
    let mut clock = scene.start("clock");
    let pid = clock.id();
    wait_until("the new daemon answers", || {
        status(&scene, "clock").filter(|status| status["pid"] == pid)
    });
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn garbage_endless_lines_and_silent_crowds_on_the_socket_do_no_harm() {
    let scene = Scene::new(&["clock"]);
    let mut clock = scene.start("clock");
    wait_until("the socket is there", || status(&scene, "clock"));
    let connect = || {
        let stream = UnixStream::connect(scene.control("clock")).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    };
    let answer = |request: &[u8]| {
        let mut stream = connect();
        stream.write_all(request).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\0\xff\n",
        b"{}\n",
        b"",
        b"[[[[",
    ] {
        let answer = answer(garbage);
        assert!(answer.starts_with("{\"version\":1,\"error\":"), "{answer}");
    }
    assert!(answer(b"{\"version\":9,\"request\":\"status\"}\n").contains("version 9"));
    // An endless line is cut off.
    let mut endless = connect();
    let refused = (0..100_000).find_map(|_| endless.write_all(&[b'x'; 4096]).err());
    // Which of the two depends on whether the daemon had read all that came.
    let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(refused.is_some_and(|error| kinds.contains(&error.kind())));
    // A crowd that says nothing: those over the limit are closed at once, the others in time.
    let mut crowd: Vec<_> = (0..100).map(|_| connect()).collect();
    for stream in &mut crowd {
        let mut nothing = Vec::new();
        let _ = stream.read_to_end(&mut nothing);
        assert!(nothing.is_empty());
    }
    wait_until("the daemon answers again", || status(&scene, "clock"));
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
}
