use rustix::process::Signal;

use crate::fixture::children;
use crate::process::{Process, wait_until};
use crate::scene::Scene;

/// Makes all shipped roles of this scene isolated.
fn scene() -> Scene {
    let mut scene = Scene::new(&["clock", "cottage", "scribe"]);
    let log = scene.folder().join("scribe.log");
    scene.role(
        "clock",
        "timer1",
        "{type: timer, tick: 0.1, message: cuckoo time, isolate: true}",
    );
    scene.role("cottage", "cuckoo", "{timer: timer1, isolate: true}");
    scene.role(
        "scribe",
        "logger",
        &format!(
            "{{file: {}, flushEvery: 1000000, isolate: true}}",
            log.display()
        ),
    );
    scene
}

fn start(scene: &Scene) -> [Process; 3] {
    ["clock", "cottage", "scribe"].map(|node| scene.start(node))
}

#[test]
fn the_shipped_roles_work_in_processes_of_their_own() {
    let scene = scene();
    let log = scene.folder().join("scribe.log");
    let moved = scene.folder().join("moved.log");
    let stored = scene.storage("cottage").join("cottage.cuckoo.kozo");
    let mut daemons = start(&scene);
    for daemon in &daemons {
        wait_until("its role has a process", || {
            (children(daemon.id()).len() == 1).then_some(())
        });
    }
    wait_until("the cuckoo stores", || {
        kozo::storage::read(&stored).unwrap()
    });
    wait_until("the logger has its file", || log.exists().then_some(()));
    std::fs::rename(&log, &moved).unwrap();
    daemons[2].signal(Signal::HUP);
    wait_until("the logger opens its file again", || {
        log.exists().then_some(())
    });
    let written = || std::fs::read_to_string(&moved).unwrap();
    wait_until("what waited was written", || {
        written().contains("<timer1@clock>").then_some(())
    });
    wait_until("the cuckoo tells of another tick", || {
        daemons[1].has_said("cuckoo time").then_some(())
    });
    for daemon in &mut daemons {
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.end().code(), Some(0));
        daemon.wait_for_text("kozo", "stopped");
        assert!(!daemon.has_said("is left behind"));
        assert!(!daemon.has_said("it failed"));
    }
    // So many lines make no flush: that happened when it stopped.
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("<cuckoo@cottage>"), "{text}");
}

#[test]
fn a_cuckoo_remembers_its_last_tick_in_another_process() {
    let scene = scene();
    let stored = scene.storage("cottage").join("cottage.cuckoo.kozo");
    let mut daemons = start(&scene);
    wait_until("the cuckoo stores", || {
        kozo::storage::read(&stored).unwrap()
    });
    daemons[1].signal(Signal::TERM);
    assert_eq!(daemons[1].end().code(), Some(0));
    let mut cottage = scene.start("cottage");
    cottage.wait_for("what the cuckoo remembers", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        line["target"] == "role" && text.contains("timer1")
    });
}

#[test]
fn signals_to_all_processes_of_a_service_leave_stopping_to_the_host() {
    let mut scene = Scene::new(&["scribe"]);
    let log = scene.folder().join("scribe.log");
    scene.role("scribe", "timer1", "{type: timer, tick: 0.1}");
    scene.role(
        "scribe",
        "logger",
        &format!(
            "{{file: {}, flushEvery: 1000000, isolate: true}}",
            log.display()
        ),
    );
    let mut scribe = scene.start("scribe");
    let process = wait_until("the logger has a process", || {
        children(scribe.id()).first().copied()
    });
    wait_until("the logger has its file", || log.exists().then_some(()));
    let process = rustix::process::Pid::from_raw(process.cast_signed()).unwrap();
    for signal in [Signal::INT, Signal::HUP, Signal::TERM] {
        rustix::process::kill_process(process, signal).unwrap();
    }
    scribe.signal(Signal::TERM);
    assert_eq!(scribe.end().code(), Some(0));
    assert!(!scribe.has_said("it failed"));
}
