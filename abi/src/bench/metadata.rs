//! A module's `module.yaml`, and its options as the host would hand them over.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use yaml_serde::Value;

use super::interest::{Interest, Patterns, references};
use crate::Error;

/// The versions of the metadata's format. The second one has added `conflicts`, `claims`, `format` and
/// `atMost`.
const FORMATS: [&str; 2] = ["1.0", "1.1"];

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
    conflicts: Option<Vec<Conflict>>,
    claims: Option<Vec<Claim>>,
}

/// Combinations of options that the host refuses. Here they reach the module, which refuses them by
/// itself as well: a host that knows only the first format does not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // As above.
struct Conflict {
    when: BTreeMap<String, Value>,
    message: String,
}

/// What the options stand for that only one can have, which the host compares.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // As above.
struct Claim {
    #[serde(default)]
    when: Option<BTreeMap<String, Value>>,
    resource: Option<String>,
    listen: Option<String>,
    reach: Option<String>,
    port: Option<String>,
    #[serde(default)]
    without: Option<Patterns>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
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
    /// The host checks it, and the module as well, for the same reason as with conflicts.
    format: Option<TextFormat>,
    at_most: Option<String>,
    description: String,
}

/// As the host knows them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TextFormat {
    Address,
    ListeningAddress,
    Endpoint,
    OnionAddress,
    BluetoothAddress,
    Uuid,
    Strftime,
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
        if !FORMATS.contains(&metadata.format.as_str()) {
            let (found, newest) = (&metadata.format, FORMATS[1]);
            return Err(format!("`module.yaml`: `format` is `{found}`, not `{newest}`").into());
        }
        if metadata.kind != kind {
            let found = &metadata.kind;
            return Err(format!("`module.yaml`: `kind` is `{found}`, but it is a {kind}").into());
        }
        metadata
            .rules()
            .map_err(|problem| format!("`module.yaml`: {problem}"))?;
        Ok(metadata)
    }

    /// Checks what the second format has added.
    fn rules(&self) -> Result<(), String> {
        let is_new = |spec: &OptionSpec| spec.format.is_some() || spec.at_most.is_some();
        let has_new =
            self.conflicts.is_some() || self.claims.is_some() || self.options.values().any(is_new);
        if has_new && self.format == FORMATS[0] {
            let newest = FORMATS[1];
            return Err(format!(
                "`conflicts`, `claims`, and `format` and `atMost` of options, need `format: \"{newest}\"`"
            ));
        }
        let is_number =
            |spec: &OptionSpec| matches!(spec.kind, OptionKind::Integer | OptionKind::Number);
        for (name, spec) in &self.options {
            let is_text = matches!(spec.kind, OptionKind::Text | OptionKind::List);
            if spec.format.is_some() && !is_text {
                return Err(format!(
                    "only a text or a list may have a `format`, not `{name}`"
                ));
            }
            let Some(other) = &spec.at_most else {
                continue;
            };
            let is_other = other != name && self.options.get(other).is_some_and(is_number);
            if !is_other || !is_number(spec) {
                return Err(format!(
                    "`atMost` of `{name}`: it takes two options with numbers"
                ));
            }
        }
        for conflict in self.conflicts.iter().flatten() {
            self.conditions("conflicts", &conflict.when)?;
        }
        for claim in self.claims.iter().flatten() {
            self.claim(claim)?;
        }
        Ok(())
    }

    fn conditions(&self, key: &str, when: &BTreeMap<String, Value>) -> Result<(), String> {
        if when.is_empty() {
            return Err(format!("`{key}`: `when` is empty, so it would always hold"));
        }
        let unknown = |name: &&String| !self.options.contains_key(*name);
        if let Some(name) = when.keys().find(unknown) {
            return Err(format!("`{key}`: the module has no option `{name}`"));
        }
        let is_value = |value: &Value| !value.is_sequence() && !value.is_mapping();
        if !when.values().all(is_value) {
            return Err(format!(
                "`{key}`: `when` has one value an option, or `null`"
            ));
        }
        Ok(())
    }

    fn claim(&self, claim: &Claim) -> Result<(), String> {
        if let Some(when) = &claim.when {
            self.conditions("claims", when)?;
        }
        let (listen, port) = (claim.listen.is_some(), claim.port.is_some());
        let template = match (&claim.resource, &claim.listen, &claim.reach) {
            (Some(_), None, None) if port => {
                return Err("`claims`: a `resource` has no `port`".to_owned());
            }
            _ if listen && !port => return Err("`claims`: `listen` needs a `port`".to_owned()),
            (Some(one), None, None) | (None, Some(one), None) | (None, None, Some(one)) => one,
            _ => {
                return Err(
                    "`claims`: each takes one of `resource`, `listen` and `reach`".to_owned(),
                );
            }
        };
        for (text, most_lists) in [(Some(template), 1), (claim.port.as_ref(), 0)] {
            let mut lists = 0;
            for name in references(text.map_or("", String::as_str))
                .map_err(|problem| format!("`claims`: {problem}"))?
            {
                match self.options.get(name).map(|spec| spec.kind) {
                    None => return Err(format!("`claims`: the module has no option `{name}`")),
                    Some(OptionKind::Any) => {
                        return Err(format!(
                            "`claims`: `{name}` may be anything, so it names nothing"
                        ));
                    }
                    Some(OptionKind::List) => lists += 1,
                    Some(_) => {}
                }
            }
            if lists > most_lists {
                return Err("`claims`: a text has one list at most, and a port none".to_owned());
            }
        }
        Ok(())
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
