//! A fleet: a file that describes nodes on one bus, their daemons, and what their sources and sinks write down.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use kozo_auth::keys::{self, NewKey};
use kozo_testnet::NatsProgram;
use serde_json::Value;
use tempfile::TempDir;

use super::process::{DEADLINE, Process, wait_until};
use super::record::{Verdict, entries, judge};

#[path = "../support/fixtures.rs"]
mod fixtures;
#[path = "../support/modules.rs"]
mod modules;

/// How much of the end of a file is looked at for its last lines, in bytes.
const END_LEN: u64 = 64 * 1024;

/// The time between two looks at a condition.
const PERIOD: Duration = Duration::from_millis(50);

/// How a fleet is made.
pub(crate) struct Plan<'a> {
    /// The names of its nodes. Each has a source and a sink.
    pub(crate) nodes: &'a [&'a str],
    /// The options of the bus, in lines of their own.
    pub(crate) bus: String,
    /// How many messages a node keeps.
    pub(crate) queue: usize,
    /// The pause after each event of a source, in seconds.
    pub(crate) interval: f64,
    /// How long a message means something, in seconds, and an order.
    pub(crate) max_age: u32,
}

/// Nodes on one bus, which is called `fleet`.
pub(crate) struct Fleet {
    folder: TempDir,
    names: Vec<String>,
    /// Where roles are found besides those that are built with the program.
    more_roles: Option<PathBuf>,
}

/// The newest NATS server that there is; none: the test is skipped, and says so.
pub(crate) fn newest_server() -> Option<NatsProgram> {
    match NatsProgram::newest() {
        Ok(program) => Some(program),
        Err(reason) => {
            eprintln!("skipped: {reason}");
            None
        }
    }
}

impl Fleet {
    /// Makes keys, and writes the file.
    pub(crate) fn new(plan: &Plan<'_>) -> Self {
        modules::build_modules();
        let fleet = Self {
            folder: TempDir::new().unwrap(),
            names: plan.nodes.iter().map(ToString::to_string).collect(),
            more_roles: None,
        };
        let mut text = format!(
            "outgoingQueueLength: {}\noutgoingQueueSize: 1 GiB\nmessageMaxAge: {}\n\
             orderMaxAge: {}\nbuses:\n  fleet:\n    type: nats\n",
            plan.queue, plan.max_age, plan.max_age,
        );
        for line in plan.bus.lines() {
            writeln!(text, "    {line}").unwrap();
        }
        text.push_str("system:\n");
        for name in plan.nodes {
            let key = keys::generate(NewKey::Ed25519, name).unwrap();
            let private = fleet.path(&format!("{name}.key"));
            keys::write_private(&private, &key).unwrap();
            let file = |kind: &str| fleet.path(&format!("{name}.{kind}")).display().to_string();
            write!(
                text,
                "  {name}:
    privateKey: {}
    publicKey: {}
    transportStorage: {}
    roles:
      source:
        type: bench-source
        go: {}
        halt: {}
        interval: {}
        done: {}
        record: {}
      sink:
        type: bench-sink
        quiet: 0.5
        # As much as it takes itself, once its first life has begun: what is lost shall be lost on the way.
        messageQueueLength: 1000000
        messageQueueSize: 1 GiB
        record: {}
    transports:
      fleet: {{}}
",
                private.display(),
                keys::public_line(&key),
                file("state"),
                file("go"),
                file("halt"),
                plan.interval,
                file("done"),
                file("sent"),
                file("received"),
            )
            .unwrap();
        }
        std::fs::write(fleet.file(), text).unwrap();
        fleet
    }

    /// Writes other options of the bus into the block of one node.
    pub(crate) fn on_bus_with(&self, node: &str, options: &str) {
        self.replace(node, "fleet: {}", &format!("fleet: {{{options}}}"));
    }

    /// Puts a node into the mesh of those that have links with each other.
    pub(crate) fn in_mesh(&self, node: &str) {
        let port = kozo_abi::bench::reserve_port().unwrap();
        let tcp = format!(
            "    transports:\n      tcp: {{address: 127.0.0.1, bindAddress: 127.0.0.1, port: {port}}}\n"
        );
        self.replace(node, "    transports:\n", &tcp);
    }

    /// Gives a node a role that takes orders of any role of another one, and says which.
    pub(crate) fn obeys(&mut self, node: &str, other: &str) {
        self.more_roles = Some(fixtures::gate_folder());
        let role = format!("    roles:\n      gate:\n        acceptOrdersFrom: ['*@{other}']\n");
        self.replace(node, "    roles:\n", &role);
    }

    /// Replaces the first such text in the block of a node.
    fn replace(&self, node: &str, text: &str, by: &str) {
        let whole = std::fs::read_to_string(self.file()).unwrap();
        let (before, block) = whole.split_once(&format!("  {node}:\n")).unwrap();
        let block = block.replacen(text, by, 1);
        std::fs::write(self.file(), format!("{before}  {node}:\n{block}")).unwrap();
    }

    /// The file that describes it.
    pub(crate) fn file(&self) -> PathBuf {
        self.path("kozo.yml")
    }

    /// A file in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn control(&self, node: &str) -> PathBuf {
        self.path(&format!("{node}.sock"))
    }

    /// Starts a node's daemon.
    pub(crate) fn start(&self, node: &str) -> Process {
        let (file, control) = (self.file(), self.control(node));
        let [file, control] = [&file, &control].map(|path| path.to_str().unwrap());
        let roles = self.more_roles.as_deref();
        let roles = roles.map(|folder| ("KOZOROLEPATH", folder));
        Process::start_with(&["run", file, node, "--control", control], roles.as_slice())
    }

    /// Starts all of them, and waits until each is on the bus.
    pub(crate) fn start_all(&self) -> Vec<Process> {
        let daemons = self.names.iter().map(|node| self.start(node)).collect();
        for node in &self.names {
            self.wait_for_bus(node, "is up", |bus| bus["state"] == "up");
        }
        daemons
    }

    /// Runs `kozo` with these words about a node's daemon; what it prints, if all goes well.
    pub(crate) fn said(&self, node: &str, words: &[&str]) -> Option<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
            .args(words)
            .arg("--control")
            .arg(self.control(node))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then_some(text)
    }

    /// The bus of a node, as its status has it.
    pub(crate) fn bus(&self, node: &str) -> Option<Value> {
        let status = self.said(node, &["status", "--json"])?;
        let status: Value = serde_json::from_str(&status).unwrap();
        Some(status["buses"][0].clone())
    }

    /// Waits until the bus of a node fits.
    #[track_caller]
    pub(crate) fn wait_for_bus(
        &self,
        node: &str,
        what: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        wait_or_show(
            &format!("the bus of {node} {what}"),
            || self.bus(node).filter(&fits),
            || format!("it is {:#?}", self.bus(node)),
        )
    }

    /// Waits until `kozo why` says all of this.
    #[track_caller]
    pub(crate) fn wait_for_why(&self, node: &str, other: &str, parts: &[&str]) {
        let why = || self.said(node, &["why", other]);
        let fits = |text: &String| parts.iter().all(|part| text.contains(part));
        wait_or_show(
            &format!("why {other}: {parts:?}"),
            || why().filter(fits),
            || format!("said is {:?}", why()),
        );
    }

    /// Lets the source of a node send.
    pub(crate) fn go(&self, node: &str) {
        std::fs::write(self.path(&format!("{node}.go")), "").unwrap();
    }

    /// Lets it stop, and says how many events it has sent.
    pub(crate) fn halt(&self, node: &str) -> u64 {
        std::fs::write(self.path(&format!("{node}.halt")), "").unwrap();
        let done = self.path(&format!("{node}.done"));
        let text = wait_until("the source stops", || std::fs::read_to_string(&done).ok());
        text.parse().unwrap()
    }

    /// How many events a source has sent so far, by what it has written down.
    pub(crate) fn sent(&self, node: &str) -> u64 {
        let text = self.end_of(node, "sent");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let number = whole.lines().last().and_then(|line| line.split(' ').nth(1));
        number.map_or(0, |number| number.parse().unwrap())
    }

    /// The number of the last event of `from` that the sink of `to` has written down.
    pub(crate) fn last_received(&self, to: &str, from: &str) -> u64 {
        entries(&self.end_of(to, "received"), from)
            .last()
            .map_or(0, |entry| entry.sequence)
    }

    /// Waits until the sink of `to` has an event of `from` with this number or a later one.
    #[track_caller]
    pub(crate) fn wait_for_event(&self, to: &str, from: &str, number: u64) {
        wait_or_show(
            &format!("event {number} of {from} at {to}"),
            || (self.last_received(to, from) >= number).then_some(()),
            || {
                format!(
                    "the last one is {}; there is {:#?}, and here {:#?}",
                    self.last_received(to, from),
                    self.bus(from),
                    self.bus(to),
                )
            },
        );
    }

    /// What became of the events 1 to `count` of `from` on their way to `to`.
    pub(crate) fn verdict(&self, to: &str, from: &str, count: u64) -> Verdict {
        judge(&entries(&self.read(to, "received"), from), count)
    }

    /// The numbers of the events of `from` that each life of the sink of `to` has written down.
    pub(crate) fn lives(&self, to: &str, from: &str) -> Vec<Vec<u64>> {
        let mut lives: Vec<(u64, Vec<u64>)> = Vec::new();
        for entry in entries(&self.read(to, "received"), from) {
            match lives.last_mut() {
                Some((life, numbers)) if *life == entry.life => numbers.push(entry.sequence),
                _ => lives.push((entry.life, vec![entry.sequence])),
            }
        }
        lives.into_iter().map(|(_, numbers)| numbers).collect()
    }

    /// Keeps the folder, for whoever looks for a fault.
    pub(crate) fn keep(&self) -> &Path {
        eprintln!("kept: {}", self.folder.path().display());
        self.folder.path()
    }

    /// The last lines of such a file, which grows by thousands a second.
    fn end_of(&self, node: &str, kind: &str) -> String {
        let Ok(mut file) = File::open(self.path(&format!("{node}.{kind}"))) else {
            return String::new();
        };
        let length = file.metadata().unwrap().len();
        let start = length.saturating_sub(END_LEN);
        file.seek(SeekFrom::Start(start)).unwrap();
        let mut text = String::new();
        file.take(END_LEN).read_to_string(&mut text).unwrap();
        match start {
            0 => text,
            // The first line is not whole.
            _ => text
                .split_once('\n')
                .map_or("", |(_, whole)| whole)
                .to_owned(),
        }
    }

    fn read(&self, node: &str, kind: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{node}.{kind}"))).unwrap_or_default()
    }
}

/// Waits until `look` finds something; a failure shows what there is instead.
#[track_caller]
fn wait_or_show<T>(
    what: &str,
    mut look: impl FnMut() -> Option<T>,
    instead: impl FnOnce() -> String,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "{what}: it did not happen; {}",
            instead()
        );
        thread::sleep(PERIOD);
    }
}
