//! Combinations of options that a module can do nothing with.

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
    /// What its value, or any item of it, fits; none: it has no value.
    pub(crate) value: Option<Pattern>,
}

impl Condition {
    pub(crate) fn holds(&self, options: &ModuleOptions) -> bool {
        let Some(value) = options.value(&self.option) else {
            return false;
        };
        match (&self.value, value) {
            (None, value) => *value == Value::Null,
            (Some(_), Value::Null) => false,
            (Some(pattern), Value::List(items)) => {
                // An empty list was given as well.
                (items.is_empty() && pattern.matches(""))
                    || items.iter().any(|item| pattern.matches(&item.to_text()))
            }
            (Some(pattern), value) => pattern.matches(&value.to_text()),
        }
    }
}
