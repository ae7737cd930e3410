//! Reads metadata, with all of its mistakes in one report.

use std::sync::LazyLock;

use super::template::{Template, TemplateError};
use super::{
    InterestTemplate, MAX_INTERESTS, MAX_METADATA_SIZE, MAX_OPTIONS, Metadata, ModuleKind,
};
use crate::config::{
    Block, DefaultValue, Entry, OptionSpec, Place, Problem, Problems, Tree, TreeNode, Unknown,
    Value, ValueKind, Values, enumerate, join_path, options, parse_yaml, quoted,
};
use crate::interest::Kind;
use crate::names::{MAX_NAME_LEN, ModuleName};

/// The format that is written here. A later `1.x` only adds keys, which are skipped.
const FORMAT: &str = "1.0";
const FORMAT_MAJOR: &str = "1.";

/// What names in braces stand for besides options.
const NODE: &str = "node";
const ROLE: &str = "role";
const TRANSPORT: &str = "transport";

const KINDS: [(&str, Kind); 3] = [
    ("event", Kind::Event),
    ("order", Kind::Order),
    ("log", Kind::Log),
];

fn root_table() -> &'static [OptionSpec] {
    static TABLE: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        vec![
            text("format", "The format of this text, `1.0`."),
            text("kind", "What kind of module it is.").one_of(&[ROLE, TRANSPORT]),
            text("name", "The module's name."),
            text("version", "The module's version."),
            text("author", "Who wrote it."),
            text("description", "What it does."),
            optional("storage", ValueKind::Boolean),
            optional("options", ValueKind::Block),
            optional("interests", ValueKind::Other),
        ]
    });
    &TABLE
}

fn option_table() -> &'static [OptionSpec] {
    static TABLE: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        let types = ValueKind::OF_MODULES.map(|(name, _)| name);
        vec![
            text("type", "The type of its value.").one_of(&types),
            optional("default", ValueKind::Other),
            optional("unit", ValueKind::Text),
            optional("minimum", ValueKind::Number),
            optional("maximum", ValueKind::Number),
            optional("choices", ValueKind::Texts),
            text("description", "What it is for."),
        ]
    });
    &TABLE
}

fn interest_table() -> &'static [OptionSpec] {
    static TABLE: LazyLock<Vec<OptionSpec>> = LazyLock::new(|| {
        vec![
            optional("kind", ValueKind::Text).one_of(&KINDS.map(|(name, _)| name)),
            optional("type", ValueKind::Texts),
            optional("channel", ValueKind::Texts),
            optional("role", ValueKind::Texts),
            optional("node", ValueKind::Texts),
        ]
    });
    &TABLE
}

fn text(name: &str, description: &str) -> OptionSpec {
    OptionSpec::new(name, ValueKind::Text, DefaultValue::Required, description)
}

fn optional(name: &str, kind: ValueKind) -> OptionSpec {
    OptionSpec::new(name, kind, DefaultValue::None, "")
}

pub(super) fn parse(text: &str) -> Result<Metadata, Problems> {
    let mut problems = Problems::new("metadata");
    let metadata = read(text, &mut problems);
    match metadata {
        Some(metadata) if !problems.has_errors() => Ok(metadata),
        _ => Err(problems),
    }
}

fn read(text: &str, problems: &mut Problems) -> Option<Metadata> {
    if text.len() > MAX_METADATA_SIZE {
        let message = format!("the metadata is larger than {MAX_METADATA_SIZE} bytes");
        problems.push(Problem::error(None, "", message));
        return None;
    }
    let tree = parse_yaml(text.as_bytes(), problems);
    let tree = match tree {
        Some(tree) if !tree.is_null() => tree,
        _ if problems.has_errors() => return None,
        _ => {
            problems.push(Problem::error(None, "", "the metadata is empty"));
            return None;
        }
    };
    let unknown = unknown_keys(&tree, problems)?;
    let mut reader = Reader { unknown, problems };
    reader.metadata(&tree)
}

/// How to take keys that are not known, or `None` for a format of which nothing is known.
fn unknown_keys(tree: &Tree, problems: &mut Problems) -> Option<Unknown<'static>> {
    let Some(entry) = tree.entry("format") else {
        return Some(Unknown::REFUSED);
    };
    let minor = entry
        .value
        .text()
        .and_then(|text| text.strip_prefix(FORMAT_MAJOR));
    match minor.map(str::parse::<u32>) {
        Some(Ok(0)) => Some(Unknown::REFUSED),
        Some(Ok(_)) => Some(Unknown::Ignored),
        _ => {
            let message = format!(
                "the format of this metadata, {}, is not known here",
                quoted(entry.value.text().unwrap_or_default())
            );
            problems.push(
                Problem::error(entry.value.place, "format", message).with_help(format!(
                    "write {FORMAT}; a module with a later one needs a later Kōzō"
                )),
            );
            None
        }
    }
}

struct Reader<'r> {
    unknown: Unknown<'static>,
    problems: &'r mut Problems,
}

impl Reader<'_> {
    fn metadata(&mut self, tree: &Tree) -> Option<Metadata> {
        let values = self.block(tree, tree.place, "", "metadata", root_table());
        let kind = match values.text("kind") {
            Some(ROLE) => Some(ModuleKind::Role),
            Some(TRANSPORT) => Some(ModuleKind::Transport),
            _ => None,
        };
        if kind == Some(ModuleKind::Transport) {
            for key in ["storage", "interests"] {
                if let Some(entry) = tree.entry(key) {
                    self.error(entry.key_place, key, "only a role may have this");
                }
            }
        }
        let name = values.text("name").and_then(|text| {
            ModuleName::new(text)
                .map_err(|error| {
                    let message = format!("{} is not the name of a module: {error}", quoted(text));
                    self.error(tree.child("name")?.place, "name", message);
                    Some(())
                })
                .ok()
        });
        let options = self.options(tree, kind);
        let interests = self.interests(tree, &options);
        let owned = |name| values.text(name).map(str::to_owned);
        Some(Metadata {
            kind: kind?,
            name: name?,
            version: owned("version")?,
            author: owned("author")?,
            description: owned("description")?,
            storage: values.value("storage").and_then(Value::as_boolean) == Some(true),
            options,
            interests,
        })
    }

    fn options(&mut self, tree: &Tree, kind: Option<ModuleKind>) -> Vec<OptionSpec> {
        let Some(TreeNode::Map(entries)) = tree.child("options").map(|tree| &tree.node) else {
            return Vec::new();
        };
        if let Some(entry) = entries.get(MAX_OPTIONS) {
            let message = format!("a module may have {MAX_OPTIONS} options at most");
            self.error(entry.key_place, "options", message);
        }
        let entries = entries.iter().take(MAX_OPTIONS);
        entries.map(|entry| self.option(entry, kind)).collect()
    }

    fn option(&mut self, entry: &Entry, kind: Option<ModuleKind>) -> OptionSpec {
        let path = join_path("options", &entry.key);
        self.option_name(entry, &path, kind);
        let values = self.block(
            &entry.value,
            entry.key_place,
            &path,
            "an option",
            option_table(),
        );
        let type_name = values.text("type");
        let value_kind = ValueKind::OF_MODULES
            .iter()
            .find_map(|(name, kind)| (Some(*name) == type_name).then_some(*kind));
        let number = |name| values.value(name).and_then(Value::as_number);
        let mut spec = OptionSpec {
            name: entry.key.clone(),
            kind: value_kind.unwrap_or(ValueKind::Any),
            default: DefaultValue::Required,
            unit: values.text("unit").map(str::to_owned),
            minimum: number("minimum"),
            maximum: number("maximum"),
            choices: values.texts("choices"),
            description: values.text("description").unwrap_or_default().to_owned(),
        };
        if value_kind.is_some() {
            self.restrictions(&spec, &entry.value, &path);
            spec.default = self.default(&spec, &entry.value, &path, kind);
        }
        spec
    }

    fn option_name(&mut self, entry: &Entry, path: &str, kind: Option<ModuleKind>) {
        let name = &entry.key;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !(1..=MAX_NAME_LEN).contains(&name.len())
            || !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.chars().all(fits)
        {
            let message = format!(
                "{} is not the name of an option: use a letter, then letters, digits, `_` and `-`, \
                 {MAX_NAME_LEN} at most",
                quoted(name)
            );
            self.error(entry.key_place, path, message);
        }
        let common = match kind {
            Some(ModuleKind::Role) => options::role(),
            Some(ModuleKind::Transport) => options::transport(),
            None => &[],
        };
        if [NODE, ROLE, TRANSPORT].contains(&name.as_str()) {
            let message = format!("`{{{name}}}` already stands for the name of the {name}");
            self.problems.push(
                Problem::error(entry.key_place, path, message).with_help("choose another name"),
            );
        } else if let (Some(kind), true) = (kind, common.iter().any(|spec| spec.name == *name)) {
            let message = format!("every {kind} has an option {} already", quoted(name));
            self.problems.push(
                Problem::error(entry.key_place, path, message).with_help("choose another name"),
            );
        }
    }

    /// What restricts the values has to fit their type.
    fn restrictions(&mut self, spec: &OptionSpec, tree: &Tree, path: &str) {
        let has_choices = matches!(spec.kind, ValueKind::Text | ValueKind::List);
        for (key, allowed, owner) in [
            ("unit", spec.kind.is_numeric(), "a number"),
            ("minimum", spec.kind.is_numeric(), "a number"),
            ("maximum", spec.kind.is_numeric(), "a number"),
            ("choices", has_choices, "a text or a list"),
        ] {
            if let Some(entry) = tree.entry(key).filter(|_| !allowed) {
                let message = format!(
                    "only {owner} may have this, not an option of type `{}`",
                    spec.kind.name()
                );
                self.error(entry.key_place, &join_path(path, key), message);
            }
        }
        if let (Some(minimum), Some(maximum)) = (spec.minimum, spec.maximum)
            && minimum > maximum
            && let Some(entry) = tree.entry("maximum")
        {
            let message = format!("it is smaller than `minimum`, {minimum}, so no value fits");
            self.error(entry.value.place, &join_path(path, "maximum"), message);
        }
    }

    fn default(
        &mut self,
        spec: &OptionSpec,
        tree: &Tree,
        path: &str,
        kind: Option<ModuleKind>,
    ) -> DefaultValue {
        let Some(default) = tree.child("default") else {
            return DefaultValue::Required;
        };
        if default.is_null() {
            return DefaultValue::None;
        }
        let path = join_path(path, "default");
        let Some(value) = spec.check(default, &path, None, self.problems) else {
            return DefaultValue::Required;
        };
        let mut texts = Vec::new();
        value.collect_texts(&mut texts);
        for text in texts {
            let references = match Template::parse(text) {
                Ok(template) => template,
                Err(error) => {
                    self.template_error(default.place, &path, error);
                    continue;
                }
            };
            let instance = match kind {
                Some(ModuleKind::Transport) => TRANSPORT,
                _ => ROLE,
            };
            for name in references.references() {
                if name != NODE && name != instance {
                    let message = format!(
                        "{} stands for nothing in a default",
                        quoted(&format!("{{{name}}}"))
                    );
                    self.problems.push(
                        Problem::error(default.place, &path, message).with_help(format!(
                            "`{{{NODE}}}` and `{{{instance}}}` do; write `{{{{` and `}}}}` for braces"
                        )),
                    );
                }
            }
        }
        DefaultValue::Value(value)
    }

    fn interests(&mut self, tree: &Tree, options: &[OptionSpec]) -> Vec<InterestTemplate> {
        let Some(list) = tree.child("interests").filter(|list| !list.is_null()) else {
            return Vec::new();
        };
        let items = match &list.node {
            TreeNode::List(items) => items,
            TreeNode::Invalid => return Vec::new(),
            _ => {
                let message = format!("expected a list of interests, found {}", list.describe());
                self.problems.push(
                    Problem::error(list.place, "interests", message)
                        .with_help("write `- {kind: event, type: tick}` lines"),
                );
                return Vec::new();
            }
        };
        if let Some(item) = items.get(MAX_INTERESTS) {
            let message = format!("a role may have {MAX_INTERESTS} interests at most");
            self.error(item.place, "interests", message);
        }
        let items = items.iter().take(MAX_INTERESTS).enumerate();
        items
            .map(|(index, item)| self.interest(item, index, options))
            .collect()
    }

    fn interest(&mut self, item: &Tree, index: usize, options: &[OptionSpec]) -> InterestTemplate {
        let path = format!("interests[{index}]");
        let values = self.block(item, item.place, &path, "an interest", interest_table());
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
                    .filter_map(|text| self.pattern(text, place, &path, options))
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

    fn pattern(
        &mut self,
        text: &str,
        place: Place,
        path: &str,
        options: &[OptionSpec],
    ) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                self.template_error(place, path, error);
                return None;
            }
        };
        let mut lists = 0;
        for name in template
            .references()
            .filter(|name| ![NODE, ROLE].contains(name))
        {
            let Some(option) = options.iter().find(|option| option.name == name) else {
                let message = format!("the module has no option {}", quoted(name));
                let names = options.iter().map(|option| option.name.as_str());
                let names = enumerate(names.chain([NODE, ROLE]), "and");
                self.problems.push(
                    Problem::error(place, path, message)
                        .with_help(format!("in braces may stand {names}")),
                );
                continue;
            };
            lists += usize::from(option.kind == ValueKind::List);
            if option.kind == ValueKind::Any {
                let message = format!(
                    "the option {} is of type `any`, which is no pattern",
                    quoted(name)
                );
                self.error(place, path, message);
            }
        }
        if lists > 1 {
            self.error(place, path, "only one list may stand in a pattern");
        }
        Some(template)
    }

    fn template_error(&mut self, place: Place, path: &str, error: TemplateError) {
        self.error(place, path, error.to_string());
    }

    fn block(
        &mut self,
        tree: &Tree,
        place: Place,
        path: &str,
        what: &str,
        table: &[OptionSpec],
    ) -> Values {
        let block = Block {
            tree,
            place,
            path,
            what,
        };
        block.check(table.iter(), self.unknown, None, self.problems)
    }

    fn error(&mut self, place: Place, path: &str, message: impl Into<String>) {
        self.problems.push(Problem::error(place, path, message));
    }
}
