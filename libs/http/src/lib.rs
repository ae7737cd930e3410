//! What HTTP servers of modules have in common, whatever they answer: a [thread](ServerThread) of their own, where they
//! [listen](Listener), and which connections they keep. [`Door`] decides that, and [`Place`] is what a connection holds.

mod door;
mod listener;
mod place;
mod thread;

use std::time::Duration;

pub use door::{Door, Entry};
pub use listener::{Connections, ListenError, Listener, NotAccepted};
pub use place::{Busy, Place, Places, Refused};
pub use thread::{ServerThread, StartError};

/// What callers may cost a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many connections there are at a time. Those on which nothing happens make room for new ones.
    pub connections: usize,
    /// How many of them one address may have.
    pub connections_of_one: usize,
    /// How long the head of a request may take, and how long a connection stays without one.
    pub head_time: Duration,
    /// How long the body of a request may take.
    pub body_time: Duration,
    /// How long a connection goes without a request that begins or an answer that ends.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            connections_of_one: 128,
            head_time: Duration::from_secs(30),
            body_time: Duration::from_secs(30),
            silence: Duration::from_secs(120),
        }
    }
}
