//! The receiving process: this program again, which counts what comes.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
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
    tokio::select! {
        received = peer.receive(tls, port, sink.clone()) => received?,
        () = sink.settled(count) => {}
    }
    let figures = sink.tally(|tally| tally.figures());
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// A receiving process, killed when dropped.
pub(crate) struct Receiver {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
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
        let said = child.stdout.take().ok_or("it has no output")?;
        let mut receiver = Self {
            child,
            said: BufReader::new(said).lines(),
        };
        match receiver.said.next().transpose()? {
            Some(line) if line == READY => Ok(receiver),
            said => Err(format!("the receiving process said {said:?}").into()),
        }
    }

    /// Waits until it has all, or until no more comes.
    pub(crate) fn figures(mut self) -> Result<Figures, Failure> {
        let line = self.said.next().transpose()?;
        let line = line.ok_or("the receiving process ended without figures")?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
