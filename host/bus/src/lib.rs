//! Messages over a bus: an engine that somebody runs (a NATS cluster, an MQTT broker) carries datagrams by subject
//! and knows nothing of keys or messages; everything that has to be right is here, once for all engines.
//!
//! All of it is pure: the time is an argument, randomness is handed in, bytes and values come and go.
//! docs/bus.md has the protocol, byte for byte, and what it promises against whom.
//!
//! From the ground up:
//!
//! - [`subject`] says where something goes, as tokens; [`veil`] hides the names in what is not sealed otherwise.
//! - A [`session`] is one run of a node, with keys of its own; its [`announcement`], signed by the node key, ties it to
//!   the node, and [`members`] is what the network file says of that node.
//! - A [`datagram`] is sealed with a [`sender_key`] and signed by the session.
//! - An [`ask`] fetches keys and repairs; a [`letter`] is how it travels, [`sealed`] what only one may read in it;
//!   [`sessions`] is what is known of others, and [`refusal`] why something was not taken.
//!
//! On these stand `outgoing` and `incoming`, which order, mend and count, and `bus`, which is all of it.

pub mod announcement;
pub mod ask;
mod bytes;
pub mod datagram;
pub mod letter;
pub mod members;
pub mod random;
pub mod refusal;
pub mod relay;
pub mod sealed;
pub mod sender_key;
pub mod session;
pub mod sessions;
pub mod subject;
pub mod veil;

mod bus;
mod incoming;
mod outgoing;

pub use bus::{
    Bus, BusError, BusSettings, EngineLimits, Happened, MAX_BUS_QUESTIONS, MAX_EXPECTED,
    MAX_QUESTION_WAIT, Output, PingId, Published, QuestionId, Questioned, Replied, ReplyId,
    Unasked,
};
pub use incoming::Delivery;
pub use refusal::Refusal;
pub use subject::is_of_lane;

#[cfg(test)]
mod figures;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;
