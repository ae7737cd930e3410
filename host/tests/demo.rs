//! `kozo demo`, as a whole: four processes, three of which it has to look after.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

#[path = "support/last_lines.rs"]
mod last_lines;
#[path = "support/modules.rs"]
mod modules;
#[path = "support/wait.rs"]
mod wait;

use last_lines::last_lines;
use modules::build_modules;
use wait::{DEADLINE, wait_until};

/// How many of the last lines a failure shows.
const SHOWN_LINES: usize = 12;

/// A running demo, whose folder is in one of the test's own.
struct Demo {
    child: Child,
    stdout: Receiver<String>,
    shown: Vec<String>,
    temporary: TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        build_modules();
        let temporary = TempDir::new().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_kozo"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, stdout) = channel();
        let pipe = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            stdout,
            shown: Vec::new(),
            temporary,
        }
    }

    /// Waits for a line with this text.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.shown.iter().any(|line| line.contains(text)) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stdout.recv_timeout(left) {
                Ok(line) => self.shown.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{}\nno `{text}`", last_lines(&self.shown, SHOWN_LINES));
                }
            }
        }
    }

    /// Waits until all links are shown.
    #[track_caller]
    fn wait_for_links(&mut self) {
        for link in ["clock ⇄ cottage", "clock ⇄ scribe", "cottage ⇄ scribe"] {
            self.wait_for(link);
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end: the status, and what it said of failures.
    fn end(&mut self) -> (ExitStatus, String) {
        let status = wait_until("the demo ends", || self.child.try_wait().unwrap());
        let mut stderr = String::new();
        let pipe = self.child.stderr.as_mut().unwrap();
        std::io::Read::read_to_string(pipe, &mut stderr).unwrap();
        (status, stderr)
    }

    /// The processes whose command line names the folder of this demo, with that line.
    fn nodes(&self) -> Vec<(Pid, String)> {
        let folder = self.temporary.path().to_str().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let nodes = processes.filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(process.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            Some((Pid::from_raw(pid)?, line)).filter(|(_, line)| line.contains(folder))
        });
        nodes.collect()
    }

    fn is_empty(&self) -> bool {
        let mut left = std::fs::read_dir(self.temporary.path()).unwrap();
        left.next().is_none()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_demo_of_some_seconds_proves_that_messages_went_from_node_to_node() {
    let mut demo = Demo::start(&["--run-for", "30"]);
    demo.wait_for_links();
    demo.wait_for("`cottage` remembers the tick of ");
    demo.wait_for("`scribe` has written down lines of timer@clock: ");
    let (status, stderr) = demo.end();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    assert!(demo.nodes().is_empty());
    assert!(demo.is_empty());
}

#[test]
fn an_interrupted_demo_ends_its_nodes_and_removes_its_folder() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut demo = Demo::start(&[]);
        demo.wait_for_links();
        assert_eq!(demo.nodes().len(), 3);
        demo.signal(signal);
        let (status, stderr) = demo.end();
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
        assert!(demo.nodes().is_empty());
        assert!(demo.is_empty());
    }
}

#[test]
fn a_demo_that_ends_before_its_time_proves_nothing() {
    let mut demo = Demo::start(&["--run-for", "600"]);
    demo.wait_for_links();
    demo.signal(Signal::INT);
    let (status, stderr) = demo.end();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("before its time"), "{stderr}");
}

#[test]
fn a_node_that_dies_ends_the_demo_which_says_so() {
    let mut demo = Demo::start(&[]);
    demo.wait_for_links();
    let nodes = demo.nodes();
    let (scribe, _) = nodes
        .iter()
        .find(|(_, line)| line.trim_end().ends_with(" scribe"))
        .unwrap();
    kill_process(*scribe, Signal::KILL).unwrap();
    let (status, stderr) = demo.end();
    assert_eq!(status.code(), Some(1));
    assert!(
        stderr.starts_with("error: the node `scribe` ended by itself (signal: 9"),
        "{stderr}"
    );
    assert!(demo.nodes().is_empty());
    assert!(demo.is_empty());
}

#[test]
fn nodes_do_not_outlive_a_demo_that_is_killed() {
    let mut demo = Demo::start(&[]);
    demo.wait_for_links();
    demo.signal(Signal::KILL);
    let (status, _) = demo.end();
    assert_eq!(status.signal(), Some(9));
    wait_until("the nodes end", || demo.nodes().is_empty().then_some(()));
}

#[test]
fn the_folder_is_kept_on_request() {
    let mut demo = Demo::start(&["--keep"]);
    demo.wait_for_links();
    demo.signal(Signal::INT);
    demo.wait_for("kept: ");
    assert!(demo.end().0.success());
    let line = demo.shown.last().unwrap();
    let folder = Path::new(line.strip_prefix("kept: ").unwrap());
    for file in ["network.yaml", "clock.key", "scribe.key.pub", "scribe.log"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    assert!(folder.starts_with(demo.temporary.path()));
}

#[test]
fn without_its_modules_the_demo_says_what_it_needs() {
    if Path::new("/usr/lib/kozo").exists() {
        eprintln!("skipped: Kōzō is installed here, so the program would find those modules");
        return;
    }
    // Nothing lies beside it there.
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("kozo");
    // By another process: a child that another test starts meanwhile would inherit the descriptor that
    // is written to, and for that long the system runs no such program ("text file busy").
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_kozo"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let output = Command::new(&program)
        .arg("demo")
        .env_remove("KOZOROLEPATH")
        .env_remove("KOZOTRANSPORTPATH")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "error: the demo needs the modules `timer` (role), `cuckoo` (role), \
                    `logger` (role), `tcp` (transport): build them";
    assert!(stderr.starts_with(expected), "{stderr}");
}
