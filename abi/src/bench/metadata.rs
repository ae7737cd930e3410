//! A module's `module.yaml`, and its options as the host would hand them over.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use yaml_serde::Value;

use super::interest::Interest;
use crate::Error;

/// The only version of the metadata's format.
const FORMAT: &str = "1.0";

/// The values of options, by name.
pub(super) type Values = BTreeMap<String, Value>;

/// What the bench knows of a module.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // Some keys only have to be there.
pub(super) struct Metadata {
    format: String,
    kind: String,
    pub(super) name: String,
    version: String,
    author: String,
    description: String,
    #[serde(default)]
    pub(super) storage: bool,
    #[serde(default)]
    options: BTreeMap<String, OptionSpec>,
    #[serde(default)]
    interests: Vec<Interest>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // As above.
struct OptionSpec {
    #[serde(rename = "type")]
    kind: OptionKind,
    unit: Option<String>,
    /// None: required. `null`: optional, without a value.
    #[serde(default, deserialize_with = "even_null")]
    default: Option<Value>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    #[serde(default)]
    choices: Vec<String>,
    description: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OptionKind {
    Boolean,
    Integer,
    Number,
    Text,
    Path,
    List,
    Any,
}

fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Where a module is used: what the placeholders of its defaults stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// `role` or `transport`.
    pub(super) kind: &'a str,
    pub(super) node: &'a str,
    pub(super) name: &'a str,
}

impl Metadata {
    /// Reads the text of `module.yaml`.
    pub(super) fn parse(text: &str, kind: &str) -> Result<Self, Error> {
        let metadata: Self =
            yaml_serde::from_str(text).map_err(|error| format!("`module.yaml`: {error}"))?;
        if metadata.format != FORMAT {
            let found = &metadata.format;
            return Err(format!("`module.yaml`: `format` is `{found}`, not `{FORMAT}`").into());
        }
        if metadata.kind != kind {
            let found = &metadata.kind;
            return Err(format!("`module.yaml`: `kind` is `{found}`, but it is a {kind}").into());
        }
        Ok(metadata)
    }

    /// All options: those that are given, and the defaults of the others.
    ///
    /// # Errors
    /// Everything that the host would refuse, in one text.
    pub(super) fn fill(&self, mut given: Values, place: &Place<'_>) -> Result<Values, Error> {
        let mut filled = Values::new();
        let mut problems = Vec::new();
        for (name, spec) in &self.options {
            let value = match (given.remove(name), &spec.default) {
                (Some(value), _) => value,
                (None, Some(default)) => with_names(default, place),
                (None, None) => {
                    problems.push(format!("`{name}` is required"));
                    continue;
                }
            };
            match spec.check(value) {
                Ok(value) => drop(filled.insert(name.clone(), value)),
                Err(problem) => problems.push(format!("`{name}` {problem}")),
            }
        }
        problems.extend(given.keys().map(|name| format!("`{name}` is no option")));
        if problems.is_empty() {
            Ok(filled)
        } else {
            Err(format!("options of `{}`: {}", self.name, problems.join("; ")).into())
        }
    }

    /// The interests, with the values of the role's options in them.
    pub(super) fn interests(
        &self,
        options: &Values,
        place: &Place<'_>,
    ) -> Result<Vec<Interest>, Error> {
        let mut values = options.clone();
        values.insert("node".to_owned(), place.node.into());
        values.insert(place.kind.to_owned(), place.name.into());
        self.interests
            .iter()
            .map(|interest| interest.resolve(&values))
            .collect::<Result<_, _>>()
            .map_err(|problem| format!("`module.yaml`: `interests`: {problem}").into())
    }
}

impl OptionSpec {
    /// The value as the module gets it, or what is wrong with it.
    fn check(&self, value: Value) -> Result<Value, String> {
        if value.is_null() && matches!(self.default, Some(Value::Null)) {
            return Ok(value);
        }
        let value = match (self.kind, value) {
            (OptionKind::List, Value::String(text)) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .collect(),
            (_, value) => value,
        };
        let (fits, expected) = match self.kind {
            OptionKind::Boolean => (value.is_bool(), "true or false"),
            OptionKind::Integer => (value.is_i64() || value.is_u64(), "a whole number"),
            OptionKind::Number => (value.as_f64().is_some_and(f64::is_finite), "a number"),
            OptionKind::Text | OptionKind::Path => (value.is_string(), "a text"),
            OptionKind::List => {
                let of_texts = |list: &Vec<Value>| list.iter().all(Value::is_string);
                (value.as_sequence().is_some_and(of_texts), "a list of texts")
            }
            OptionKind::Any => (true, "anything"),
        };
        if !fits {
            let found = yaml_serde::to_string(&value).unwrap_or_default();
            return Err(format!("is `{}`, not {expected}", found.trim()));
        }
        let number = value.as_f64();
        if let (Some(number), Some(minimum)) = (number, self.minimum) {
            if number < minimum {
                return Err(format!("is {number}, but it has to be {minimum} at least"));
            }
        }
        if let (Some(number), Some(maximum)) = (number, self.maximum) {
            if number > maximum {
                return Err(format!("is {number}, but it has to be {maximum} at most"));
            }
        }
        match value.as_str() {
            Some(text) if !self.choices.is_empty() && !self.choices.iter().any(|c| c == text) => {
                let choices = self.choices.join("`, `");
                Err(format!("is `{text}`, but it has to be one of `{choices}`"))
            }
            _ => Ok(value),
        }
    }
}

/// Fills the placeholders of a default: `{node}`, `{role}` or `{transport}`.
fn with_names(default: &Value, place: &Place<'_>) -> Value {
    match default {
        Value::String(text) => Value::String(
            text.replace("{node}", place.node)
                .replace(&format!("{{{}}}", place.kind), place.name),
        ),
        Value::Sequence(items) => items.iter().map(|item| with_names(item, place)).collect(),
        other => other.clone(),
    }
}

/// An option's value for a test.
pub(super) fn option_value(value: &(impl serde::Serialize + ?Sized)) -> Result<Value, Error> {
    Ok(yaml_serde::to_value(value)?)
}
