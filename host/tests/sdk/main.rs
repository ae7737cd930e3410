//! What authors of modules are promised: from an empty folder to a module at work, transports
//! with security of their own, and that a module's faults stay its own.

#[allow(dead_code, reason = "the tests of whole networks use more of it")]
#[path = "../network/process.rs"]
mod process;
#[allow(dead_code, reason = "the tests of whole networks use more of it")]
#[path = "../network/scene.rs"]
mod scene;
mod toolchain;

mod compiler;
mod ends;
mod guide;
mod hang;
mod new;
mod own_runtime;
mod own_security;
mod peers_options;
mod replacing;
