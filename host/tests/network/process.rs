//! A daemon as a child process, and what it says.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use serde_json::Value;

#[path = "../support/last_lines.rs"]
mod last_lines;
#[path = "../support/wait.rs"]
mod wait;

pub(crate) use last_lines::last_lines;
pub(crate) use wait::{DEADLINE, wait_until};

/// How many of the last lines a failure shows.
const SHOWN_LINES: usize = 12;

/// A running `kozo`, killed when dropped.
pub(crate) struct Process {
    child: Child,
    said: Arc<Said>,
    /// What was waited for so far.
    heard: usize,
}

#[derive(Default)]
struct Said {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    lines: Vec<Value>,
    ended: bool,
}

impl Process {
    /// Starts `kozo` with these arguments; its log is JSON.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_kozo")), arguments, &[])
    }

    /// The same, with these environment variables.
    pub(crate) fn start_with(arguments: &[&str], variables: &[(&str, &Path)]) -> Self {
        Self::spawn(
            Command::new(env!("CARGO_BIN_EXE_kozo")),
            arguments,
            variables,
        )
    }

    /// Starts it through another program, such as `nsenter`, which becomes it.
    pub(crate) fn start_through(program: &str, words: &[&str], arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(words).arg(env!("CARGO_BIN_EXE_kozo"));
        Self::spawn(command, arguments, &[])
    }

    fn spawn(mut command: Command, arguments: &[&str], variables: &[(&str, &Path)]) -> Self {
        let mut child = command
            .env_remove("KOZOROLEPATH")
            .env_remove("KOZOTRANSPORTPATH")
            .env_remove("KOZOIMPORTPATH")
            .envs(variables.iter().copied())
            .args(["--log-format", "json", "--log", "debug"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Said::default());
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn({
            let said = Arc::clone(&said);
            move || listen(stderr, &said)
        });
        Self {
            child,
            said,
            heard: 0,
        }
    }

    /// Waits for the next line that fits, behind the last one that was waited for.
    ///
    /// Panics with what was said last when it does not come.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let (place, line) = self.said.wait_for(what, self.heard, fits);
        self.heard = place + 1;
        line
    }

    /// Waits for a line that fits, wherever it stands. For what happens beside something else, in no
    /// certain order: where the next wait begins does not change.
    #[track_caller]
    pub(crate) fn wait_for_any(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.said.wait_for(what, 0, fits).1
    }

    /// Waits for a line that holds this text, wherever it stands, as [`Self::wait_for_any`].
    #[track_caller]
    pub(crate) fn wait_for_any_text(&self, text: &str) -> Value {
        self.wait_for_any(text, |line| line.to_string().contains(text))
    }

    /// Waits for a line of this target whose message holds `text`.
    #[track_caller]
    pub(crate) fn wait_for_text(&mut self, target: &str, text: &str) -> Value {
        self.wait_for(text, |line| {
            line["target"] == target && line["message"].as_str().is_some_and(|m| m.contains(text))
        })
    }

    /// Waits for a link with `peer`.
    #[track_caller]
    pub(crate) fn wait_for_link(&mut self, peer: &str) -> Value {
        self.wait_for(&format!("link with {peer}"), |line| {
            line["target"] == "link" && line["message"] == "up" && line["fields"]["peer"] == peer
        })
    }

    /// Whether any line so far has this text in it.
    pub(crate) fn has_said(&self, text: &str) -> bool {
        let lines = self.said.lines.lock().unwrap();
        lines
            .lines
            .iter()
            .any(|line| line.to_string().contains(text))
    }

    /// Whether any line so far fits.
    pub(crate) fn has_line(&self, fits: impl Fn(&Value) -> bool) -> bool {
        self.said.lines.lock().unwrap().lines.iter().any(fits)
    }

    /// How many lines so far hold this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.count_lines(|line| line.to_string().contains(text))
    }

    /// How many lines so far fit.
    pub(crate) fn count_lines(&self, fits: impl Fn(&Value) -> bool) -> usize {
        let lines = self.said.lines.lock().unwrap();
        lines.lines.iter().filter(|line| fits(line)).count()
    }

    /// The most memory that it has had so far, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kibibytes.unwrap().parse::<usize>().unwrap() * 1024
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Kills it with SIGKILL and waits for its end, and until all that it said was heard.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.end();
    }

    /// Waits for its end, and until all that it said was heard.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let status = wait_until("the daemon ends", || self.child.try_wait().unwrap());
        wait_until("the last words of the daemon", || {
            self.said.lines.lock().unwrap().ended.then_some(())
        });
        status
    }
}

impl Said {
    /// Waits for a line that fits, from the one with this number on; returns its own number, too.
    #[track_caller]
    fn wait_for(&self, what: &str, from: usize, fits: impl Fn(&Value) -> bool) -> (usize, Value) {
        let deadline = Instant::now() + DEADLINE;
        let mut lines = self.lines.lock().unwrap();
        let mut looked_at = from;
        loop {
            if let Some(place) = lines.lines[looked_at..].iter().position(&fits) {
                let place = looked_at + place;
                return (place, lines.lines[place].clone());
            }
            looked_at = lines.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.ended {
                let end = match lines.ended {
                    true => "it ended",
                    false => "time is up",
                };
                let last = last_lines(lines.lines.iter().map(Value::to_string), SHOWN_LINES);
                // The thread that listens is to go on.
                drop(lines);
                panic!("{last}\nno line of `{what}` after line {from} of {looked_at}, and {end}");
            }
            lines = self.changed.wait_timeout(lines, left).unwrap().0;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stderr: ChildStderr, said: &Said) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
        said.lines.lock().unwrap().lines.push(line);
        said.changed.notify_all();
    }
    said.lines.lock().unwrap().ended = true;
    said.changed.notify_all();
}

/// Says that a test cannot run here.
#[allow(
    clippy::explicit_write,
    reason = "what a passing test prints with `eprintln!` is not shown"
)]
pub(crate) fn skipped(reason: impl std::fmt::Display) {
    use std::io::Write;
    writeln!(std::io::stderr(), "skipped: {reason}").unwrap();
}
