//! Whether a role's interests let a message in, as the host decides it.

use serde::Deserialize;
use yaml_serde::Value;

use super::Incoming;
use super::metadata::Values;

/// One interest of a `module.yaml`. A field left out fits everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Interest {
    kind: Option<InterestKind>,
    #[serde(rename = "type")]
    type_name: Option<Patterns>,
    channel: Option<Patterns>,
    role: Option<Patterns>,
    node: Option<Patterns>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InterestKind {
    Event,
    Order,
    Log,
}

/// Texts in which `*` stands for anything; any of them has to fit.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Patterns {
    One(String),
    Several(Vec<String>),
}

impl Interest {
    /// The same interest with the role's own option values in place of `{option}`.
    ///
    /// # Errors
    /// The name between braces that is no option.
    pub(super) fn resolve(&self, values: &Values) -> Result<Self, String> {
        let resolve = |patterns: &Option<Patterns>| match patterns {
            Some(patterns) => patterns.resolve(values),
            None => Ok(None),
        };
        Ok(Self {
            kind: self.kind,
            type_name: resolve(&self.type_name)?,
            channel: resolve(&self.channel)?,
            role: resolve(&self.role)?,
            node: resolve(&self.node)?,
        })
    }

    pub(super) fn matches(&self, message: &Incoming) -> bool {
        let kind = match message.kind {
            crate::Kind::Event => InterestKind::Event,
            crate::Kind::Order => InterestKind::Order,
            crate::Kind::Log => InterestKind::Log,
        };
        let fits = |patterns: &Option<Patterns>, text: &str| {
            patterns
                .as_ref()
                .is_none_or(|patterns| patterns.as_slice().iter().any(|one| fits(one, text)))
        };
        self.kind.is_none_or(|wanted| wanted == kind)
            && fits(&self.type_name, &message.type_name)
            && fits(&self.channel, message.channel.as_deref().unwrap_or(""))
            && fits(&self.role, &message.role)
            && fits(&self.node, &message.node)
    }
}

impl Patterns {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(pattern) => std::slice::from_ref(pattern),
            Self::Several(patterns) => patterns,
        }
    }

    /// None when an option without a value makes the field fit everything.
    fn resolve(&self, values: &Values) -> Result<Option<Self>, String> {
        let mut resolved = Vec::new();
        for pattern in self.as_slice() {
            match expand(pattern, values)? {
                Some(patterns) => resolved.extend(patterns),
                None => return Ok(None),
            }
        }
        Ok(Some(Self::Several(resolved)))
    }
}

/// Puts option values in place of `{option}`; a list makes several patterns.
fn expand(pattern: &str, values: &Values) -> Result<Option<Vec<String>>, String> {
    let mut expanded = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| format!("`{pattern}` has a `{{` without a `}}`"))?;
        let value = values
            .get(name)
            .ok_or_else(|| format!("`{pattern}` names `{name}`, which is no option"))?;
        let texts: Vec<String> = match value {
            Value::Null => return Ok(None),
            Value::Sequence(items) => items.iter().map(plain).collect(),
            single => vec![plain(single)],
        };
        expanded = expanded
            .iter()
            .flat_map(|start| {
                texts
                    .iter()
                    .map(move |text| format!("{start}{before}{text}"))
            })
            .collect();
        rest = after;
    }
    for text in &mut expanded {
        text.push_str(rest);
    }
    Ok(Some(expanded))
}

/// The names that stand in braces in a text.
///
/// # Errors
/// A brace that is not closed.
pub(super) fn references(text: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| format!("`{text}` has a `{{` without a `}}`"))?;
        names.push(name);
        rest = after;
    }
    Ok(names)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    }
}

/// Whether `text` as a whole fits `pattern`, in which `*` stands for any run of characters.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = others.split('*').collect();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "timer1", true),
            ("timer1", "timer12", false),
            ("timer*", "timer", true),
            ("*er*", "timer1", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*a", "a", false),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn options_fill_the_patterns() {
        let values = Values::from([
            ("names".to_owned(), Value::from(vec!["a", "b"])),
            ("one".to_owned(), Value::from("x")),
            ("none".to_owned(), Value::Null),
        ]);
        let expanded = |pattern| expand(pattern, &values);
        assert_eq!(
            expanded("{one}-{names}").unwrap().unwrap(),
            ["x-a", "x-b"].map(String::from)
        );
        assert_eq!(expanded("{none}"), Ok(None));
        assert!(expanded("{other}").unwrap_err().contains("`other`"));
        assert!(expanded("{one").is_err());
    }
}
