//! Signals that come while a daemon starts. The file that it reads is a pipe here, so that a test
//! can hold it there.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::Signal;

use super::process::{Process, wait_until};
use super::scene::{self, Scene};

/// A daemon that reads its file from a pipe, and the pipe's other end.
fn start_on_a_pipe(scene: &Scene) -> (Process, File) {
    let pipe = scene.folder().join("pipe");
    let _ = std::fs::remove_file(&pipe);
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let daemon = scene::start(&pipe, "clock");
    let other_end = wait_until("the daemon reads its file", || writer(&pipe));
    (daemon, other_end)
}

/// The end to write to, once somebody reads.
fn writer(pipe: &Path) -> Option<File> {
    OpenOptions::new()
        .write(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(pipe)
        .ok()
}

#[test]
fn a_hangup_while_it_starts_does_not_end_it() {
    let scene = Scene::new(&["clock"]);
    let (mut clock, mut pipe) = start_on_a_pipe(&scene);
    clock.signal(Signal::HUP);
    pipe.write_all(scene.text().as_bytes()).unwrap();
    drop(pipe);
    clock.wait_for_text("kozo", "started");
    clock.signal(Signal::TERM);
    assert!(clock.end().success());
}

#[test]
fn it_can_be_stopped_while_it_waits_for_its_file() {
    let scene = Scene::new(&["clock"]);
    for signal in [Signal::TERM, Signal::INT] {
        let (mut clock, _pipe) = start_on_a_pipe(&scene);
        clock.signal(signal);
        assert!(clock.end().success());
    }
}
