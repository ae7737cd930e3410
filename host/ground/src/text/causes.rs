//! Errors with what caused them.

use std::error::Error;

/// An error's own text, and behind it those of its causes that it does not repeat.
pub fn error_text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let of_cause = cause.to_string();
        if !text.contains(&of_cause) {
            text.push_str(": ");
            text.push_str(&of_cause);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write")]
    struct Caused(#[source] io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write: {0}")]
    struct Repeating(#[source] io::Error);

    #[test]
    fn causes_are_told_once() {
        let full = || io::Error::other("the disk is full");
        assert_eq!(
            error_text(&Caused(full())),
            "cannot write: the disk is full"
        );
        assert_eq!(
            error_text(&Repeating(full())),
            "cannot write: the disk is full"
        );
    }
}
