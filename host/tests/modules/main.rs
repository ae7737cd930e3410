//! The module loader, with real modules: shared objects that are built from `fixtures/`.

mod buses;
mod checking;
mod files;
mod imports;
mod listing;
mod loading;
mod panics;
mod registry;
mod seals;
mod support;
mod transports;
mod unused;
mod versions;
#[path = "../support/wait.rs"]
mod wait;
