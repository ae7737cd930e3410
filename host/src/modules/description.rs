//! One module, as it describes itself, for people to read and for programs.

mod faces;

use std::fmt::{self, Write as _};

use kozo_description::{
    DeclaredInterest, DefaultValue, Format, ModuleKind, OptionSpec, UnknownFace, Value,
};
use kozo_faces::Face;
use kozo_ground::interest::{Kind, Pattern};
use kozo_ground::text::printable;
use serde::Serialize;

use super::listing::Row;
use super::registry::ModuleFile;

/// Everything that is known of a module without running it. It displays as some paragraphs that end
/// with a line break.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// Its file, and what becomes of it.
    #[serde(flatten)]
    pub row: Row,
    /// Who wrote it.
    pub author: String,
    /// What it does.
    pub description: String,
    /// Whether it needs `roleStorage` on its node.
    pub storage: bool,
    /// Its options, in its own order.
    pub options: Vec<OptionRow>,
    /// What a role wants to hear of: messages that fit any of these, with the names of its options in
    /// braces. None for other modules.
    pub interests: Option<Vec<DeclaredInterest>>,
    /// What a role is for people and other systems, with the names of its options in braces. None for other modules.
    pub faces: Option<Vec<Face>>,
    /// Those of kinds that came with a later version, which are left out here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_faces: Vec<UnknownFace>,
}

/// An option of a module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OptionRow {
    /// Its key in the network's file.
    pub name: String,
    /// `boolean`, `integer`, `number`, `text`, `path`, `list` or `any`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What its number counts, in the plural.
    pub unit: Option<String>,
    /// Whether no node starts without it.
    pub required: bool,
    /// What holds when it is not given; null where it is required or has no value then.
    pub default: Value,
    /// The smallest number allowed.
    pub minimum: Option<f64>,
    /// The largest number allowed.
    pub maximum: Option<f64>,
    /// The only texts allowed; any when empty.
    pub choices: Vec<String>,
    /// What its text, or each text of its list, looks like: `address`, `uuid` and the like.
    pub format: Option<&'static str>,
    /// With what its URLs may begin; with anything when empty.
    pub schemes: Vec<String>,
    /// Another option that it is not larger than.
    pub at_most: Option<String>,
    /// What it is for.
    pub description: String,
    /// The same facts in words.
    #[serde(skip)]
    about: String,
}

impl Description {
    /// What is known of this file; none when it is no module.
    pub fn new(entry: &ModuleFile) -> Option<Self> {
        let metadata = &entry.inspected.as_ref()?.metadata;
        let is_role = metadata.kind == ModuleKind::Role;
        Some(Self {
            row: Row::from(entry),
            author: metadata.author.clone(),
            description: metadata.description.trim_end().to_owned(),
            storage: metadata.storage,
            options: metadata.options.iter().map(OptionRow::from).collect(),
            interests: is_role.then(|| metadata.declared_interests()),
            faces: is_role.then(|| metadata.declared_faces()),
            unknown_faces: metadata.unknown_faces().to_vec(),
        })
    }
}

impl Description {
    /// What a role is for people and other systems; nothing where it is nothing.
    fn write_faces(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faces = self.faces.as_deref().unwrap_or_default();
        if !faces.is_empty() || !self.unknown_faces.is_empty() {
            f.write_str("\nFor people and other systems it is (docs/faces.md):\n")?;
        }
        for face in faces {
            let words = faces::in_words(face);
            writeln!(f, "  {}: {}", line(&face.face), line(&words))?;
        }
        for UnknownFace { face, kind } in &self.unknown_faces {
            let (face, kind) = (line(face), line(kind));
            writeln!(
                f,
                "  {face}: left out, since nothing is known here of the kind `{kind}`"
            )?;
        }
        Ok(())
    }
}

impl From<&OptionSpec> for OptionRow {
    fn from(option: &OptionSpec) -> Self {
        Self {
            name: option.name.clone(),
            kind: option.kind.name(),
            unit: option.unit.clone(),
            required: option.default == DefaultValue::Required,
            default: match &option.default {
                DefaultValue::Value(value) => value.clone(),
                DefaultValue::Required | DefaultValue::None => Value::Null,
            },
            minimum: option.minimum,
            maximum: option.maximum,
            choices: option.choices.clone(),
            format: option.format.map(Format::name),
            schemes: option.schemes.clone(),
            at_most: option.at_most.clone(),
            description: option.description.trim_end().to_owned(),
            about: about(option).join(", "),
        }
    }
}

/// The facts about an option, in the order in which people ask for them.
fn about(option: &OptionSpec) -> Vec<String> {
    let mut facts = vec![option.kind.name().to_owned()];
    match option.range() {
        range if !range.is_empty() => facts.push(range),
        _ => facts.extend(option.unit.as_ref().map(|unit| format!("in {unit}"))),
    }
    facts.extend(option.format_in_words());
    facts.extend(
        option
            .at_most
            .as_ref()
            .map(|other| format!("at most `{other}`")),
    );
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

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = &self.row;
        let known = |text: &Option<String>| line(text.as_deref().unwrap_or_default());
        let (kind, name, version) = (known(&row.kind), known(&row.name), known(&row.version));
        writeln!(f, "{kind} `{name}` {version}, by {}", line(&self.author))?;
        writeln!(f, "{}\n", paragraph(&self.description, "  "))?;
        writeln!(f, "file:      {}", line(&row.path))?;
        match &row.reason {
            Some(reason) => writeln!(f, "state:     {}: {}", row.state, line(reason))?,
            None => writeln!(f, "state:     {}", row.state)?,
        }
        let (architecture, abi) = (known(&row.architecture), known(&row.abi));
        writeln!(f, "built for: {architecture}, interface {abi}")?;
        f.write_str(match row.sealed {
            Some(true) => "sealed:    yes\n",
            _ => "sealed:    no, so not all damage to its file is noticed (`kozo seal`)\n",
        })?;
        if self.storage {
            f.write_str("storage:   needs `roleStorage` on its node\n")?;
        }
        f.write_str(match self.options.as_slice() {
            [] => "\nIt has no options.\n",
            _ => "\nOptions:\n",
        })?;
        for option in &self.options {
            writeln!(f, "  {}: {}", line(&option.name), line(&option.about))?;
            writeln!(f, "      {}", paragraph(&option.description, "      "))?;
        }
        match self.interests.as_deref() {
            None => {}
            Some([]) => f.write_str("\nIt asks for no messages.\n")?,
            Some(interests) => {
                f.write_str(
                    "\nIt asks for messages that fit any of these (`{…}` stands for an option, and `{node}` and \
                     `{role}` for its own names):\n",
                )?;
                interests
                    .iter()
                    .try_for_each(|interest| writeln!(f, "  {}", line(&in_words(interest))))?;
            }
        }
        self.write_faces(f)
    }
}

/// A text of the module's, which may hold anything.
fn line(text: &str) -> String {
    printable(text).into_owned()
}

/// A text with its line breaks. None of its lines but the first begins where those of the host's
/// own do.
fn paragraph(text: &str, indent: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join(&format!("\n{indent}"))
}

fn in_words(interest: &DeclaredInterest) -> String {
    let interest = match interest {
        DeclaredInterest::Patterns(interest) => interest,
        DeclaredInterest::Listed { from } => return format!("whatever the option `{from}` lists"),
    };
    let mut text = match interest.kind {
        Some(Kind::Event) => "events",
        Some(Kind::Order) => "orders",
        Some(Kind::Log) => "logs",
        None => "messages of any kind",
    }
    .to_owned();
    for (field, patterns) in [
        ("type", &interest.type_name),
        ("channel", &interest.channel),
        ("of role", &interest.role),
        ("of node", &interest.node),
    ] {
        let quoted = |pattern: &Pattern| format!("`{}`", pattern.as_str());
        if let Some(patterns) = patterns {
            let patterns: Vec<String> = patterns.iter().map(quoted).collect();
            let _ = write!(text, ", {field} {}", patterns.join(" or "));
        }
    }
    text
}
