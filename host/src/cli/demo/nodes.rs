//! The nodes of the demo: processes that are read, told to end, and waited for.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::log::LogFilter;

/// The longest line that is taken from a node, in bytes; the rest of a longer one is left out.
const MAX_LINE: usize = 64 << 10;

/// How many events of all nodes wait to be taken; a node that writes more waits.
const MAX_EVENTS: usize = 256;

/// How many signals wait for a node to get them.
const MAX_SIGNALS: usize = 4;

/// How long the last lines of a node that has ended are waited for.
const LAST_LINES_TIME: Duration = Duration::from_secs(1);

/// What happens to nodes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A node wrote a line.
    Line {
        /// The name of the node.
        node: String,
        /// The line, without its end.
        text: String,
    },
    /// A node is no more.
    Ended {
        /// The name of the node.
        node: String,
        /// How it ended.
        status: ExitStatus,
    },
}

/// Processes that run. When this is dropped, they are killed.
#[derive(Debug)]
pub(super) struct Nodes {
    events: mpsc::Receiver<Event>,
    signals: Vec<mpsc::Sender<Signal>>,
}

/// The command that runs a node.
pub(super) fn command(program: &Path, config: &Path, node: &str, filter: &LogFilter) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--log-format", "json", "--log"])
        .arg(filter.to_string())
        .args(["run", "--end-with-parent"])
        .arg(std::process::id().to_string())
        .arg("--")
        .arg(config)
        .arg(node);
    command
}

impl Nodes {
    /// Starts processes, each under the name of a node; within a runtime.
    pub(super) fn start(commands: impl IntoIterator<Item = (String, Command)>) -> io::Result<Self> {
        let (sender, events) = mpsc::channel(MAX_EVENTS);
        let mut signals = Vec::new();
        for (node, mut command) in commands {
            let child = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                // Ctrl-C is for the demo, which ends them in order.
                .process_group(0)
                .kill_on_drop(true)
                .spawn()?;
            let (requests, requested) = mpsc::channel(MAX_SIGNALS);
            signals.push(requests);
            tokio::spawn(follow(node, child, requested, sender.clone()));
        }
        Ok(Self { events, signals })
    }

    /// The next event; none when all have ended.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Sends a signal to all that still run.
    pub(super) fn signal_all(&self, signal: Signal) {
        for requests in &self.signals {
            // It has ended, or has so many signals that one more makes no difference.
            let _ = requests.try_send(signal);
        }
    }
}

/// Reports what a process writes, and its end. The process is signalled here only, where it is
/// known that its number is still its own.
async fn follow(
    node: String,
    mut child: Child,
    mut requests: mpsc::Receiver<Signal>,
    events: mpsc::Sender<Event>,
) {
    let mut stderr = child.stderr.take();
    let mut lines = Lines::default();
    let status = loop {
        tokio::select! {
            read = read_some(&mut stderr, &mut lines) => {
                if !read {
                    stderr = None;
                }
                if report(&node, &mut lines, &events).await.is_err() {
                    return;
                }
            }
            Some(signal) = requests.recv() => {
                if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
                    let _ = kill_process(pid, signal);
                }
            }
            status = child.wait() => break status,
        }
    };
    let rest = async {
        while stderr.is_some() && read_some(&mut stderr, &mut lines).await {
            report(&node, &mut lines, &events).await?;
        }
        Ok::<_, Gone>(())
    };
    // What holds the pipe longer is not the node.
    let _ = timeout(LAST_LINES_TIME, rest).await;
    lines.finish();
    if report(&node, &mut lines, &events).await.is_ok()
        && let Ok(status) = status
    {
        let _ = events.send(Event::Ended { node, status }).await;
    }
}

/// Nobody takes events any more.
struct Gone;

async fn report(node: &str, lines: &mut Lines, events: &mpsc::Sender<Event>) -> Result<(), Gone> {
    for text in lines.complete.drain(..) {
        let node = node.to_owned();
        let event = Event::Line { node, text };
        events.send(event).await.map_err(|_| Gone)?;
    }
    Ok(())
}

/// Reads what is there. False when nothing more will come; waits for ever when that is known.
async fn read_some(stderr: &mut Option<ChildStderr>, lines: &mut Lines) -> bool {
    let Some(stderr) = stderr else {
        return std::future::pending().await;
    };
    let mut chunk = [0; 4096];
    match stderr.read(&mut chunk).await {
        Ok(count @ 1..) => {
            lines.push(&chunk[..count]);
            true
        }
        _ => false,
    }
}

/// Bytes on their way to lines.
#[derive(Default)]
struct Lines {
    complete: Vec<String>,
    begun: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        let mut parts = bytes.split(|byte| *byte == b'\n');
        if let Some(first) = parts.next() {
            self.extend(first);
        }
        for part in parts {
            self.end_line();
            self.extend(part);
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.begun.len();
        self.begun
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        let text = String::from_utf8_lossy(&self.begun).into_owned();
        self.complete.push(text);
        self.begun.clear();
    }

    /// What was begun is a line, too.
    fn finish(&mut self) {
        if !self.begun.is_empty() {
            self.end_line();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than anything here takes.
    const DEADLINE: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> (String, Command) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        ("clock".to_owned(), command)
    }

    fn with_nodes<F: Future>(scripts: &[&str], test: impl FnOnce(Nodes) -> F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let nodes = Nodes::start(scripts.iter().map(|script| shell(script))).unwrap();
            timeout(DEADLINE, test(nodes)).await.unwrap()
        })
    }

    async fn next_line(nodes: &mut Nodes) -> String {
        match nodes.next().await {
            Some(Event::Line { text, .. }) => text,
            other => panic!("{other:?}"),
        }
    }

    async fn next_end(nodes: &mut Nodes) -> ExitStatus {
        match nodes.next().await {
            Some(Event::Ended { status, .. }) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_that_a_node_wrote_comes_before_its_end() {
        with_nodes(
            &["echo one >&2; printf two >&2; exit 3"],
            async |mut nodes| {
                assert_eq!(next_line(&mut nodes).await, "one");
                assert_eq!(next_line(&mut nodes).await, "two");
                assert_eq!(next_end(&mut nodes).await.code(), Some(3));
                assert_eq!(nodes.next().await, None);
            },
        );
    }

    #[test]
    fn a_node_that_is_asked_ends() {
        let script = "trap 'echo bye >&2; exit 0' TERM; echo up >&2; while :; do sleep 0.01; done";
        with_nodes(&[script], async |mut nodes| {
            assert_eq!(next_line(&mut nodes).await, "up");
            nodes.signal_all(Signal::TERM);
            assert_eq!(next_line(&mut nodes).await, "bye");
            assert!(next_end(&mut nodes).await.success());
        });
    }

    #[test]
    fn a_node_that_does_not_listen_is_killed() {
        let script = "trap '' TERM; echo up >&2; while :; do sleep 0.01; done";
        with_nodes(&[script], async |mut nodes| {
            use std::os::unix::process::ExitStatusExt;
            assert_eq!(next_line(&mut nodes).await, "up");
            nodes.signal_all(Signal::TERM);
            nodes.signal_all(Signal::KILL);
            assert_eq!(next_end(&mut nodes).await.signal(), Some(9));
        });
    }

    #[test]
    fn a_pipe_that_others_hold_does_not_delay_the_end_for_ever() {
        let script = "sleep 60 & echo $! >&2; exit 0";
        let holder = with_nodes(&[script], async |mut nodes| {
            let holder = next_line(&mut nodes).await;
            assert!(next_end(&mut nodes).await.success());
            holder
        });
        let holder = Pid::from_raw(holder.parse().unwrap()).unwrap();
        kill_process(holder, Signal::KILL).unwrap();
    }

    #[test]
    fn lines_are_bounded_and_need_not_be_unicode() {
        let mut lines = Lines::default();
        lines.push(b"a\nb");
        lines.push(b"c\n\n");
        lines.push(&[b'x'; MAX_LINE]);
        lines.push(b"yz\n\xff");
        lines.finish();
        lines.finish();
        let long = "x".repeat(MAX_LINE);
        assert_eq!(lines.complete, ["a", "bc", "", &long, "\u{fffd}"]);
    }
}
