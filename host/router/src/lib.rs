//! Which message goes where: from a role of this node to the roles here and the receivers elsewhere
//! that want it, and from a peer to the roles here that want it.
//!
//! All of it is pure. A [`LocalRole`] judges what is for a role of this node; [`Receivers`] knows
//! what is wanted elsewhere, and names receivers by places alone: what stands at a place is the
//! program's matter, as are locks, the clock, and counting what was refused.

mod crowd;
mod lifetime;
mod local;
mod orders;
mod receivers;

pub use crowd::Crowd;
pub use lifetime::Lifetime;
pub use local::{LocalRole, Verdict};
pub use orders::{OrderSources, SenderPattern};
pub use receivers::{NamedInterests, Receiver, ReceiverId, Receivers};
