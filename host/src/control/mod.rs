//! What people see of a running daemon, and the little that they can ask of it.
//!
//! ```text
//!  kozo status ──▶ client ──▶ NODE.sock ──▶ server ──▶ Overview ──▶ roles, links, transports
//!  kozo why            one line of JSON each way       (kozo_status)
//! ```
//!
//! Each daemon has a local Unix socket ([`paths`] says where), which its user, its group and root
//! may use. A connection carries one request and one answer, each a line of JSON ([`protocol`]).
//! Nothing that a client does can hold up the daemon: requests are small, clients are few, and
//! each has a time limit.

pub mod client;
mod credentials;
mod overview;
pub mod paths;
pub mod protocol;
pub mod server;
mod socket;

pub(crate) use overview::{Overview, PeerView};
pub use socket::{ControlSocket, SocketError};
