//! What stands at the keys of a face.

use kozo_faces::{Data, Path};
use kozo_ground::text::{join_path, quoted};

use super::super::{NODE, ROLE, Reader};
use super::keys::MAX_TEXT;
use crate::metadata::faces::{MAX_WORD, unfit};
use crate::metadata::template::Template;
use crate::{OptionSpec, Place, Problem, Tree, TreeNode, Value, Values};

/// How many texts a list of options or types has at most.
const MAX_WORDS: usize = 64;

/// How many characters a unit has at most.
const MAX_UNIT: usize = 32;

/// Something in a face, and where it is.
pub(in super::super) struct At<'a> {
    pub(in super::super) item: &'a Tree,
    pub(in super::super) path: &'a str,
    pub(in super::super) values: &'a Values,
    pub(in super::super) options: &'a [OptionSpec],
}

impl At<'_> {
    pub(in super::super) fn place(&self, key: &str) -> Place {
        self.item
            .child(key)
            .map_or(self.item.place, |tree| tree.place)
    }
}

impl Reader<'_> {
    /// What stands at `name`.
    pub(in super::super) fn display_name(&mut self, at: &At<'_>) -> Option<Template> {
        let text = self.word(at, "name", MAX_WORD)?;
        self.filled(at, "name", &text, at.place("name"))
    }

    pub(super) fn filled(
        &mut self,
        at: &At<'_>,
        key: &str,
        text: &str,
        place: Place,
    ) -> Option<Template> {
        let path = join_path(at.path, key);
        self.template(text, place, &path, at.options, &[NODE, ROLE], 0)
    }

    /// A text for people.
    pub(super) fn word(&mut self, at: &At<'_>, key: &str, most: usize) -> Option<String> {
        let text = at.values.text(key)?;
        self.fit(at, key, text, at.place(key), most)
    }

    fn fit(
        &mut self,
        at: &At<'_>,
        key: &str,
        text: &str,
        place: Place,
        most: usize,
    ) -> Option<String> {
        let why = match unfit(text, most) {
            None if text.is_empty() => "is empty".to_owned(),
            None => return Some(text.to_owned()),
            Some(why) => why,
        };
        self.error(place, &join_path(at.path, key), format!("the text {why}"));
        None
    }

    /// A list of texts that differ.
    pub(super) fn words(&mut self, at: &At<'_>, key: &str) -> Vec<String> {
        let texts = at.values.texts(key);
        let path = join_path(at.path, key);
        if texts.len() > MAX_WORDS {
            let message = format!("it may have {MAX_WORDS} texts at most");
            self.error(at.place(key), &path, message);
        }
        let place = |index: usize| match at.item.child(key).map(|tree| &tree.node) {
            Some(TreeNode::List(items)) => {
                items.get(index).map_or(at.place(key), |tree| tree.place)
            }
            _ => at.place(key),
        };
        let mut words: Vec<String> = Vec::new();
        for (index, text) in texts.iter().take(MAX_WORDS).enumerate() {
            if words.contains(text) {
                self.error(
                    place(index),
                    &path,
                    format!("{} is there twice", quoted(text)),
                );
            }
            words.extend(self.fit(at, key, text, place(index), MAX_WORD));
        }
        words
    }

    /// A value that a message can have as a whole.
    pub(super) fn single(&mut self, at: &At<'_>, key: &str) -> Option<Data> {
        let data = match at.values.value(key)? {
            Value::Boolean(boolean) => Data::Boolean(*boolean),
            Value::Integer(integer) => Data::Integer(*integer),
            Value::Number(number) => Data::Number(*number),
            Value::Text(text) => Data::Text(self.fit(at, key, text, at.place(key), MAX_TEXT)?),
            Value::Null | Value::List(_) | Value::Map(_) => {
                let message = "expected a text, a number, `true` or `false`";
                self.error(at.place(key), &join_path(at.path, key), message);
                return None;
            }
        };
        Some(data)
    }

    pub(super) fn path(&mut self, at: &At<'_>, key: &str, may_be_time: bool) -> Option<String> {
        let text = at.values.text(key)?;
        let message = match Path::parse(text) {
            Ok(Path::Time) if !may_be_time => {
                "only the `value` of a sensor can be a time: a key `time` stands in quotes"
                    .to_owned()
            }
            Ok(_) => return Some(text.to_owned()),
            Err(error) => format!("{} leads nowhere: {error}", quoted(text)),
        };
        self.problems.push(
            Problem::error(at.place(key), join_path(at.path, key), message)
                .with_help("write `devices.0.rssi`, `count` for how many there are, or `.` for all of the data"),
        );
        None
    }

    /// What it counts.
    pub(in super::super) fn unit(&mut self, at: &At<'_>) -> Option<String> {
        self.word(at, "unit", MAX_UNIT)
    }

    pub(in super::super) fn class(&mut self, at: &At<'_>) -> Option<String> {
        let class = self.word(at, "class", MAX_WORD)?;
        let is_part = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
        };
        if !class.chars().all(is_part) {
            let message = format!("{} can be no class", quoted(&class));
            self.problems.push(
                Problem::error(at.place("class"), join_path(at.path, "class"), message)
                    .with_help("write small letters, digits and `_`, as in `signal_strength`"),
            );
        }
        Some(class)
    }

    pub(in super::super) fn icon(&mut self, at: &At<'_>) -> Option<String> {
        let icon = self.word(at, "icon", MAX_WORD)?;
        let is_part = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
        };
        let is_name = |name: &str| !name.is_empty() && name.chars().all(is_part);
        if !icon
            .split_once(':')
            .is_some_and(|(set, name)| is_name(set) && is_name(name))
        {
            let message = format!("{} can be no picture", quoted(&icon));
            self.problems.push(
                Problem::error(at.place("icon"), join_path(at.path, "icon"), message)
                    .with_help("write a set and a name, as in `mdi:bell`"),
            );
        }
        Some(icon)
    }

    /// Numbers that go together.
    pub(super) fn numbers(&mut self, at: &At<'_>) {
        let number = |name: &str| at.values.value(name).and_then(Value::as_number);
        for (least, most) in [("minimum", "maximum"), ("shortest", "longest")] {
            if let (Some(smaller), Some(larger)) = (number(least), number(most)) {
                // A text may have one length, but a number that can be set is not always the same.
                if smaller > larger || (smaller == larger && least == "minimum") {
                    let message = format!("`{least}` is {smaller}, and `{most}` is {larger}");
                    self.error(at.place(most), &join_path(at.path, most), message);
                }
            }
        }
        if number("step").is_some_and(|step| step <= 0.0) {
            self.error(
                at.place("step"),
                &join_path(at.path, "step"),
                "it is not above 0",
            );
        }
    }
}
