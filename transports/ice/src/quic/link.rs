//! One connection, from the handshake over the proofs to its end.

use std::time::Instant;

use bytes::Bytes;
use kozo_abi::Error;
use quinn_proto::{
    Connection, ConnectionError, Dir, Event, ReadError, StreamEvent, StreamId, VarInt, WriteError,
};

use super::{Handle, Happening, Remote};
use crate::meeting::DialId;
use crate::proof::{self, EXPORTER_LABEL, End, MATERIAL, Notary};

/// How much is read for a proof at a time: it is small.
const PROOF_CHUNK: usize = 1024;

pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) remote: Remote,
    pub(super) end: End,
    pub(super) dial: Option<DialId>,
    pub(super) stage: Stage,
    /// Until when it has to be open.
    pub(super) deadline: Option<Instant>,
    /// Why this end closes it.
    pub(super) fault: Option<String>,
}

pub(super) enum Stage {
    Handshake,
    Proving {
        material: [u8; MATERIAL],
        stream: Option<StreamId>,
        unsent: Vec<u8>,
        received: Vec<u8>,
        /// Whether the other end has proven who it is.
        proven: bool,
    },
    Open {
        stream: StreamId,
        /// What came behind the proof.
        received: Bytes,
        /// Whether this end's last byte has arrived.
        finished: bool,
        /// Whether the other end's last byte has been read.
        ended: bool,
    },
    /// It is closed, and only answers late datagrams.
    Closed,
}

pub(super) enum Progress {
    None,
    Moves,
    Open,
    Ended,
}

impl Link {
    /// Takes in what has happened to the connection.
    pub(super) fn event(
        &mut self,
        event: Event,
        notary: &impl Notary,
        node: &str,
    ) -> Result<Progress, Error> {
        match event {
            Event::Connected => {
                let mut material = [0; MATERIAL];
                self.connection
                    .crypto_session()
                    .export_keying_material(&mut material, EXPORTER_LABEL, b"")
                    .map_err(|_| "there is no keying material")?;
                let mut stage = Stage::Proving {
                    material,
                    stream: None,
                    unsent: Vec::new(),
                    received: Vec::new(),
                    proven: false,
                };
                if let (End::Dialler, Stage::Proving { stream, unsent, .. }) =
                    (self.end, &mut stage)
                {
                    *stream = self.connection.streams().open(Dir::Bi);
                    *unsent = proof::make(notary, &material, self.end)?;
                }
                self.stage = stage;
                self.prove(notary, node)
            }
            Event::ConnectionLost { reason } => {
                self.fault.get_or_insert_with(|| lost(&reason));
                Ok(Progress::Ended)
            }
            Event::Stream(event) => {
                match (&mut self.stage, event) {
                    (
                        Stage::Open {
                            finished, stream, ..
                        },
                        StreamEvent::Finished { id } | StreamEvent::Stopped { id, .. },
                    ) if id == *stream => {
                        *finished = true;
                    }
                    (Stage::Proving { .. }, _) => return self.prove(notary, node),
                    _ => {}
                }
                Ok(Progress::Moves)
            }
            Event::HandshakeDataReady | Event::DatagramReceived | Event::DatagramsUnblocked => {
                Ok(Progress::None)
            }
        }
    }

    /// Goes on with the proofs, as far as is possible.
    fn prove(&mut self, notary: &impl Notary, node: &str) -> Result<Progress, Error> {
        let Stage::Proving {
            material,
            stream,
            unsent,
            received,
            proven,
        } = &mut self.stage
        else {
            return Ok(Progress::None);
        };
        if stream.is_none() {
            *stream = self.connection.streams().accept(Dir::Bi);
        }
        let Some(id) = *stream else {
            return Ok(Progress::None);
        };
        while !*proven {
            match read(&mut self.connection, id, PROOF_CHUNK) {
                Ok(Some(bytes)) => received.extend_from_slice(&bytes),
                Ok(None) | Err(ReadError::Reset(_)) => return Err("it has hung up".into()),
                Err(ReadError::Blocked) => break,
            }
            if proof::check(notary, material, self.end, node, received)?.is_some() {
                *proven = true;
                if self.end == End::Listener {
                    *unsent = proof::make(notary, material, self.end)?;
                }
            }
        }
        if !unsent.is_empty() {
            match self.connection.send_stream(id).write(unsent) {
                Ok(count) => drop(unsent.drain(..count)),
                Err(WriteError::Blocked) => {}
                Err(_) => return Err("it has hung up".into()),
            }
        }
        if !*proven || !unsent.is_empty() {
            return Ok(Progress::None);
        }
        self.stage = Stage::Open {
            stream: id,
            received: Bytes::from(std::mem::take(received)),
            finished: false,
            ended: false,
        };
        Ok(Progress::Open)
    }

    /// Closes it, unless it is already.
    pub(super) fn close(&mut self, why: String, now: Instant) {
        if self.fault.is_none() {
            // The reason is for this end only.
            self.connection
                .close(now, VarInt::from_u32(0), Bytes::new());
            self.fault = Some(why);
        }
    }

    /// That it has ended, once.
    pub(super) fn ended(&mut self, handle: Handle) -> Option<Happening> {
        if let Stage::Closed = self.stage {
            return None;
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Closed);
        self.deadline = None;
        Some(Happening::Ended {
            handle,
            remote: self.remote,
            dial: self.dial,
            why: self
                .fault
                .clone()
                .unwrap_or_else(|| "it has ended".to_owned()),
            was_open: matches!(stage, Stage::Open { .. }),
        })
    }
}

/// Some bytes of a stream; none at its end.
pub(super) fn read(
    connection: &mut Connection,
    stream: StreamId,
    limit: usize,
) -> Result<Option<Bytes>, ReadError> {
    let mut stream = connection.recv_stream(stream);
    // It was read to its end, or this end has stopped it.
    let Ok(mut chunks) = stream.read(true) else {
        return Ok(None);
    };
    let read = chunks.next(limit);
    // Whoever reads sends afterwards.
    let _ = chunks.finalize();
    read.map(|chunk| chunk.map(|chunk| chunk.bytes))
}

fn lost(reason: &ConnectionError) -> String {
    match reason {
        ConnectionError::TimedOut => "it does not answer any more".to_owned(),
        ConnectionError::ApplicationClosed(_) | ConnectionError::ConnectionClosed(_) => {
            "the other end has closed it".to_owned()
        }
        ConnectionError::Reset => "the other end knows nothing of it".to_owned(),
        other => other.to_string(),
    }
}
