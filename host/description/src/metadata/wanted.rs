//! What a role wants to hear of: patterns in which options stand, or an option that lists patterns.

use kozo_ground::interest::{Interest, Kind, Pattern};
use serde::Serialize;

use super::MAX_INTERESTS;
use super::template::Template;
use crate::block::{Block, Unknown};
use crate::problem::{Problem, Problems};
use crate::schema::{DefaultValue, OptionSpec, ValueKind};
use crate::tree::{Tree, TreeNode};
use crate::value::{ModuleOptions, Value};

/// The names of kinds.
pub(super) const KINDS: [(&str, Kind); 3] = [
    ("event", Kind::Event),
    ("order", Kind::Order),
    ("log", Kind::Log),
];

/// The fields of a pattern besides its kind.
pub(super) const FIELDS: [&str; 4] = ["type", "channel", "role", "node"];

/// How an option that lists interests is written, for a help line.
const LISTED_INTERESTS: &str = "write `- {kind: event, type: tick}` lines, or `[]` for none";

/// One entry of the list of what a role wants to hear of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    /// What fits this.
    Template(InterestTemplate),
    /// What fits any that the option of this name lists.
    Option(String),
}

/// One entry as the metadata has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum DeclaredInterest {
    /// Patterns, with the names of options in braces.
    Patterns(Interest),
    /// The name of an option that lists interests.
    Listed {
        /// The option.
        from: String,
    },
}

/// An interest in which options are still to be filled in. A field left out fits everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct InterestTemplate {
    pub(super) kind: Option<Kind>,
    pub(super) type_name: Option<Vec<Template>>,
    pub(super) channel: Option<Vec<Template>>,
    pub(super) role: Option<Vec<Template>>,
    pub(super) node: Option<Vec<Template>>,
}

impl Wanted {
    /// With these options, and with `values` for the names in braces.
    pub(super) fn interests(
        &self,
        options: &ModuleOptions,
        values: &impl Fn(&str) -> Option<Vec<String>>,
    ) -> Vec<Interest> {
        match self {
            Self::Template(template) => vec![template.map(&|text| text.fill(values))],
            Self::Option(name) => match options.value(name) {
                Some(Value::List(items)) => items.iter().filter_map(listed).collect(),
                _ => Vec::new(),
            },
        }
    }

    pub(super) fn as_written(&self) -> DeclaredInterest {
        match self {
            Self::Template(template) => DeclaredInterest::Patterns(
                template.map(&|text: &Template| Some(vec![text.to_string()])),
            ),
            Self::Option(name) => DeclaredInterest::Listed { from: name.clone() },
        }
    }

    /// The option that lists interests.
    pub(super) fn option(&self) -> Option<&str> {
        match self {
            Self::Template(_) => None,
            Self::Option(name) => Some(name),
        }
    }

    /// As a host reads it that knows nothing of such options: an interest without any patterns.
    pub(super) fn forget_option(&mut self) {
        if let Self::Option(_) = self {
            *self = Self::Template(InterestTemplate::default());
        }
    }
}

impl InterestTemplate {
    /// An interest of what `texts` makes of each template. A field with a template of which it
    /// makes nothing, for an option without a value, fits everything.
    fn map(&self, texts: &impl Fn(&Template) -> Option<Vec<String>>) -> Interest {
        let field = |templates: &Option<Vec<Template>>| {
            let mut patterns = Vec::new();
            for template in templates.as_ref()? {
                patterns.extend(texts(template)?.into_iter().map(Pattern::new));
            }
            Some(patterns)
        };
        Interest {
            kind: self.kind,
            type_name: field(&self.type_name),
            channel: field(&self.channel),
            role: field(&self.role),
            node: field(&self.node),
        }
    }
}

/// Checks the list of interests that stands in `tree`, and gives it in one form, whatever it is written
/// like: `kind` is a text, each other field a list of texts. `None` after pushing what is wrong with it.
pub(crate) fn check_listed(tree: &Tree, path: &str, problems: &mut Problems) -> Option<Value> {
    let items = match &tree.node {
        TreeNode::List(items) => items,
        TreeNode::Invalid => return None,
        _ => {
            let message = format!("expected a list of interests, found {}", tree.describe());
            problems.push(Problem::error(tree.place, path, message).with_help(LISTED_INTERESTS));
            return None;
        }
    };
    if let Some(item) = items.get(MAX_INTERESTS) {
        let message = format!("an option may list {MAX_INTERESTS} interests at most");
        problems.push(Problem::error(item.place, path, message).with_help(
            "let one entry stand for several: a list for any of its texts, `*` for anything",
        ));
        return None;
    }
    let specs = pattern_keys();
    let checked: Vec<_> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let block = Block {
                tree: item,
                place: item.place,
                path: &format!("{path}[{index}]"),
                what: "an interest",
                noun: "key",
            };
            if !matches!(item.node, TreeNode::Map(_) | TreeNode::Invalid) {
                let message = format!("expected an interest, found {}", item.describe());
                problems.push(
                    Problem::error(item.place, block.path, message).with_help(LISTED_INTERESTS),
                );
                return None;
            }
            let mut wrong = Problems::new("");
            let values = block.check(specs.iter(), Unknown::REFUSED, None, &mut wrong);
            if wrong.has_errors() || item.is_invalid() {
                wrong
                    .iter()
                    .for_each(|problem| problems.push(problem.clone()));
                return None;
            }
            let given = specs
                .iter()
                .filter_map(|spec| Some((spec.name.clone(), values.value(&spec.name)?.clone())));
            Some(Value::Map(given.collect()))
        })
        .collect();
    (checked.len() == items.len()).then_some(Value::List(checked))
}

/// The keys of a pattern.
pub(super) fn pattern_keys() -> Vec<OptionSpec> {
    let optional = |name: &str, kind| OptionSpec::new(name, kind, DefaultValue::None, "");
    let kind = optional("kind", ValueKind::Text).one_of(&KINDS.map(|(name, _)| name));
    let fields = FIELDS.map(|name| optional(name, ValueKind::Texts));
    std::iter::once(kind).chain(fields).collect()
}

/// An interest in the one form; nothing of anything else.
fn listed(value: &Value) -> Option<Interest> {
    let Value::Map(entries) = value else {
        return None;
    };
    let entry = |name: &str| {
        let mut entries = entries.iter();
        entries.find_map(|(key, value)| (key == name).then_some(value))
    };
    let field = |name: &str| Some(entry(name)?.texts().map(Pattern::new).collect());
    Some(Interest {
        kind: entry("kind")
            .and_then(Value::as_text)
            .and_then(Kind::from_name),
        type_name: field("type"),
        channel: field("channel"),
        role: field("role"),
        node: field("node"),
    })
}
