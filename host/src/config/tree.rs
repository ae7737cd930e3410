//! A YAML document as it was written: every key and value with its line and column, every scalar
//! with its raw text. What a scalar means is decided by what is expected in its place.

use kozo_ground::text::quoted;

use super::problem::Place;
use super::scalar;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) place: Place,
    pub(crate) node: Node,
}

/// What a value is made of.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Scalar(Scalar),
    List(Vec<Tree>),
    Map(Vec<Entry>),
    /// Something that was reported already; whoever meets it stays silent.
    Invalid,
}

/// A single value.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    /// The text with escapes and line folds resolved.
    pub(crate) text: String,
    /// Whether it was written without quotes, so that it may be more than a text.
    pub(crate) plain: bool,
}

/// A key and its value. The keys of a mapping differ from each other.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Tree,
}

impl Scalar {
    pub(crate) fn is_null(&self) -> bool {
        self.plain && scalar::is_null(&self.text)
    }
}

impl Tree {
    /// Whether there is no value: nothing was written, or `null`, or `~`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.node, Node::Scalar(scalar) if scalar.is_null())
    }

    /// Whether this is a mapping.
    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self.node, Node::Map(_))
    }

    /// Whether this was reported already.
    pub(crate) fn is_invalid(&self) -> bool {
        matches!(self.node, Node::Invalid)
    }

    /// The same single value with another text.
    pub(crate) fn with_text(mut self, text: String) -> Self {
        if let Node::Scalar(scalar) = &mut self.node {
            scalar.text = text;
        }
        self
    }

    /// The text of a single value, quoted or not.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.node {
            Node::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub(crate) fn child(&self, key: &str) -> Option<&Tree> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The keys of a mapping, in the order of the file; none of anything else.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let entries = match &self.node {
            Node::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|entry| entry.key.as_str())
    }

    /// A key with its value, if this is a mapping that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.node {
            Node::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// What stands here, for a message: "the text `abc`", "a list".
    pub(crate) fn describe(&self) -> String {
        match &self.node {
            Node::List(_) => "a list".to_owned(),
            Node::Map(_) => "a mapping".to_owned(),
            Node::Invalid => "something invalid".to_owned(),
            Node::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
            Node::Scalar(scalar) => {
                let what = match &scalar.text {
                    text if scalar.plain && scalar::number(text).is_ok() => "number",
                    text if scalar.plain && scalar::core_boolean(text).is_some() => "boolean",
                    _ => "text",
                };
                format!("the {what} {}", quoted(&scalar.text))
            }
        }
    }
}
