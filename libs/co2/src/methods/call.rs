//! A call as a host sees it, and what its argument holds.

use std::net::SocketAddr;

use super::Builtin;
use crate::fault::{Fault, TYPE_ERROR};
use crate::value::{Struct, Value};

/// Which method is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// One of CO2's own.
    Builtin(Builtin),
    /// One that the host has [published](Table::publish), by its name.
    Published(String),
}

/// A call as the host sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What is called.
    pub method: Method,
    /// Its argument, with the caller's address in it.
    pub argument: Struct,
    /// The caller.
    pub client: SocketAddr,
}

impl Call {
    /// The text under a key.
    ///
    /// # Errors
    /// A `KeyError` where there is none, a `TypeError` where it is no text.
    pub fn text(&self, key: &str) -> Result<&str, Fault> {
        match self.value(key)? {
            Value::String(text) => Ok(text),
            _ => Err(mistyped(key, "a string")),
        }
    }

    /// The integer under a key.
    ///
    /// # Errors
    /// A `KeyError` where there is none, a `TypeError` where it is no integer.
    pub fn integer(&self, key: &str) -> Result<i32, Fault> {
        match self.value(key)? {
            Value::Integer(number) => Ok(*number),
            _ => Err(mistyped(key, "an int")),
        }
    }

    /// The array of texts under a key; an empty one where there is none.
    ///
    /// # Errors
    /// A `TypeError` where it is something else.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, Fault> {
        let text = |item: &Value| match item {
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        match self.argument.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(text)
                .collect::<Option<_>>()
                .ok_or_else(|| mistyped(key, "an array of strings")),
            Some(_) => Err(mistyped(key, "an array of strings")),
        }
    }

    /// The value under a key.
    ///
    /// # Errors
    /// A `KeyError` where there is none.
    pub fn value(&self, key: &str) -> Result<&Value, Fault> {
        self.argument
            .get(key)
            .ok_or_else(|| Fault::missing(key, "the struct has no such key"))
    }
}

pub(super) fn mistyped(key: &str, expected: &str) -> Fault {
    Fault::new(TYPE_ERROR, format_args!("'{key}' has to be {expected}"))
}
