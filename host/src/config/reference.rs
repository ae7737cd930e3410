//! The page of all options, printed from their tables.

use std::fmt::Write;

use super::builtin::{self, KIB, MIB};
use super::schema::{DefaultValue, OptionSpec, ValueKind};
use super::value::Value;
use crate::modules::metadata::{Metadata, ModuleKind};

const INTRODUCTION: &str = "\
# Options

This page is printed from the tables that the configuration file is checked with, and from what the
shipped modules say about themselves.

A relative path in the file starts at the folder that the file is in. Lists of folders have colons
between them, other lists commas, or they are YAML lists. A size is a number of bytes, or has a
unit: `64 KiB`, `4 MiB`. Where a boolean is expected, `yes`, `no`, `on` and `off` are understood as
well. Names of nodes are made of letters, digits, `.`, `_` and `-`, do not begin with a dot, and
have 64 characters at most; those of roles and transports have no dots.
";

/// The Markdown text of `docs/options.md`, with the options of these modules at its end.
pub fn options_reference(modules: &[Metadata]) -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut section = |title: &str, introduction: &str, options: &[OptionSpec]| {
        let _ = write!(page, "\n## {title}\n\n{introduction}\n");
        table(&mut page, options);
    };
    section(
        "Root",
        "At the root of the file. All but `system` may also stand in the `overrideMainConfiguration` of a node.",
        builtin::root(),
    );
    section("Nodes", "In each block below `system`.", builtin::node());
    section(
        "Roles",
        "In each block below the `roles` of a node, besides the options of its module.",
        builtin::role(),
    );
    section(
        "Transports",
        "In each block below the `transports` of a node, besides the options of its module.",
        builtin::transport(),
    );
    for kind in [ModuleKind::Role, ModuleKind::Transport] {
        for module in modules.iter().filter(|module| module.kind == kind) {
            let mut introduction = cell(&module.description);
            if module.storage {
                introduction.push_str(" Needs the `roleStorage` of its node.");
            }
            section(
                &format!("The {kind} `{}`", module.name),
                &introduction,
                &module.options,
            );
        }
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
            default(option),
            cell(&allowed(option)),
            cell(&option.description)
        );
    }
}

fn default(option: &OptionSpec) -> String {
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
            text => cell(&format!("`{text}`")),
        },
    }
}

fn allowed(option: &OptionSpec) -> String {
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
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
