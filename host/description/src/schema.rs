//! What an option may be. Built-in options and those that modules declare are described by the
//! same [`OptionSpec`], checked by the same code and printed by the same generator.

use kozo_ground::text::{enumerate, nearest, quoted};

use super::format::Format;
use super::value::Value;

/// The unit in which a size may also be written as `64 KiB`.
pub const BYTES: &str = "bytes";

/// What a size in bytes is counted in.
pub const KIB: i64 = 1 << 10;
/// The next larger one.
pub const MIB: i64 = 1 << 20;

/// The type of an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// `true` or `false`; `yes`, `no`, `on` and `off` are understood as well.
    Boolean,
    /// A whole number. One in bytes may have a unit: `64 KiB`, `4 MiB`.
    Integer,
    /// A finite number, whole or not.
    Number,
    /// A text. A number or boolean without quotes is taken as it is written.
    Text,
    /// A path; a relative one starts at the folder of the configuration file.
    Path,
    /// A list of texts, or one text with commas between them.
    List,
    /// Whatever YAML can hold.
    Any,
    /// A list of paths, or one text with colons between them.
    Paths,
    /// A list of texts, or one text in which commas mean nothing.
    Texts,
    /// One OpenSSH public key line, or a list of them.
    PublicKeys,
    /// A mapping that is described on its own.
    Block,
    /// A value that is described on its own.
    Other,
}

impl ValueKind {
    /// What an option of a module may be, with the name that its metadata uses.
    pub const OF_MODULES: [(&'static str, Self); 7] = [
        ("boolean", Self::Boolean),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("text", Self::Text),
        ("path", Self::Path),
        ("list", Self::List),
        ("any", Self::Any),
    ];

    /// The type in a word or two, as the tables of options show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Text => "text",
            Self::Path => "path",
            Self::List => "list",
            Self::Any => "any",
            Self::Paths => "paths",
            Self::Texts => "text or list",
            Self::PublicKeys => "public key or list",
            Self::Block => "block",
            Self::Other => "value",
        }
    }

    /// Whether values are numbers, and so may have a unit and a range.
    pub(crate) fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }
}

/// What holds when an option is not given.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultValue {
    /// It has to be given.
    Required,
    /// It has no value then.
    None,
    /// It has this value then. A text of a module's default may hold `{node}` and `{role}` or
    /// `{transport}`, which stand for the names of where it is used.
    Value(Value),
}

/// One option: everything there is to know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionSpec {
    /// Its key in the file.
    pub name: String,
    /// The type of its value.
    pub kind: ValueKind,
    /// What holds when it is not given.
    pub default: DefaultValue,
    /// What its number counts, in the plural: `seconds`, [`BYTES`].
    pub unit: Option<String>,
    /// The smallest number allowed.
    pub minimum: Option<f64>,
    /// The largest number allowed.
    pub maximum: Option<f64>,
    /// The only texts allowed; any when empty.
    pub choices: Vec<String>,
    /// What its text, or each text of its list, looks like; anything when there is none.
    pub format: Option<Format>,
    /// With what its URLs may begin; with anything when empty.
    pub schemes: Vec<String>,
    /// Another option, a number, that this one is not larger than.
    pub at_most: Option<String>,
    /// What it is for, in a sentence or two.
    pub description: String,
}

impl OptionSpec {
    /// An option without unit, range or choices.
    pub fn new(name: &str, kind: ValueKind, default: DefaultValue, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            default,
            unit: None,
            minimum: None,
            maximum: None,
            choices: Vec::new(),
            format: None,
            schemes: Vec::new(),
            at_most: None,
            description: description.to_owned(),
        }
    }

    /// The same option with a unit and a range, both ends included.
    #[must_use]
    pub fn measured(mut self, unit: &str, minimum: f64, maximum: f64) -> Self {
        self.unit = Some(unit.to_owned());
        self.minimum = Some(minimum);
        self.maximum = Some(maximum);
        self
    }

    /// The same option with these texts as the only ones allowed.
    #[must_use]
    pub fn one_of(mut self, choices: &[&str]) -> Self {
        self.choices = choices.iter().map(|&choice| choice.to_owned()).collect();
        self
    }

    /// The same option with a format of its text, or of each of its texts.
    #[must_use]
    pub fn formatted(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Its format in a few words, for tables of options; none: it has none.
    pub fn format_in_words(&self) -> Option<String> {
        let words = self.format?.in_words();
        Some(match self.schemes.is_empty() {
            true => words.to_owned(),
            false => {
                let schemes = self.schemes.iter().map(String::as_str);
                format!("{words} with {}", enumerate(schemes, "or"))
            }
        })
    }

    /// The range in words, "from 1 to 100 seconds" say; empty when there is none.
    pub fn range(&self) -> String {
        let unit = match &self.unit {
            Some(unit) => format!(" {unit}"),
            None => String::new(),
        };
        match (self.minimum, self.maximum) {
            (Some(minimum), Some(maximum)) => format!("from {minimum} to {maximum}{unit}"),
            (Some(minimum), None) => format!("at least {minimum}{unit}"),
            (None, Some(maximum)) => format!("at most {maximum}{unit}"),
            (None, None) => String::new(),
        }
    }

    /// What is expected, for messages: "a number of seconds".
    pub(crate) fn expectation(&self) -> String {
        let of_unit = match &self.unit {
            Some(unit) => format!(" of {unit}"),
            None => String::new(),
        };
        match self.kind {
            ValueKind::Boolean => "`true` or `false`".to_owned(),
            ValueKind::Integer => format!("a whole number{of_unit}"),
            ValueKind::Number => format!("a number{of_unit}"),
            ValueKind::Text => "a text".to_owned(),
            ValueKind::Path => "a path".to_owned(),
            ValueKind::List => "a text or a list of texts".to_owned(),
            ValueKind::Texts => "a text or a list of texts".to_owned(),
            ValueKind::Paths => "a list of paths".to_owned(),
            ValueKind::PublicKeys => "an OpenSSH public key or a list of them".to_owned(),
            ValueKind::Any | ValueKind::Other => "a value".to_owned(),
            ValueKind::Block => "a mapping".to_owned(),
        }
    }

    /// What to write instead, for a help line.
    pub(crate) fn advice(&self) -> String {
        if !self.choices.is_empty() {
            return self.choice_advice("");
        }
        let range = match (self.range(), self.minimum, self.maximum) {
            (range, Some(_), Some(_)) => format!(" {range}"),
            (range, None, None) => range,
            (range, ..) => format!(", {range}"),
        };
        match self.kind {
            ValueKind::Block => "write `name: value` lines, indented below it".to_owned(),
            _ if range.is_empty() => format!("write {}", self.expectation()),
            ValueKind::Integer if self.is_size() => {
                format!("write a whole number{range}, or a size such as `64 KiB` or `4 MiB`")
            }
            ValueKind::Integer => format!("write a whole number{range}"),
            _ => format!("write a number{range}"),
        }
    }

    /// Whether a value may have a unit of its own.
    pub fn is_size(&self) -> bool {
        self.kind == ValueKind::Integer && self.unit.as_deref() == Some(BYTES)
    }

    pub(crate) fn choice_advice(&self, text: &str) -> String {
        let choices = enumerate(self.choices.iter().map(String::as_str), "or");
        // The names of algorithms are often written without the owner that stands behind `@`.
        let whole = self.choices.iter().map(String::as_str).find(|choice| {
            choice
                .split_once('@')
                .is_some_and(|(name, _)| name.eq_ignore_ascii_case(text))
        });
        match whole.or_else(|| nearest(text, self.choices.iter().map(String::as_str))) {
            Some(choice) => format!("did you mean {}? it may be {choices}", quoted(choice)),
            None => format!("write {choices}"),
        }
    }
}
