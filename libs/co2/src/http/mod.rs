//! HTTP on both sides: [`serve`] answers calls and shows pages, [`Client`] calls.

mod body;
mod client;
mod endpoint;
mod exchange;
mod server;
#[cfg(test)]
mod tests;

pub use client::{CallError, Client};
pub use endpoint::{DEFAULT_PORT, Endpoint, EndpointError, PATH};
pub use kozo_http::{Limits, Listener, ServerThread};
pub use server::{Service, serve};

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// How much of a request's body is free, in bytes. What is larger shares [`LARGE_BODIES`] with the others.
const FREE_BODY: usize = 64 * 1024;

/// How much memory the large bodies of all requests together may have that are being read, in bytes.
const LARGE_BODIES: usize = 32 * 1024 * 1024;
