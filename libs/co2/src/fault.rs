//! Faults in the form that Python of 2003 gave them: the class of the exception, a colon, its text.

use std::fmt;

use crate::value::is_legal;

/// A key is missing, or names nothing.
pub const KEY_ERROR: &str = "exceptions.KeyError";

/// What the registries of relay and satellite raise.
pub const REGISTRY_ERROR: &str = "registry.Co2RegistryError";

/// A value is of another type than the method takes.
pub const TYPE_ERROR: &str = "exceptions.TypeError";

/// A value is of the right type, and yet cannot be used.
pub const VALUE_ERROR: &str = "exceptions.ValueError";

/// Whatever has no class of its own.
pub const EXCEPTION: &str = "exceptions.Exception";

/// The code of all faults that are made here.
pub const CODE: i32 = 1;

/// The longest text of a fault, in characters: faults may repeat what a caller sent.
const MAX_TEXT: usize = 2_000;

/// Why a call has no result: what the caller gets instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// A number, [`CODE`] for those made here.
    pub code: i32,
    /// The class and the text.
    pub text: String,
}

impl Fault {
    /// A fault of a class, such as [`KEY_ERROR`].
    pub fn new(class: &str, text: impl fmt::Display) -> Self {
        Self {
            code: CODE,
            text: format!("{class}:{text}"),
        }
    }

    /// A fault of the class [`REGISTRY_ERROR`].
    pub fn registry(text: impl fmt::Display) -> Self {
        Self::new(REGISTRY_ERROR, text)
    }

    /// A fault of the class [`KEY_ERROR`]: the key comes first, in quotes, as Python has it.
    pub fn missing(key: &str, text: impl fmt::Display) -> Self {
        Self::new(KEY_ERROR, format_args!("'{key}': {text}"))
    }

    /// The fault of a method that there is not.
    pub fn unsupported(method: &str) -> Self {
        Self::new(
            EXCEPTION,
            format_args!("method \"{method}\" is not supported"),
        )
    }

    /// What stands before the first colon.
    pub fn class(&self) -> &str {
        self.text.split(':').next().unwrap_or_default()
    }

    /// What stands behind it.
    pub fn reason(&self) -> &str {
        self.text
            .split_once(':')
            .map_or(self.text.as_str(), |(_, reason)| reason)
    }

    /// The text as XML can carry it, and no longer than it is worth.
    pub(crate) fn sendable_text(&self) -> String {
        let legal = |character| match is_legal(character) {
            true => character,
            false => '?',
        };
        self.text.chars().take(MAX_TEXT).map(legal).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}: {}", self.code, self.text)
    }
}
