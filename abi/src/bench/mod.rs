//! A test bench: a role, transport or bus is tested without a daemon, in the test's own process.
//!
//! Switch it on for the tests of a module, in its `Cargo.toml`:
//!
//! ```toml
//! [dev-dependencies]
//! kozo-abi = { version = "1", features = ["bench"] }
//! ```
//!
//! The bench drives a module through the very tables of functions that the host uses, with the
//! options that its `module.yaml` describes and only those messages that its interests let in: both
//! are read and checked by the very code of the host, so that what passes here is what a host takes. Nothing waits in reality: when a role waits for a
//! message and there is none, or sleeps, the bench's clock moves on by that time at once.
//!
//! ```
//! use kozo_abi::bench::{Incoming, RoleBench};
//! use kozo_abi::{Error, Role, RoleHost};
//!
//! #[derive(serde::Deserialize)]
//! struct Options {
//!     greeting: String,
//! }
//!
//! struct Greeter(Options);
//!
//! impl Role for Greeter {
//!     type Options = Options;
//!
//!     fn new(options: Options, _host: &RoleHost) -> Result<Self, Error> {
//!         Ok(Self(options))
//!     }
//!
//!     fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
//!         if let Some(message) = host.receive() {
//!             host.send_event("greeting", &format!("{}, {}", self.0.greeting, message.sender_role()))?;
//!         }
//!         Ok(())
//!     }
//! }
//! # // What `export_role!(Greeter);` makes of the `module.yaml` of a real module:
//! # impl kozo_abi::export::Described for Greeter {
//! #     const METADATA: &'static str = "
//! # format: '1.0'
//! # kind: role
//! # name: greeter
//! # version: '1.0'
//! # author: Somebody
//! # description: Greets.
//! # options:
//! #   greeting: {type: text, default: Hello, description: How to greet.}
//! # interests:
//! #   - {kind: event, type: arrival}
//! # ";
//! # }
//!
//! # fn main() -> Result<(), Error> {
//! let mut bench = RoleBench::<Greeter>::new()
//!     .node("hall")
//!     .option("greeting", "Good day")
//!     .start()?;
//!
//! bench.deliver(Incoming::event("arrival").from("alice", "door"));
//! bench.run()?;
//!
//! let sent = bench.sent();
//! assert_eq!(sent.len(), 1);
//! assert_eq!(sent[0].type_name(), "greeting");
//! assert_eq!(sent[0].data::<String>()?, "Good day, alice");
//!
//! // Its interests do not let this one in.
//! assert!(!bench.deliver(Incoming::event("departure").from("alice", "door")));
//! bench.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! A role with threads of its own sends when it likes: [`StartedRole::wait_for_sent`] waits for
//! that, in reality and with a limit.
//!
//! A transport is driven by [`TransportBench`]. Two of them on one machine, each with a real
//! socket, show whether it connects; [`reserve_port`] finds a port that is free.
//!
//! A bus is driven by [`BusBench`], against a real engine; [`StartedBus::exchange`] lets two of
//! them that are on the same one find out whether the module keeps the contract.

mod bus;
mod bus_exchange;
mod bus_host;
mod description;
mod given;
mod incoming;
mod port;
mod role;
mod role_host;
mod shared;
mod stopping;
mod transport;
mod transport_host;

#[cfg(test)]
mod bus_tests;
#[cfg(test)]
mod tests;

pub use bus::{BusBench, StartedBus};
pub use bus_host::Datagram;
pub use incoming::Incoming;
/// What roles are for people and other systems, and what such faces show and take.
pub use kozo_faces as faces;
pub use port::reserve_port;
pub use role::{RoleBench, StartedRole};
pub use transport::{BenchPeer, StartedTransport, TransportBench};
