//! All options in an order for people, and the page that is printed from it.

use std::fmt::Write;

use kozo_description::{
    DefaultValue, KIB, MIB, Metadata, ModuleKind, OptionSpec, Value, ValueKind, common,
};

use super::builtin;

const SOURCE: &str = "\
This page is printed from the tables that the configuration file is checked with, and from what the
shipped modules say about themselves.
";

/// What holds for all options.
pub const INTRODUCTION: &str = "\
A relative path in the file starts at the folder that the file is in. Lists of folders have colons
between them, other lists commas, or they are YAML lists. A size is a number of bytes, or has a
unit: `64 KiB`, `4 MiB`. Where a boolean is expected, `yes`, `no`, `on` and `off` are understood as
well. Names of nodes are made of letters, digits, `.`, `_` and `-`, do not begin with a dot, and
have 64 characters at most; those of roles and transports have no dots.
";

/// The options of one kind of block.
#[derive(Debug)]
pub struct Section<'a> {
    /// What they are the options of; names stand in backticks.
    pub title: String,
    /// Where they may stand.
    pub introduction: String,
    /// The options, in the order in which they are described.
    pub options: &'a [OptionSpec],
}

impl<'a> Section<'a> {
    fn new(title: &str, introduction: &str, options: &'a [OptionSpec]) -> Self {
        Self {
            title: title.to_owned(),
            introduction: introduction.to_owned(),
            options,
        }
    }

    /// All of them, those of these modules at the end, roles first.
    pub fn all(modules: &'a [Metadata]) -> Vec<Self> {
        let mut sections = vec![
            Self::new(
                "Root",
                "At the root of the file. All but `system` may also stand in the `overrideMainConfiguration` of a node.",
                builtin::root(),
            ),
            Self::new("Nodes", "In each block below `system`.", builtin::node()),
            Self::new(
                "Roles",
                "In each block below the `roles` of a node, besides the options of its module.",
                common::role(),
            ),
            Self::new(
                "Transports",
                "In each block below the `transports` of a node, besides the options of its module.",
                common::transport(),
            ),
            Self::new(
                "Buses",
                "In each block below `buses`, besides the options of its module.",
                common::bus(),
            ),
            Self::new(
                "Nodes on a bus",
                "In each block below the `transports` of a node that is called as a bus is, besides those options of the bus's module that the node has for itself.",
                common::on_bus(),
            ),
        ];
        for kind in ModuleKind::ALL {
            let of_kind = modules.iter().filter(|module| module.kind == kind);
            sections.extend(of_kind.map(Self::of_module));
        }
        sections
    }

    fn of_module(module: &'a Metadata) -> Self {
        let mut introduction = one_line(&module.description);
        if module.storage {
            introduction.push_str(" Needs the `roleStorage` of its node.");
        }
        let title = format!("The {} `{}`", module.kind, module.name);
        Self::new(&title, &introduction, &module.options)
    }
}

/// The Markdown text of `docs/options.md`, with the options of these modules at its end.
pub fn options_reference(modules: &[Metadata]) -> String {
    let mut page = format!("# Options\n\n{SOURCE}\n{INTRODUCTION}");
    for section in Section::all(modules) {
        let introduction = cell(&section.introduction);
        let _ = write!(page, "\n## {}\n\n{introduction}\n", section.title);
        table(&mut page, section.options);
    }
    page
}

fn table(page: &mut String, options: &[OptionSpec]) {
    if options.is_empty() {
        page.push_str("\nIt has no options of its own.\n");
        return;
    }
    page.push_str("\n| option | type | default | allowed | description |\n|---|---|---|---|---|\n");
    for option in options {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            option.name,
            option.kind.name(),
            cell(&default(option)),
            cell(&allowed(option)),
            cell(&option.description)
        );
    }
}

/// What holds when the option is not given, with values in backticks.
pub fn default(option: &OptionSpec) -> String {
    match &option.default {
        DefaultValue::Required => "required".to_owned(),
        DefaultValue::None if option.kind == ValueKind::Block => "empty".to_owned(),
        DefaultValue::None => "none".to_owned(),
        DefaultValue::Value(Value::Integer(size)) if option.is_size() && size % MIB == 0 => {
            format!("`{} MiB`", size / MIB)
        }
        DefaultValue::Value(Value::Integer(size)) if option.is_size() && size % KIB == 0 => {
            format!("`{} KiB`", size / KIB)
        }
        DefaultValue::Value(value) => match value.to_string().as_str() {
            "[]" | "\"\"" => "empty".to_owned(),
            text => format!("`{text}`"),
        },
    }
}

/// Which values the option may have, with the values in backticks; empty when any.
pub fn allowed(option: &OptionSpec) -> String {
    if let Some(words) = option.format_in_words() {
        return words;
    }
    if let Some(other) = &option.at_most {
        return format!("{}, at most `{other}`", option.range());
    }
    if option.choices.is_empty() {
        return match (option.range(), &option.unit) {
            (range, Some(unit)) if range.is_empty() => unit.clone(),
            (range, _) => range,
        };
    }
    let choices: Vec<_> = option
        .choices
        .iter()
        .map(|choice| format!("`{choice}`"))
        .collect();
    choices.join(", ")
}

/// A text on one line, with the character that separates cells escaped.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
