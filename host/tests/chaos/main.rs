//! Two daemons in two network namespaces, and what may happen between them: resets, cuts, a cable
//! that is pulled, a slow path, a killed process.
//!
//! It needs root, and `unshare`, `nsenter`, `ip`, `ss` and `tc`; without them each test says so and
//! counts as passed. `KOZO_CHAOS_FAULTS` says how many faults there are (200), `KOZO_SEED` which.

mod daemon;
mod faults;
mod namespaces;
mod network;
mod record;

mod bounds;
mod kills;
