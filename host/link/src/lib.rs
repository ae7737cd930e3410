//! Links: which are wanted, how they come and go, and how messages cross them.
//!
//! What decides is pure and takes the time as an argument: [`Peer`], and the parts it is made of.
//! A `Peer` is all that this node knows of one other node: what waits for it, what is under way,
//! the links with it, and the next try to dial it. It performs nothing: it is told what happened,
//! and says what to do as [`Action`]s. The program's room of links performs: it dials, accepts, reads
//! and writes.

pub mod admission;
mod allowance;
mod carriage;
mod dialer;
mod exchange;
mod history;
mod inbound;
mod live;
mod outbox;
mod peer;
pub mod places;
mod rate;
mod receipts;
mod terms;

pub use allowance::{QUESTION_BURST, QUESTIONS_PER_SECOND};
pub use carriage::{
    BusWay, Carried, CarriedDatagram, CarriedLimits, CarriedState, MAX_ARRIVED,
    MAX_WAITING_DATAGRAM_BYTES, MAX_WAITING_DATAGRAMS, MAX_WAITING_OTHERS, NotCarried,
};
pub use exchange::{MAX_ANSWER_LEN, MAX_QUESTIONS, Unasked};
pub use peer::{OUTPUT_CHUNK, Peer, PeerSettings};
pub use receipts::{Fate, Receipt};
pub use terms::{
    Action, AttemptId, Candidate, Delivery, LinkEnding, LinkKey, LinkOutput, LinkPath, Notice,
    Occurrence, ProtocolViolation, QuestionId, Twins,
};

#[cfg(test)]
mod simulation;
