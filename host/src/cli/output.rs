//! The standard output.

use std::io::{self, ErrorKind, Write};

use kozo_ground::text::{printable_json, printable_lines};

use super::failure::Failure;

/// Prints a text. What others have brought into it cannot harm a terminal; line breaks stay.
///
/// # Errors
/// A failure when it cannot be written. That nobody reads any more (`kozo modules | head`) is
/// none.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_coloured(&printable_lines(text))
}

/// Prints a text as it is, with the colours in it. Whoever made it has seen to all texts of others.
///
/// # Errors
/// As [`print`].
pub(super) fn print_coloured(text: &str) -> Result<(), Failure> {
    match print_or_broken(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Prints a text as it is, for those who want to know that nobody reads any more.
pub(super) fn print_or_broken(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints a value as JSON, for people as well as for programs.
///
/// # Errors
/// As [`print`].
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json =
        serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))?;
    print_coloured(&(printable_json(&json).into_owned() + "\n"))
}
