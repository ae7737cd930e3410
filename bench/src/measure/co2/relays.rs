//! The relays that are measured.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Failure;
use crate::daemon::Daemon;
use crate::network::{Network, reserve_port};

/// Which relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The role `co2-relay` in a daemon.
    Role,
    /// Python's own server, with a connection for each satellite.
    PythonKept,
    /// The same with a connection for each `notify`.
    PythonEach,
}

/// A running relay, which ends when this is dropped.
pub(super) struct Relay {
    pub(super) port: u16,
    process: Process,
}

enum Process {
    /// The network's folder stays as long as its daemon.
    Daemon(Daemon, #[expect(dead_code, reason = "only kept")] Network),
    Python(Child),
}

impl Relay {
    pub(super) fn start(kind: Kind, most: usize) -> Result<Self, Failure> {
        match kind {
            Kind::Role => {
                let mut network = Network::new(&["relay"])?;
                let port = reserve_port()?;
                let block = format!("type: co2-relay, port: {port}, maxSatellites: {most}");
                network.role(0, "relay", &block);
                let daemon = network.start(0)?;
                Ok(Self {
                    port,
                    process: Process::Daemon(daemon, network),
                })
            }
            Kind::PythonKept => Self::python("kept"),
            Kind::PythonEach => Self::python("each"),
        }
    }

    fn python(way: &str) -> Result<Self, Failure> {
        let child = Command::new("python3")
            .args(["-c", include_str!("../../../programs/relay.py"), way])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut relay = Self {
            port: 0,
            process: Process::Python(child),
        };
        if let Process::Python(Child { stdout, .. }) = &mut relay.process {
            let stdout = stdout.take().ok_or("it has no output")?;
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line)?;
            let port = line.trim().parse();
            relay.port =
                port.map_err(|_| format!("Python's relay does not say its port: {line}"))?;
        }
        Ok(relay)
    }

    /// The daemon, unless it is Python.
    pub(super) fn daemon(&self) -> Option<&Daemon> {
        match &self.process {
            Process::Daemon(daemon, _) => Some(daemon),
            Process::Python(_) => None,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Process::Python(child) = &mut self.process {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
