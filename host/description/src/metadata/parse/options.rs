//! The options that a module has.

use std::sync::LazyLock;

use kozo_ground::names::MAX_NAME_LEN;
use kozo_ground::text::{enumerate, join_path, quoted};

use super::{BUS, FORMAT_MINOR, Keys, NODE, ROLE, Reader, TRANSPORT, optional, text};
use crate::metadata::template::Template;
use crate::metadata::{MAX_OPTIONS, ModuleKind};
use crate::{
    DefaultValue, Entry, Format, OptionSpec, Place, Problem, Tree, TreeNode, Value, ValueKind,
    Values, common,
};

fn option_keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| {
        let types = ValueKind::OF_MODULES.map(|(name, _)| name);
        Keys {
            new: &["format", "schemes", "atMost"],
            table: vec![
                text("type", "The type of its value.").one_of(&types),
                optional("default", ValueKind::Other),
                optional("unit", ValueKind::Text),
                optional("minimum", ValueKind::Number),
                optional("maximum", ValueKind::Number),
                optional("choices", ValueKind::Texts),
                optional("format", ValueKind::Text),
                optional("schemes", ValueKind::Texts),
                optional("atMost", ValueKind::Text),
                text("description", "What it is for."),
            ],
        }
    });
    &KEYS
}

impl Reader<'_> {
    pub(super) fn options(&mut self, tree: &Tree, kind: Option<ModuleKind>) -> Vec<OptionSpec> {
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
            schemes: self.schemes(&values, &entry.value, &path),
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

    /// What URLs may begin with is said in lower case, and only of URLs.
    fn schemes(&mut self, values: &Values, tree: &Tree, path: &str) -> Vec<String> {
        let Some(entry) = tree.entry("schemes") else {
            return Vec::new();
        };
        let path = join_path(path, "schemes");
        if values.text("format") != Some("url") {
            self.error(
                entry.key_place,
                &path,
                "only what has the format `url` may have this",
            );
            return Vec::new();
        }
        let schemes = values.texts("schemes");
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
        let wrong = |scheme: &&String| {
            !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.chars().all(fits)
        };
        if let Some(wrong) = schemes.iter().find(wrong) {
            let message = format!(
                "{} is no scheme: write it in lower case, without `://`",
                quoted(wrong)
            );
            self.error(entry.value.place, &path, message);
        }
        schemes
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
        let on_bus = match kind {
            Some(ModuleKind::Bus) => common::on_bus(),
            _ => &[],
        };
        let is_common = common.iter().chain(on_bus).any(|spec| spec.name == *name);
        // `bus` came later: other modules may have an option of that name.
        let is_bus = kind == Some(ModuleKind::Bus) && name == BUS;
        if [NODE, ROLE, TRANSPORT].contains(&name.as_str()) || is_bus {
            let message = format!("`{{{name}}}` already stands for the name of the {name}");
            self.problems.push(
                Problem::error(entry.key_place, path, message).with_help("choose another name"),
            );
        } else if let (Some(kind), true) = (kind, is_common) {
            let message = format!("every {kind} has an option {} already", quoted(name));
            self.problems.push(
                Problem::error(entry.key_place, path, message).with_help("choose another name"),
            );
        }
    }

    /// What restricts the values has to fit their type.
    fn restrictions(&mut self, spec: &mut OptionSpec, tree: &Tree, path: &str) {
        let has_choices = matches!(spec.kind, ValueKind::Text | ValueKind::List);
        let has_format = has_choices || spec.kind == ValueKind::Path;
        for (key, allowed, owner) in [
            ("unit", spec.kind.is_numeric(), "a number"),
            ("minimum", spec.kind.is_numeric(), "a number"),
            ("maximum", spec.kind.is_numeric(), "a number"),
            ("choices", has_choices, "a text or a list"),
            ("format", has_format, "a text, a list or a path"),
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
        let is_of_path = spec.kind == ValueKind::Path;
        if has_format
            && spec
                .format
                .is_some_and(|it| (it == Format::File) != is_of_path)
        {
            let place = tree.child("format").map(|tree| tree.place);
            let message = match is_of_path {
                true => "a path has no format but `file`",
                false => "only a path may have the format `file`",
            };
            self.problems
                .push(Problem::error(place, join_path(path, "format"), message));
            spec.format = None;
        }
        // The default is checked next, by what holds for its type.
        if !has_choices {
            spec.choices.clear();
            spec.schemes.clear();
        }
        if !has_format {
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
        // Only where there is no default must a list have something in it.
        let optional = OptionSpec {
            default: DefaultValue::None,
            ..spec.clone()
        };
        let Some(value) = optional.check(default, &path, None, self.problems) else {
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
                Some(ModuleKind::Bus) => BUS,
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
        if let Err(error) = format.check(text, &spec.schemes) {
            self.error(place, path, error);
        }
    }
}
