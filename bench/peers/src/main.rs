//! `kozo-bench-peers`: measures other messaging systems as `kozo-bench` measures Kōzō. Two
//! processes on the loopback interface, encrypted; one numbers and stamps its events, the other
//! one counts them.
//!
//! ```text
//! kozo-bench-peers PEER LATENCY_COUNT THROUGHPUT_COUNT
//! ```
//!
//! `PEER` is `mosquitto`, `nats` or `zenoh`. Standard output is one line of JSON. Exit code 77: there
//! is no such peer on this machine. What hangs is given up, and named.

mod mosquitto;
mod nats;
mod receiver;
mod server;
mod tls;
mod zenoh;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use kozo_bench_payload::{Figures, Payload, Stamp, clock};

use self::receiver::{Receiver, Sink};
use self::server::Server;
use self::tls::Tls;

/// Why something could not be measured.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a client may take to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// How long it may take to hand all events over to a client.
const SEND_LIMIT: Duration = Duration::from_secs(180);

/// The exit code where there is no such peer.
const MISSING: u8 = 77;

/// There is no such peer on this machine.
#[derive(Debug)]
struct Missing(String);

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long each event's data is, in bytes.
const SIZE: usize = 64;

/// The pause after each event where latency is measured.
const INTERVAL: Duration = Duration::from_millis(1);

/// What events are published under.
const TOPIC: &str = "bench/numbered";

/// A messaging system.
#[derive(Debug, Clone, Copy)]
enum Peer {
    Mosquitto,
    Nats,
    Zenoh,
}

/// Sends events over one peer.
enum Publisher {
    Mosquitto(mosquitto::Publisher),
    Nats(nats::Publisher),
    Zenoh(zenoh::Publisher),
}

impl Peer {
    fn named(name: &str) -> Result<Self, Failure> {
        match name {
            "mosquitto" => Ok(Self::Mosquitto),
            "nats" => Ok(Self::Nats),
            "zenoh" => Ok(Self::Zenoh),
            other => Err(format!("no peer is called `{other}`").into()),
        }
    }

    /// Starts what stands between the two processes, if anything does.
    fn serve(self, tls: &Tls, port: u16) -> Result<Option<Server>, Failure> {
        match self {
            Self::Mosquitto => mosquitto::serve(tls, port).map(Some),
            Self::Nats => nats::serve(tls, port).map(Some),
            Self::Zenoh => Ok(None),
        }
    }

    async fn publisher(self, tls: &Tls, port: u16) -> Result<Publisher, Failure> {
        Ok(match self {
            Self::Mosquitto => Publisher::Mosquitto(mosquitto::Publisher::new(tls, port).await?),
            Self::Nats => Publisher::Nats(nats::Publisher::new(tls, port).await?),
            Self::Zenoh => Publisher::Zenoh(zenoh::Publisher::new(tls, port).await?),
        })
    }

    /// Subscribes, and puts what comes into `sink` until the future is dropped.
    async fn receive(self, tls: &Tls, port: u16, sink: Sink) -> Result<(), Failure> {
        match self {
            Self::Mosquitto => mosquitto::receive(tls, port, sink).await,
            Self::Nats => nats::receive(tls, port, sink).await,
            Self::Zenoh => zenoh::receive(tls, port, sink).await,
        }
    }
}

impl Publisher {
    async fn publish(&self, data: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Mosquitto(publisher) => publisher.publish(data).await,
            Self::Nats(publisher) => publisher.publish(data).await,
            Self::Zenoh(publisher) => publisher.publish(data).await,
        }
    }

    /// Whatever was published leaves this process.
    async fn flush(&self) -> Result<(), Failure> {
        match self {
            Self::Nats(publisher) => publisher.flush().await,
            // Their tasks send without being told to.
            Self::Mosquitto(_) | Self::Zenoh(_) => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            match failure.is::<Missing>() {
                true => ExitCode::from(MISSING),
                false => ExitCode::FAILURE,
            }
        }
    }
}

async fn run() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "another provider of cryptography is installed")?;
    match arguments[..] {
        [receiver::COMMAND, name, folder, port, count] => {
            let (tls, peer) = (Tls::in_folder(folder), Peer::named(name)?);
            receiver::run(peer, &tls, port.parse()?, count.parse()?).await
        }
        [name, latency, throughput] => {
            let peer = Peer::named(name)?;
            let latency = measure(name, peer, latency.parse()?, Some(INTERVAL)).await;
            let latency = named("latency", latency)?;
            let throughput = measure(name, peer, throughput.parse()?, None).await;
            let throughput = named("throughput", throughput)?;
            let figures = serde_json::json!({"latency": latency, "throughput": throughput});
            println!("{figures}");
            Ok(())
        }
        _ => Err("usage: kozo-bench-peers PEER LATENCY_COUNT THROUGHPUT_COUNT".into()),
    }
}

/// Sends `count` events to another process, one after each `interval` or as fast as it goes.
async fn measure(
    name: &str,
    peer: Peer,
    count: u64,
    interval: Option<Duration>,
) -> Result<Figures, Failure> {
    let tls = Tls::new()?;
    let port = server::free_port()?;
    let _server = peer.serve(&tls, port)?;
    let receiver = Receiver::start(name, &tls, port, count)?;
    let connecting = peer.publisher(&tls, port);
    let publisher = within(CONNECT_LIMIT, "the publisher's connection", connecting).await?;
    let mut payload = Payload::new(SIZE);
    let mut stamped = |sequence| {
        let (run, sent) = (1, clock());
        let stamp = Stamp {
            run,
            sequence,
            sent,
        };
        payload.stamped(stamp).to_vec()
    };
    within(SEND_LIMIT, "sending", async {
        for sequence in 1..=count {
            publisher.publish(&stamped(sequence)).await?;
            if let Some(interval) = interval {
                publisher.flush().await?;
                tokio::time::sleep(interval).await;
            }
        }
        publisher.flush().await
    })
    .await?;
    // Blocks, which harms nobody: the clients have threads of their own.
    tokio::task::block_in_place(|| receiver.figures())
}

/// The same failure, with what was measured; that a peer is missing stays what it is.
fn named<T>(what: &str, result: Result<T, Failure>) -> Result<T, Failure> {
    result.map_err(|failure| match failure.is::<Missing>() {
        true => failure,
        false => format!("{what}: {failure}").into(),
    })
}

/// Gives up what takes longer than it may, and names it.
async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let given_up = |_| format!("{what} hung: no end after {} s", limit.as_secs());
    tokio::time::timeout(limit, work).await.map_err(given_up)?
}
