//! Nobody reads what a daemon writes: its log, and the answers on its control socket. It does its
//! work all the same, and says afterwards what is missing.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use kozo::control::MAX_CLIENTS;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use super::control::status;
use super::injector::Injector;
use super::process::{DEADLINE, wait_until};
use super::scene::Scene;

/// How many loggers print each line: together they may print more than the daemon keeps.
const LOGGERS: usize = 8;

/// How many other nodes the network of a long answer has.
const OTHERS: usize = 500;

/// The text of a long line, in bytes.
const LONG: usize = 8000;

/// A pipe that is full, whatever size it has.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(b"\n").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

/// A daemon whose log is a full pipe, killed when dropped.
struct Unheard {
    child: Child,
    log: Option<PipeReader>,
}

impl Unheard {
    fn start(file: &Path, node: &str, control: &Path) -> Self {
        let (log, stderr) = full_pipe();
        let child = Command::new(env!("CARGO_BIN_EXE_kozo"))
            .args(["--log", "debug", "run"])
            .args([file, Path::new(node)])
            .args([Path::new("--control"), control])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let log = Some(log);
        Self { child, log }
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        wait_until("the daemon ends", || self.child.try_wait().unwrap())
    }

    /// Reads the log until the daemon ends, beside what the test does.
    fn listen(&mut self) -> std::thread::JoinHandle<String> {
        let mut log = self.log.take().unwrap();
        std::thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        })
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_what_was_dropped_is_told_of() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    let port = Injector::on(&mut scene, "clock");
    for number in 0..LOGGERS {
        let block = format!("{{type: logger, file: clock{number}.log, flushEvery: 1}}");
        scene.role("clock", &format!("logger{number}"), &block);
    }
    scene.role("scribe", "logger", "{file: scribe.log, flushEvery: 1}");
    let (file, control) = (scene.write(), scene.control("clock"));
    let mut clock = Unheard::start(&file, "clock", &control);
    let mut scribe = scene.start("scribe");
    scribe.wait_for_link("clock");
    let mut injector = Injector::connect(port);
    let long = "x".repeat(LONG);
    let dropped = wait_until("lines are dropped", || {
        injector.send(&format!("('log', '{long}')"));
        status(&scene, "clock")?["log"]["dropped"]
            .as_u64()
            .filter(|dropped| *dropped > 0)
    });
    // The roles work, and so do the links, when they change, too.
    injector.send("('log', 'still here')");
    scribe.wait_for_text("role", "still here");
    scribe.kill();
    wait_until("the link is gone", || {
        (status(&scene, "clock")?["peers"][0]["state"] != "up").then_some(())
    });
    let mut scribe = scene.start("scribe");
    scribe.wait_for_link("clock");
    let shown = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args([Path::new("status"), Path::new("--control"), &control])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("dropped: nobody read the log"), "{shown}");
    // Now somebody reads again.
    let log = clock.listen();
    let caught_up = wait_until("lines are dropped no more", || {
        injector.send("('log', 'somebody reads')");
        let text = std::fs::read_to_string(scene.folder().join("clock0.log")).unwrap_or_default();
        let count = text.matches("somebody reads").count();
        (count > 3).then(|| status(&scene, "clock").unwrap()["log"]["dropped"].clone())
    });
    assert!(caught_up.as_u64() >= Some(dropped), "{caught_up}");
    clock.terminate();
    assert_eq!(clock.end().code(), Some(0));
    let text = log.join().unwrap();
    let told = text
        .matches(" dropped, since nobody read the log\n")
        .count();
    assert_eq!(told, 1, "{text:.2000}");
    assert!(text.trim_end().ends_with("kozo: stopped node=clock"));
}

#[test]
fn a_daemon_whose_log_nobody_reads_ends_when_it_is_told_to() {
    let mut scene = Scene::new(&["clock"]);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    let mut clock = Unheard::start(&scene.write(), "clock", &scene.control("clock"));
    wait_until("the daemon is there", || status(&scene, "clock"));
    clock.terminate();
    assert_eq!(clock.end().code(), Some(0));
}

#[test]
fn a_start_that_fails_is_not_held_up_either_and_says_why_when_somebody_reads() {
    let scene = Scene::new(&["clock"]);
    let (file, control) = (scene.write(), scene.control("clock"));
    let mut clock = Unheard::start(&file, "nobody", &control);
    assert_eq!(clock.end().code(), Some(4));
    let heard = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args([Path::new("run"), &file, Path::new("nobody")])
        .output()
        .unwrap();
    let text = String::from_utf8(heard.stderr).unwrap();
    assert!(text.contains("nobody"), "{text}");
}

#[test]
fn an_output_that_does_not_wait_for_its_reader_loses_nothing() {
    let scene = Scene::new(&["clock"]);
    let (log, stderr) = full_pipe();
    let flags = fcntl_getfl(&stderr).unwrap();
    fcntl_setfl(&stderr, flags | OFlags::NONBLOCK).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args([Path::new("run"), &scene.write(), Path::new("clock")])
        .args([Path::new("--control"), &scene.control("clock")])
        .stderr(stderr)
        .spawn()
        .unwrap();
    let log = Some(log);
    let mut clock = Unheard { child, log };
    wait_until("the daemon is there", || status(&scene, "clock"));
    let log = clock.listen();
    clock.terminate();
    assert_eq!(clock.end().code(), Some(0));
    let text = log.join().unwrap();
    for line in ["kozo: started node=clock", "kozo: stopped node=clock"] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[test]
fn clients_of_the_control_socket_that_say_nothing_or_do_not_read_keep_nobody_out() {
    // So many other nodes that no socket holds the answer.
    let names: Vec<String> = (0..OTHERS).map(|number| format!("node{number}")).collect();
    let names: Vec<&str> = ["clock"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let mut scene = Scene::new(&names);
    scene.node_option("clock", "selfToOthersConnectPolicy: never");
    let _clock = scene.start("clock");
    let asked = || Some(status(&scene, "clock")?["peers"].as_array()?.len());
    wait_until("the socket is there", asked);
    let connect = || UnixStream::connect(scene.control("clock")).unwrap();
    // More than once, for the daemon may be so slow that the first ones' time is up.
    for _ in 0..3 {
        let silent: Vec<_> = (0..MAX_CLIENTS).map(|_| connect()).collect();
        assert_eq!(asked(), Some(OTHERS), "they say nothing");
        drop(silent);
        let deaf: Vec<_> = (0..MAX_CLIENTS)
            .map(|_| {
                let mut stream = connect();
                stream.set_write_timeout(Some(DEADLINE)).unwrap();
                let _ = stream.write_all(b"{\"version\":1,\"request\":\"status\"}\n");
                stream
            })
            .collect();
        assert_eq!(asked(), Some(OTHERS), "they do not read");
        drop(deaf);
    }
}
