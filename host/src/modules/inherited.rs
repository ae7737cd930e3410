//! Descriptors that a process got from the one that started it.

#![allow(unsafe_code)] // Closes descriptors by their numbers; the block has its reason.

use std::io;
use std::path::Path;

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
    // The list was open itself, and is no more.
    let is_open = |number: &i32| {
        let path = format!("/proc/self/fd/{number}");
        Path::new(&path).symlink_metadata().is_ok()
    };
    for number in numbers.into_iter().filter(|number| *number >= FIRST) {
        if is_open(&number) {
            // SAFETY: it is open, and nothing in this process owns it yet, as the caller promised.
            unsafe { close(number) };
        }
    }
    Ok(())
}
