//! Modules whose file changes, and roles that do not go, in a running daemon.

use std::path::Path;
use std::process::{Command, Output};

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
    edit(file, SAYS, SAYS_NEWER);
}

fn restart(scene: &Scene) {
    let restarted = wait_until("the control socket is there", || {
        Some(ask_for_restart(scene)).filter(|output| output.status.success())
    });
    assert!(check(restarted).contains("`crash1` runs again"));
}

fn ask_for_restart(scene: &Scene) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args(["roles", "restart", "crash1", "--control"])
        .arg(scene.control("clock"))
        .output()
        .unwrap()
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

/// A role that fails again and again comes back, whatever has become of the module's file.
fn assert_outlives_its_file(block: &str, spoil: impl Fn(&Path)) {
    let (scene, mut clock) = node(block);
    spoil(&scene.folder().join("modules").join(FILE));
    // The life that was there, and one that began meanwhile at most.
    for _ in 0..3 {
        clock.wait_for_text("role", "no good run");
        clock.wait_for_text("role", "crash1 made in process");
    }
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
}

const FAILS: &str = "{type: crash, does: panic}";
const FAILS_ISOLATED: &str = "{type: crash, does: panic, isolate: true}";

#[test]
fn a_role_fails_and_comes_back_though_its_modules_file_is_gone() {
    assert_outlives_its_file(FAILS, |file| std::fs::remove_file(file).unwrap());
    assert_outlives_its_file(FAILS_ISOLATED, |file| std::fs::remove_file(file).unwrap());
}

#[test]
fn a_role_fails_and_comes_back_though_its_modules_file_is_damaged() {
    let spoil = |file: &Path| std::fs::write(file, "gone with the wind").unwrap();
    assert_outlives_its_file(FAILS, spoil);
    assert_outlives_its_file(FAILS_ISOLATED, spoil);
}

#[test]
fn a_failure_does_not_bring_in_a_replaced_module() {
    for block in [FAILS, FAILS_ISOLATED] {
        assert_outlives_its_file(block, |file| edit(file, "no good run", "bad new run"));
    }
}

/// Changes a text of a module, to one of the same length.
fn edit(file: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(file).unwrap();
    let mut found = 0;
    while let Some(at) = find(&bytes, from.as_bytes()) {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        found += 1;
    }
    assert!(found > 0, "`{from}` is in the module");
    std::fs::write(file, bytes).unwrap();
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// A restart with a file that cannot be used is refused, with this reason, and the role works on.
fn assert_refused(block: &str, spoil: impl Fn(&Path), reason: &str) {
    let (scene, mut clock) = node(block);
    spoil(&scene.folder().join("modules").join(FILE));
    let said = wait_until("the control socket is there", || {
        let said = String::from_utf8(ask_for_restart(&scene).stderr).unwrap();
        said.contains("crash1").then_some(said)
    });
    let expected = "`crash1` is not restarted and goes on as it was: the module `";
    assert!(said.contains(expected) && said.contains(reason), "{said}");
    clock.signal(Signal::HUP);
    clock.wait_for_text("role", SAYS);
    assert!(!clock.has_said("asked to stop"));
    assert_eq!(clock.count("crash1 made in process"), 1);
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
}

const WORKS: &str = "{type: crash}";
const WORKS_ISOLATED: &str = "{type: crash, isolate: true}";

#[test]
fn a_restart_with_a_file_that_is_no_module_keeps_the_role() {
    for block in [WORKS, WORKS_ISOLATED] {
        let spoil = |file: &Path| std::fs::write(file, "gone with the wind").unwrap();
        assert_refused(block, spoil, "it is a text file, not a shared object");
        let spoil = |file: &Path| std::fs::remove_file(file).unwrap();
        assert_refused(block, spoil, "cannot be used now");
    }
}

#[test]
fn a_restart_with_a_module_that_cannot_be_loaded_keeps_the_role() {
    for block in [WORKS, WORKS_ISOLATED] {
        let spoil = |file: &Path| edit(file, "\0libc.so.6\0", "\0libc.so.9\0");
        assert_refused(block, spoil, "libc.so.9");
    }
}

/// How many bytes of a module's file are overwritten at a time.
const DAMAGE: usize = 8;

#[test]
fn a_restart_with_a_damaged_module_that_was_sealed_keeps_the_role() {
    for (block, copies) in [(WORKS, 150), (WORKS_ISOLATED, 10)] {
        let (scene, mut clock) = node(block);
        let file = scene.folder().join("modules").join(FILE);
        let mut seal = Command::new(env!("CARGO_BIN_EXE_kozo"));
        check(seal.arg("seal").arg(&file).output().unwrap());
        restart(&scene);
        clock.wait_for_text("role", "crash1 made in process");

        let expected = format!(
            "`crash1` is not restarted and goes on as it was: the module `{}` has changed since it was found: \
             it is damaged",
            file.display()
        );
        let good = std::fs::read(&file).unwrap();
        let mut random = fastrand::Rng::with_seed(0x5eed);
        for _ in 0..copies {
            let at = random.usize(..good.len() - DAMAGE);
            let mut bytes = good.clone();
            random.fill(&mut bytes[at..at + DAMAGE]);
            bytes[at] = !good[at];
            std::fs::write(&file, bytes).unwrap();
            let said = String::from_utf8(ask_for_restart(&scene).stderr).unwrap();
            assert!(said.contains(&expected), "at {at}: {said}");
        }
        clock.signal(Signal::HUP);
        clock.wait_for_text("role", SAYS);
        assert_eq!(clock.count("crash1 made in process"), 2);
        clock.signal(Signal::TERM);
        assert_eq!(clock.end().code(), Some(0));
    }
}

#[test]
fn a_restart_with_another_version_of_the_module_is_done() {
    for block in [WORKS, WORKS_ISOLATED] {
        let (scene, mut clock) = node(block);
        let file = scene.folder().join("modules").join(FILE);
        edit(&file, "version: \"1.0\"", "version: \"1.1\"");
        restart(&scene);
        clock.wait_for_text("role", "crash1 made in process");
        clock.signal(Signal::TERM);
        assert_eq!(clock.end().code(), Some(0));
    }
}

#[test]
fn a_role_that_cannot_be_made_of_the_new_file_comes_back_from_the_old_one() {
    for block in [WORKS, WORKS_ISOLATED] {
        let (scene, mut clock) = node(block);
        let file = scene.folder().join("modules").join(FILE);
        edit(&file, "sound build", "wrong build");
        let said = wait_until("the control socket is there", || {
            let said = String::from_utf8(ask_for_restart(&scene).stderr).unwrap();
            said.contains("crash1").then_some(said)
        });
        assert!(said.contains("it cannot be made of this build"), "{said}");
        clock.wait_for_text("role", "crash1 made in process");
        clock.signal(Signal::TERM);
        assert_eq!(clock.end().code(), Some(0));
    }
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
