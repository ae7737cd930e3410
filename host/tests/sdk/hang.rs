//! Transports that never come back.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Process, wait_until};
use super::scene::Scene;
use super::toolchain::{install_fixture, with_transport};

/// Gives these nodes `hang` beside the transport that they have.
fn add_hang(scene: &Scene, nodes: &[&str], file: &Path) -> PathBuf {
    // As tcp has it, and as other transports have it.
    let ports: Vec<[String; 2]> = nodes
        .iter()
        .map(|node| scene.port(node))
        .map(|port| [format!("port: {port}}}"), format!(":{port}'")])
        .collect();
    let mut text = String::new();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        text += &format!("{line}\n");
        if ports.as_flattened().iter().any(|port| line.contains(port)) {
            text += "      hang: {address: none}\n";
        }
    }
    assert_eq!(text.matches("hang: {address: none}").count(), nodes.len());
    scene.write_as("kozo.yml", &text)
}

#[test]
fn a_better_transport_that_hangs_does_not_keep_a_worse_one_from_linking_the_same_nodes() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    install_fixture("transport-tls", modules.path());
    let nodes = ["clock", "scribe"];
    let mut scene = Scene::new(&nodes);
    let log = scene.folder().join("scribe.log");
    let logger = format!("{{file: {}, flushEvery: 1}}", log.display());
    scene.role("scribe", "logger", &logger);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    let tls = with_transport(&scene, &nodes, "tls", |_| "");
    let file = add_hang(&scene, &nodes, &tls);
    let [mut clock, scribe] = nodes.map(|node| {
        let arguments = ["run", file.to_str().unwrap(), node];
        Process::start_with(&arguments, &[("KOZOTRANSPORTPATH", modules.path())])
    });
    for process in [&clock, &scribe] {
        // The better one was tried, and hangs still: it was not given up. The other node may have made
        // the link before this one tried.
        process.wait_for_any_text("hangs in connect");
        process.wait_for_any("the link", |line| line["message"] == "up");
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
    let file = with_transport(&scene, &["stuck"], "hang", |_| "");
    let file = add_hang(&scene, &["clock"], &file);

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
