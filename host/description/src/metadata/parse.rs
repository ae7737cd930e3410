//! Reads metadata, with all of its mistakes in one report.

mod claims;
mod conflicts;

use std::sync::LazyLock;

use kozo_ground::grant::Grant;
use kozo_ground::interest::Kind;
use kozo_ground::names::{MAX_NAME_LEN, ModuleName};
use kozo_ground::text::{enumerate, join_path, quoted};

use super::template::{Template, TemplateError};
use super::{
    InterestTemplate, MAX_INTERESTS, MAX_METADATA_SIZE, MAX_OPTIONS, Metadata, ModuleKind,
};
use crate::{
    Block, DefaultValue, Entry, Format, OptionSpec, Place, Problem, Problems, Tree, TreeNode,
    Unknown, Value, ValueKind, Values, common, parse_yaml,
};

/// The format that is known here. A later `1.x` only adds keys, which are skipped.
const FORMAT: &str = "1.1";
const FORMAT_MAJOR: &str = "1.";
const FORMAT_MINOR: u32 = 1;

/// What names in braces stand for besides options.
const NODE: &str = "node";
const ROLE: &str = "role";
const TRANSPORT: &str = "transport";

const KINDS: [(&str, Kind); 3] = [
    ("event", Kind::Event),
    ("order", Kind::Order),
    ("log", Kind::Log),
];

/// The keys of a mapping.
struct Keys {
    table: Vec<OptionSpec>,
    /// Those that 1.1 has added. A host that knows only 1.0 skips them in a module that says 1.1,
    /// and refuses them in one that says 1.0.
    new: &'static [&'static str],
}

fn root_keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
        new: &["conflicts", "claims", "needs"],
        table: vec![
            text("format", "The format of this text, `1.1`."),
            text("kind", "What kind of module it is.").one_of(&[ROLE, TRANSPORT]),
            text("name", "The module's name."),
            text("version", "The module's version."),
            text("author", "Who wrote it."),
            text("description", "What it does."),
            optional("storage", ValueKind::Boolean),
            optional("needs", ValueKind::Texts).one_of(&Grant::ALL.map(Grant::name)),
            optional("options", ValueKind::Block),
            optional("interests", ValueKind::Other),
            optional("conflicts", ValueKind::Other),
            optional("claims", ValueKind::Other),
        ],
    });
    &KEYS
}

fn option_keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| {
        let types = ValueKind::OF_MODULES.map(|(name, _)| name);
        Keys {
            new: &["format", "atMost"],
            table: vec![
                text("type", "The type of its value.").one_of(&types),
                optional("default", ValueKind::Other),
                optional("unit", ValueKind::Text),
                optional("minimum", ValueKind::Number),
                optional("maximum", ValueKind::Number),
                optional("choices", ValueKind::Texts),
                optional("format", ValueKind::Text),
                optional("atMost", ValueKind::Text),
                text("description", "What it is for."),
            ],
        }
    });
    &KEYS
}

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
    let minor = minor(&tree, problems)?;
    let mut reader = Reader { minor, problems };
    reader.metadata(&tree)
}

/// The minor version of the format, or `None` for one of which nothing is known.
fn minor(tree: &Tree, problems: &mut Problems) -> Option<u32> {
    let Some(entry) = tree.entry("format") else {
        return Some(FORMAT_MINOR);
    };
    let minor = entry
        .value
        .text()
        .and_then(|text| text.strip_prefix(FORMAT_MAJOR));
    match minor.map(str::parse::<u32>) {
        Some(Ok(minor)) => Some(minor),
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
    /// The format is 1 and this.
    minor: u32,
    problems: &'r mut Problems,
}

impl Reader<'_> {
    fn metadata(&mut self, tree: &Tree) -> Option<Metadata> {
        let values = self.block(tree, tree.place, "", "metadata", root_keys());
        let kind = match values.text("kind") {
            Some(ROLE) => Some(ModuleKind::Role),
            Some(TRANSPORT) => Some(ModuleKind::Transport),
            _ => None,
        };
        if kind == Some(ModuleKind::Transport) {
            for key in ["storage", "needs", "interests"] {
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
        let conflicts = self.conflicts(tree, &options);
        let claims = self.claims(tree, &options);
        let owned = |name| values.text(name).map(str::to_owned);
        Some(Metadata {
            kind: kind?,
            name: name?,
            version: owned("version")?,
            author: owned("author")?,
            description: owned("description")?,
            needs: values.grants("needs"),
            storage: values.value("storage").and_then(Value::as_boolean) == Some(true),
            options,
            conflicts,
            claims,
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
        let specs: Vec<OptionSpec> = entries
            .clone()
            .map(|entry| self.option(entry, kind))
            .collect();
        for (spec, entry) in specs.iter().zip(entries) {
            self.at_most(spec, &entry.value, &specs);
        }
        specs
    }

    /// What an option is not larger than has to be another number.
    fn at_most(&mut self, spec: &OptionSpec, tree: &Tree, specs: &[OptionSpec]) {
        let (Some(other), Some(entry)) = (&spec.at_most, tree.entry("atMost")) else {
            return;
        };
        let is_number =
            |one: &OptionSpec| one.name == *other && one.name != spec.name && one.kind.is_numeric();
        if !specs.iter().any(is_number) {
            let path = join_path(&join_path("options", &spec.name), "atMost");
            let message = format!("{} is no other option with a number", quoted(other));
            self.error(entry.value.place, &path, message);
        }
    }

    fn option(&mut self, entry: &Entry, kind: Option<ModuleKind>) -> OptionSpec {
        let path = join_path("options", &entry.key);
        self.option_name(entry, &path, kind);
        let values = self.block(
            &entry.value,
            entry.key_place,
            &path,
            "an option",
            option_keys(),
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
            format: self.format(&values, &entry.value, &path),
            at_most: values.text("atMost").map(str::to_owned),
            description: values.text("description").unwrap_or_default().to_owned(),
        };
        if value_kind.is_some() {
            self.restrictions(&mut spec, &entry.value, &path);
            spec.default = self.default(&spec, &entry.value, &path, kind);
        }
        spec
    }

    /// A format that is not known belongs to a later version, or is a slip.
    fn format(&mut self, values: &Values, tree: &Tree, path: &str) -> Option<Format> {
        let name = values.text("format")?;
        let known = Format::ALL.iter().find(|(known, _)| *known == name);
        if known.is_none() && self.minor <= FORMAT_MINOR {
            let place = tree.child("format").map(|tree| tree.place);
            let names = enumerate(Format::ALL.map(|(name, _)| name), "or");
            let message = format!("{} is no format of a text", quoted(name));
            self.problems.push(
                Problem::error(place, join_path(path, "format"), message)
                    .with_help(format!("write {names}")),
            );
        }
        known.map(|(_, format)| *format)
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
        let common = kind.map_or(&[] as &[OptionSpec], common::of);
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
    fn restrictions(&mut self, spec: &mut OptionSpec, tree: &Tree, path: &str) {
        let has_choices = matches!(spec.kind, ValueKind::Text | ValueKind::List);
        for (key, allowed, owner) in [
            ("unit", spec.kind.is_numeric(), "a number"),
            ("minimum", spec.kind.is_numeric(), "a number"),
            ("maximum", spec.kind.is_numeric(), "a number"),
            ("choices", has_choices, "a text or a list"),
            ("format", has_choices, "a text or a list"),
            ("atMost", spec.kind.is_numeric(), "a number"),
        ] {
            if let Some(entry) = tree.entry(key).filter(|_| !allowed) {
                let message = format!(
                    "only {owner} may have this, not an option of type `{}`",
                    spec.kind.name()
                );
                self.error(entry.key_place, &join_path(path, key), message);
            }
        }
        // The default is checked next, by what holds for its type.
        if !has_choices {
            spec.choices.clear();
            spec.format = None;
        }
        if !spec.kind.is_numeric() {
            spec.at_most = None;
            (spec.unit, spec.minimum, spec.maximum) = (None, None, None);
        }
        let range = spec.minimum.zip(spec.maximum).zip(tree.entry("maximum"));
        if let Some(((minimum, _), entry)) = range.filter(|((least, most), _)| least > most) {
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
            self.default_format(spec, text, default.place, &path);
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

    /// A default has the format of its option, unless it is empty or its text is not known yet.
    fn default_format(&mut self, spec: &OptionSpec, text: &str, place: Place, path: &str) {
        let Some(format) = spec
            .format
            .filter(|_| !text.is_empty() && !text.contains('{'))
        else {
            return;
        };
        if let Err(error) = format.check(text) {
            self.error(place, path, error);
        }
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

    /// A text in which options may stand, and `names`.
    fn template(
        &mut self,
        text: &str,
        place: Place,
        path: &str,
        options: &[OptionSpec],
        names: &[&str],
        most_lists: usize,
    ) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                self.template_error(place, path, error);
                return None;
            }
        };
        let mut lists = 0;
        for name in template.references().filter(|name| !names.contains(name)) {
            let Some(option) = options.iter().find(|option| option.name == name) else {
                let message = format!("the module has no option {}", quoted(name));
                let known = options.iter().map(|option| option.name.as_str());
                let names = enumerate(known.chain(names.iter().copied()), "and");
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
        if lists > most_lists {
            let message = match most_lists {
                0 => "no list may stand here",
                _ => "only one list may stand in a pattern",
            };
            self.error(place, path, message);
        }
        Some(template)
    }

    fn template_error(&mut self, place: Place, path: &str, error: TemplateError) {
        self.error(place, path, error.to_string());
    }

    fn block(&mut self, tree: &Tree, place: Place, path: &str, what: &str, keys: &Keys) -> Values {
        let block = Block {
            tree,
            place,
            path,
            what,
            noun: "key",
        };
        let is_new = |key: &str| keys.new.contains(&key);
        let known = keys
            .table
            .iter()
            .filter(|spec| self.minor > 0 || !is_new(&spec.name));
        let later = |key: &str| {
            (self.minor == 0 && is_new(key))
                .then(|| format!("it is a key of the format 1.1: write `format: \"{FORMAT}\"`"))
        };
        let unknown = match self.minor {
            0..=FORMAT_MINOR => Unknown::Refused { elsewhere: &later },
            _ => Unknown::Ignored,
        };
        block.check(known, unknown, None, self.problems)
    }

    fn error(&mut self, place: Place, path: &str, message: impl Into<String>) {
        self.problems.push(Problem::error(place, path, message));
    }
}
