//! Values of any shape, where nothing says what is expected.

use kozo_ground::text::quoted;

use super::problem::{Problem, Problems};
use super::scalar::{self, NotANumber, Number};
use super::tree::{Scalar, Tree, TreeNode};
use super::value::Value;

impl Tree {
    /// What stands here as a value: numbers, booleans and nothing as YAML 1.2 has them, anything else is a
    /// text. `None` after pushing what is wrong with it; `path` is where it stands, for people.
    pub fn any_value(&self, path: &str, problems: &mut Problems) -> Option<Value> {
        match &self.node {
            TreeNode::Invalid => None,
            TreeNode::Scalar(Scalar { text, plain: false }) => Some(Value::Text(text.clone())),
            TreeNode::Scalar(scalar) if scalar.is_null() => Some(Value::Null),
            TreeNode::Scalar(Scalar { text, .. }) => {
                if let Some(boolean) = scalar::core_boolean(text) {
                    return Some(Value::Boolean(boolean));
                }
                match scalar::number(text) {
                    Ok(Number::Integer(integer)) => Some(Value::Integer(integer)),
                    Ok(Number::Float(number)) => Some(Value::Number(number)),
                    Err(
                        why @ (NotANumber::LeadingZero
                        | NotANumber::TooLarge
                        | NotANumber::NotFinite),
                    ) => {
                        let message = format!("{} is not a number: {why}", quoted(text));
                        let help = "put it in quotes if it is meant as a text";
                        problems.push(Problem::error(self.place, path, message).with_help(help));
                        None
                    }
                    Err(_) => Some(Value::Text(text.clone())),
                }
            }
            TreeNode::List(items) => {
                let values = items
                    .iter()
                    .filter_map(|item| item.any_value(path, problems));
                let values: Vec<_> = values.collect();
                (values.len() == items.len()).then_some(Value::List(values))
            }
            TreeNode::Map(entries) => {
                let values: Vec<_> = entries
                    .iter()
                    .filter_map(|entry| {
                        Some((entry.key.clone(), entry.value.any_value(path, problems)?))
                    })
                    .collect();
                (values.len() == entries.len()).then_some(Value::Map(values))
            }
        }
    }
}
