//! Networks and servers for tests.
//!
//! Servers on this machine's loopback, as any user: [`Nats`] and [`NatsCluster`], [`Mosquitto`], and an [`Authority`]
//! for their TLS.
//!
//! Networks: two homes behind routers with NAT and a public host, with an XMPP server, a relay (STUN and
//! TURN), and a peer of IPOP that others wrote. As network namespaces, as root, and all of it real.
//!
//! ```no_run
//! use kozo_testnet::{Host, Ipv6, Nat, Network, Server};
//!
//! let Ok(network) = Network::start(Nat::Cone, Ipv6::No) else {
//!     return; // say why: skipped
//! };
//! let xmpp = network.xmpp(Server::Prosody, &["alice", "bob"]).expect("it starts");
//! let relay = network.relay().expect("it starts");
//! let ping = network.run(Host::A, "ping", &["-c", "1", "203.0.113.1"]);
//! assert!(ping.is_ok());
//! ```
//!
//! The namespaces have their names in a mount namespace of the test's own, which ends with the process that holds it,
//! and each process that is started ends with the thread that started it, or after [`LIFETIME`]. So nothing is left,
//! however a test ends, and names need not be unique: any number of networks can be at the same time.
//!
//! The scripts in `scripts` do the work; they can be run by hand as well.

mod authority;
mod local;
mod mosquitto;
mod nats;
mod network;
mod operator;
mod peer;
mod process;
mod servers;

pub use authority::Authority;
pub use local::free_port;
pub use mosquitto::Mosquitto;
pub use nats::{Nats, NatsCluster, NatsProgram};
pub use network::{Host, Ipv6, Nat, Network};
pub use operator::{NatsKey, NatsOperator};
pub use peer::{Peer, PeerOptions, Pings};
pub use process::{DEADLINE, LIFETIME, Process, Unavailable, wait_until};
pub use servers::{
    PASSWORD, RELAY, RELAY_PASSWORD, RELAY_USER, Relay, Server, XMPP, Xmpp, XmppOptions,
};
