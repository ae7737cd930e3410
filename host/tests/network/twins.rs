//! Two daemons that run as one node: on two machines their peers and both tell of it; on one, the
//! second does not start.

use std::process::{Command, Stdio};

use super::control::said;
use super::process::wait_until;
use super::scene::{Scene, start};

#[test]
fn two_machines_that_run_as_one_node_are_told_of_everywhere_and_one_keeps_the_link() {
    let scene = Scene::new(&["clock", "scribe"]);
    let mut clock = scene.start("clock");
    let mut first = scene.start("scribe");
    clock.wait_for_link("scribe");
    // The other machine has the same card, and an address and folders of its own.
    let port = kozo_abi::bench::reserve_port().unwrap();
    let text = scene
        .text()
        .replace(
            &format!("port: {}", scene.port("scribe")),
            &format!("port: {port}"),
        )
        .replace("scribe-storage", "other-storage");
    let machine = scene.folder().join("other");
    std::fs::create_dir(&machine).unwrap();
    let mut second = start(&scene.write_as("other/kozo.yml", &text), "scribe");
    for daemon in [&mut clock, &mut first, &mut second] {
        daemon.wait_for_text("link", "two daemons run as `scribe`");
    }
    // Whoever was sent away stays away for longer than the others took to find it out.
    let restarts = clock.count("the peer was restarted");
    let told = wait_until("it is told of", || {
        let told = said(&scene, "clock", &["why", "scribe"])?;
        told.contains("Two daemons run as scribe").then_some(told)
    });
    assert!(
        told.contains("There is a link between clock and scribe"),
        "{told}"
    );
    let status = said(&scene, "clock", &["status"]).unwrap();
    assert!(status.contains("two daemons run as scribe"), "{status}");
    assert!(restarts <= 1, "{restarts}");
    for daemon in [&clock, &first, &second] {
        assert_eq!(daemon.count("two daemons run as `scribe`"), 1);
    }
}

#[test]
fn a_node_that_runs_already_is_not_started_again_and_nothing_of_it_is_touched() {
    let mut scene = Scene::new(&["clock"]);
    scene.role("clock", "cuckoo", "{}");
    let file = scene.write();
    let second = |file: &std::path::Path| {
        Command::new(env!("CARGO_BIN_EXE_kozo"))
            .args(["run", file.to_str().unwrap(), "clock"])
            .arg("--control")
            .arg(scene.folder().join("second.sock"))
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let mut clock = scene.start("clock");
    clock.wait_for_text("kozo", "started");
    // What the first is about to store.
    let half = scene.storage("clock").join(".clock.cuckoo.kozo-aX3.tmp");
    std::fs::write(&half, "half").unwrap();
    let refused = second(&file);
    let said = String::from_utf8(refused.stderr).unwrap();
    let expected = format!(
        "error: the node `clock` of this file runs on this machine already, as process {}: stop that daemon first\n",
        clock.id()
    );
    assert_eq!((refused.status.code(), said), (Some(5), expected));
    // Another file that names the same folder.
    let refused = second(&scene.write_as("copy.yml", &scene.text()));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(5), "{said}");
    assert!(said.contains("another daemon runs as `clock`"), "{said}");
    assert!(half.exists());
    assert!(!scene.folder().join("second.sock").exists());
    // When the first is gone, however it went, the node can be started.
    clock.kill();
    let mut clock = scene.start("clock");
    clock.wait_for_text("kozo", "started");
    assert!(!half.exists());
}
