//! What a role wants to hear of.

use std::sync::LazyLock;

use kozo_ground::interest::Kind;
use kozo_ground::text::join_path;

use super::{Keys, List, NODE, ROLE, Reader, optional};
use crate::metadata::{InterestTemplate, MAX_INTERESTS};
use crate::{OptionSpec, Tree, Value, ValueKind};

const INTERESTS: List = List {
    key: "interests",
    most: MAX_INTERESTS,
    owner: "a role",
    example: "write `- {kind: event, type: tick}` lines",
};

const KINDS: [(&str, Kind); 3] = [
    ("event", Kind::Event),
    ("order", Kind::Order),
    ("log", Kind::Log),
];

fn interest_keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
        new: &[],
        table: vec![
            optional("kind", ValueKind::Text).one_of(&KINDS.map(|(name, _)| name)),
            optional("type", ValueKind::Texts),
            optional("channel", ValueKind::Texts),
            optional("role", ValueKind::Texts),
            optional("node", ValueKind::Texts),
        ],
    });
    &KEYS
}

impl Reader<'_> {
    pub(super) fn interests(
        &mut self,
        tree: &Tree,
        options: &[OptionSpec],
    ) -> Vec<InterestTemplate> {
        let items = self.items(tree, &INTERESTS).iter().enumerate();
        items
            .map(|(index, item)| self.interest(item, index, options))
            .collect()
    }

    fn interest(&mut self, item: &Tree, index: usize, options: &[OptionSpec]) -> InterestTemplate {
        let path = format!("interests[{index}]");
        let values = self.block(item, item.place, &path, "an interest", interest_keys());
        let kind = values.text("kind");
        let mut field = |name: &str| {
            let texts = match values.value(name)? {
                Value::List(texts) => texts.iter().filter_map(Value::as_text),
                _ => return None,
            };
            let place = item.child(name).map_or(item.place, |tree| tree.place);
            let path = join_path(&path, name);
            Some(
                texts
                    .filter_map(|text| self.template(text, place, &path, options, &[NODE, ROLE], 1))
                    .collect(),
            )
        };
        InterestTemplate {
            kind: KINDS
                .iter()
                .find_map(|(name, number)| (Some(*name) == kind).then_some(*number)),
            type_name: field("type"),
            channel: field("channel"),
            role: field("role"),
            node: field("node"),
        }
    }
}
