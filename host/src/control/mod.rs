//! What people see of a running daemon, and the little that they can ask of it.
//!
//! ```text
//!  kozo status ──▶ client ──▶ NODE.sock ──▶ server ──▶ Introspection
//!  kozo why            one line of JSON each way       (kozo_status)
//! ```
//!
//! Each daemon has a local Unix socket ([`paths`] says where), which its user, its group and root
//! may use. A connection carries requests and answers in turn, each a line of JSON ([`protocol`]).
//! Nothing that a client does can hold up the daemon: requests are small, clients are few, and
//! each has a time limit.

mod client;
mod credentials;
mod paths;
mod protocol;
mod server;
mod socket;

pub use crate::introspection::Outcome;
pub(crate) use client::{Client, ClientError, Conversation};
pub(crate) use paths::{FolderError, Surroundings};
pub(crate) use protocol::MAX_REQUEST;
pub use server::MAX_CLIENTS;
pub(crate) use server::serve;
pub(crate) use socket::{ControlSocket, SocketError};
