//! Why there is no link after a try to dial.

use std::io;
use std::time::Duration;

use kozo_auth::ssh::AuthError;
use kozo_ground::text::{error_text, printable};
use kozo_link::places::Barred;
use tokio::task::JoinError;

use crate::modules::CallError;

/// Why a call into a transport came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFault {
    /// The transport has answered so.
    #[error(transparent)]
    Answered(#[from] CallError),
    /// The transport is not asked.
    #[error(transparent)]
    Barred(#[from] Barred),
    /// There is no thread to ask the transport on.
    #[error("the system has no thread left")]
    NoThread(#[source] io::Error),
    /// The call's time, and some more, is over.
    #[error("the transport does not come back")]
    Hangs,
    /// The daemon has let go of the transport.
    #[error("the call was dropped")]
    Dropped,
    /// The transport has answered a question that was not asked.
    #[error("another answer than was asked for")]
    OtherAnswer,
}

/// Why a try to dial made no link.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// The transport does not tell the peer's addresses.
    #[error(transparent)]
    Addresses(#[from] CallFault),
    /// The transport has told no address.
    #[error("the peer's transport has no address that this node could dial")]
    NoAddress,
    /// None of the addresses gave a connection.
    #[error("{}", in_a_row(.0))]
    NoConnection(Vec<UnreachedAddress>),
    /// The connection with this address is no link.
    #[error("{0}")]
    Unsecured(String, #[source] HandshakeError),
}

/// Why an address gave no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnreachedAddress {
    /// The transport cannot connect to it.
    #[error("{}", naming(.0, error_text(.1)))]
    Fault(String, #[source] CallFault),
    /// The task that should have tried is gone.
    #[error(transparent)]
    Task(#[from] JoinError),
}

/// Why a connection with a peer is no link.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// The system cannot read and write it.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// A transport that secures connections by itself has reached another node.
    #[error("the transport says that `{}` is there", printable(.0))]
    OtherNode(String),
    /// The ends did not agree by SSH.
    #[error(transparent)]
    Ssh(#[from] AuthError),
    /// The other end took too long.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The core has another one meanwhile, or wants none any more.
    #[error("the link is not wanted any more")]
    Unwanted,
}

fn in_a_row(errors: &[UnreachedAddress]) -> String {
    let texts: Vec<_> = errors.iter().map(|error| error_text(error)).collect();
    texts.join("; ")
}

/// An error with the address that it is about, unless it names that itself.
fn naming(address: &str, error: String) -> String {
    if error.contains(address) {
        error
    } else {
        format!("{address}: {error}")
    }
}
