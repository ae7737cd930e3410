//! Transports that never come back.

use std::path::PathBuf;

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Process, wait_until};
use super::scene::Scene;
use super::toolchain::{install_fixture, with_transport};

/// Gives these nodes, which have tcp, `hang` beside it: the host prefers that one.
fn add_hang(scene: &Scene, nodes: &[&str], text: &str) -> PathBuf {
    let mut text = text.to_owned();
    for node in nodes {
        let tcp = format!("port: {}}}\n", scene.port(node));
        assert!(text.contains(&tcp));
        text = text.replace(&tcp, &format!("{tcp}      hang: {{address: none}}\n"));
    }
    scene.write_as("kozo.yml", &text)
}

#[test]
fn a_better_transport_that_hangs_does_not_keep_a_worse_one_from_linking_the_same_nodes() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    let mut scene = Scene::new(&["clock", "scribe"]);
    let log = scene.folder().join("scribe.log");
    let logger = format!("{{file: {}, flushEvery: 1}}", log.display());
    scene.role("scribe", "logger", &logger);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    let file = add_hang(&scene, &["clock", "scribe"], &scene.text());
    let [mut clock, mut scribe] = ["clock", "scribe"].map(|node| {
        let arguments = ["run", file.to_str().unwrap(), node];
        Process::start_with(&arguments, &[("KOZOTRANSPORTPATH", modules.path())])
    });
    for process in [&mut clock, &mut scribe] {
        // The better one was tried first, and hangs still: it was not given up.
        process.wait_for("what hangs", |line| {
            line.to_string().contains("hangs in connect")
        });
        process.wait_for("the link", |line| line["message"] == "up");
        assert!(!process.has_said("no connection within"));
    }
    wait_until("ticks are logged", || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.contains("<timer1@clock>").then_some(())
    });
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
}

#[test]
fn a_transport_that_hangs_delays_no_other_link_and_no_shutdown() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    let scene = Scene::new(&["clock", "scribe", "stuck"]);
    // `clock` can reach `scribe` by tcp, and `stuck` only by what hangs.
    let stuck = with_transport(&scene, &["stuck"], "hang", |_| "");
    let text = std::fs::read_to_string(stuck).unwrap();
    let file = add_hang(&scene, &["clock"], &text);

    let start = |node| {
        let arguments = ["run", file.to_str().unwrap(), node];
        Process::start_with(&arguments, &[("KOZOTRANSPORTPATH", modules.path())])
    };
    let mut clock = start("clock");
    let mut hangs = std::collections::HashSet::new();
    while hangs.len() < 2 {
        let line = clock.wait_for("what hangs", |line| line.to_string().contains("hangs in"));
        hangs.insert(line["message"].to_string());
    }
    let mut scribe = start("scribe");
    clock.wait_for_link("scribe");
    scribe.wait_for_link("clock");
    // And once more, after that link was cut.
    scribe.kill();
    clock.wait_for_text("link", "down");
    let mut scribe = start("scribe");
    scribe.wait_for_link("clock");
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
    clock.wait_for_text("kozo", "stopped");
}
