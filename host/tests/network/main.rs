//! Whole networks: real daemons, keys, sockets, signals and modules.

mod process;
mod scene;

mod control;
mod messages;
mod network_changes;
mod refusals;
mod returns;
