//! Whether a value in the file is what an option may be.

use std::path::Path;

use kozo_ground::text::quoted;

use super::measure;
use super::problem::{Place, Problem, Problems};
use super::scalar::{self, NotANumber, Number};
use super::schema::{DefaultValue, OptionSpec, ValueKind};
use super::tree::{Scalar, Tree, TreeNode};
use super::value::Value;

/// How many items a list of texts may have.
pub const MAX_LIST: usize = 4096;

impl OptionSpec {
    /// The value that `tree` has as this option, or `None` after pushing what is wrong with it.
    /// Relative paths start at `folder`, and stay as they are without one.
    pub(crate) fn check(
        &self,
        tree: &Tree,
        path: &str,
        folder: Option<&Path>,
        problems: &mut Problems,
    ) -> Option<Value> {
        let mut check = Check {
            spec: self,
            path,
            folder,
            problems,
        };
        check.value(tree)
    }
}

/// One option being checked.
struct Check<'c> {
    spec: &'c OptionSpec,
    path: &'c str,
    folder: Option<&'c Path>,
    problems: &'c mut Problems,
}

impl Check<'_> {
    fn value(&mut self, tree: &Tree) -> Option<Value> {
        if tree.is_invalid() {
            return None;
        }
        if tree.is_null() {
            return self.null(tree.place);
        }
        match self.spec.kind {
            ValueKind::Boolean => self.boolean(tree),
            ValueKind::Integer | ValueKind::Number => self.number(tree),
            ValueKind::Text => self.text(tree).map(Value::Text),
            ValueKind::Path => {
                let text = self.text(tree)?;
                self.located(&text, tree.place).map(Value::Text)
            }
            ValueKind::List => self.list(tree, Some(',')),
            ValueKind::Texts | ValueKind::PublicKeys => self.list(tree, None),
            ValueKind::Paths => self.list(tree, Some(':')),
            ValueKind::Any => tree.any_value(self.path, self.problems),
            ValueKind::Block => match tree.node {
                TreeNode::Map(_) => Some(Value::Null),
                _ => self.unexpected(tree),
            },
            ValueKind::Other => Some(Value::Null),
        }
    }

    fn null(&mut self, place: Place) -> Option<Value> {
        let help = match &self.spec.default {
            DefaultValue::None => return Some(Value::Null),
            DefaultValue::Required => self.spec.advice(),
            DefaultValue::Value(default) => format!(
                "{}, or remove the line for the default, {}",
                self.spec.advice(),
                quoted(&default.to_string())
            ),
        };
        self.refuse(place, "it has no value".to_owned(), help)
    }

    fn boolean(&mut self, tree: &Tree) -> Option<Value> {
        match &tree.node {
            TreeNode::Scalar(Scalar { text, plain: true }) => match scalar::boolean(text) {
                Some(boolean) => Some(Value::Boolean(boolean)),
                None => self.unexpected(tree),
            },
            TreeNode::Scalar(Scalar { text, plain: false }) if scalar::boolean(text).is_some() => {
                self.quoted(tree)
            }
            _ => self.unexpected(tree),
        }
    }

    fn number(&mut self, tree: &Tree) -> Option<Value> {
        let TreeNode::Scalar(Scalar { text, plain }) = &tree.node else {
            return self.unexpected(tree);
        };
        if let Some(size) = scalar::size(text).filter(|_| self.spec.is_size()) {
            return self.in_range(Value::Integer(size), text, tree.place);
        }
        let number = match scalar::number(text) {
            Err(NotANumber::Text) => return self.no_number(tree, text),
            _ if !plain => return self.quoted(tree),
            Err(why) => {
                let message = format!("{} is not {}: {why}", quoted(text), self.spec.expectation());
                return self.refuse(tree.place, message, self.spec.advice());
            }
            Ok(number) => number,
        };
        let value = match (self.spec.kind, number) {
            (ValueKind::Integer, Number::Integer(integer)) => Value::Integer(integer),
            (ValueKind::Integer, Number::Float(_)) => return self.unexpected(tree),
            (_, Number::Integer(integer)) => Value::Number(integer as f64),
            (_, Number::Float(number)) => Value::Number(number),
        };
        self.in_range(value, text, tree.place)
    }

    /// Something else, or a number with a unit.
    fn no_number<T>(&mut self, tree: &Tree, text: &str) -> Option<T> {
        let Some(advice) = measure::advice(self.spec, text) else {
            return self.unexpected(tree);
        };
        let message = format!(
            "expected {}, found {}",
            self.spec.expectation(),
            tree.describe()
        );
        self.refuse(tree.place, message, advice)
    }

    fn in_range(&mut self, value: Value, written: &str, place: Place) -> Option<Value> {
        let number = value.as_number().unwrap_or_default();
        let unit = match &self.spec.unit {
            Some(unit) => format!(" {unit}"),
            None => String::new(),
        };
        let (relation, extreme, bound) = match (self.spec.minimum, self.spec.maximum) {
            (Some(minimum), _) if number < minimum => ("small", "least", minimum),
            (_, Some(maximum)) if number > maximum => ("large", "most", maximum),
            _ => return Some(value),
        };
        let message = format!(
            "{} is too {relation}: the {extreme} is {bound}{unit}",
            quoted(written)
        );
        self.refuse(place, message, self.spec.advice())
    }

    fn text(&mut self, tree: &Tree) -> Option<String> {
        let TreeNode::Scalar(Scalar { text, .. }) = &tree.node else {
            return self.unexpected(tree);
        };
        self.chosen(text, tree.place)?;
        Some(text.clone())
    }

    fn chosen(&mut self, text: &str, place: Place) -> Option<()> {
        if self.spec.choices.is_empty() || self.spec.choices.iter().any(|choice| choice == text) {
            return Some(());
        }
        let message = format!("{} is not one of the possible values", quoted(text));
        self.refuse(place, message, self.spec.choice_advice(text))
    }

    /// A path that no longer depends on the folder it is read from.
    fn located(&mut self, text: &str, place: Place) -> Option<String> {
        let (message, help) = if text.is_empty() {
            ("a path may not be empty", "write a path")
        } else if text.contains('\0') {
            ("a path may not hold a zero character", "remove it")
        } else if text == "~" || text.starts_with("~/") {
            (
                "`~` does not stand for a home folder here",
                "write the path out",
            )
        } else {
            return Some(located(text, self.folder));
        };
        self.refuse(place, message.to_owned(), help.to_owned())
    }

    fn list(&mut self, tree: &Tree, separator: Option<char>) -> Option<Value> {
        let texts: Vec<(&str, Place)> = match &tree.node {
            TreeNode::Scalar(Scalar { text, .. }) => match separator {
                Some(separator) => text
                    .split(separator)
                    .map(|part| (part.trim(), tree.place))
                    .filter(|(part, _)| !part.is_empty())
                    .collect(),
                None => vec![(text.as_str(), tree.place)],
            },
            TreeNode::List(items) => {
                let texts: Vec<_> = items.iter().filter_map(|item| self.item(item)).collect();
                if texts.len() < items.len() {
                    return None;
                }
                texts
            }
            _ => return self.unexpected(tree),
        };
        if texts.is_empty() && self.spec.default == DefaultValue::Required {
            return self.refuse(
                tree.place,
                "the list is empty".to_owned(),
                self.spec.advice(),
            );
        }
        if texts.len() > MAX_LIST {
            let message = format!("a list may have {MAX_LIST} items at most");
            return self.refuse(tree.place, message, "make it shorter".to_owned());
        }
        let count = texts.len();
        let values: Vec<Value> = texts
            .into_iter()
            .filter_map(|(text, place)| {
                self.chosen(text, place)?;
                match self.spec.kind {
                    ValueKind::Paths => self.located(text, place).map(Value::Text),
                    _ => Some(Value::Text(text.to_owned())),
                }
            })
            .collect();
        (values.len() == count).then_some(Value::List(values))
    }

    fn item<'t>(&mut self, item: &'t Tree) -> Option<(&'t str, Place)> {
        match &item.node {
            TreeNode::Invalid => None,
            TreeNode::Scalar(scalar) if !scalar.is_null() => Some((&scalar.text, item.place)),
            _ => {
                let message = format!("expected a text in the list, found {}", item.describe());
                self.refuse(item.place, message, self.spec.advice())
            }
        }
    }

    fn unexpected<T>(&mut self, tree: &Tree) -> Option<T> {
        let message = format!(
            "expected {}, found {}",
            self.spec.expectation(),
            tree.describe()
        );
        self.refuse(tree.place, message, self.spec.advice())
    }

    fn quoted<T>(&mut self, tree: &Tree) -> Option<T> {
        let message = format!(
            "expected {}, found {} in quotes",
            self.spec.expectation(),
            tree.describe()
        );
        self.refuse(tree.place, message, "remove the quotes".to_owned())
    }

    fn refuse<T>(&mut self, place: Place, message: String, help: String) -> Option<T> {
        self.problems
            .push(Problem::error(place, self.path, message).with_help(help));
        None
    }
}

/// `text` as a path that starts at `folder` unless it is absolute.
pub(crate) fn located(text: &str, folder: Option<&Path>) -> String {
    match folder {
        // Both parts are text, so nothing is lost.
        Some(folder) => folder.join(text).to_string_lossy().into_owned(),
        None => text.to_owned(),
    }
}
