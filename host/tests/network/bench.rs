//! `kozo bench`: a link under load, which carries messages meanwhile.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::control::{kozo, status};
use super::inside::Daemon;
use super::process::wait_until;
use super::scene::Scene;

#[test]
fn a_link_is_measured_while_messages_pass_and_others_ask() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.option("heartbeat", "1");
    scene.role("clock", "timer1", "{type: timer, tick: 0.05}");
    scene.role("scribe", "cuckoo", "{}");
    let daemons = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    // Both dial as they start: there are two links for a moment, perhaps.
    for node in ["clock", "scribe"] {
        wait_until("the link, and no other", || {
            let status = status(&scene, node)?;
            let peer = &status["peers"][0];
            let count = |key: &str| peer[key].as_array().map(Vec::len);
            let is_settled = (count("links"), count("dialling")) == (Some(1), Some(0));
            (is_settled && peer["state"] == "up").then_some(())
        });
    }
    let sent_again = || status(&scene, "clock").unwrap()["peers"][0]["sent_again"].clone();
    let sent_again_before = sent_again();
    let counts = || {
        let there = status(&scene, "scribe").unwrap();
        let peer = &there["peers"][0];
        let number = |value: &Value| value.as_u64().unwrap();
        let taken = number(&there["roles"][0]["inbox"]["taken"]);
        (taken, number(&peer["missed"]))
    };
    let before = counts();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args(["bench", "scribe", "--seconds", "4", "--json", "--control"])
        .arg(scene.control("clock"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // How many messages were taken, and when; the second half of the time is the load.
    let mut taken = vec![(Instant::now(), before.0)];
    while bench.try_wait().unwrap().is_none() {
        taken.push((Instant::now(), counts().0));
    }
    let end = Instant::now();
    let under_load = taken
        .iter()
        .filter(|(at, _)| end.duration_since(*at) < Duration::from_millis(1900));
    let under_load: Vec<u64> = under_load.map(|(_, taken)| *taken).collect();
    let passed = under_load.last().unwrap() - under_load.first().unwrap();
    assert!(passed >= 3, "messages wait for the load: {taken:?}");
    let output = bench.wait_with_output().unwrap();
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(
        warning.contains("this loads the link with scribe for 4 seconds"),
        "{warning}"
    );
    assert!(output.status.success(), "{warning}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (trips, flow) = (&result["round_trips"], &result["throughput"]);
    assert!(trips["count"].as_u64() > Some(10), "{result}");
    let order = [
        "min_seconds",
        "median_seconds",
        "p90_seconds",
        "p99_seconds",
        "max_seconds",
    ];
    let order = order.map(|name| trips[name].as_f64().unwrap());
    assert!(order.is_sorted() && order[0] > 0.0, "{result}");
    assert!(flow["bytes"].as_u64() > Some(100_000), "{result}");
    assert_eq!(result["transport"], "tcp");
    // No message was lost, and the link is the same.
    assert_eq!(counts().1, before.1);
    let here = status(&scene, "clock").unwrap();
    assert_eq!(here["peers"][0]["state"], "up");
    assert_eq!(sent_again(), sent_again_before);

    let text = kozo(&scene, "clock", &["bench", "scribe", "--seconds", "1"]);
    let text = String::from_utf8(text.stdout).unwrap();
    for part in ["scribe over tcp with 127.0.0.1:", "median", "one way"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn what_cannot_be_measured_is_said() {
    let scene = Scene::new(&["clock", "scribe"]);
    let clock = Daemon::start(&scene, "clock");
    wait_until("the daemon", || status(&scene, "clock"));
    let failure = |words: &[&str], code: i32| {
        let output = kozo(&scene, "clock", words);
        assert_eq!(output.status.code(), Some(code), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let error = failure(&["bench", "scribe"], 5);
    assert!(
        error.contains("`scribe` cannot be asked: there is no link with it"),
        "{error}"
    );
    let error = failure(&["bench", "scrib"], 5);
    assert!(error.contains("did you mean `scribe`"), "{error}");
    let error = failure(&["bench", "clock"], 5);
    assert!(error.contains("this node itself"), "{error}");
    failure(&["bench", "scribe", "--seconds", "11"], 1);
    failure(&["bench", "scribe", "--seconds", "0"], 1);
    clock.stop();
}
