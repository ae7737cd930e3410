//! Ways through NAT, for modules: ICE (RFC 8445) with a STUN (RFC 8489) and TURN (RFC 8656) client, and DTLS 1.2 on top
//! where it is wanted. Applications exchange datagrams with *peers*; how they tell each other of their [`Candidate`]s
//! and [`Credentials`] is theirs.
//!
//! [`Endpoint`] is all of it without I/O; [`Driver`] gives it the machine's interfaces, sockets and clock, for a plain
//! thread:
//!
//! ```no_run
//! # use kozo_ice::{Driver, Event, PeerSettings, Settings};
//! # fn example(settings: PeerSettings) -> Result<(), Box<dyn std::error::Error>> {
//! let mut driver = Driver::new(Settings::default())?;
//! let peer = driver.add_peer(settings)?;
//! loop {
//!     driver.wait(&[], None)?;
//!     while let Some(event) = driver.next_event() {
//!         match event {
//!             Event::Gathered { peer } => println!("tell the peer: {:?}", driver.candidates(peer)),
//!             Event::Online { peer, path } => driver.send(peer, b"hello")?,
//!             Event::Datagram { peer, contents } => println!("{contents:?}"),
//!             _ => {}
//!         }
//!     }
//! }
//! # }
//! ```

mod candidate;
mod driver;
mod endpoint;
mod event;
mod identity;
pub mod limits;
mod peer;
mod reason;
mod server;
mod session;
mod settings;
#[cfg(test)]
mod simulation;
mod status;
mod stun;
mod timers;

pub use candidate::{Candidate, CandidateKind, Credentials, LONGEST_CREDENTIAL, LONGEST_USER};
pub use driver::{Driver, Ready, Waker};
pub use endpoint::{Endpoint, NotSent, PeerRefused, ServerAddress, Transmit};
pub use event::{Event, PeerId};
pub use identity::{Digest, Fingerprint, FingerprintError, Identity, IdentityError};
pub use reason::Reason;
pub use settings::{PeerSettings, Security, Settings, TurnServer};
pub use status::{Drops, EndpointDrops, PairStatus, Path, PathKind, PeerStatus, State, Traffic};
