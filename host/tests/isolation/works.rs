use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::fixture::{add_crash, children, made_in};
use crate::process::{Process, wait_until};
use crate::scene::Scene;

/// A network whose roles all have processes of their own, but for `witness`, which logs the same
/// as the logger does, and writes it down at once.
struct Isolated {
    scene: Scene,
    log: PathBuf,
    witness: PathBuf,
}

impl Isolated {
    fn new() -> Self {
        let mut scene = Scene::new(&["clock", "cottage", "scribe"]);
        let [log, witness] = ["scribe.log", "witness.log"].map(|name| scene.folder().join(name));
        scene.role(
            "clock",
            "timer1",
            "{type: timer, tick: 0.1, message: cuckoo time, isolate: true}",
        );
        scene.role("cottage", "cuckoo", "{timer: timer1, isolate: true}");
        // So many lines make no flush.
        let block = format!(
            "{{file: {}, flushEvery: 1000000, isolate: true}}",
            log.display()
        );
        scene.role("scribe", "logger", &block);
        let block = format!(
            "{{type: logger, file: {}, flushEvery: 1}}",
            witness.display()
        );
        scene.role("scribe", "witness", &block);
        Self {
            scene,
            log,
            witness,
        }
    }

    fn start(&self) -> [Process; 3] {
        ["clock", "cottage", "scribe"].map(|node| self.scene.start(node))
    }

    /// Waits until both loggers of `scribe` have taken a few more ticks and cuckoos.
    fn wait_for_lines(&self, scribe: &Process) {
        let count = || {
            let text = std::fs::read_to_string(&self.witness).unwrap_or_default();
            let printed = |sender: &str| {
                let is_isolated = |line: &Value| line["fields"]["role"] == "logger";
                scribe.count_lines(|line| is_isolated(line) && line.to_string().contains(sender))
            };
            let senders = ["<timer1@clock>", "<cuckoo@cottage>"];
            let both = senders.map(|sender| text.matches(sender).count().min(printed(sender)));
            both[0].min(both[1])
        };
        let before = count();
        wait_until("lines are logged", || (count() > before + 3).then_some(()));
    }

    fn last_tick(&self) -> Option<Vec<u8>> {
        let file = self.scene.storage("cottage").join("cottage.cuckoo.kozo");
        kozo::storage::read(&file).unwrap()
    }
}

/// The process of a node's only isolated role.
fn process_of_role(daemon: &Process) -> u32 {
    wait_until("its role has a process", || {
        let [process] = children(daemon.id())[..] else {
            return None;
        };
        Some(process)
    })
}

fn end(daemon: &mut Process) {
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end().code(), Some(0));
    daemon.wait_for_text("kozo", "stopped");
    assert!(!daemon.has_said("is left behind"));
    assert!(!daemon.has_said("it failed"));
}

fn has_both(log: &Path) -> bool {
    let text = std::fs::read_to_string(log).unwrap();
    text.contains("<timer1@clock>") && text.contains("<cuckoo@cottage>")
}

#[test]
fn the_shipped_roles_work_in_processes_of_their_own() {
    let isolated = Isolated::new();
    let mut daemons = isolated.start();
    for daemon in &daemons {
        process_of_role(daemon);
    }
    isolated.wait_for_lines(&daemons[2]);
    let tick = isolated.last_tick();
    assert!(tick.is_some());
    let moved = isolated.log.with_extension("moved");
    std::fs::rename(&isolated.log, &moved).unwrap();
    daemons[2].signal(Signal::HUP);
    wait_until("the logger opens its file again", || {
        isolated.log.exists().then_some(())
    });
    isolated.wait_for_lines(&daemons[2]);
    wait_until("the cuckoo stores another tick", || {
        (isolated.last_tick() != tick).then_some(())
    });
    daemons.iter_mut().for_each(end);
    // What waited in memory was written when it stopped.
    assert!(has_both(&isolated.log));
}

#[test]
fn a_cuckoo_remembers_its_last_tick_in_another_process() {
    let isolated = Isolated::new();
    let mut daemons = isolated.start();
    isolated.wait_for_lines(&daemons[2]);
    end(&mut daemons[1]);
    let _cottage = isolated.scene.start("cottage");
    let text = "last cuckoo: cuckoo time";
    wait_until("the cuckoo tells of what it remembers", || {
        let log = std::fs::read_to_string(&isolated.witness).unwrap();
        log.contains(text).then_some(())
    });
}

#[test]
fn signals_to_all_processes_of_a_service_leave_stopping_to_the_host() {
    let isolated = Isolated::new();
    let mut daemons = isolated.start();
    isolated.wait_for_lines(&daemons[2]);
    let process = process_of_role(&daemons[2]);
    let process = Pid::from_raw(process.cast_signed()).unwrap();
    for signal in [Signal::INT, Signal::HUP, Signal::TERM] {
        kill_process(process, signal).unwrap();
    }
    isolated.wait_for_lines(&daemons[2]);
    end(&mut daemons[2]);
    assert!(has_both(&isolated.log));
}

#[test]
fn a_waiting_role_is_interrupted_to_open_its_files_again_and_to_stop() {
    let mut scene = Scene::new(&["clock"]);
    add_crash(&mut scene, "clock");
    scene.role("clock", "crash1", "{type: crash, isolate: true}");
    let mut clock = scene.start("clock");
    made_in(&mut clock, "crash1");
    for _ in 0..2 {
        clock.signal(Signal::HUP);
        clock.wait_for_text("role", "asked to open files again");
    }
    clock.signal(Signal::TERM);
    clock.wait_for_text("role", "asked to stop");
    clock.wait_for_text("kozo", "stopped");
    assert_eq!(clock.end().code(), Some(0));
}

#[test]
fn messages_that_are_sent_and_received_at_once_come_once_and_in_order() {
    let mut scene = Scene::new(&["clock", "cottage"]);
    add_crash(&mut scene, "clock");
    add_crash(&mut scene, "cottage");
    for (node, does) in [("clock", "flood"), ("cottage", "gather")] {
        let block = format!("{{type: crash, does: {does}, rounds: 3000, isolate: true}}");
        scene.role(node, "worker", &block);
    }
    let mut cottage = scene.start("cottage");
    let _clock = scene.start("clock");
    cottage.wait_for_text("role", "3000 gathered");
}
