//! What a role is for people and other systems.

mod fields;
mod keys;

use kozo_faces::{Face, FaceKind};
use kozo_ground::text::{enumerate, join_path, quoted};

use super::{Keys, Reader, optional, text};
use crate::metadata::faces::{Address, FaceTemplate, MAX_FACES, MAX_WORD, UnknownFace, unfit};
use crate::{Entry, OptionSpec, Problem, Tree, TreeNode, Value, ValueKind};
pub(super) use fields::At;
pub(super) use keys::{HIDDEN, of_overrule};
use keys::{MAX_TEXT, SINGLE_VALUES, of_face};

pub(super) const FACES: &str = "faces";

impl Reader<'_> {
    /// The faces, and those of kinds that are not known here.
    pub(super) fn faces(
        &mut self,
        tree: &Tree,
        options: &[OptionSpec],
    ) -> (Vec<FaceTemplate>, Vec<UnknownFace>) {
        let (mut faces, mut unknown) = (Vec::new(), Vec::new());
        let entries = match tree.child(FACES).map(|tree| &tree.node) {
            Some(TreeNode::Map(entries)) => entries.as_slice(),
            // Anything else was reported with the other keys.
            _ => &[],
        };
        if let Some(entry) = entries.get(MAX_FACES) {
            let message = format!("a role may have {MAX_FACES} faces at most");
            self.error(entry.key_place, FACES, message);
        }
        for entry in entries.iter().take(MAX_FACES) {
            let path = join_path(FACES, &entry.key);
            self.face_name(entry, &path);
            match self.face_kind(entry, &path) {
                Some(FaceKind::Other(kind)) => unknown.push(UnknownFace {
                    face: entry.key.clone(),
                    kind,
                }),
                Some(kind) => faces.extend(self.face(entry, &path, kind, options)),
                None => {}
            }
        }
        (faces, unknown)
    }

    pub(super) fn face_name(&mut self, entry: &Entry, path: &str) {
        let is_part =
            |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
        let name = entry.key.as_str();
        if name.is_empty() || name.len() > MAX_WORD || !name.chars().all(is_part) {
            let message = format!("{} is not the name of a face", quoted(name));
            self.problems.push(
                Problem::error(entry.key_place, path, message).with_help(format!(
                    "write letters without accents, digits, `_` and `-`, {MAX_WORD} characters at most"
                )),
            );
        }
    }

    /// The kind that a face says it is of.
    pub(super) fn face_kind(&mut self, entry: &Entry, path: &str) -> Option<FaceKind> {
        let expected = || format!("write one of {}", kinds());
        match &entry.value.node {
            TreeNode::Map(_) => {}
            TreeNode::Invalid => return None,
            _ => {
                let message = format!("expected a face, found {}", entry.value.describe());
                let help = "write `kind: KIND` and what it is about below the name";
                self.problems
                    .push(Problem::error(entry.value.place, path, message).with_help(help));
                return None;
            }
        }
        let path = join_path(path, "kind");
        let Some(kind) = entry.value.child("kind") else {
            let message = "a face needs the key `kind`";
            self.problems
                .push(Problem::error(entry.key_place, path, message).with_help(expected()));
            return None;
        };
        match kind.text().filter(|_| !kind.is_null()) {
            Some(name) if unfit(name, MAX_WORD).is_none() => Some(FaceKind::from(name.to_owned())),
            _ if kind.is_invalid() => None,
            _ => {
                let message = format!("expected the kind of the face, found {}", kind.describe());
                self.problems
                    .push(Problem::error(kind.place, path, message).with_help(expected()));
                None
            }
        }
    }

    /// A face of a kind that is known.
    pub(super) fn face(
        &mut self,
        entry: &Entry,
        path: &str,
        kind: FaceKind,
        options: &[OptionSpec],
    ) -> Option<FaceTemplate> {
        let item = &entry.value;
        let what = format!("a face of kind {}", quoted(kind.name()));
        let values = self.block(item, entry.key_place, path, &what, &of_face(&kind));
        let at = At {
            item,
            path,
            values: &values,
            options,
        };
        self.numbers(&at);
        let [on, off, home, away, press] = SINGLE_VALUES.map(|name| self.single(&at, name));
        for (one, other) in [("on", (&on, &off)), ("home", (&home, &away))] {
            if other.0.is_some() && other.0 == other.1 {
                self.error(
                    at.place(one),
                    &join_path(path, one),
                    "both stand for the same",
                );
            }
        }
        let number = |name: &str| values.value(name).and_then(Value::as_number);
        let whole = |name: &str| {
            let number = values.value(name).and_then(Value::as_integer);
            number.and_then(|number| u64::try_from(number).ok())
        };
        let boolean = |name: &str| values.value(name).and_then(Value::as_boolean);
        let chosen = |name: &str| values.text(name).map(str::to_owned);
        let bare = Face {
            class: self.class(&at),
            icon: self.icon(&at),
            category: chosen("category"),
            enabled: boolean("enabled").unwrap_or(true),
            value: self.path(&at, "value", kind == FaceKind::Sensor),
            attributes: self.path(&at, "attributes", false),
            on,
            off,
            home,
            away,
            press,
            options: self.words(&at, "options"),
            types: self.words(&at, "types"),
            unit: self.unit(&at),
            statistics: chosen("statistics"),
            precision: whole("precision"),
            minimum: number("minimum"),
            maximum: number("maximum"),
            step: number("step"),
            control: chosen("control"),
            shortest: whole("shortest"),
            longest: whole("longest"),
            pattern: self.word(&at, "pattern", MAX_TEXT),
            secret: boolean("secret") == Some(true),
            source: chosen("source"),
            expire_after_seconds: number("expireAfter"),
            off_after_seconds: number("offAfter"),
            ..Face::new(&entry.key, kind)
        };
        Some(FaceTemplate {
            bare,
            name: self.display_name(&at),
            state: self.address(&at, "state", "event"),
            command: self.address(&at, "command", "order"),
        })
    }

    /// The messages that `key` names.
    fn address(&mut self, at: &At<'_>, key: &str, of_type: &str) -> Option<Address> {
        // Nothing, or something else that was reported.
        let item = at.item.child(key).filter(|tree| tree.is_mapping())?;
        let path = join_path(at.path, key);
        let keys = Keys {
            table: vec![
                text(of_type, "The type of the messages."),
                optional("channel", ValueKind::Text),
            ],
            new: &[],
        };
        let values = self.block(item, item.place, &path, &format!("`{key}`"), &keys);
        let inner = At {
            item,
            path: &path,
            values: &values,
            options: at.options,
        };
        let mut template = |name: &str| {
            let text = values.text(name)?;
            self.filled(&inner, name, text, inner.place(name))
        };
        Some(Address {
            channel: template("channel"),
            type_name: template(of_type)?,
        })
    }
}

/// The kinds that are known here, for a help line.
pub(super) fn kinds() -> String {
    enumerate(FaceKind::ALL.iter().map(FaceKind::name), "and")
}
