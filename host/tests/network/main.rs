//! Whole networks: real daemons, keys, sockets, signals and modules.

mod process;
mod scene;

mod messages;
mod refusals;
mod returns;
