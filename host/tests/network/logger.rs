//! The role `logger` of a running daemon: its file.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::guest::Guest;
use super::injector::Injector;
use super::process::{Process, wait_until};
use super::scene::Scene;

/// A daemon with a logger and an injector.
struct Study {
    scene: Scene,
    port: u16,
    log: PathBuf,
}

impl Study {
    fn new(options: &str) -> Self {
        let mut scene = Scene::new(&["study", "guest"]);
        let port = Injector::on(&mut scene, "study");
        let log = scene.folder().join("study.log");
        let block = format!("{{file: study.log, timePrefix: '', {options}}}");
        scene.role("study", "logger", &block);
        Self { scene, port, log }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Starts the daemon, and has these lines logged.
    fn start(&self, lines: &[&str]) -> (Process, Injector) {
        let mut daemon = self.scene.start("study");
        let mut injector = Injector::connect(self.port);
        for line in lines {
            injector.send(&format!("('log', '{line}')"));
            daemon.wait_for_text("role", line);
        }
        (daemon, injector)
    }
}

fn stop(mut daemon: Process) {
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end().code(), Some(0));
}

#[test]
fn lines_that_were_not_written_yet_are_written_when_the_daemon_stops() {
    let study = Study::new("flushEvery: 1024");
    let (daemon, _) = study.start(&["one", "two"]);
    stop(daemon);
    let line = |text: &str| format!("<message_injector@study> {text}\n");
    assert_eq!(study.text(), line("one") + &line("two"));
    // The next run goes on where this one ended.
    let (daemon, _) = study.start(&["three"]);
    stop(daemon);
    assert_eq!(study.text(), line("one") + &line("two") + &line("three"));
}

#[test]
fn a_time_zone_that_is_not_known_is_said_once() {
    let study = Study::new("flushEvery: 1");
    let file = study.scene.write();
    let words = ["run", file.to_str().unwrap(), "study"];
    let mut daemon = Process::start_with(&words, &[("TZ", Path::new("Nowhere/Land"))]);
    let mut injector = Injector::connect(study.port);
    for line in ["one", "two", "three"] {
        injector.send(&format!("('log', '{line}')"));
        daemon.wait_for_text("role", line);
    }
    assert_eq!(
        daemon.count("the time zone of this machine is not known"),
        1
    );
    stop(daemon);
}

#[test]
fn a_log_that_is_to_be_cleared_begins_anew_at_each_start() {
    let study = Study::new("clearLog: true");
    std::fs::write(&study.log, "from long ago\n").unwrap();
    let (daemon, _) = study.start(&["one"]);
    stop(daemon);
    assert_eq!(study.text(), "<message_injector@study> one\n");
}

#[test]
fn a_file_that_was_moved_is_opened_anew_on_sighup() {
    let study = Study::new("flushEvery: 1");
    let (mut daemon, mut injector) = study.start(&["one"]);
    let moved = study.scene.folder().join("old.log");
    wait_until("the line is written", || {
        (!study.text().is_empty()).then_some(())
    });
    std::fs::rename(&study.log, &moved).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_text("kozo", "roles open their files again");
    wait_until("the file is there again", || {
        study.log.exists().then_some(())
    });
    injector.send("('log', 'two')");
    wait_until("the line is written", || {
        study.text().contains("two").then_some(())
    });
    assert_eq!(
        std::fs::read_to_string(moved).unwrap(),
        "<message_injector@study> one\n"
    );
    assert_eq!(study.text(), "<message_injector@study> two\n");
    stop(daemon);
}

#[test]
fn a_logger_that_is_restricted_to_a_node_gets_its_lines_alone() {
    let study = Study::new("flushEvery: 1, nodeRestrict: guest");
    let mut daemon = study.scene.start("study");
    let mut injector = Injector::connect(study.port);
    daemon.wait_for_text("transport", "listening");
    let mut guest = Guest::join(&study.scene, "guest", "study", Vec::new());
    injector.send("('log', 'from study')");
    guest.send_message(1, kozo_ground::interest::Kind::Log, "", "from guest");
    wait_until("the line is written", || {
        (!study.text().is_empty()).then_some(())
    });
    stop(daemon);
    assert_eq!(study.text(), "<guest> from guest\n");
}

#[test]
fn a_full_disk_is_said_once_and_keeps_nothing_else_from_working() {
    let mut scene = Scene::new(&["study"]);
    let port = Injector::on(&mut scene, "study");
    scene.role("study", "logger", "{file: /dev/full, flushEvery: 1}");
    let mut daemon = scene.start("study");
    let mut injector = Injector::connect(port);
    for number in 0..5 {
        injector.send(&format!("('log', 'line {number}')"));
    }
    let failed = daemon.wait_for_any("the failure", |line| line["level"] == "ERROR");
    let text = failed["message"].as_str().unwrap();
    assert!(
        text.contains("/dev/full") && text.contains("No space left"),
        "{text}"
    );
    daemon.wait_for_text("role", "line 4");
    assert_eq!(daemon.count("\"ERROR\""), 1);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end().code(), Some(0));
    daemon.wait_for_any("what is lost", |line| {
        line.to_string()
            .contains("lines of the log that are lost: 5")
    });
}

#[test]
fn a_folder_that_is_missing_is_named_and_used_once_it_is_there() {
    let mut scene = Scene::new(&["study"]);
    let port = Injector::on(&mut scene, "study");
    scene.role("study", "logger", "{file: logs/study.log, flushEvery: 1}");
    let mut daemon = scene.start("study");
    Injector::connect(port).send("('log', 'kept')");
    let folder = scene.folder().join("logs");
    daemon.wait_for_text("role", &format!("{}/study.log", folder.display()));
    std::fs::create_dir(&folder).unwrap();
    daemon.wait_for_text("role", "is written again");
    let text = std::fs::read_to_string(folder.join("study.log")).unwrap();
    assert!(text.contains("kept"), "{text}");
}
