//! Modules whose file changes, and roles that do not go, in a running daemon.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::process::{Process, wait_until};
use super::scene::{Scene, start_with_roles};
use super::toolchain::{check, install_fixture};

const MODULE: &str = "role-crash";
const FILE: &str = "libfixture_role_crash.so";

/// What the fixture logs on SIGHUP, and what another build of it logs, of the same length.
const SAYS: &str = "asked to open files again";
const SAYS_NEWER: &str = "told to open files afresh";

/// A node with the role `crash1` of a folder of modules.
fn node(block: &str) -> (Scene, Process) {
    let mut scene = Scene::new(&["clock"]);
    let modules = scene.folder().join("modules");
    install_fixture(MODULE, &modules);
    scene.role("clock", "crash1", block);
    let mut clock = start_with_roles(&scene.write(), "clock", &modules);
    clock.wait_for_text("role", "crash1 made in process");
    (scene, clock)
}

/// Writes the newer build over the module's file, as `cp` does.
fn replace(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let text = SAYS.as_bytes();
    let at = bytes.windows(text.len()).position(|window| window == text);
    let at = at.expect("the text is in the module");
    bytes[at..at + text.len()].copy_from_slice(SAYS_NEWER.as_bytes());
    std::fs::write(file, bytes).unwrap();
}

fn restart(scene: &Scene) {
    let restarted = wait_until("the control socket is there", || {
        let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
            .args(["roles", "restart", "crash1", "--control"])
            .arg(scene.control("clock"))
            .output()
            .unwrap();
        Some(output).filter(|output| output.status.success())
    });
    assert!(check(restarted).contains("`crash1` runs again"));
}

fn assert_replaced_by_a_restart(block: &str) {
    let (scene, mut clock) = node(block);
    replace(&scene.folder().join("modules").join(FILE));
    clock.signal(Signal::HUP);
    clock.wait_for_text("role", SAYS);
    restart(&scene);
    clock.wait_for_text("role", "crash1 made in process");
    clock.signal(Signal::HUP);
    clock.wait_for_text("role", SAYS_NEWER);
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
}

#[test]
fn a_replaced_module_is_used_once_its_role_is_restarted() {
    assert_replaced_by_a_restart("{type: crash}");
}

#[test]
fn a_replaced_module_of_an_isolated_role_is_used_once_it_is_restarted() {
    assert_replaced_by_a_restart("{type: crash, isolate: true}");
}

#[test]
fn a_role_that_does_not_stop_is_named_and_left_behind() {
    let (_scene, mut clock) = node("{type: crash, does: linger}");
    clock.signal(Signal::TERM);
    clock.wait_for("who is left behind", |line| {
        let said = line["message"].as_str();
        said.is_some_and(|text| text.contains("it did not stop within 5.0s and is left behind"))
            && line.to_string().contains("crash1")
    });
    assert_eq!(clock.end().code(), Some(0));
}
