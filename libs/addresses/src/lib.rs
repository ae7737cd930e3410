//! Where a node is reached, as people write it in the network's file.
//!
//! One place knows what is an address and what cannot be one, so that the host, which checks the
//! file, and the modules, which dial and listen, are of one mind. Nothing is looked up: a name that
//! nobody has is a name all the same.
//!
//! - [`Endpoint`]: a host and a port, to connect to.
//! - [`check_listening`]: a host to listen on; [`is_loopback`]: whether others reach it there.
//! - [`Listening`]: whether two of those leave room for each other.
//! - [`check_onion`]: the address of an onion service.
//! - [`Url`]: where a server is, and how it is spoken to.
//! - [`bluetooth`]: the address of an adapter, and UUIDs of services.

pub mod bluetooth;
mod endpoint;
mod error;
mod host;
mod onion;
mod sharing;
mod url;

pub use endpoint::{Endpoint, check_listening, is_loopback};
pub use error::AddressError;
pub use host::interface;
pub use onion::check_onion;
pub use sharing::Listening;
pub use url::Url;
