//! A mapping of options, checked against the options that it may have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_ground::grant::{Grant, Grants};
use kozo_ground::text::{enumerate, join_path, nearest, quoted};

use super::problem::{Place, Problem, Problems};
use super::schema::{DefaultValue, OptionSpec};
use super::tree::{Tree, TreeNode};
use super::value::Value;

/// A mapping of options in the file.
pub struct Block<'b> {
    /// The mapping; nothing at all is an empty one.
    pub tree: &'b Tree,
    /// Where the block is named, for what is missing in it.
    pub place: Place,
    /// The way to it through the blocks around it.
    pub path: &'b str,
    /// What it describes, for messages: "a role of type `timer`".
    pub what: &'b str,
    /// What its keys are called, for messages: "option".
    pub noun: &'b str,
}

impl Block<'_> {
    /// The valid values that are given. `elsewhere` may say where an option that is not allowed
    /// here belongs; with `open`, such options are left alone.
    pub fn check<'s>(
        &self,
        specs: impl Iterator<Item = &'s OptionSpec> + Clone,
        unknown: Unknown<'_>,
        folder: Option<&Path>,
        problems: &mut Problems,
    ) -> Values {
        let mut values = Values::default();
        let entries = match &self.tree.node {
            TreeNode::Map(entries) => entries.as_slice(),
            TreeNode::Scalar(scalar) if scalar.is_null() => &[],
            TreeNode::Invalid => return values,
            _ => {
                let message = format!(
                    "expected a mapping of options, found {}",
                    self.tree.describe()
                );
                problems.push(
                    Problem::error(self.tree.place, self.path, message).with_help(
                        "write `name: value` lines, indented below the name of the block",
                    ),
                );
                return values;
            }
        };
        for entry in entries {
            let path = join_path(self.path, &entry.key);
            match specs.clone().find(|spec| spec.name == entry.key) {
                Some(spec) => {
                    if let Some(value) = spec.check(&entry.value, &path, folder, problems) {
                        values.0.insert(entry.key.clone(), value);
                    }
                }
                None => {
                    if let Unknown::Refused { elsewhere } = unknown {
                        let help = elsewhere(&entry.key)
                            .unwrap_or_else(|| suggestion(&entry.key, specs.clone()));
                        let message =
                            format!("{} has no {} {}", self.what, self.noun, quoted(&entry.key));
                        problems
                            .push(Problem::error(entry.key_place, path, message).with_help(help));
                    }
                }
            }
        }
        for spec in specs {
            if spec.default == DefaultValue::Required && self.tree.entry(&spec.name).is_none() {
                let message = format!(
                    "{} needs the {} {}",
                    self.what,
                    self.noun,
                    quoted(&spec.name)
                );
                problems.push(
                    Problem::error(self.place, join_path(self.path, &spec.name), message)
                        .with_help(format!("add it; {}", uncapitalised(&spec.description))),
                );
            }
        }
        values
    }
}

/// What to do with options that are not in the table.
#[derive(Clone, Copy)]
pub enum Unknown<'u> {
    /// They may mean something that is not known here.
    Ignored,
    /// They are mistakes; `elsewhere` may know where such an option belongs.
    Refused {
        /// Where the option of this name belongs, for a help line.
        elsewhere: &'u dyn Fn(&str) -> Option<String>,
    },
}

impl Unknown<'_> {
    /// They are mistakes, and nothing is known of where they belong.
    pub const REFUSED: Self = Self::Refused {
        elsewhere: &|_| None,
    };
}

fn suggestion<'s>(key: &str, specs: impl Iterator<Item = &'s OptionSpec> + Clone) -> String {
    let names = || specs.clone().map(|spec| spec.name.as_str());
    let allowed = match enumerate(names(), "and") {
        none if none.is_empty() => "no options are allowed here".to_owned(),
        names => format!("allowed here: {names}"),
    };
    match nearest(key, names()) {
        Some(name) => format!("did you mean {}? {allowed}", quoted(name)),
        None => allowed,
    }
}

fn uncapitalised(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let mut characters = sentence.chars();
    match (characters.next(), characters.clone().next()) {
        // "SSH ..." stays as it is.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => sentence.to_owned(),
    }
}

/// Valid values by the name of their option.
#[derive(Debug, Clone, Default)]
pub struct Values(BTreeMap<String, Value>);

impl Values {
    /// These values, with those of `over` in their place where there are any.
    pub fn overridden_by(&self, over: &Self) -> Self {
        let mut all = self.0.clone();
        all.extend(over.0.clone());
        Self(all)
    }

    /// These values and the defaults of the options that are not given.
    pub fn with_defaults<'s>(mut self, specs: impl Iterator<Item = &'s OptionSpec>) -> Self {
        for spec in specs {
            if let DefaultValue::Value(default) = &spec.default {
                self.0
                    .entry(spec.name.clone())
                    .or_insert_with(|| default.clone());
            }
        }
        self
    }

    /// The value of an option, if it has one.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| **value != Value::Null)
    }

    /// Whether the option is given, and valid; it may be given as having no value.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Puts another value in the place of the option's.
    pub fn replace(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Takes the option's value away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// What the option's list grants.
    pub fn grants(&self, name: &str) -> Grants {
        let texts = self.value(name).into_iter().flat_map(Value::texts);
        texts.filter_map(Grant::from_name).collect()
    }

    /// The option's text, if it has one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_text()
    }

    /// The texts of the option's list, or its one text; none if it has no value.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let texts = self.value(name).into_iter().flat_map(Value::texts);
        texts.map(str::to_owned).collect()
    }

    /// The same as paths.
    pub fn paths(&self, name: &str) -> Vec<PathBuf> {
        self.texts(name).into_iter().map(PathBuf::from).collect()
    }

    /// A number of seconds, zero if there is none.
    pub fn seconds(&self, name: &str) -> Duration {
        let seconds = self.value(name).and_then(Value::as_number);
        Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
    }

    /// A number of things, zero if there is none.
    pub fn count(&self, name: &str) -> usize {
        let count = self.value(name).and_then(Value::as_integer);
        count
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or_default()
    }
}
