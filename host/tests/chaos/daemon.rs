//! A daemon in a namespace; its log is a file.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

#[path = "../support/last_lines.rs"]
mod last_lines;
#[path = "../support/wait.rs"]
mod wait;

use last_lines::last_lines;
pub(crate) use wait::wait_until;

/// How many of the last lines of its log a failure shows.
const SHOWN_LINES: usize = 4;

/// A running `kozo`, killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
    control: PathBuf,
}

impl Daemon {
    /// Starts a command that becomes the daemon.
    pub(crate) fn start(mut command: Command, log: PathBuf, control: PathBuf) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            log,
            control,
        }
    }

    /// What it has said about links, so far.
    pub(crate) fn said(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).unwrap();
        let lines = text
            .lines()
            .map_while(|line| serde_json::from_str(line).ok());
        lines
            .filter(|line: &Value| line["target"] == "link")
            .collect()
    }

    /// Whether it has a link, as far as it says. Not by its log, which sums up links that come and go
    /// so often.
    pub(crate) fn is_linked(&self) -> bool {
        let status = || {
            let mut client = UnixStream::connect(&self.control).ok()?;
            client
                .write_all(b"{\"version\":1,\"request\":\"status\"}\n")
                .ok()?;
            let mut answer = String::new();
            client.read_to_string(&mut answer).ok()?;
            serde_json::from_str::<Value>(&answer).ok()
        };
        status().is_some_and(|status| status["answer"]["peers"][0]["state"] == "up")
    }

    /// Waits until it has a link.
    pub(crate) fn wait_until_linked(&self) {
        wait_until(&format!("a link in {}", self.log.display()), || {
            self.is_linked().then_some(())
        });
    }

    /// Waits for its first link.
    pub(crate) fn wait_for_link(&self) {
        wait_until(&format!("a link in {}", self.log.display()), || {
            let said = self.said();
            said.iter()
                .any(|line| line["message"] == "up")
                .then_some(())
        });
    }

    /// How often a link came up.
    pub(crate) fn links(&self) -> usize {
        let said = self.said();
        let ups = said.iter().filter(|line| line["message"] == "up");
        // Where there were too many, the last line stands for more.
        let more = |line: &Value| line["more"]["lines"].as_u64().unwrap_or(0);
        let links: u64 = ups.map(|line| 1 + more(line)).sum();
        usize::try_from(links).unwrap()
    }

    /// How many messages it says it has missed.
    pub(crate) fn missed(&self) -> u64 {
        let said = self.said();
        let missed = said.iter().filter(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("missed messages")
        });
        missed
            .filter_map(|line| line["fields"]["count"].as_u64())
            .sum()
    }

    /// Kills it with SIGKILL and waits for its end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    /// Of a test that fails, the last lines of the log are shown: it goes with the network.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let text = fs::read_to_string(&self.log).unwrap_or_default();
            for line in last_lines(text.lines(), SHOWN_LINES).lines() {
                eprintln!("{}: {line}", self.log.display());
            }
        }
    }
}
