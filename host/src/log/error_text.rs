//! Errors and panics as one text.

use std::any::Any;
use std::error::Error;

/// The error and what caused it, with a colon between each. A cause that the text before it quotes
/// already is left out.
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

/// What a panic said, by its payload.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Caused {
        text: &'static str,
        source: std::io::Error,
    }

    fn caused(text: &'static str) -> Caused {
        let source = std::io::Error::other("the disk is full");
        Caused { text, source }
    }

    #[test]
    fn causes_follow_once_each() {
        assert_eq!(
            error_text(&caused("cannot write `x`")),
            "cannot write `x`: the disk is full"
        );
        let quoted = "cannot write `x`: the disk is full";
        assert_eq!(error_text(&caused(quoted)), quoted);
    }
}
