//! Connections with other nodes over ways that lose and reorder datagrams: QUIC, one stream each. No I/O: datagrams and
//! times in, datagrams and events out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kozo_abi::Error;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig,
    FinishError, IdleTimeout, Incoming, ReadError, ServerConfig, TransportConfig, VarInt,
};
use ring::hmac;

use crate::keys;
use crate::meeting::DialId;
use crate::proof::{End, Notary};

mod link;

use link::{Link, Progress, Stage, read};

/// How long the two ends may take to get to know each other.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection outlives a way that is lost, and how often there is a sign of life on it.
const SILENCE: Duration = Duration::from_secs(60);
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How much may be under way on a connection, in bytes: enough for 300 Mbit/s over 50 ms.
const WINDOW: u32 = 2 << 20;

/// The size of datagrams that every way takes.
const DATAGRAM: u16 = 1200;

/// How many connections there may be with one node, those that end included.
const MAX_CONNECTIONS: usize = 8;

/// How many datagrams are made in one go.
const BATCH: usize = 16;

/// The other nodes, by number.
pub(crate) type Remote = usize;

/// A connection.
pub(crate) type Handle = ConnectionHandle;

/// What has happened.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A connection is being made, by either node.
    Began { remote: Remote },
    /// The other end has proven who it is.
    Open {
        handle: Handle,
        remote: Remote,
        dial: Option<DialId>,
    },
    /// It is no more.
    Ended {
        handle: Handle,
        remote: Remote,
        dial: Option<DialId>,
        why: String,
        was_open: bool,
    },
    /// There may be something to read or room to write.
    Moves { handle: Handle },
}

/// A datagram for another node.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) remote: Remote,
    pub(crate) contents: Vec<u8>,
}

pub(crate) struct Quic<N> {
    notary: N,
    endpoint: Endpoint,
    client: ClientConfig,
    links: HashMap<Handle, Link>,
    /// The names of the other nodes.
    nodes: Vec<String>,
    happenings: Vec<Happening>,
    datagrams: Vec<Datagram>,
    scratch: Vec<u8>,
}

/// What a read from a connection gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Some(Bytes),
    /// Nothing for now.
    Nothing,
    /// The other end has written its last.
    End,
}

impl<N: Notary> Quic<N> {
    pub(crate) fn new(notary: N, nodes: Vec<String>) -> Result<Self, Error> {
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(1))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .max_idle_timeout(Some(IdleTimeout::try_from(SILENCE)?))
            .keep_alive_interval(Some(KEEP_ALIVE))
            .stream_receive_window(VarInt::from_u32(WINDOW))
            .receive_window(VarInt::from_u32(WINDOW))
            .send_window(u64::from(WINDOW))
            .initial_mtu(DATAGRAM)
            .mtu_discovery_config(None)
            .datagram_receive_buffer_size(None);
        let transport = Arc::new(transport);
        let mut client = ClientConfig::new(Arc::new(keys::client()?));
        client.transport_config(Arc::clone(&transport));
        let mut server = ServerConfig::with_crypto(Arc::new(keys::server()?));
        // Ways change under the connection, which sees nothing of it.
        server.transport_config(transport).migration(false);

        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random)
            .map_err(|_| "the system gives no random numbers")?;
        let mut config = EndpointConfig::new(Arc::new(key));
        // The first byte tells STUN from QUIC.
        config.grease_quic_bit(false);
        let endpoint = Endpoint::new(Arc::new(config), Some(Arc::new(server)), false, None);
        Ok(Self {
            notary,
            endpoint,
            client,
            links: HashMap::new(),
            nodes,
            happenings: Vec::new(),
            datagrams: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Begins a connection with a node.
    pub(crate) fn connect(
        &mut self,
        remote: Remote,
        dial: DialId,
        now: Instant,
    ) -> Result<(), Error> {
        if self.count(remote) >= MAX_CONNECTIONS {
            return Err("there are too many connections with it already".into());
        }
        // Nobody looks at the name.
        let (handle, connection) =
            self.endpoint
                .connect(now, self.client.clone(), address(remote), "node.invalid")?;
        self.keep(handle, connection, remote, Some(dial), now);
        Ok(())
    }

    fn count(&self, remote: Remote) -> usize {
        self.links
            .values()
            .filter(|link| link.remote == remote)
            .count()
    }

    fn keep(
        &mut self,
        handle: Handle,
        connection: Connection,
        remote: Remote,
        dial: Option<DialId>,
        now: Instant,
    ) {
        let end = match dial {
            Some(_) => End::Dialler,
            None => End::Listener,
        };
        let link = Link {
            connection,
            remote,
            end,
            dial,
            stage: Stage::Handshake,
            deadline: Some(now + PATIENCE),
            fault: None,
        };
        self.links.insert(handle, link);
        self.happenings.push(Happening::Began { remote });
        self.drive(handle, now);
    }

    /// Takes in a datagram of a node.
    pub(crate) fn received(&mut self, remote: Remote, contents: Vec<u8>, now: Instant) {
        let mut answer = Vec::new();
        let contents = BytesMut::from(Bytes::from(contents));
        let event = self
            .endpoint
            .handle(now, address(remote), None, None, contents, &mut answer);
        match event {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(link) = self.links.get_mut(&handle) {
                    link.connection.handle_event(event);
                    self.drive(handle, now);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.incoming(remote, incoming, now),
            Some(DatagramEvent::Response(transmit)) => {
                self.queue(remote, &answer[..transmit.size], None);
            }
            None => {}
        }
    }

    fn incoming(&mut self, remote: Remote, incoming: Incoming, now: Instant) {
        let mut answer = Vec::new();
        if self.count(remote) >= MAX_CONNECTIONS {
            let transmit = self.endpoint.refuse(incoming, &mut answer);
            self.queue(remote, &answer[..transmit.size], None);
            return;
        }
        match self.endpoint.accept(incoming, now, &mut answer, None) {
            Ok((handle, connection)) => self.keep(handle, connection, remote, None, now),
            Err(error) => {
                if let Some(transmit) = error.response {
                    self.queue(remote, &answer[..transmit.size], None);
                }
            }
        }
    }

    /// Some bytes that came.
    pub(crate) fn read(&mut self, handle: Handle, now: Instant) -> Read {
        let Some(Link {
            connection,
            stage:
                Stage::Open {
                    stream,
                    received,
                    ended,
                    ..
                },
            ..
        }) = self.links.get_mut(&handle)
        else {
            return Read::End;
        };
        if !received.is_empty() {
            return Read::Some(std::mem::take(received));
        }
        if *ended {
            return Read::End;
        }
        let read = read(connection, *stream, usize::MAX);
        match read {
            Ok(Some(bytes)) => Read::Some(bytes),
            Ok(None) => {
                *ended = true;
                Read::End
            }
            Err(ReadError::Blocked) => Read::Nothing,
            Err(ReadError::Reset(_)) => {
                *ended = true;
                self.close(handle, "the other end gave it up", now);
                Read::End
            }
        }
    }

    /// Writes as much as there is room for. The caller flushes afterwards.
    pub(crate) fn write(&mut self, handle: Handle, bytes: &[u8]) -> usize {
        let Some(Link {
            connection,
            stage: Stage::Open { stream, .. },
            ..
        }) = self.links.get_mut(&handle)
        else {
            return 0;
        };
        connection.send_stream(*stream).write(bytes).unwrap_or(0)
    }

    /// Nothing more will be written.
    pub(crate) fn finish(&mut self, handle: Handle) {
        if let Some(Link {
            connection,
            stage: Stage::Open {
                stream, finished, ..
            },
            ..
        }) = self.links.get_mut(&handle)
        {
            match connection.send_stream(*stream).finish() {
                Ok(()) => {}
                // What it has stopped, it has no use for.
                Err(FinishError::Stopped(_) | FinishError::ClosedStream) => *finished = true,
            }
        }
    }

    /// Whether all that was written until [`finish`](Self::finish) has arrived.
    pub(crate) fn is_finished(&self, handle: Handle) -> bool {
        match self.links.get(&handle).map(|link| &link.stage) {
            Some(Stage::Open { finished, .. }) => *finished,
            _ => true,
        }
    }

    /// Sends what waits on a connection.
    pub(crate) fn flush(&mut self, handle: Handle, now: Instant) {
        self.drive(handle, now);
    }

    /// Closes a connection; the other end is told.
    pub(crate) fn close(&mut self, handle: Handle, why: &str, now: Instant) {
        if let Some(link) = self.links.get_mut(&handle) {
            link.close(why.to_owned(), now);
            self.drive(handle, now);
        }
    }

    /// The way to a node has changed: what was lost on the old one is sent again at once.
    pub(crate) fn way_changed(&mut self, remote: Remote, now: Instant) {
        let links = self
            .links
            .iter_mut()
            .filter(|(_, link)| link.remote == remote);
        let mut touched = Vec::new();
        for (handle, link) in links {
            link.connection.ping();
            touched.push(*handle);
        }
        for handle in touched {
            self.drive(handle, now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called.
    pub(crate) fn timeout(&mut self) -> Option<Instant> {
        let links = self.links.values_mut();
        links
            .flat_map(|link| [link.connection.poll_timeout(), link.deadline])
            .flatten()
            .min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let mut due = Vec::new();
        for (handle, link) in &mut self.links {
            let late = link.deadline.is_some_and(|deadline| deadline <= now);
            if late || link.connection.poll_timeout().is_some_and(|at| at <= now) {
                due.push((*handle, late));
            }
        }
        for (handle, late) in due {
            if let Some(link) = self.links.get_mut(&handle) {
                link.connection.handle_timeout(now);
                if late {
                    let what = match link.stage {
                        Stage::Handshake => "answer",
                        _ => "prove who it is",
                    };
                    link.close(
                        format!("it does not {what} within {} s", PATIENCE.as_secs()),
                        now,
                    );
                }
                self.drive(handle, now);
            }
        }
    }

    /// What has happened since the last time.
    pub(crate) fn happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    /// What is to be sent.
    pub(crate) fn datagrams(&mut self) -> std::vec::Drain<'_, Datagram> {
        self.datagrams.drain(..)
    }

    fn queue(&mut self, remote: Remote, bytes: &[u8], segment: Option<usize>) {
        let segment = segment.unwrap_or(bytes.len()).max(1);
        let datagrams = bytes.chunks(segment).map(|datagram| Datagram {
            remote,
            contents: datagram.to_vec(),
        });
        self.datagrams.extend(datagrams);
    }

    /// Does all that a connection wants done.
    fn drive(&mut self, handle: Handle, now: Instant) {
        let mut moves = false;
        loop {
            let Some(link) = self.links.get_mut(&handle) else {
                return;
            };
            while let Some(event) = link.connection.poll_endpoint_events() {
                let drained = event.is_drained();
                if let Some(event) = self.endpoint.handle_event(handle, event) {
                    link.connection.handle_event(event);
                }
                if drained {
                    let ended = link.ended(handle);
                    self.happenings.extend(ended);
                    self.links.remove(&handle);
                    return;
                }
            }
            let Some(event) = link.connection.poll() else {
                break;
            };
            let node = &self.nodes[link.remote];
            match link.event(event, &self.notary, node) {
                Ok(Progress::None) => {}
                Ok(Progress::Moves) => moves = true,
                Ok(Progress::Open) => {
                    link.deadline = None;
                    self.happenings.push(Happening::Open {
                        handle,
                        remote: link.remote,
                        dial: link.dial,
                    });
                    moves = true;
                }
                Ok(Progress::Ended) => {
                    let ended = link.ended(handle);
                    self.happenings.extend(ended);
                }
                Err(error) => link.close(error.to_string(), now),
            }
        }
        let Some(link) = self.links.get_mut(&handle) else {
            return;
        };
        if link.fault.is_some() {
            let ended = link.ended(handle);
            self.happenings.extend(ended);
        } else if moves && matches!(link.stage, Stage::Open { .. }) {
            self.happenings.push(Happening::Moves { handle });
        }
        let remote = link.remote;
        let mut scratch = std::mem::take(&mut self.scratch);
        while let Some(transmit) = {
            scratch.clear();
            let link = self.links.get_mut(&handle);
            link.and_then(|link| link.connection.poll_transmit(now, BATCH, &mut scratch))
        } {
            self.queue(remote, &scratch[..transmit.size], transmit.segment_size);
        }
        self.scratch = scratch;
    }
}

/// The address that stands for a node: ways change, and QUIC is to see nothing of that.
fn address(remote: Remote) -> SocketAddr {
    let number = u128::try_from(remote).unwrap_or(u128::MAX);
    let prefix = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0).to_bits();
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from_bits(prefix | number)), 1)
}

#[cfg(test)]
mod tests;
