//! The receiving process: this program again, which counts what comes.

use std::io::{BufRead, BufReader};
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kozo_bench_payload::{Figures, Tally, clock};

use crate::tls::Tls;
use crate::{Failure, Peer};

/// The first argument of a receiving process.
pub(crate) const COMMAND: &str = "receive";

/// What it says when it has subscribed.
const READY: &str = "ready";

/// How often it looks whether all is there.
const POLL: Duration = Duration::from_millis(20);

/// After so many looks at which nothing new had come, no more is expected.
const QUIET_POLLS: u32 = 100;

/// How long the first event may take, in looks.
const FIRST_POLLS: u32 = 1000;

/// How long it may take until it has subscribed.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take until it has all or gives up, once everything is sent.
const FIGURES_LIMIT: Duration = Duration::from_secs(180);

/// Takes events, from any thread.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Tally>>);

impl Sink {
    /// Subscribed: what is sent from now on comes here.
    pub(crate) fn ready(&self) {
        println!("{READY}");
    }

    /// An event came.
    pub(crate) fn take(&self, data: &[u8]) {
        let now = clock();
        if let Some(stamp) = kozo_bench_payload::read(data) {
            self.tally(|tally| tally.count(stamp, now));
        }
    }

    fn tally<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `count` events are here, or no more come.
    async fn settled(&self, count: u64) {
        let (mut before, mut quiet) = (0, 0);
        while before < count
            && quiet
                < if before == 0 {
                    FIRST_POLLS
                } else {
                    QUIET_POLLS
                }
        {
            tokio::time::sleep(POLL).await;
            let received = self.tally(|tally| tally.received());
            quiet = if received == before { quiet + 1 } else { 0 };
            before = received;
        }
    }
}

/// The receiving process's whole work.
pub(crate) async fn run(peer: Peer, tls: &Tls, port: u16, count: u64) -> Result<(), Failure> {
    let sink = Sink::default();
    // Kept until the figures are out: a client that is dropped may wait for its peer.
    let mut receiving = pin!(peer.receive(tls, port, sink.clone()));
    tokio::select! {
        received = &mut receiving => received?,
        () = sink.settled(count) => {}
    }
    let figures = sink.tally(|tally| tally.figures());
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// A receiving process, killed when dropped.
pub(crate) struct Receiver {
    child: Child,
    said: mpsc::Receiver<String>,
}

impl Receiver {
    /// Starts one, and waits until it has subscribed.
    pub(crate) fn start(name: &str, tls: &Tls, port: u16, count: u64) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([COMMAND, name])
            .arg(tls.folder())
            .args([port.to_string(), count.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("it has no output")?;
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let receiver = Self { child, said };
        let line = receiver.line(READY_LIMIT, "its subscription")?;
        if line == READY {
            Ok(receiver)
        } else {
            Err(format!("the receiving process said `{line}`").into())
        }
    }

    /// Waits until it has all, or until no more comes.
    pub(crate) fn figures(self) -> Result<Figures, Failure> {
        Ok(serde_json::from_str(
            &self.line(FIGURES_LIMIT, "its figures")?,
        )?)
    }

    /// What it says next, which is `what`.
    fn line(&self, limit: Duration, what: &str) -> Result<String, Failure> {
        self.said.recv_timeout(limit).map_err(|error| {
            let how = match error {
                RecvTimeoutError::Timeout => format!("hung: no end after {} s", limit.as_secs()),
                RecvTimeoutError::Disconnected => "ended".to_owned(),
            };
            format!("the receiving process {how}, before {what}").into()
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
