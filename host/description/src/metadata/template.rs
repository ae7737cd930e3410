//! Texts with names in braces that stand for something: `{timer}`, `{role}@{node}`. A brace that
//! is meant as such is written twice.

use std::fmt;

/// A text with names to fill in. It displays as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Reference(String),
}

/// Why a text is not a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("a `{{` is not closed: write `{{name}}`, or `{{{{` for a brace")]
    Unclosed,
    #[error("a `}}` closes nothing: write `}}}}` for a brace")]
    Unopened,
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Reference(name) => write!(f, "{{{name}}}"),
        })
    }
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(brace) = rest.find(['{', '}']) {
            literal.push_str(&rest[..brace]);
            let is_open = rest[brace..].starts_with('{');
            let behind = &rest[brace + 1..];
            if behind.starts_with(if is_open { '{' } else { '}' }) {
                literal.push_str(&behind[..1]);
                rest = &behind[1..];
                continue;
            }
            if !is_open {
                return Err(TemplateError::Unopened);
            }
            let end = behind
                .find(['{', '}'])
                .filter(|&end| behind[end..].starts_with('}'))
                .ok_or(TemplateError::Unclosed)?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Reference(behind[..end].to_owned()));
            rest = &behind[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// The names that stand in it.
    pub(super) fn references(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Reference(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text with a value for each name.
    pub(super) fn fill_one<'v>(&self, value: impl Fn(&str) -> &'v str) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Literal(literal) => literal.as_str(),
                Part::Reference(name) => value(name),
            })
            .collect()
    }

    /// The texts with every value of each name; `None` when a name has no value at all.
    pub(super) fn fill(
        &self,
        values: &impl Fn(&str) -> Option<Vec<String>>,
    ) -> Option<Vec<String>> {
        let mut texts = vec![String::new()];
        for part in &self.0 {
            match part {
                Part::Literal(literal) => texts.iter_mut().for_each(|text| text.push_str(literal)),
                Part::Reference(name) => {
                    let values = values(name)?;
                    texts = texts
                        .iter()
                        .flat_map(|text| values.iter().map(move |value| format!("{text}{value}")))
                        .collect();
                }
            }
        }
        Some(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Option<Vec<String>> {
        Template::parse(text).unwrap().fill(&|name| match name {
            "one" => Some(vec!["1".to_owned()]),
            "two" => Some(vec!["a".to_owned(), "b".to_owned()]),
            "none" => Some(Vec::new()),
            _ => None,
        })
    }

    #[test]
    fn names_are_filled_in() {
        assert_eq!(fill("tick"), Some(vec!["tick".to_owned()]));
        assert_eq!(fill("{one}@{one}"), Some(vec!["1@1".to_owned()]));
        assert_eq!(
            fill("x{two}*"),
            Some(vec!["xa*".to_owned(), "xb*".to_owned()])
        );
        assert_eq!(fill("{none}"), Some(vec![]));
        assert_eq!(fill("{unset}"), None);
        assert_eq!(fill(""), Some(vec![String::new()]));
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(fill("{{one}}"), Some(vec!["{one}".to_owned()]));
        assert_eq!(fill("{{{one}}}"), Some(vec!["{1}".to_owned()]));
    }

    #[test]
    fn a_lone_brace_is_refused() {
        assert_eq!(Template::parse("a{b"), Err(TemplateError::Unclosed));
        assert_eq!(Template::parse("{a{b}"), Err(TemplateError::Unclosed));
        assert_eq!(Template::parse("a}b"), Err(TemplateError::Unopened));
    }
}
