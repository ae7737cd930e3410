//! `kozo new`: what it makes works as it is.

use std::path::Path;

use tempfile::TempDir;

use super::process::{Process, wait_until};
use super::scene::Scene;
use super::toolchain::{NewCrate, with_transport};

#[test]
fn a_new_role_builds_passes_its_tests_and_greets() {
    let folder = TempDir::new().unwrap();
    let greeter = NewCrate::new(folder.path(), "role", "greeter");
    let tested = greeter.cargo(&["test"]);
    assert!(tested.contains("2 passed; 0 failed"), "{tested}");
    let modules = folder.path().join("modules");
    greeter.install(&modules);
    assert_greets(&modules);
}

/// Runs a node with the role `greeter` of this folder.
pub(crate) fn assert_greets(modules: &Path) {
    let mut scene = Scene::new(&["clock"]);
    let log = scene.folder().join("clock.log");
    let logger = format!("{{file: {}, flushEvery: 1}}", log.display());
    scene.role("clock", "logger", &logger);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    scene.role("clock", "greeter", "{greeting: Good day}");
    let file = scene.write();
    let arguments = ["run", file.to_str().unwrap(), "clock"];
    let _clock = Process::start_with(&arguments, &[("KOZOROLEPATH", modules)]);
    wait_until("it greets", || {
        let text = std::fs::read_to_string(&log).ok()?;
        let greets = text.contains("<greeter@clock> Good day, timer1@clock!");
        greets.then_some(())
    });
}

#[test]
fn a_new_transport_builds_passes_its_tests_and_links_nodes() {
    let folder = TempDir::new().unwrap();
    let wire = NewCrate::new(folder.path(), "transport", "wire");
    let tested = wire.cargo(&["test"]);
    assert!(tested.contains("3 passed; 0 failed"), "{tested}");
    let modules = folder.path().join("modules");
    wire.install(&modules);

    let scene = Scene::new(&["clock", "scribe"]);
    let file = with_transport(&scene, &["clock", "scribe"], "wire", |_| "");
    let start = |node| {
        let arguments = ["run", file.to_str().unwrap(), node];
        Process::start_with(&arguments, &[("KOZOTRANSPORTPATH", &modules)])
    };
    let (mut clock, mut scribe) = (start("clock"), start("scribe"));
    clock.wait_for_link("scribe");
    scribe.wait_for_link("clock");
}

#[test]
fn a_new_bus_builds_and_passes_its_tests_and_its_engine_builds() {
    let folder = TempDir::new().unwrap();
    let post = NewCrate::new(folder.path(), "bus", "post");
    let tested = post.cargo(&["test"]);
    assert!(tested.contains("3 passed; 0 failed"), "{tested}");
    post.cargo(&["build", "--example", "hub"]);
    let modules = folder.path().join("modules");
    post.install(&modules);
    let listed = std::process::Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args(["modules", "post"])
        .env("KOZOTRANSPORTPATH", &modules)
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("Carries datagrams"), "{listed}");
}

#[test]
fn names_that_mean_something_to_rust_make_good_crates() {
    let folder = TempDir::new().unwrap();
    for (kind, name) in [
        ("role", "self"),
        ("role", "1-wire"),
        ("transport", "option"),
        ("bus", "state"),
    ] {
        let made = NewCrate::new(folder.path(), kind, name);
        made.cargo(&["check", "--tests"]);
        let formatted = std::process::Command::new(env!("CARGO"))
            .args(["fmt", "--check"])
            .current_dir(&made.folder)
            .output();
        // It is not part of every toolchain.
        if let Ok(output) = formatted
            && !String::from_utf8_lossy(&output.stderr).contains("not installed")
        {
            assert!(output.status.success(), "{kind} {name}: {output:?}");
        }
    }
}
