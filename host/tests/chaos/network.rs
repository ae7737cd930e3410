//! Two nodes, `a` and `b`, that send each other numbered events.

use std::fmt::Write;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use kozo_auth::keys::{self, NewKey};
use tempfile::TempDir;

use super::daemon::{Daemon, wait_until};
use super::namespaces::Namespaces;

#[path = "../support/modules.rs"]
mod modules;

use modules::build_modules;

/// The nodes' names, by their ends of the cable.
pub(crate) const NAMES: [&str; 2] = ["a", "b"];

/// The pause between two events, in seconds.
const INTERVAL: f64 = 0.002;

/// The longest wait between two tries to dial, in seconds. Short, so that faults find a link to hit.
const RETRY: f64 = 0.5;

/// The network, its namespaces and its folder.
pub(crate) struct Network {
    pub(crate) namespaces: Namespaces,
    folder: TempDir,
    starts: std::cell::Cell<usize>,
}

impl Network {
    /// Describes the network. `queue` is how many messages wait for a node. None: it cannot be
    /// made here, and the test is to be skipped.
    pub(crate) fn new(queue: usize) -> Option<Self> {
        Self::with(queue, "")
    }

    /// The same with lines of further root options.
    pub(crate) fn with(queue: usize, options: &str) -> Option<Self> {
        let namespaces = match Namespaces::new() {
            Ok(namespaces) => namespaces,
            Err(reason) => {
                // Past the capture of what passing tests print.
                let told = writeln!(
                    std::io::stderr(),
                    "skipped: no network namespaces: {reason}"
                );
                told.unwrap();
                return None;
            }
        };
        build_modules();
        let network = Self {
            namespaces,
            folder: TempDir::new().unwrap(),
            starts: std::cell::Cell::new(0),
        };
        let text = network.text(queue, options);
        std::fs::write(network.path("kozo.yml"), text).unwrap();
        Some(network)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, queue: usize, options: &str) -> String {
        // Only the number of messages bounds a queue, however slow the machine is.
        let mut text = format!(
            "heartbeat: 1\nconnectionRetry: {RETRY}\noutgoingQueueLength: {queue}\n\
             outgoingQueueSize: 1 GiB\nmessageMaxAge: 86400\n{options}system:\n"
        );
        for (end, name) in NAMES.iter().enumerate() {
            let key = keys::generate(NewKey::Ed25519, name).unwrap();
            let path = self.path(&format!("{name}.key"));
            keys::write_private(&path, &key).unwrap();
            let file = |kind: &str| self.path(&format!("{name}.{kind}")).display().to_string();
            let (go, halt) = (self.path("go"), self.path("halt"));
            let address = Namespaces::address(end);
            write!(
                text,
                "  {name}:
    privateKey: {}
    publicKey: {}
    roles:
      source:
        type: bench-source
        go: {}
        halt: {}
        interval: {INTERVAL}
        done: {}
        record: {}
      # Messages may come before the role is there and says how many it has room for.
      sink: {{type: bench-sink, messageQueueLength: 1000000, messageQueueSize: 1 GiB, record: {}}}
    transports:
      tcp: {{address: {address}, bindAddress: 0.0.0.0}}
",
                path.display(),
                keys::public_line(&key),
                go.display(),
                halt.display(),
                file("done"),
                file("sent"),
                file("received"),
            )
            .unwrap();
        }
        text
    }

    /// Starts a node's daemon.
    pub(crate) fn start(&self, end: usize) -> Daemon {
        let mut command = self.namespaces.command(end, env!("CARGO_BIN_EXE_kozo"));
        let control = self.path(&format!("{}.sock", NAMES[end]));
        command
            .args(["--log-format", "json", "--log", "debug", "run"])
            .arg(self.path("kozo.yml"))
            .arg(NAMES[end])
            .arg("--control")
            .arg(&control);
        self.starts.set(self.starts.get() + 1);
        let log = self.path(&format!("{}.{}.log", NAMES[end], self.starts.get()));
        Daemon::start(command, log, control)
    }

    /// Lets both sources send.
    pub(crate) fn go(&self) {
        std::fs::write(self.path("go"), "").unwrap();
    }

    /// Lets both sources stop, and says how many events each has sent.
    pub(crate) fn halt(&self) -> [u64; 2] {
        std::fs::write(self.path("halt"), "").unwrap();
        NAMES.map(|name| {
            let done = self.path(&format!("{name}.done"));
            let text = wait_until("the source stops", || std::fs::read_to_string(&done).ok());
            text.parse().unwrap()
        })
    }

    /// What a node's sink has written down.
    pub(crate) fn received(&self, end: usize) -> String {
        self.read(end, "received")
    }

    /// What a node's source has written down.
    pub(crate) fn sent(&self, end: usize) -> String {
        self.read(end, "sent")
    }

    fn read(&self, end: usize, kind: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{}.{kind}", NAMES[end]))).unwrap_or_default()
    }

    /// Keeps the folder, to be looked at after a failure.
    pub(crate) fn keep(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }
}
