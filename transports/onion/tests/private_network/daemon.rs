//! The program under test, and its daemons as child processes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::wait::{DEADLINE, wait_or_explain, wait_until};

/// The variable that names another program than the one that is built beside this test.
pub(crate) const PROGRAM: &str = "KOZO_TEST_PROGRAM";

/// The program, whose modules are beside it.
pub(crate) fn program() -> PathBuf {
    if let Some(program) = std::env::var_os(PROGRAM) {
        return program.into();
    }
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("kozo")
}

/// Runs a command of the program; what it prints, or its error.
pub(crate) fn kozo(words: &[&str]) -> Result<String, String> {
    let output = Command::new(program())
        .args(words)
        .env_remove("KOZOTRANSPORTPATH")
        .env_remove("KOZOROLEPATH")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

/// A node's daemon. It is killed when this is dropped, and ends with this process at the latest.
pub(crate) struct Daemon {
    node: String,
    child: Child,
    control: PathBuf,
    messages: PathBuf,
    log: PathBuf,
    injector: u16,
}

impl Daemon {
    /// Starts a daemon; its log and its messages are in `folder`.
    pub(crate) fn start(folder: &Path, file: &Path, node: &str, injector: u16) -> Self {
        Self::start_in(folder, file, node, injector, [])
    }

    /// Starts a daemon with some variables of the environment.
    pub(crate) fn start_in<const N: usize>(
        folder: &Path,
        file: &Path,
        node: &str,
        injector: u16,
        variables: [(&str, OsString); N],
    ) -> Self {
        let control = folder.join(format!("{node}.sock"));
        let log = folder.join(format!("{node}.log"));
        let child = Command::new(program())
            .args(["--log", "debug", "run", "--control"])
            .arg(&control)
            .args(["--end-with-parent", &std::process::id().to_string()])
            .args([file.as_os_str(), node.as_ref()])
            .env_remove("KOZOTRANSPORTPATH")
            .env_remove("KOZOROLEPATH")
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(
                File::options()
                    .create(true)
                    .append(true)
                    .open(&log)
                    .unwrap(),
            )
            .spawn()
            .unwrap();
        Self {
            node: node.to_owned(),
            child,
            control,
            messages: folder.join(format!("{node}.messages")),
            log,
            injector,
        }
    }

    /// Waits for a link with `peer`; the transport that carries it.
    #[track_caller]
    pub(crate) fn wait_for_link(&self, peer: &str) -> String {
        let what = format!("a link between {} and {peer}", self.node);
        self.wait(&what, |status| {
            let link = peer_of(status, peer)["links"].get(0)?;
            Some(link["transport"].as_str()?.to_owned())
        })
    }

    /// Waits for a link with `peer` over this transport.
    #[track_caller]
    pub(crate) fn wait_for_link_over(&self, peer: &str, transport: &str) {
        let what = format!("a link between {} and {peer} over {transport}", self.node);
        self.wait(&what, |status| {
            let link = peer_of(status, peer)["links"].get(0)?;
            (link["transport"] == transport).then_some(())
        });
    }

    /// Waits until there is no link with `peer`.
    #[track_caller]
    pub(crate) fn wait_for_no_link(&self, peer: &str) {
        let what = format!("no link between {} and {peer}", self.node);
        self.wait(&what, |status| {
            let links = peer_of(status, peer)["links"].as_array()?.len();
            (links == 0).then_some(())
        });
    }

    /// Waits until `peer` has acknowledged all that was sent to it.
    #[track_caller]
    pub(crate) fn wait_for_acknowledgements(&self, peer: &str) {
        let what = format!("{peer} acknowledges what {} sent", self.node);
        self.wait(&what, |status| {
            let peer = peer_of(status, peer);
            let amounts = [&peer["queued"]["messages"], &peer["in_flight"]["messages"]];
            amounts.iter().all(|amount| **amount == 0).then_some(())
        });
    }

    /// Waits until the failure that is known of the link with `peer` holds this text.
    #[track_caller]
    pub(crate) fn wait_for_failure(&self, peer: &str, text: &str) {
        let what = format!("{} says `{text}` of {peer}", self.node);
        self.wait(&what, |status| {
            let error = peer_of(status, peer)["last_error"].as_str()?.to_owned();
            error.contains(text).then_some(())
        });
    }

    /// Waits until what the onion transport says of itself holds this text.
    #[track_caller]
    pub(crate) fn wait_for_status(&self, text: &str) {
        let what = format!("the onion transport of {} says `{text}`", self.node);
        self.wait(&what, |status| {
            let transports = status["transports"].as_array()?;
            let onion = transports.iter().find(|one| one["module"] == "onion")?;
            onion["status"].as_str()?.contains(text).then_some(())
        });
    }

    /// Waits until the node's status is as wanted.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, condition: impl Fn(&Value) -> Option<T>) -> T {
        wait_or_explain(
            what,
            DEADLINE,
            || condition(&self.status()?),
            || match self.status() {
                Some(status) => format!("{}: {}", self.node, in_short(&status)),
                None => format!("{} does not answer", self.node),
            },
        )
    }

    /// Waits until the node's log has this text.
    #[track_caller]
    pub(crate) fn wait_until_said(&self, text: &str) {
        let what = format!("the log of {} has `{text}`", self.node);
        wait_until(&what, DEADLINE, || self.has_said(text).then_some(()));
    }

    /// What `kozo status --json` shows; none while the daemon does not answer.
    pub(crate) fn status(&self) -> Option<Value> {
        let mut stream = UnixStream::connect(&self.control).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        writeln!(stream, r#"{{"version":1,"request":"status"}}"#).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        let mut answer: Value = serde_json::from_str(&line).ok()?;
        Some(answer["answer"].take())
    }

    /// Sends a line into the network, to the loggers of all nodes.
    #[track_caller]
    pub(crate) fn send(&self, text: &str) {
        self.send_all(&[text.to_owned()]);
    }

    /// Sends lines, one after the other.
    #[track_caller]
    pub(crate) fn send_all(&self, lines: &[String]) {
        let stream = wait_until("the injector listens", DEADLINE, || {
            TcpStream::connect(("127.0.0.1", self.injector)).ok()
        });
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut stream = BufReader::new(stream);
        for text in lines {
            // In one go: the system would keep the end of a line back until the beginning is acknowledged,
            // 40 ms each.
            let line = format!("('log', '{text}')\n");
            stream.get_mut().write_all(line.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_line(&mut answer).unwrap();
            assert_eq!(answer.trim(), "ok");
        }
    }

    /// Waits until exactly these lines have come from `sender`, in this order and once.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, sender: &Self, expected: &[String]) {
        let what = format!(
            "{} has the {} lines of {}",
            self.node,
            expected.len(),
            sender.node
        );
        let last = expected.last().unwrap();
        let begin = |line: &String| line.chars().take(20).collect::<String>();
        let seen = || format!("it has {:?}", self.lines(sender).iter().map(begin));
        wait_or_explain(
            &what,
            DEADLINE,
            || self.lines(sender).contains(last).then_some(()),
            seen,
        );
        assert!(self.lines(sender) == expected, "{what}: {}", seen());
    }

    /// The lines that have come from `sender`.
    pub(crate) fn lines(&self, sender: &Self) -> Vec<String> {
        let start = format!("<message_injector@{}> ", sender.node);
        let text = fs::read_to_string(&self.messages).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.strip_prefix(&start));
        lines.map(str::to_owned).collect()
    }

    /// The memory that it has in use, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kibibytes.unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Whether its log has this text.
    pub(crate) fn has_said(&self, text: &str) -> bool {
        fs::read_to_string(&self.log).is_ok_and(|log| log.contains(text))
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops its process where it is.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end, and waits until it has.
    #[track_caller]
    pub(crate) fn end(mut self) {
        self.signal(Signal::TERM);
        let status = wait_until("the daemon ends", DEADLINE, || {
            self.child.try_wait().unwrap()
        });
        assert!(status.success(), "{status}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a status says of transports and peers.
fn in_short(status: &Value) -> String {
    let all = |name: &str| status[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut parts = Vec::new();
    for transport in all("transports") {
        let (name, said) = (text(&transport["name"]), text(&transport["status"]));
        parts.push(format!("{name}: {} {said}", text(&transport["state"])));
    }
    for peer in all("peers") {
        let links = peer["links"].as_array().into_iter().flatten();
        let links: Vec<_> = links.map(|link| text(&link["transport"])).collect();
        let (name, error) = (text(&peer["peer"]), text(&peer["last_error"]));
        parts.push(format!("{name}: links {links:?}, last error {error}"));
    }
    parts.join("; ")
}

fn peer_of<'v>(status: &'v Value, peer: &str) -> &'v Value {
    let mut peers = status["peers"].as_array().into_iter().flatten();
    peers
        .find(|one| one["peer"] == peer)
        .unwrap_or(&Value::Null)
}
