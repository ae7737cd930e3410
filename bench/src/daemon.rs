//! A daemon as a child process: what it says, and what it costs.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::Failure;

/// How long anything that a measurement waits for may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// In what the kernel tells a process's time: `USER_HZ` is 100 wherever this runs.
const TICK: Duration = Duration::from_millis(10);

/// A running `kozo`, killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    name: String,
    control: PathBuf,
    said: Receiver<(Instant, Value)>,
    /// How many bytes all that it has said has.
    length: Arc<AtomicUsize>,
}

impl Daemon {
    /// Starts a node's daemon.
    pub(crate) fn start(file: &Path, node: &str) -> Result<Self, Failure> {
        let program = program()?;
        // Beside the file: the daemons of this machine keep their places.
        let control = file.with_file_name(format!("{node}.sock"));
        let mut child = Command::new(&program)
            .args(["--log-format", "json", "--log", "info", "run"])
            .arg(file)
            .arg(node)
            .arg("--control")
            .arg(&control)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{}` does not start: {error}", program.display()))?;
        let (sender, said) = channel();
        let length = Arc::default();
        if let Some(stderr) = child.stderr.take() {
            let length = Arc::clone(&length);
            std::thread::spawn(move || listen(stderr, &sender, &length));
        }
        Ok(Self {
            child,
            name: node.to_owned(),
            control,
            said,
            length,
        })
    }

    /// The program, about to be run with this word, and to ask this daemon.
    pub(crate) fn client(&self, word: &str) -> Result<Command, Failure> {
        let mut command = Command::new(program()?);
        command.arg(word).arg("--control").arg(&self.control);
        Ok(command)
    }

    /// Waits until the next link stands, with whomever, and says when that was.
    pub(crate) fn wait_for_link(&self) -> Result<Instant, Failure> {
        self.wait_for("a link", |line| line["message"] == "up")
    }

    /// Waits until there are links with so many peers, and says since when.
    pub(crate) fn wait_for_peers(&self, count: usize) -> Result<Instant, Failure> {
        let mut linked = HashSet::new();
        self.wait_for(&format!("links with {count} peers"), |line| {
            let peer = line["fields"]["peer"].as_str().unwrap_or_default();
            match line["message"].as_str() {
                Some("up") => linked.insert(peer.to_owned()),
                Some("down") => linked.remove(peer),
                _ => false,
            };
            linked.len() == count
        })
    }

    /// Waits until it is connected with the engine of a bus, and says when that was.
    pub(crate) fn wait_for_bus(&self) -> Result<Instant, Failure> {
        self.wait_for_line("bus", "a bus", |line| line["message"] == "up")
    }

    /// Waits for a line about links that is `wanted`, and says when it was said.
    pub(crate) fn wait_for(
        &self,
        what: &str,
        wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Instant, Failure> {
        self.wait_for_line("link", what, wanted)
    }

    fn wait_for_line(
        &self,
        target: &str,
        what: &str,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Instant, Failure> {
        let deadline = Instant::now() + DEADLINE;
        let mut said = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok((when, line)) if line["target"] == target && wanted(&line) => {
                    return Ok(when);
                }
                Ok((_, line)) => said.push(line.to_string()),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let (name, said) = (&self.name, said.join("\n"));
                    return Err(format!("{name} did not say of {what}, but:\n{said}").into());
                }
            }
        }
    }

    /// Forgets what it has said so far.
    pub(crate) fn forget(&self) {
        while self.said.try_recv().is_ok() {}
    }

    /// How many bytes all that it has said so far has.
    pub(crate) fn said_bytes(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// The lines about links that it has said and that nobody has waited for.
    pub(crate) fn said_of_links(&self) -> Vec<Value> {
        let lines = self.said.try_iter().map(|(_, line)| line);
        lines.filter(|line| line["target"] == "link").collect()
    }

    /// Lets it stand still from now on, with its links: it says nothing, and nobody is told.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        let process = Pid::from_child(&self.child);
        Ok(kill_process(process, Signal::STOP)?)
    }

    /// The processor time that it has used so far, of the threads that it has now.
    pub(crate) fn processor_time(&self) -> Result<Duration, Failure> {
        processor_time(&self.child)
    }

    /// The processor time that it has used so far, also of threads that have ended, to the hundredth of a second.
    pub(crate) fn whole_processor_time(&self) -> Result<Duration, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind its name, which ends with the last bracket, are its state and ten more fields.
        let (_, fields) = text.rsplit_once(')').unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
        Ok(TICK * u32::try_from(ticks)?)
    }

    /// Its share of the machine's memory (PSS), in KiB.
    pub(crate) fn memory(&self) -> Result<f64, Failure> {
        self.kernel_figure("smaps_rollup", "Pss:")
    }

    /// The most memory that it has had so far (RSS), in KiB.
    pub(crate) fn peak_memory(&self) -> Result<f64, Failure> {
        self.kernel_figure("status", "VmHWM:")
    }

    fn kernel_figure(&self, file: &str, name: &str) -> Result<f64, Failure> {
        kernel_figure(self.child.id(), file, name)
    }
}

/// A figure in KiB that the kernel tells of the process with this number.
pub(crate) fn kernel_figure(process: u32, file: &str, name: &str) -> Result<f64, Failure> {
    let text = fs::read_to_string(format!("/proc/{process}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let line = line.ok_or_else(|| format!("the kernel tells no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

/// The processor time that a child has used so far, of all its threads.
pub(crate) fn processor_time(child: &Child) -> Result<Duration, Failure> {
    processor_time_of(child.id())
}

/// The processor time that the process with this number has used so far, of all its threads that still run.
pub(crate) fn processor_time_of(process: u32) -> Result<Duration, Failure> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = text.split(' ').next().unwrap_or_default();
        nanos += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// The program that is measured: the one beside this one.
pub(crate) fn program() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("kozo"))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stderr: ChildStderr, said: &Sender<(Instant, Value)>, length: &AtomicUsize) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let now = Instant::now();
        length.fetch_add(line.len() + 1, Ordering::Relaxed);
        let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
        if said.send((now, line)).is_err() {
            return;
        }
    }
}

/// Waits until a file is there that is only ever written as a whole, and reads it.
pub(crate) fn wait_for_file(path: &Path, limit: Duration) -> Result<String, Failure> {
    let deadline = Instant::now() + limit;
    loop {
        if let Ok(text) = fs::read_to_string(path) {
            return Ok(text);
        }
        if Instant::now() > deadline {
            return Err(format!("`{}` was not written in time", path.display()).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
