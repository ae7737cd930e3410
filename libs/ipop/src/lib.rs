//! IPOP, as its *tincan* (which has the network device and the links) and its *controller* (which decides who is
//! linked with whom) speak it with each other: JSON in UDP datagrams on one machine.
//!
//! ```text
//! controller ── Request ──────▶ tincan        Api: how either stands in a datagram
//!            ◀── Notification ──
//! controller ── icc::Datagram ─▶ controller of another node, through the overlay
//! ```
//! All of it is pure. What is read is read as the original does: a key that is missing is an empty text, zero or
//! false, one that is not known is ignored, and a value of another type counts as missing where it cannot be
//! understood. What peers send is bounded: [`candidate::MAX_CANDIDATES`], [`icc::MAX_HOPS`], and by
//! [`MAX_DATAGRAM`].

pub mod address;
pub mod candidate;
mod fields;
pub mod fingerprint;
pub mod framing;
pub mod icc;
pub mod notification;
pub mod request;
#[cfg(test)]
mod tests;
mod uid;

pub use fields::NotAnObject;
pub use fingerprint::{Digest, Fingerprint};
pub use framing::{Api, Datagram, Packet};
pub use notification::Notification;
pub use request::Request;
pub use uid::{Uid, UidError};

/// The port of UDP at which a tincan listens, on 127.0.0.1 and on `::1`.
pub const TINCAN_PORT: u16 = 5800;

/// The port of UDP at which a controller of 14.07 answers.
pub const CONTROLLER_PORT: u16 = 5801;

/// The port of UDP at which a controller of 14.07 listens on the overlay.
pub const ICC_PORT: u16 = 30000;

/// The longest datagram, in bytes: what UDP over IPv4 holds.
pub const MAX_DATAGRAM: usize = 65507;

/// How many bytes the MTU of the overlay's device has.
pub const MTU: usize = 1280;
