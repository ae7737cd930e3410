//! Taps: messages as they pass a node, for whoever watches.
//!
//! A tap never slows what it watches. It holds so many messages and bytes; while it is full, what passes is
//! counted and not kept. Where nobody watches, a message costs one look at a number; where all who watch
//! have as much as they hold, it costs another one, and is counted, together with those that pass with it.
//!
//! ```text
//!  messages ──▶ Taps ──▶ taps that look: keep what they want, until they are full ──take──▶ whoever watches
//!                 └────▶ counters, by kind: what taps that are full have left out
//! ```

mod passed;
mod set;
mod tap;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::interest::{Kind, Subject};
use kozo_ground::names::NodeName;
use kozo_wire::Message;

pub use set::{Tap, Taps, TooManyTaps};

/// How many taps may be open at once.
pub const MAX_TAPS: usize = 16;

/// How many messages wait in a tap at most.
pub const TAP_MESSAGES: usize = 1024;

/// How many bytes the messages count that wait in a tap, at most; one that is larger by itself is left out.
pub const TAP_BYTES: usize = 512 * 1024;

/// A message on its way through the node, as a tap keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Passing {
    /// The node that sent it.
    pub sender: NodeName,
    /// The message.
    pub message: Message,
    /// How old it was when it passed.
    pub age: Duration,
    /// When it passed.
    pub passed: Moment,
    /// How many roles of this node got it.
    pub roles: usize,
    /// To how many other nodes it goes from here over links with them.
    pub nodes: usize,
    /// The buses that it goes over, or the one that it came over.
    pub buses: Vec<Arc<str>>,
}

/// A message on its way through the node, of which taps ask no more than they need.
pub trait PassesBy {
    /// Its kind.
    fn kind(&self) -> Kind;

    /// What it is matched by.
    fn subject(&self) -> Subject<'_>;

    /// All of it, for those alone that keep it.
    fn passing(&self) -> Passing;
}

/// What a tap has taken up since it was asked last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// The messages, the oldest first.
    pub messages: Vec<Passing>,
    /// How many passed that the tap is for, and are not among them, now or later: the tap was full, or they
    /// were too large.
    pub left_out: u64,
}

#[cfg(test)]
mod tests;
