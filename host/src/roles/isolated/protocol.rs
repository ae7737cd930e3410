//! What the host and the process of an isolated role say to each other.
//!
//! Both ends are the same program, so nothing here has a version. A frame is its length in four
//! bytes, the highest first, and so many bytes of MessagePack: a [`ToRole`] or a [`FromRole`].
//! Before the first frame, [`ToRole::Start`], goes a byte with the descriptor of the module's code.
//!
//! ```text
//!   host                                     process
//!    │ ── the module's code, Start ───────────▶ │  loads, makes the role
//!    │ ◀── Request 7: load ──────────────────── │  (the role asks while it is made)
//!    │ ── Answer 7: what it stored ───────────▶ │
//!    │ ◀── Done ─────────────────────────────── │
//!    │ ── Call: run ──────────────────────────▶ │
//!    │ ◀── Send, Log, Status ────────────────── │  (nothing to answer)
//!    │ ◀── Done ─────────────────────────────── │
//!    │ ── Call: drop ─────────────────────────▶ │
//!    │ ◀── Done ─────────────────────────────── │  and ends
//! ```

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use kozo_wire::MAX_DATA_LEN;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::modules::ServiceError;
use crate::storage::MAX_STORED;

pub(super) mod handover;

/// The command of the program that runs a role's process.
pub(crate) const COMMAND: &str = "isolated-role";

/// The longest text of a log line or an error, in bytes; what is over is cut off.
pub(super) const MAX_TEXT: usize = 64 * 1024;

/// The longest frame, in bytes: a message's data or a stored value, and ample room for the rest.
pub(super) const MAX_FRAME: usize = {
    let most = if MAX_DATA_LEN > MAX_STORED {
        MAX_DATA_LEN
    } else {
        MAX_STORED
    };
    most + 2 * MAX_TEXT
};

/// The longest answer to a question about the node, in bytes.
pub(super) const MAX_ANSWERED: usize = MAX_DATA_LEN;

/// How many messages of the role are in one frame, at most.
pub(super) const MAX_SENT: usize = 1024;

/// How many bytes of data these have, but for one message that has more.
pub(super) const MAX_SENT_DATA: usize = 256 * 1024;

/// How many threads of a role, besides its main one, may wait for the host at once.
pub(super) const MAX_WAITING: usize = 64;

/// What the host says to the role's process.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum ToRole {
    /// The first frame: the role to make. It is answered by [`FromRole::Done`].
    Start(Start),
    /// A function of the role is to be called; answered by [`FromRole::Done`]. One at a time.
    Call(Call),
    /// What came of a request.
    Answer { id: u64, answer: HostAnswer },
    /// The role is being stopped from now on.
    Stopping,
}

/// Everything that a role is made of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) node: String,
    pub(super) name: String,
    pub(super) module: String,
    /// Where the module's file is, for messages.
    pub(super) path: PathBuf,
    pub(super) imports: Vec<PathBuf>,
    pub(super) options: ByteBuf,
    /// How much memory of its own the process may have, in bytes; none: as much as the system gives.
    pub(super) memory_limit: Option<u64>,
    /// Whether the module is only loaded, to tell whether it can be, and no role is made.
    pub(super) is_trial: bool,
}

/// A function of the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Call {
    Run,
    Inbox { length: u64, size: u64 },
    Reopen,
    Stop,
    Drop,
}

/// What came of a request.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum HostAnswer {
    Message(Delivered),
    Messages(Vec<Delivered>),
    Timeout,
    Interrupted,
    Sent(Result<bool, String>),
    SentMany(Result<usize, String>),
    Slept(bool),
    Loaded(Result<Option<ByteBuf>, String>),
    Stored(Result<(), String>),
    Answered(Result<ByteBuf, String>),
}

/// A message for the role.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Delivered {
    pub(super) kind: u8,
    pub(super) sender_node: String,
    pub(super) sender_role: String,
    pub(super) type_name: String,
    pub(super) channel: Option<String>,
    pub(super) timestamp: f64,
    pub(super) age_nanos: u64,
    pub(super) data: ByteBuf,
}

/// What the role's process says to the host.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum FromRole {
    /// A call has returned.
    Done(Result<CallReturn, String>),
    /// Something that is answered under the same `id`. The requests of the `main` thread, which calls the
    /// role's functions, come one at a time and only during a call.
    Request {
        id: u64,
        main: bool,
        request: HostRequest,
    },
    /// A message to send at once.
    Send(Sent),
    /// A line for the log.
    Log { level: u8, text: String },
    /// What the role is about at present.
    Status { text: String },
}

/// How the role is after a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CallReturn {
    /// When to call `run` again: asked anew after each call.
    pub(super) pace: Result<PaceOutcome, String>,
    /// Length and size, as an answer to [`Call::Inbox`].
    pub(super) inbox: Option<(u64, u64)>,
}

/// [`kozo_abi::Pace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PaceOutcome {
    AtOnce,
    Every(Duration),
    EveryOrMessage(Duration),
}

/// Something that takes its time, or has a result.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum HostRequest {
    Receive {
        wait: Option<Duration>,
    },
    /// Answered with so many messages at most.
    ReceiveMany {
        wait: Option<Duration>,
        most: usize,
    },
    Send {
        message: Sent,
        wait: Duration,
    },
    /// [`MAX_SENT`] messages at most.
    SendMany {
        messages: Vec<Sent>,
        wait: Duration,
    },
    Sleep {
        time: Duration,
    },
    Load,
    Store {
        value: ByteBuf,
    },
    Ask {
        question: ByteBuf,
        wait: Duration,
    },
}

/// A message of the role.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) kind: u8,
    pub(super) type_name: String,
    pub(super) channel: Option<String>,
    pub(super) data: ByteBuf,
}

/// Why the two do not understand each other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum IpcError {
    /// The connection fails.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A frame is too long.
    #[error("a frame has {0} bytes, and {MAX_FRAME} are the limit")]
    TooLong(usize),
    /// A frame holds something else.
    #[error("a frame cannot be read: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    /// A frame cannot be put into bytes.
    #[error("a frame cannot be encoded: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    /// The host has not said what role it wants.
    #[error("it has said nothing")]
    NoStart,
    /// The role sends a message that can never be sent, which its process should have refused.
    #[error(transparent)]
    Message(ServiceError),
    /// Too many of the role's threads ask for something.
    #[error("more than {MAX_WAITING} of its threads wait for the host at once")]
    TooManyRequests,
}

/// A frame's bytes.
pub(super) fn encode(frame: &impl Serialize) -> Result<Vec<u8>, IpcError> {
    let mut bytes = vec![0; 4];
    rmp_serde::encode::write(&mut bytes, frame)?;
    let length = bytes.len() - 4;
    let prefix = u32::try_from(length)
        .ok()
        .filter(|_| length <= MAX_FRAME)
        .ok_or(IpcError::TooLong(length))?;
    bytes[..4].copy_from_slice(&prefix.to_be_bytes());
    Ok(bytes)
}

/// Reads a frame; none when the other end has closed the connection between two of them.
pub(super) fn read<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, IpcError> {
    let mut prefix = Vec::with_capacity(4);
    stream.by_ref().take(4).read_to_end(&mut prefix)?;
    let Ok(prefix) = <[u8; 4]>::try_from(prefix.as_slice()) else {
        return match prefix.len() {
            0 => Ok(None),
            _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        };
    };
    let length = u32::from_be_bytes(prefix) as usize;
    if length > MAX_FRAME {
        return Err(IpcError::TooLong(length));
    }
    // Grows with what really comes, whatever the length says.
    let mut body = Vec::new();
    stream.by_ref().take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(rmp_serde::from_slice(&body)?))
}

/// A text that fits into a frame: what is over [`MAX_TEXT`] is cut off.
pub(super) fn bounded(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Reads the bytes of a connection as either end would, for the fuzz targets.
///
/// # Panics
/// A frame that was read is not written as one that is read as the same.
pub fn try_isolated_frames(bytes: &[u8]) {
    try_frames::<ToRole>(bytes);
    try_frames::<FromRole>(bytes);
}

fn try_frames<T: Serialize + DeserializeOwned>(mut bytes: &[u8]) {
    while let Ok(Some(frame)) = read::<T>(&mut bytes) {
        let written = encode(&frame).expect("what was read can be written");
        let again = read::<T>(&mut written.as_slice()).expect("what was written can be read");
        // By its bytes: a time may be no number, which is not equal to itself.
        let again = encode(&again.expect("a frame")).expect("what was read can be written");
        assert_eq!(again, written);
    }
}

#[cfg(test)]
mod tests;
