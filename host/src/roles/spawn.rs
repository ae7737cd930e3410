//! The threads that roles get.

use std::io;

/// The stack of a role's thread, in bytes of address space; memory is only taken for what is
/// used. Half of what Rust gives a thread is ample for ordinary code, and a machine with little
/// memory may have many roles; what recurses deeply should have a thread of its own.
pub(super) const ROLE_STACK: usize = 1024 * 1024;

/// The stack of a thread that serves a role's process, in bytes of address space.
pub(super) const HELPER_STACK: usize = 256 * 1024;

/// Starts a thread.
pub(super) fn spawn(
    name: &str,
    stack: usize,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.stack_size(stack).spawn(work).map(drop)
}
