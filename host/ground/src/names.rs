//! Names of nodes, roles, transports, buses and modules.
//!
//! A name becomes a part of file names (`NODE.ROLE.kozo`) and of log lines, so what it may hold
//! is narrow: letters, digits, `_`, `-` and, for nodes only, `.` (but not as the first character).

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name of any kind, in bytes.
pub const MAX_NAME_LEN: usize = 64;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name may not be empty")]
    Empty,
    /// The text is longer than [`MAX_NAME_LEN`].
    #[error("a name may have {MAX_NAME_LEN} characters at most, this one has {0}")]
    TooLong(usize),
    /// The text holds a character that this kind of name may not have.
    #[error("{character:?} may not stand in a name: use {allowed}")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// What is allowed, in words.
        allowed: &'static str,
    },
    /// A node's name starts with a dot.
    #[error("a name may not start with a dot")]
    LeadingDot,
}

fn check(text: &str, dots: bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let allowed = if dots {
        "letters, digits, `.`, `_` and `-`"
    } else {
        "letters, digits, `_` and `-`"
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || (dots && c == '.');
    if let Some(character) = text.chars().find(|c| !fits(*c)) {
        return Err(NameError::Character { character, allowed });
    }
    if text.starts_with('.') {
        return Err(NameError::LeadingDot);
    }
    if text.len() > MAX_NAME_LEN {
        return Err(NameError::TooLong(text.len()));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, dots: $dots:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and makes it a name.
            ///
            /// # Errors
            /// [`NameError`] says which rule `text` breaks.
            pub fn new(text: &str) -> Result<Self, NameError> {
                Self::check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// Checks `text` without making it a name.
            ///
            /// # Errors
            /// As [`new`](Self::new).
            pub fn check(text: &str) -> Result<(), NameError> {
                check(text, $dots)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// The name of a node: a machine on the network.
    NodeName, dots: true
);
name!(
    /// The name of a role on its node.
    RoleName, dots: false
);
name!(
    /// The name of a transport on its node.
    TransportName, dots: false
);
name!(
    /// The name of a bus of the network file, and of what a node that is on it calls it.
    BusName, dots: false
);
name!(
    /// The name of a module, as its metadata gives it.
    ModuleName, dots: false
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_leave_a_folder_is_refused() {
        assert_eq!(NodeName::new("..").unwrap_err(), NameError::LeadingDot);
        assert!(NodeName::new("a/b").is_err());
        assert!(RoleName::new("a.b").is_err());
        assert!(NodeName::new("clock.local").is_ok());
        assert_eq!(RoleName::new("").unwrap_err(), NameError::Empty);
        assert!(RoleName::new(&"a".repeat(MAX_NAME_LEN)).is_ok());
        assert_eq!(
            RoleName::new(&"a".repeat(MAX_NAME_LEN + 1)).unwrap_err(),
            NameError::TooLong(MAX_NAME_LEN + 1)
        );
    }
}
