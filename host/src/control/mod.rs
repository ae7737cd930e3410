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

pub mod client;
mod credentials;
pub mod paths;
pub mod protocol;
pub mod server;
mod socket;

pub use socket::{ControlSocket, SocketError};
