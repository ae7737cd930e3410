//! The same servers without Kōzō: one client publishes, another one listens.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use kozo_bench_payload::{Figures, Payload, Stamp, Tally, clock, read};

use super::client::{self, Said};
use crate::Failure;
use crate::daemon::DEADLINE;

/// Where it goes. It has as many tokens as a lane of Kōzō's.
const SUBJECT: &str = "plain.fleet.m.e.type.role.channel.node";

/// How often something is published until it arrives, so that all servers know of the subscription.
const PROBE: Duration = Duration::from_millis(10);

/// The number of what is published for that.
const PROBING: u64 = 0;

/// Publishes so many messages, one each interval, to one server, and takes their delays at another one.
pub(crate) fn latency(
    from: SocketAddr,
    to: SocketAddr,
    count: u64,
    size: usize,
    interval: Duration,
) -> Result<Figures, Failure> {
    let mut listener = Client::new(to)?;
    client::subscribe(&mut listener.out, SUBJECT, 1);
    listener.out.extend_from_slice(b"PING\r\n");
    listener.flush()?;
    let (probed, is_probed) = std::sync::mpsc::channel();
    let listening = std::thread::spawn(move || -> io::Result<Figures> {
        let mut tally = Tally::default();
        while tally.received() < count {
            listener.receive(|data| match read(data) {
                Some(stamp) if stamp.sequence == PROBING => drop(probed.send(())),
                Some(stamp) => tally.count(stamp, clock()),
                None => {}
            })?;
        }
        Ok(tally.figures())
    });
    let mut publisher = Client::new(from)?;
    let mut payload = Payload::new(size);
    let deadline = Instant::now() + DEADLINE;
    publisher.publish(&mut payload, PROBING)?;
    while is_probed.recv_timeout(PROBE).is_err() {
        if Instant::now() > deadline {
            return Err("what is published at one server does not come at another one".into());
        }
        publisher.publish(&mut payload, PROBING)?;
    }
    for sequence in 1..=count {
        publisher.publish(&mut payload, sequence)?;
        std::thread::sleep(interval);
    }
    let figures = listening.join().map_err(|_| "the listener has ended")??;
    Ok(figures)
}

struct Client {
    stream: TcpStream,
    into: Vec<u8>,
    out: Vec<u8>,
    scratch: Box<[u8]>,
}

impl Client {
    fn new(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut out = Vec::new();
        client::connect(&mut out, "plain");
        Ok(Self {
            stream,
            into: Vec::new(),
            out,
            scratch: vec![0; 1 << 16].into(),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn publish(&mut self, payload: &mut Payload, sequence: u64) -> io::Result<()> {
        let stamp = Stamp {
            run: 1,
            sequence,
            sent: clock(),
        };
        client::publish(&mut self.out, SUBJECT, None, payload.stamped(stamp));
        self.flush()
    }

    fn receive(&mut self, mut message: impl FnMut(&[u8])) -> io::Result<()> {
        let length = match self.stream.read(&mut self.scratch)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => length,
        };
        self.into.extend_from_slice(&self.scratch[..length]);
        let mut at = 0;
        while let Some((said, length)) = client::read(&self.into[at..]).map_err(io::Error::other)? {
            at += length;
            match said {
                Said::Message { data, .. } => message(data),
                Said::Ping => self.out.extend_from_slice(b"PONG\r\n"),
                Said::Error(text) => return Err(io::Error::other(text.to_owned())),
                Said::Info | Said::Nobody(_) | Said::Pong | Said::Fine => {}
            }
        }
        self.into.drain(..at);
        if self.out.is_empty() {
            return Ok(());
        }
        self.flush()
    }
}
