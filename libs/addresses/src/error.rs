//! Why a text is no address.

use std::borrow::Cow;
use std::fmt;

/// How much of a text an error repeats, in characters.
const MAX_SHOWN: usize = 100;

/// Why a text is no address: it displays as the text and the reason, which says what to write
/// where that is not plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    address: String,
    reason: Reason,
}

/// What is wrong, to go behind the address.
pub(crate) type Reason = Cow<'static, str>;

impl AddressError {
    pub(crate) fn new(address: &str, reason: impl Into<Reason>) -> Self {
        Self {
            address: address.to_owned(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.address.chars();
        let shown: String = characters.by_ref().take(MAX_SHOWN).collect();
        let more = if characters.next().is_some() {
            "…"
        } else {
            ""
        };
        write!(f, "`{}{more}` {}", shown.escape_debug(), self.reason)
    }
}

impl std::error::Error for AddressError {}
