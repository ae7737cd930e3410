//! Descriptors that a process got from the one that started it.

#![allow(unsafe_code)] // Closes descriptors by their numbers; the block has its reason.

use std::io;

use rustix::io::close;

/// The first descriptor behind the standard input, output and error output.
const FIRST: i32 = 3;

/// Closes whatever this process inherited besides the three standard streams. The host itself opens
/// nothing that others inherit, but libraries of modules do.
///
/// Only for the very beginning of a program: nothing may be open yet that anybody means to use.
///
/// # Errors
/// The list of descriptors cannot be read.
pub(crate) fn close_inherited() -> io::Result<()> {
    let numbers: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for number in numbers.into_iter().filter(|number| *number >= FIRST) {
        // SAFETY: nothing in this process owns any of them yet, as the caller has promised, but
        // for the list itself, which is closed by now: its number is refused.
        unsafe { close(number) };
    }
    Ok(())
}
