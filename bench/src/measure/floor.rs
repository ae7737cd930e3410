//! The bare link: SSH over TCP on the loopback interface, with nothing on top. Two threads of this
//! process, each with a runtime like a daemon's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use kozo_auth::algorithms::Algorithms;
use kozo_auth::identity::{Identity, TrustedKeys};
use kozo_auth::keys::{self, NewKey, PrivateKey};
use kozo_auth::secured::{Receiver, Refused};
use kozo_auth::ssh::{self, Endpoint, MAX_PACKET};
use kozo_bench_payload::{Payload, Stamp, clock};
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::NodeName;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::Settings;
use crate::Failure;
use crate::report::Report;

/// How long each message's data is, in bytes.
const SIZE: usize = 64;

/// The pause after each message.
const INTERVAL: Duration = Duration::from_millis(1);

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let count = settings.choose(5000, 500);
    let runs = settings.repeat("messages", || delays(count))?;
    let share = |percent: usize| {
        let values = runs
            .iter()
            .map(|delays| delays[(delays.len() - 1) * percent / 100]);
        values.map(|nanos| nanos as f64 / 1000.0).collect()
    };
    let limits = format!("{count} messages of {SIZE} B, one every {INTERVAL:?}");
    report.add("floor, median", share(50), "µs", &limits);
    report.add("floor, 99 %", share(99), "µs", &limits);
    Ok(())
}

/// The median delay of `count` messages, in nanoseconds.
pub(super) fn median(count: usize) -> Result<u64, Failure> {
    let delays = delays(count)?;
    let median = delays.get(delays.len().saturating_sub(1) / 2);
    Ok(*median.ok_or("there are no messages")?)
}

/// The delays of `count` messages, sorted, in nanoseconds.
fn delays(count: usize) -> Result<Vec<u64>, Failure> {
    let ends = Ends::new()?;
    let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    let delays = Arc::new(Mutex::new(Vec::with_capacity(count)));
    let (done, all_here) = oneshot::channel();
    let collector = Collector {
        delays: Arc::clone(&delays),
        count,
        done: Some(done),
    };
    let far = ends.endpoint(1);
    let accepting = std::thread::spawn(move || {
        let accepted = runtime()
            .map_err(|error| error.to_string())?
            .block_on(async {
                let (stream, _) = TcpListener::from_std(socket)?.accept().await?;
                stream.set_nodelay(true)?;
                let secured = ssh::accept(stream, &far, |_| collector).await?;
                secured.session.ended().await;
                Ok::<_, Failure>(())
            });
        accepted.map_err(|failure| failure.to_string())
    });
    runtime()?.block_on(async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let near = ends.endpoint(0);
        let secured = ssh::connect(stream, &near, &ends.nodes[1].0, |_| Nothing).await?;
        let mut payload = Payload::new(SIZE);
        for sequence in 1..=count as u64 {
            let stamp = Stamp {
                run: 0,
                sequence,
                sent: clock(),
            };
            let bytes = Bytes::copy_from_slice(payload.stamped(stamp));
            secured.sender.send(bytes).await?;
            tokio::time::sleep(INTERVAL).await;
        }
        tokio::time::timeout(crate::daemon::DEADLINE, all_here).await??;
        secured.sender.close().await;
        Ok::<_, Failure>(())
    })?;
    accepting
        .join()
        .map_err(|_| "the accepting end panicked")??;
    let mut delays = std::mem::take(&mut *delays.lock_anyway());
    delays.sort_unstable();
    Ok(delays)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Two nodes that trust each other.
struct Ends {
    nodes: [(NodeName, PrivateKey); 2],
}

impl Ends {
    fn new() -> Result<Self, Failure> {
        let end = |name: &str| -> Result<_, Failure> {
            Ok((NodeName::new(name)?, keys::generate(NewKey::Ed25519, name)?))
        };
        Ok(Self {
            nodes: [end("near")?, end("far")?],
        })
    }

    fn endpoint(&self, place: usize) -> Endpoint {
        let trust = self.nodes.iter();
        let trust = trust.map(|(node, key)| (node.clone(), vec![key.public_key().clone()]));
        let trust: TrustedKeys = trust.collect();
        let (node, key) = &self.nodes[place];
        let identity = Identity {
            node: node.clone(),
            key: Arc::new(key.clone()),
        };
        Endpoint::new(
            identity,
            Arc::new(trust),
            &Algorithms::default(),
            MAX_PACKET,
        )
        .with_ssh_only(true)
    }
}

/// Notes when each message came.
struct Collector {
    delays: Arc<Mutex<Vec<u64>>>,
    count: usize,
    done: Option<oneshot::Sender<()>>,
}

impl Receiver for Collector {
    fn data(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let now = clock();
        let stamp = kozo_bench_payload::read(bytes).ok_or_else(|| Refused::new("no stamp"))?;
        let mut delays = self.delays.lock_anyway();
        delays.push(now - stamp.sent);
        if delays.len() == self.count
            && let Some(done) = self.done.take()
        {
            let _ = done.send(());
        }
        Ok(())
    }
}

/// Expects nothing.
struct Nothing;

impl Receiver for Nothing {
    fn data(&mut self, _bytes: &[u8]) -> Result<(), Refused> {
        Ok(())
    }
}
