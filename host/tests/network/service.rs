//! What a daemon tells the service manager that started it.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::process::Signal;

use super::control::status;
use super::process::{DEADLINE, Process};
use super::scene::Scene;

/// What systemd would hear, up to the first text that `is_last`.
fn hear(manager: &UnixDatagram, what: &str, is_last: impl Fn(&str) -> bool) -> String {
    let mut heard = String::new();
    let mut buffer = [0; 1024];
    loop {
        let length = manager
            .recv(&mut buffer)
            .unwrap_or_else(|error| panic!("{what}: {error} after:\n{heard}"));
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        heard.push_str(text);
        heard.push('\n');
        if is_last(text) {
            return heard;
        }
    }
}

#[test]
fn a_service_manager_hears_that_the_node_is_there_how_it_is_and_that_it_stops() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer", "{}");
    let path = scene.folder().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let (file, control) = (scene.write(), scene.control("clock"));
    let words = [file.as_path(), &control].map(|path| path.to_str().unwrap());
    let mut clock = Process::start_with(
        &["run", words[0], "clock", "--control", words[1]],
        &[
            ("NOTIFY_SOCKET", path.as_path()),
            // The system keeps few datagrams: this test may look away for some seconds.
            ("WATCHDOG_USEC", Path::new("2000000")),
        ],
    );
    let first = hear(&manager, "ready", |_| true);
    assert!(first.starts_with("READY=1\nWATCHDOG=1\n"), "{first}");
    assert!(first.contains("1 role, 0 of 1 nodes linked"), "{first}");
    // It can be asked from the moment that it says so.
    assert!(status(&scene, "clock").is_some());

    let mut scribe = scene.start("scribe");
    hear(&manager, "the link", |text| {
        text.contains("STATUS=1 role, 1 of 1 nodes linked")
    });
    hear(&manager, "a sign of life", |text| text == "WATCHDOG=1\n");
    scribe.kill();
    hear(&manager, "the end of the link", |text| {
        text.contains("STATUS=1 role, 0 of 1 nodes linked")
    });
    clock.signal(Signal::TERM);
    hear(&manager, "the stop", |text| {
        text == "STOPPING=1\nSTATUS=stopping"
    });
    assert!(clock.end().success());
}

#[test]
fn a_service_manager_that_is_not_there_keeps_no_node_from_working() {
    let scene = Scene::new(&["clock"]);
    let (file, control) = (scene.write(), scene.control("clock"));
    let words = [file.as_path(), &control].map(|path| path.to_str().unwrap());
    let missing = scene.folder().join("nobody");
    let mut clock = Process::start_with(
        &["run", words[0], "clock", "--control", words[1]],
        &[("NOTIFY_SOCKET", missing.as_path())],
    );
    clock.wait_for_text("kozo", "started");
    clock.wait_for_text("kozo", "the service manager is told nothing");
    clock.signal(Signal::TERM);
    assert!(clock.end().success());
}
