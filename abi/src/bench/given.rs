//! The options that a test gives, as if a network's file gave them.

use kozo_description::{Entry, Place, Scalar, Tree, TreeNode};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;

use crate::Error;

/// Nothing of it stands in a file.
const NOWHERE: Place = Place { line: 1, column: 1 };

/// The options of a role or transport.
#[derive(Debug, Default)]
pub(super) struct Given(Vec<Entry>);

impl Given {
    /// Gives an option, or another value to one that is given already.
    pub(super) fn set(&mut self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let Written(value) = rmp_serde::from_slice(&rmp_serde::to_vec_named(value)?)?;
        self.0.retain(|entry| entry.key != name);
        self.0.push(entry(name.to_owned(), value));
        Ok(())
    }

    /// The block in which they stand.
    pub(super) fn into_block(self) -> Tree {
        tree(TreeNode::Map(self.0))
    }
}

fn entry(key: String, value: Tree) -> Entry {
    Entry {
        key,
        key_place: NOWHERE,
        value,
    }
}

fn tree(node: TreeNode) -> Tree {
    Tree {
        place: NOWHERE,
        node,
    }
}

/// A value as it would be written in a file: a text in quotes, anything else without.
struct Written(Tree);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Writer)
    }
}

struct Writer;

fn scalar<E>(text: impl Into<String>, plain: bool) -> Result<Written, E> {
    let text = text.into();
    Ok(Written(tree(TreeNode::Scalar(Scalar { text, plain }))))
}

impl<'de> Visitor<'de> for Writer {
    type Value = Written;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what YAML can hold")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Written, E> {
        scalar(value.to_string(), true)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Written, E> {
        scalar(value.to_string(), true)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Written, E> {
        scalar(value.to_string(), true)
    }

    fn visit_f32<E>(self, value: f32) -> Result<Written, E> {
        number(value, value.is_finite())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Written, E> {
        number(value, value.is_finite())
    }

    fn visit_str<E>(self, value: &str) -> Result<Written, E> {
        scalar(value, false)
    }

    fn visit_unit<E>(self) -> Result<Written, E> {
        scalar("null", true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Written, A::Error> {
        let mut list = Vec::new();
        while let Some(Written(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Written(tree(TreeNode::List(list))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Written, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, Written(value))) = items.next_entry()? {
            entries.push(entry(key, value));
        }
        Ok(Written(tree(TreeNode::Map(entries))))
    }
}

fn number<E>(value: impl std::fmt::Debug, is_finite: bool) -> Result<Written, E> {
    match is_finite {
        // With a fraction or an exponent, as YAML tells it from a whole number.
        true => scalar(format!("{value:?}"), true),
        false => scalar(".nan", true),
    }
}
