//! Combinations of options that a module can do nothing with.

use kozo_addresses::{Endpoint, is_loopback};
use kozo_ground::interest::Pattern;

use crate::value::{ModuleOptions, Value};

/// A combination of options that a module cannot do anything with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conflict {
    /// It is there when all of these hold.
    pub(crate) when: Vec<Condition>,
    /// What is wrong then and what to do about it, for people.
    pub(crate) message: String,
}

/// What holds for one option.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// The option's name.
    pub(crate) option: String,
    /// What is true of its value, or of any item of it.
    pub(crate) value: Expected,
}

/// What a condition expects of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expected {
    /// That there is none.
    Nothing,
    /// That it fits.
    Fitting(Pattern),
    /// Of an address to listen on: that this machine alone reaches it (`true`), or others as well.
    Loopback(bool),
}

impl Condition {
    pub(crate) fn holds(&self, options: &ModuleOptions) -> bool {
        let Some(value) = options.value(&self.option) else {
            return false;
        };
        match (&self.value, value) {
            (Expected::Nothing, value) => *value == Value::Null,
            (_, Value::Null) => false,
            // An empty list was given as well.
            (expected, Value::List(items)) if items.is_empty() => expected.is_met_by(""),
            (expected, Value::List(items)) => {
                items.iter().any(|item| expected.is_met_by(&item.to_text()))
            }
            (expected, value) => expected.is_met_by(&value.to_text()),
        }
    }
}

impl Expected {
    fn is_met_by(&self, text: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Fitting(pattern) => pattern.matches(text),
            Self::Loopback(expected) => {
                let host = text.trim();
                let with_port = || Endpoint::parse_listening(host);
                (is_loopback(host) || with_port().is_ok_and(|it| it.is_loopback())) == *expected
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_this_machines_alone_or_others_reach_it() {
        for (text, is_loopback) in [
            ("127.0.0.1", true),
            ("0:0::1", true),
            ("Localhost", true),
            ("127.0.0.1:9464", true),
            ("[::1]:9464", true),
            ("", false),
            ("0.0.0.0", false),
            ("::", false),
            ("127.0.0.1.example", false),
            ("192.0.2.1:9464", false),
        ] {
            assert!(Expected::Loopback(is_loopback).is_met_by(text), "{text}");
            assert!(!Expected::Loopback(!is_loopback).is_met_by(text), "{text}");
        }
    }
}
