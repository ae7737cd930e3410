//! Whole networks: real daemons, keys, sockets, signals and modules.

mod guest;
mod injector;
mod process;
mod scene;

mod messages;
mod policies;
mod refusals;
mod returns;
