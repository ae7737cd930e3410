//! A connection with a broker of MQTT, for the modules that speak it.
//!
//! [`connect`] opens one: what is published goes to its [`Sender`], what comes is told by its [`Receiver`], and a
//! [`Fault`] says in words why it is over. It never connects again by itself.

mod broker;
mod client;
mod fault;

pub use broker::{Broker, Scheme};
pub use client::{
    Access, CONNECT_LIMIT, Happening, MAX_OUTGOING, Protocol, Publication, Receiver, Sender,
    Unsent, Welcome, connect,
};
pub use fault::Fault;
