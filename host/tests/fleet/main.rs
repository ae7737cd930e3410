//! Fleets: daemons on a bus over real NATS servers, and what may happen to those.
//!
//! `make test-fleet` runs them: they need a NATS server (Debian's `nats-server`, or one that is fetched), and say that
//! they are skipped where there is none. `KOZO_FLEET_KILLS` says how often a server is killed (100), `KOZO_SEED` which.

mod daemons;
#[path = "../network/process.rs"]
#[allow(dead_code)] // Others need the rest.
mod process;
#[path = "../chaos/record.rs"]
mod record;

mod engine;
mod gateways;
mod hostile;
mod kills;
mod outages;
mod permissions;
