//! A YAML document as it was written: every key and value with its line and column, every scalar
//! with its raw text. What a scalar means is decided by what is expected in its place.

use kozo_ground::text::quoted;

use super::problem::Place;
use super::scalar;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Where it begins.
    pub place: Place,
    /// What stands there.
    pub node: TreeNode,
}

/// What a value is made of.
#[derive(Debug, Clone)]
pub enum TreeNode {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    List(Vec<Tree>),
    /// A mapping.
    Map(Vec<Entry>),
    /// Something that was reported already; whoever meets it stays silent.
    Invalid,
}

/// A single value.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// The text with escapes and line folds resolved.
    pub text: String,
    /// Whether it was written without quotes, so that it may be more than a text.
    pub plain: bool,
}

/// A key and its value. The keys of a mapping differ from each other.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    /// What belongs to the key.
    pub value: Tree,
}

impl Scalar {
    /// Whether it is no value: nothing was written, or `null`, or `~`.
    pub fn is_null(&self) -> bool {
        self.plain && scalar::is_null(&self.text)
    }
}

impl Tree {
    /// Whether there is no value: nothing was written, or `null`, or `~`.
    pub fn is_null(&self) -> bool {
        matches!(&self.node, TreeNode::Scalar(scalar) if scalar.is_null())
    }

    /// Whether this is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.node, TreeNode::Map(_))
    }

    /// Whether this was reported already.
    pub fn is_invalid(&self) -> bool {
        matches!(self.node, TreeNode::Invalid)
    }

    /// The same single value with another text.
    pub(crate) fn with_text(mut self, text: String) -> Self {
        if let TreeNode::Scalar(scalar) = &mut self.node {
            scalar.text = text;
        }
        self
    }

    /// The text of a single value, quoted or not.
    pub fn text(&self) -> Option<&str> {
        match &self.node {
            TreeNode::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn child(&self, key: &str) -> Option<&Tree> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The keys of a mapping, in the order of the file; none of anything else.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let entries = match &self.node {
            TreeNode::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|entry| entry.key.as_str())
    }

    /// A key with its value, if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.node {
            TreeNode::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// What stands here, for a message: "the text `abc`", "a list".
    pub fn describe(&self) -> String {
        match &self.node {
            TreeNode::List(_) => "a list".to_owned(),
            TreeNode::Map(_) => "a mapping".to_owned(),
            TreeNode::Invalid => "something invalid".to_owned(),
            TreeNode::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
            TreeNode::Scalar(scalar) => {
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
