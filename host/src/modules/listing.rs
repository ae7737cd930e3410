//! Modules for people to read, and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::metadata::{Metadata, ModuleKind};
use super::registry::{Entry, Registry, State};
use crate::config::{DefaultValue, OptionSpec, Value};
use crate::interest::Kind;
use crate::names::{NodeName, RoleName};

/// What is shown in place of something that is not known.
const UNKNOWN: &str = "-";

/// A file that is called like a module, as `kozo modules` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// `role` or `transport`; none when the file is no module. So with all that follow.
    pub kind: Option<String>,
    /// The module's name.
    pub name: Option<String>,
    /// The module's own version.
    pub version: Option<String>,
    /// The version of the interface that it was built with.
    pub abi: Option<String>,
    /// What it runs on.
    pub architecture: Option<String>,
    /// Where the file is.
    pub path: String,
    /// `usable`, `foreign`, `shadowed` or `refused`.
    pub state: &'static str,
    /// Why it is not usable.
    pub reason: Option<String>,
}

impl From<&Entry> for Row {
    fn from(entry: &Entry) -> Self {
        let (state, reason) = match &entry.state {
            State::Usable => ("usable", None),
            State::Foreign => {
                let text = "it is built for another kind of machine: only what it says about itself is used";
                ("foreign", Some(text.to_owned()))
            }
            State::ShadowedBy(path) => {
                let text = format!("`{}` comes first", path.display());
                ("shadowed", Some(text))
            }
            State::Refused(refusal) => ("refused", Some(refusal.to_string())),
        };
        let inspected = entry.inspected.as_ref();
        let metadata = inspected.map(|inspected| &inspected.metadata);
        let image = inspected.map(|inspected| &inspected.image);
        Self {
            kind: metadata.map(|metadata| metadata.kind.to_string()),
            name: metadata.map(|metadata| metadata.name.to_string()),
            version: metadata.map(|metadata| metadata.version.clone()),
            abi: image.map(|image| image.abi.to_string()),
            architecture: image.map(|image| image.architecture.to_string()),
            path: entry.path.display().to_string(),
            state,
            reason,
        }
    }
}

/// All files that are called like modules.
pub fn rows(registry: &Registry) -> Vec<Row> {
    registry.entries().iter().map(Row::from).collect()
}

/// A table of all of them, then what is wrong with files and folders. Ends with a line break.
pub fn table(registry: &Registry) -> String {
    let rows = rows(registry);
    let head = [
        "KIND",
        "NAME",
        "VERSION",
        "INTERFACE",
        "ARCHITECTURE",
        "STATE",
        "FILE",
    ];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let or_unknown = |text: &Option<String>| text.as_deref().unwrap_or(UNKNOWN).to_owned();
        [
            or_unknown(&row.kind),
            or_unknown(&row.name),
            or_unknown(&row.version),
            or_unknown(&row.abi),
            or_unknown(&row.architecture),
            row.state.to_owned(),
            row.path.clone(),
        ]
    }));
    let mut text = aligned(&lines);
    for (index, remark) in remarks(registry).iter().enumerate() {
        if index == 0 {
            text.push('\n');
        }
        text.push_str(&remark.text);
        text.push('\n');
    }
    text
}

/// Something about a file or folder that its owner may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Whether it is a mistake: not so for a file that another one shadows on purpose.
    pub is_mistake: bool,
    /// The path, and what is the matter with it.
    pub text: String,
}

/// What is wrong with files and folders, and which files are not used.
pub fn remarks(registry: &Registry) -> Vec<Remark> {
    let files = registry.entries().iter().filter_map(|entry| {
        let row = Row::from(entry);
        let reason = row.reason?;
        Some(Remark {
            is_mistake: matches!(entry.state, State::Refused(_)),
            text: format!("{}: {}: {reason}", row.path, row.state),
        })
    });
    let folders = registry
        .folder_errors()
        .iter()
        .map(|(folder, error)| Remark {
            is_mistake: true,
            text: format!("{}: not searched: {error}", folder.display()),
        });
    files.chain(folders).collect()
}

/// Columns as wide as their widest cell; the last one is left as it is.
fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        let (last, first) = line.split_last().expect("a table has columns");
        for (cell, &width) in first.iter().zip(&widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        text.push_str(last);
        text.push('\n');
    }
    text
}

/// Everything that a module says about itself. Ends with a line break; empty when the file is no
/// module.
pub fn description(entry: &Entry) -> String {
    let Some(inspected) = &entry.inspected else {
        return String::new();
    };
    let (metadata, image) = (&inspected.metadata, &inspected.image);
    let row = Row::from(entry);
    let mut text = format!(
        "{} `{}` {}, by {}\n{}\n\n",
        metadata.kind,
        metadata.name,
        metadata.version,
        metadata.author,
        metadata.description.trim_end(),
    );
    let _ = writeln!(text, "file:      {}", row.path);
    let reason = row
        .reason
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let _ = writeln!(text, "state:     {}{reason}", row.state);
    let _ = writeln!(
        text,
        "built for: {}, interface {}",
        image.architecture, image.abi
    );
    if metadata.storage {
        text.push_str("storage:   needs `roleStorage` on its node\n");
    }
    if metadata.options.is_empty() {
        text.push_str("\nIt has no options.\n");
    } else {
        text.push_str("\nOptions:\n");
    }
    for option in &metadata.options {
        let _ = writeln!(text, "  {}: {}", option.name, about(option).join(", "));
        let _ = writeln!(text, "      {}", option.description.trim_end());
    }
    text.push_str(&interests(metadata));
    text
}

/// The facts about an option, in the order in which people ask for them.
fn about(option: &OptionSpec) -> Vec<String> {
    let mut facts = vec![option.kind.name().to_owned()];
    match option.range() {
        range if !range.is_empty() => facts.push(range),
        _ => facts.extend(option.unit.as_ref().map(|unit| format!("in {unit}"))),
    }
    if !option.choices.is_empty() {
        facts.push(format!("one of {}", option.choices.join(", ")));
    }
    facts.push(match &option.default {
        DefaultValue::Required => "required".to_owned(),
        DefaultValue::None => "optional".to_owned(),
        DefaultValue::Value(value) => format!("default {value}"),
    });
    facts
}

/// What a role asks for, with its options by their names in braces.
fn interests(metadata: &Metadata) -> String {
    if metadata.kind != ModuleKind::Role {
        return String::new();
    }
    let options = metadata.options.iter().map(|option| {
        let reference = format!("{{{}}}", option.name);
        (option.name.clone(), Value::Text(reference))
    });
    let (Ok(node), Ok(role)) = (NodeName::new("NODE"), RoleName::new("ROLE")) else {
        return String::new();
    };
    let wanted = metadata.interests(&options.collect(), &node, &role);
    if wanted.is_empty() {
        return "\nIt asks for no messages.\n".to_owned();
    }
    let mut text =
        "\nIt asks for messages that fit any of these (`NODE` and `ROLE` are its own):\n"
            .to_owned();
    for interest in &wanted {
        let mut parts = vec![match interest.kind {
            Some(Kind::Event) => "events".to_owned(),
            Some(Kind::Order) => "orders".to_owned(),
            Some(Kind::Log) => "logs".to_owned(),
            None => "messages of any kind".to_owned(),
        }];
        let fields = [
            ("type", &interest.type_name),
            ("channel", &interest.channel),
            ("of role", &interest.role),
            ("of node", &interest.node),
        ];
        for (field, patterns) in fields {
            let Some(patterns) = patterns else { continue };
            let patterns: Vec<String> = patterns
                .iter()
                .map(|pattern| format!("`{}`", pattern.as_str()))
                .collect();
            parts.push(format!("{field} {}", patterns.join(" or ")));
        }
        let _ = writeln!(text, "  {}", parts.join(", "));
    }
    text
}
