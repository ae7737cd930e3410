//! The daemons of nodes, as child processes of an ordinary user.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kozo_testnet::{DEADLINE, Host, Network, Process};
use serde_json::{Value, json};

/// Who runs daemons: nobody.
pub(crate) const USER: u32 = 65534;

/// The program, whose modules are beside it. `KOZO_TEST_PROGRAM` names another one.
pub(crate) fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("KOZO_TEST_PROGRAM") {
        return program.into();
    }
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.parent().and_then(Path::parent);
    folder.expect("it is in a folder").join("kozo")
}

/// What a node needs beside the program.
const MODULES: [&str; 3] = ["libice.so", "libtcp.so", "liblogger.so"];

/// Puts the program and its modules into a folder that [`USER`] can look into, as it cannot where somebody's home is
/// his own.
///
/// # Errors
/// A file is missing, or the disk is full.
pub(crate) fn copy_program(folder: &Path) -> io::Result<()> {
    let program = program();
    let copy = copy_of_program(folder);
    let (from, to) = (program.parent(), copy.parent());
    let (from, to) = from.zip(to).expect("both are in folders");
    fs::create_dir(to)?;
    fs::copy(&program, &copy)?;
    for module in MODULES {
        fs::copy(from.join(module), to.join(module))?;
    }
    Ok(())
}

fn copy_of_program(folder: &Path) -> PathBuf {
    folder.join("program").join("kozo")
}

/// A node's daemon.
pub(crate) struct Daemon {
    pub(crate) node: String,
    pub(crate) process: Process,
    control: PathBuf,
    messages: PathBuf,
}

impl Daemon {
    pub(crate) fn start(network: &Network, host: Host, folder: &Path, node: &str) -> Self {
        let control = folder.join(format!("{node}.sock"));
        let mut command = network.command(host, "setpriv");
        let user = USER.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]);
        command.arg(copy_of_program(folder)).args([
            "--log",
            "info,transport=debug,link=debug",
            "run",
            "--control",
        ]);
        command.arg(&control);
        command.args(["--end-with-parent", &std::process::id().to_string()]);
        command.arg(folder.join("kozo.yml")).arg(node);
        command
            .env_remove("KOZOTRANSPORTPATH")
            .env_remove("KOZOROLEPATH");
        Self {
            node: node.to_owned(),
            process: network.keep(command, node),
            control,
            messages: folder.join(format!("{node}.messages")),
        }
    }

    /// What `kozo status --json` shows; none while the daemon does not answer.
    pub(crate) fn status(&self) -> Option<Value> {
        let mut answer = self.ask(&json!({"version": 1, "request": "status"}))?;
        Some(answer["answer"].take())
    }

    fn ask(&self, request: &Value) -> Option<Value> {
        let mut stream = UnixStream::connect(&self.control).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .ok()?;
        writeln!(stream, "{request}").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// Waits until the node's status is as wanted.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, condition: impl Fn(&Value) -> Option<T>) -> T {
        let end = Instant::now() + DEADLINE;
        loop {
            let status = self.status();
            if let Some(found) = status.as_ref().and_then(&condition) {
                return found;
            }
            if Instant::now() > end {
                let log = self.process.output();
                let log: Vec<&str> = log.lines().rev().take(40).collect();
                let log: Vec<&str> = log.into_iter().rev().collect();
                let status =
                    status.map_or_else(|| "no answer".to_owned(), |status| in_short(&status));
                panic!("{}: {what}: {status}\n{}", self.node, log.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for a link with `peer` over this transport.
    #[track_caller]
    pub(crate) fn wait_for_link(&self, peer: &str, transport: &str) {
        self.wait(&format!("a link with {peer} over {transport}"), |status| {
            let link = peer_of(status, peer)["links"].get(0)?;
            (link["transport"] == transport).then_some(())
        });
    }

    /// Waits until what the transport says of itself holds this text.
    #[track_caller]
    pub(crate) fn wait_for_words(&self, text: &str) {
        self.wait(&format!("the transport says `{text}`"), |status| {
            let transports = status["transports"].as_array()?;
            let ice = transports.iter().find(|one| one["module"] == "ice")?;
            let words = [&ice["status"], &ice["error"]];
            words
                .iter()
                .any(|words| words.as_str().is_some_and(|words| words.contains(text)))
                .then_some(())
        });
    }

    /// Waits until the failure that is known of the link with `peer` holds this text.
    #[track_caller]
    pub(crate) fn wait_for_failure(&self, peer: &str, text: &str) {
        self.wait(&format!("it says `{text}` of {peer}"), |status| {
            let error = peer_of(status, peer)["last_error"].as_str()?.to_owned();
            error.contains(text).then_some(())
        });
    }

    /// Sends lines for the log, one after the other, to the loggers of all nodes.
    #[track_caller]
    pub(crate) fn send(&self, lines: &[String]) {
        for line in lines {
            let request = json!({"version": 1, "request": "send", "kind": "log", "type": "log", "data": line});
            let answer = self.ask(&request).unwrap_or_default();
            assert!(answer["answer"].is_object(), "{answer}");
        }
    }

    /// Waits until exactly these lines have come from `sender`, in this order and once.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, sender: &Self, expected: &[String]) {
        let last = expected.last().expect("something is expected");
        self.wait(&format!("it has the lines of {}", sender.node), |_| {
            self.lines(sender).contains(last).then_some(())
        });
        assert_eq!(
            self.lines(sender),
            expected,
            "{} from {}",
            self.node,
            sender.node
        );
    }

    fn lines(&self, sender: &Self) -> Vec<String> {
        let start = format!("<cli@{}> ", sender.node);
        let text = fs::read_to_string(&self.messages).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.strip_prefix(&start));
        lines.map(str::to_owned).collect()
    }
}

/// What a status says of transports and peers.
fn in_short(status: &Value) -> String {
    let all = |name: &str| status[name].as_array().cloned().unwrap_or_default();
    let mut parts = Vec::new();
    for transport in all("transports") {
        parts.push(format!(
            "{}: {} {}",
            transport["name"], transport["state"], transport["status"]
        ));
    }
    for peer in all("peers") {
        let links = peer["links"].as_array().map_or(0, Vec::len);
        parts.push(format!(
            "{}: {links} links, last error {}",
            peer["peer"], peer["last_error"]
        ));
    }
    parts.join("; ")
}

pub(crate) fn peer_of<'v>(status: &'v Value, peer: &str) -> &'v Value {
    let mut peers = status["peers"].as_array().into_iter().flatten();
    peers
        .find(|one| one["peer"] == peer)
        .unwrap_or(&Value::Null)
}
