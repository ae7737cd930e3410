//! The ground that all floors of the host stand on: names, the clock, what roles are interested in,
//! queues, and texts for people. It knows nothing of what stands on it, and does no I/O but
//! reading the clock.

pub mod age;
pub mod clock;
pub mod grant;
pub mod interest;
pub mod lock;
pub mod names;
pub mod policy;
pub mod queue;
pub mod text;
