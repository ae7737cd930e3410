//! One end of a link, to try ways between two machines by hand, or to measure them. What the two have to know of each other
//! goes through two files, which each end can read: a shared folder, or `scp` in a loop.
//!
//! ```text
//! link OWN-FILE PEER-FILE [a|b] [--stun HOST:PORT] [--turn HOST:PORT,USER,PASSWORD] [--plain] [--relay-only]
//!      [--flood SECONDS]
//! ```
//!
//! One is `a`, the other `b`. `a` says something every fifty milliseconds, and `b` answers; with `--flood`, `a` sends as
//! much as goes, for so long. Every line on standard output is something that has happened.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kozo_ice::{
    Candidate, CandidateKind, Credentials, Digest, Driver, Event, Fingerprint, Identity, NotSent,
    PeerId, PeerSettings, Security, Settings, TurnServer,
};

const OFTEN: Duration = Duration::from_millis(50);
/// A frame of 1,280 bytes with what IPOP puts around it.
const FRAME: usize = 1334;
/// So many are sent before the loop gets its turn, as from a device that is read until it is empty.
const BATCH: usize = 64;

#[derive(Default)]
struct Options {
    files: Vec<PathBuf>,
    is_b: bool,
    stun: Vec<String>,
    turn: Vec<TurnServer>,
    plain: bool,
    relay_only: bool,
    flood: Option<Duration>,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or("a value is missing");
        match argument.as_str() {
            "a" => {}
            "b" => options.is_b = true,
            "--stun" => options.stun.push(value()?),
            "--turn" => {
                let value = value()?;
                let mut parts = value.splitn(3, ',').map(str::to_owned);
                let mut part = || {
                    parts
                        .next()
                        .ok_or("a TURN server is HOST:PORT,USER,PASSWORD")
                };
                options.turn.push(TurnServer {
                    server: part()?,
                    user: part()?,
                    password: part()?,
                });
            }
            "--plain" => options.plain = true,
            "--relay-only" => options.relay_only = true,
            "--flood" => options.flood = Some(Duration::from_secs(value()?.parse()?)),
            _ => options.files.push(argument.into()),
        }
    }
    if options.files.len() != 2 {
        return Err("usage: link OWN-FILE PEER-FILE [a|b] [options]".into());
    }
    Ok(options)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let (own, peer) = (&options.files[0], &options.files[1]);
    let identity = Arc::new(Identity::generate("link")?);
    let credentials = Credentials::random();
    let mut driver = Driver::new(Settings::default())?;
    let start = Instant::now();
    // The fingerprint first; candidates follow when there is a link to gather them for.
    write(own, &identity, &credentials, &[])?;
    let (fingerprint, ..) = loop {
        match read(peer) {
            Some(description) => break description,
            None => std::thread::sleep(OFTEN),
        }
    };
    let security = if options.plain {
        Security::None
    } else {
        Security::Dtls {
            identity: identity.clone(),
            fingerprint,
            client: !options.is_b,
        }
    };
    let id = driver.add_peer(PeerSettings {
        credentials: credentials.clone(),
        controlling: options.is_b,
        security,
        stun: options.stun.clone(),
        turn: options.turn.clone(),
        relay_only: options.relay_only,
    })?;
    let mut end = End {
        driver,
        id,
        is_b: options.is_b,
        flood: options.flood,
        flooding: None,
        said: 0,
        received: Received::default(),
        told: Vec::new(),
    };
    loop {
        let known = read(peer);
        if let Some((_, theirs, candidates)) = known {
            end.driver.add_remote(id, &theirs, candidates);
        }
        if end.run(start)? {
            write(own, &identity, &credentials, &end.driver.candidates(id))?;
        }
    }
}

struct End {
    driver: Driver,
    id: PeerId,
    is_b: bool,
    flood: Option<Duration>,
    flooding: Option<Instant>,
    said: u64,
    received: Received,
    told: Vec<String>,
}

#[derive(Default)]
struct Received {
    since: Option<Instant>,
    bytes: u64,
    datagrams: u64,
}

impl End {
    /// Goes on for a while; says whether our candidates have changed.
    fn run(&mut self, start: Instant) -> Result<bool, Box<dyn Error>> {
        let until = Instant::now() + OFTEN;
        let mut changed = false;
        while Instant::now() < until {
            let waits = self.flooding.is_none();
            self.driver
                .wait(&[], Some(if waits { until } else { Instant::now() }))?;
            while let Some(event) = self.driver.next_event() {
                changed |= self.take(event, start)?;
            }
            self.flood()?;
        }
        let reasons: Vec<_> = self
            .driver
            .status(self.id)
            .map(|status| status.reasons.iter().map(ToString::to_string).collect())
            .unwrap_or_default();
        if reasons != self.told {
            reasons
                .iter()
                .for_each(|reason| println!("reason {reason}"));
            self.told = reasons;
        }
        if !self.is_b && self.flood.is_none() {
            match self
                .driver
                .send(self.id, format!("{} is said", self.said).as_bytes())
            {
                Ok(()) => self.said += 1,
                Err(NotSent::NotOnline) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(changed)
    }

    fn flood(&mut self) -> Result<(), Box<dyn Error>> {
        let (Some(begun), Some(limit)) = (self.flooding, self.flood) else {
            return Ok(());
        };
        if begun.elapsed() > limit {
            println!("flood is over after {} datagrams", self.said);
            self.flooding = None;
            self.flood = None;
            return Ok(());
        }
        let frame = [b'f'; FRAME];
        for _ in 0..BATCH {
            match self.driver.send(self.id, &frame) {
                Ok(()) => self.said += 1,
                Err(NotSent::QueueFull | NotSent::NotOnline) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event, start: Instant) -> Result<bool, Box<dyn Error>> {
        let after = start.elapsed().as_millis();
        match event {
            Event::Gathered { .. } => {
                println!("gathered after {after} ms");
                return Ok(true);
            }
            Event::CandidatesChanged { .. } => return Ok(true),
            Event::Online { path, .. } => {
                println!("online after {after} ms {path}");
                self.flooding = self.flood.map(|_| Instant::now());
            }
            Event::PathChanged { path, .. } => println!("path {path}"),
            Event::Offline { reason, .. } => println!("offline {reason}"),
            Event::Failed { reason, .. } => println!("failed {reason}"),
            Event::Datagram { contents, .. } if contents.first() == Some(&b'f') => {
                self.count(contents.len())
            }
            Event::Datagram { contents, .. } if self.is_b => {
                match self.driver.send(self.id, &contents) {
                    Ok(()) | Err(NotSent::NotOnline | NotSent::QueueFull) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Event::Datagram { contents, .. } => {
                println!("heard {}", String::from_utf8_lossy(&contents))
            }
        }
        Ok(false)
    }

    fn count(&mut self, length: usize) {
        let since = *self.received.since.get_or_insert_with(Instant::now);
        self.received.bytes += length as u64;
        self.received.datagrams += 1;
        if since.elapsed() >= Duration::from_secs(1) {
            let megabits = self.received.bytes as f64 * 8.0 / since.elapsed().as_secs_f64() / 1e6;
            println!(
                "received {} datagrams, {megabits:.0} Mbit/s",
                self.received.datagrams
            );
            self.received = Received::default();
        }
    }
}

/// A line for the certificate and the credentials, and one for each candidate.
fn write(
    file: &Path,
    identity: &Identity,
    credentials: &Credentials,
    candidates: &[Candidate],
) -> Result<(), Box<dyn Error>> {
    let fingerprint = identity.fingerprint(Digest::Sha256);
    let mut text = format!(
        "{fingerprint} {} {}\n",
        credentials.user, credentials.password
    );
    for candidate in candidates {
        text += &format!(
            "{} {} {} {}\n",
            candidate.kind, candidate.address, candidate.priority, candidate.foundation
        );
    }
    let unfinished = file.with_extension("unfinished");
    fs::write(&unfinished, text)?;
    fs::rename(unfinished, file)?;
    Ok(())
}

fn read(file: &Path) -> Option<(Fingerprint, Credentials, Vec<Candidate>)> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let fingerprint = first.next()?.parse().ok()?;
    let credentials = Credentials {
        user: first.next()?.to_owned(),
        password: first.next()?.to_owned(),
    };
    let candidate = |line: &str| {
        let mut words = line.split(' ');
        let kind = match words.next()? {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "relay" => CandidateKind::Relayed,
            _ => return None,
        };
        Some(Candidate {
            kind,
            address: words.next()?.parse::<SocketAddr>().ok()?,
            base: None,
            priority: words.next()?.parse().ok()?,
            foundation: words.next()?.to_owned(),
            interface: String::new(),
        })
    };
    Some((
        fingerprint,
        credentials,
        lines.filter_map(candidate).collect(),
    ))
}
