//! HTTP on both sides: [`Server`] answers calls and shows pages, [`Client`] calls. [`ServerThread`] is a server
//! with a thread of its own.

mod body;
mod client;
mod door;
mod endpoint;
mod exchange;
mod server;
#[cfg(test)]
mod tests;
mod thread;

use std::time::Duration;

pub use client::{CallError, Client};
pub use endpoint::{DEFAULT_PORT, Endpoint, EndpointError, PATH};
pub use server::{ListenError, Server, Service};
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

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// How much of a request's body is free, in bytes. What is larger shares [`LARGE_BODIES`] with the others.
const FREE_BODY: usize = 64 * 1024;

/// How much memory the large bodies of all requests together may have that are being read, in bytes.
const LARGE_BODIES: usize = 32 * 1024 * 1024;
