//! What a role wants to hear of.

use std::sync::LazyLock;

use kozo_ground::interest::Kind;
use kozo_ground::text::{join_path, quoted};

use super::{Keys, List, NODE, ROLE, Reader, optional};
use crate::metadata::MAX_INTERESTS;
use crate::metadata::wanted::{InterestTemplate, Wanted, check_listed, pattern_keys};
use crate::{DefaultValue, OptionSpec, Tree, Value, ValueKind, Values};

const INTERESTS: List = List {
    key: "interests",
    most: MAX_INTERESTS,
    owner: "a role",
    example: "write `- {kind: event, type: tick}` lines",
};

/// The key that names an option which lists interests, in place of a pattern.
const FROM: &str = "from";

fn interest_keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| {
        let mut table = pattern_keys();
        table.push(optional(FROM, ValueKind::Text));
        Keys {
            new: &[FROM],
            table,
        }
    });
    &KEYS
}

impl Reader<'_> {
    /// What a role wants. The default of an option that lists interests gets the form that its values
    /// have.
    pub(super) fn interests(&mut self, tree: &Tree, options: &mut [OptionSpec]) -> Vec<Wanted> {
        let items = self.items(tree, &INTERESTS).iter().enumerate();
        let mut listing = false;
        let mut all = Vec::new();
        for (index, item) in items {
            let path = format!("interests[{index}]");
            let values = self.block(item, item.place, &path, "an interest", interest_keys());
            let Some(option) = values.text(FROM) else {
                let template = self.interest(item, &path, &values, options);
                all.push(Wanted::Template(template));
                continue;
            };
            self.listing(item, &path, option, tree, options);
            if std::mem::replace(&mut listing, true) {
                let message = "one option may list interests, and there is one already";
                self.error(item.place, &path, message);
            }
            all.push(Wanted::Option(option.to_owned()));
        }
        all
    }

    /// An entry that names an option.
    fn listing(
        &mut self,
        item: &Tree,
        path: &str,
        name: &str,
        metadata: &Tree,
        options: &mut [OptionSpec],
    ) {
        if let Some(other) = item.keys().find(|key| *key != FROM) {
            let place = item
                .entry(other)
                .map_or(item.place, |entry| entry.key_place);
            let message = format!("beside `{FROM}` stands no other key: write a second entry");
            self.error(place, &join_path(path, other), message);
        }
        let place = item.child(FROM).map_or(item.place, |tree| tree.place);
        let path = join_path(path, FROM);
        let Some(option) = options.iter_mut().find(|option| option.name == name) else {
            let message = format!("the module has no option {}", quoted(name));
            return self.error(place, &path, message);
        };
        if option.kind != ValueKind::Any {
            let message = format!(
                "the option {} is of type `{}`, and one that lists interests is of type `any`",
                quoted(name),
                option.kind.name()
            );
            return self.error(place, &path, message);
        }
        let described = metadata.child("options").and_then(|tree| tree.child(name));
        let default = described.and_then(|tree| tree.child("default"));
        if let Some(default) = default.filter(|default| !default.is_null()) {
            let path = join_path(&join_path("options", name), "default");
            if let Some(value) = check_listed(default, &path, self.problems) {
                option.default = DefaultValue::Value(value);
            }
        }
    }

    fn interest(
        &mut self,
        item: &Tree,
        path: &str,
        values: &Values,
        options: &[OptionSpec],
    ) -> InterestTemplate {
        let kind = values.text("kind");
        let mut field = |name: &str| {
            let texts = match values.value(name)? {
                Value::List(texts) => texts.iter().filter_map(Value::as_text),
                _ => return None,
            };
            let place = item.child(name).map_or(item.place, |tree| tree.place);
            let path = join_path(path, name);
            Some(
                texts
                    .filter_map(|text| self.template(text, place, &path, options, &[NODE, ROLE], 1))
                    .collect(),
            )
        };
        InterestTemplate {
            kind: kind.and_then(Kind::from_name),
            type_name: field("type"),
            channel: field("channel"),
            role: field("role"),
            node: field("node"),
        }
    }
}
