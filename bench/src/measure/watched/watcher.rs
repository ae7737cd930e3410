//! Those who watch.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;
use crate::daemon::{DEADLINE, Daemon, processor_time};

/// How often metrics are asked for.
const SCRAPE_PAUSE: Duration = Duration::from_secs(1);

/// How long to wait before something is tried again that cannot be yet.
const PAUSE: Duration = Duration::from_millis(20);

/// Somebody who watches until this is dropped.
pub(super) trait Watcher {
    /// The processor time that it has used so far, outside of this program.
    fn used(&self) -> Result<Duration, Failure>;

    /// How many lines it has seen while something flowed.
    fn seen(self: Box<Self>) -> Result<u64, Failure>;
}

/// A `kozo tail`.
pub(super) struct Tail {
    child: Child,
    seen: Arc<AtomicU64>,
    /// What it had seen when it began.
    before: u64,
}

impl Tail {
    /// Starts one, and waits until it watches; `stopped` ones are stopped then.
    pub(super) fn start(daemon: &Daemon, stopped: bool) -> Result<Self, Failure> {
        let mut child = daemon
            .client("tail")?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let seen = Arc::new(AtomicU64::new(0));
        if let Some(stdout) = child.stdout.take() {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || count_lines(stdout, &seen));
        }
        let mut tail = Self {
            child,
            seen,
            before: 0,
        };
        let deadline = Instant::now() + DEADLINE;
        while tail.seen.load(Ordering::Relaxed) == 0 {
            if Instant::now() > deadline {
                return Err("a tail shows nothing of what was sent to be seen".into());
            }
            let sent = daemon
                .client("send")?
                .args(["event", "ready"])
                .stdout(Stdio::null())
                .status()?;
            if !sent.success() {
                return Err(format!("cannot send by hand: {sent}").into());
            }
            std::thread::sleep(PAUSE);
        }
        if stopped {
            let id = i32::try_from(tail.child.id()).ok().and_then(Pid::from_raw);
            kill_process(id.ok_or("the tail has no number")?, Signal::STOP)?;
        }
        tail.before = tail.seen.load(Ordering::Relaxed);
        Ok(tail)
    }
}

impl Watcher for Tail {
    fn used(&self) -> Result<Duration, Failure> {
        processor_time(&self.child)
    }

    fn seen(mut self: Box<Self>) -> Result<u64, Failure> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("a tail has ended: {status}").into());
        }
        Ok(self.seen.load(Ordering::Relaxed) - self.before)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn count_lines(mut stdout: ChildStdout, seen: &AtomicU64) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(length @ 1..) = stdout.read(&mut buffer) {
        let lines = buffer[..length].iter().filter(|byte| **byte == b'\n');
        seen.fetch_add(lines.count() as u64, Ordering::Relaxed);
    }
}

/// Somebody who asks for metrics again and again, in a thread of this program.
pub(super) struct Scraper {
    /// Closed: it shall end.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<Result<u64, String>>>,
}

impl Scraper {
    /// Starts one for the metrics at this port, and waits until they can be had.
    pub(super) fn start(port: u16) -> Result<Self, Failure> {
        let deadline = Instant::now() + DEADLINE;
        while let Err(error) = scrape(port) {
            if Instant::now() > deadline {
                return Err(error.into());
            }
            std::thread::sleep(PAUSE);
        }
        let (end, ends) = channel();
        Ok(Self {
            end: Some(end),
            thread: Some(std::thread::spawn(move || scrape_until(&ends, port))),
        })
    }

    fn finish(&mut self) -> Result<u64, Failure> {
        drop(self.end.take());
        let Some(thread) = self.thread.take() else {
            return Ok(0);
        };
        Ok(thread.join().map_err(|_| "the scraper panicked")??)
    }
}

impl Watcher for Scraper {
    fn used(&self) -> Result<Duration, Failure> {
        Ok(Duration::ZERO)
    }

    fn seen(mut self: Box<Self>) -> Result<u64, Failure> {
        self.finish()
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

fn scrape_until(ends: &Receiver<()>, port: u16) -> Result<u64, String> {
    let mut lines = 0;
    loop {
        lines += scrape(port)?;
        if ends.recv_timeout(SCRAPE_PAUSE) != Err(RecvTimeoutError::Timeout) {
            return Ok(lines);
        }
    }
}

/// Asks for the metrics once, and counts their lines.
fn scrape(port: u16) -> Result<u64, String> {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|error| format!("cannot ask for metrics: {error}"))?;
    if !answer.starts_with("HTTP/1.1 200") {
        let line = answer.lines().next().unwrap_or_default();
        return Err(format!("the metrics answer `{line}`"));
    }
    Ok(answer.lines().count() as u64)
}
