//! How C's library keeps the memory that is given back to it.

#![allow(unsafe_code)] // Calls of C's library, which Rust's does not have; each block has its reason.

/// From which length on a piece of memory is the system's own, in bytes, and goes back to it at
/// once. Modules' files have more; few messages do.
#[cfg(target_env = "gnu")]
const OWN_MAPPING: libc::c_int = 256 * 1024;

/// How much free memory at its end each of the library's few parts keeps, in bytes. That is as much as a queue keeps of
/// its own after a burst: with the library's own 128 KiB, what a packet of messages takes went back to the system and
/// came again, cleared, for each packet.
#[cfg(target_env = "gnu")]
const KEPT_AT_THE_END: libc::c_int = 1024 * 1024;

/// Makes large pieces of memory go back to the system as soon as nobody needs them, for as long as
/// the process lives.
///
/// Else C's library takes it from the first such piece that there will be more of its length: what
/// reading the modules' files took would stay with the threads that have read them. That it sets nothing by
/// itself any more is why what it keeps of smaller ones is set here, too.
pub(crate) fn return_large_pieces() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the function only notes a number, under a lock of its own.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_AT_THE_END);
    }
}

/// Gives memory that nothing is in back to the system: what was needed at the start alone.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: any thread may call it at any time, and it touches no memory that something is in.
    unsafe {
        libc::malloc_trim(0)
    };
}
