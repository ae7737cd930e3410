//! The role with OpenSSH's client, on a host that is none.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kozo_abi::bench::{Incoming, RoleBench, StartedRole, reserve_port};
use kozo_abi::{Error, Kind};
use serde::Deserialize;
use tempfile::TempDir;

use super::Debugger;

mod commands;
mod door;

/// Long enough for anything that happens at all.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize)]
struct Report {
    open: bool,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    fingerprint: String,
}

/// The role, with a port of its own.
struct Scene {
    bench: StartedRole,
    port: u16,
    folder: TempDir,
    said: Vec<String>,
}

impl Scene {
    fn new(
        options: impl FnOnce(RoleBench<Debugger>) -> RoleBench<Debugger>,
    ) -> Result<Self, Error> {
        let port = reserve_port()?;
        let bench = RoleBench::<Debugger>::new()
            .node("hall")
            .option("port", port);
        Ok(Self {
            bench: options(bench).start()?,
            port,
            folder: TempDir::new()?,
            said: Vec::new(),
        })
    }

    /// Orders the console, as somebody on the network would.
    fn order(&mut self) -> Result<Report, Error> {
        assert!(self.bench.deliver(Incoming::order("debug").data(&())));
        self.bench.run()?;
        match self.event()? {
            Some(report) if report.open => Ok(report),
            other => Err(format!("it has not opened, and sent {other:?}: {}", self.said()?).into()),
        }
    }

    /// The event that it has sent since the last call; what it has logged is kept.
    fn event(&mut self) -> Result<Option<Report>, Error> {
        let mut report = None;
        for message in self.bench.sent() {
            match message.kind() {
                Kind::Log => self.said.push(message.data()?),
                _ if message.type_name() == "debugger" => report = Some(message.data()?),
                _ => {}
            }
        }
        Ok(report)
    }

    /// A listener that was closed is there for as long as a process that another test was starting
    /// has not come to run its program.
    fn wait_until_nobody_listens(&self) {
        wait_until("nobody listens", || {
            TcpStream::connect(("127.0.0.1", self.port))
                .is_err()
                .then_some(())
        });
    }

    /// What it has logged.
    fn said(&mut self) -> Result<String, Error> {
        self.event()?;
        Ok(self.said.join("\n"))
    }

    /// OpenSSH's client, which gives this password whenever it is asked for one.
    fn ssh(&self, password: &str, words: &[&str]) -> Result<Command, Error> {
        let asker = self.folder.path().join(format!("ask-{}", password.len()));
        fs::write(&asker, format!("#!/bin/sh\necho '{password}'\n"))?;
        fs::set_permissions(&asker, fs::Permissions::from_mode(0o700))?;
        let mut ssh = Command::new("ssh");
        let known = format!(
            "UserKnownHostsFile={}",
            self.folder.path().join("known").display()
        );
        ssh.args(["-F", "none", "-p", &self.port.to_string(), "-o", &known])
            .args([
                "-o",
                "StrictHostKeyChecking=accept-new",
                "-o",
                "LogLevel=ERROR",
            ])
            .args(["-o", "PubkeyAuthentication=no", "anybody@127.0.0.1"])
            .args(words)
            .env("SSH_ASKPASS", asker)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null());
        Ok(ssh)
    }

    fn run(&self, words: &[&str]) -> Result<Output, Error> {
        Ok(self.ssh("kozo", words)?.output()?)
    }

    /// Types into a terminal's session, and returns all that it shows until it ends.
    fn type_into(&self, typed: &str) -> Result<String, Error> {
        let mut child = self.session()?;
        let mut input = child.stdin.take().ok_or("no input")?;
        input.write_all(typed.as_bytes())?;
        let output = child.wait_with_output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn session(&self) -> Result<Child, Error> {
        let mut ssh = self.ssh("kozo", &["-tt"])?;
        Ok(ssh
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?)
    }
}

fn default() -> Result<Scene, Error> {
    Scene::new(|bench| bench)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn wait_until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The lines up to one that has this text, which may be one that has not ended.
fn lines_until(output: &mut impl Read, text: &str) -> Result<Vec<String>, Error> {
    let mut lines = vec![String::new()];
    let mut byte = [0];
    while !lines.last().is_some_and(|line| line.contains(text)) {
        if output.read(&mut byte)? == 0 {
            return Err(format!("it ended: {lines:?}").into());
        }
        match (byte[0], lines.last_mut()) {
            (b'\n', _) => lines.push(String::new()),
            (b'\r', _) | (_, None) => {}
            (byte, Some(line)) => line.push(char::from(byte)),
        }
    }
    Ok(lines)
}
