//! Reads metadata, with all of its mistakes in one report.

mod claims;
mod conflicts;
mod faces;
mod interests;
mod options;
mod overrules;

use std::sync::LazyLock;

use kozo_ground::grant::Grant;
use kozo_ground::names::ModuleName;
use kozo_ground::text::{enumerate, quoted};

use super::template::{Template, TemplateError};
use super::{MAX_METADATA_SIZE, Metadata};
use crate::kind::ModuleKind;
use crate::{
    Block, DefaultValue, OptionSpec, Place, Problem, Problems, Tree, TreeNode, Unknown, Value,
    ValueKind, Values, parse_yaml,
};

pub(super) use overrules::overruled;

/// The format that is known here. A later `1.x` only adds keys, which are skipped.
const FORMAT: &str = "1.1";
const FORMAT_MAJOR: &str = "1.";
const FORMAT_MINOR: u32 = 1;

/// What names in braces stand for besides options.
const NODE: &str = "node";
const ROLE: &str = "role";
const TRANSPORT: &str = "transport";
const BUS: &str = "bus";

/// The keys of a mapping.
struct Keys {
    table: Vec<OptionSpec>,
    /// Those that 1.1 has added. A host that knows only 1.0 skips them in a module that says 1.1,
    /// and refuses them in one that says 1.0.
    new: &'static [&'static str],
}

fn root_keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
        new: &["conflicts", "claims", "needs", "uses", faces::FACES],
        table: vec![
            text("format", "The format of this text, `1.1`."),
            text("kind", "What kind of module it is.").one_of(&[ROLE, TRANSPORT, BUS]),
            text("name", "The module's name."),
            text("version", "The module's version."),
            text("author", "Who wrote it."),
            text("description", "What it does."),
            optional("storage", ValueKind::Boolean),
            optional("needs", ValueKind::Texts).one_of(&Grant::ALL.map(Grant::name)),
            optional("uses", ValueKind::Texts).one_of(&Grant::ALL.map(Grant::name)),
            optional("options", ValueKind::Block),
            optional("interests", ValueKind::Other),
            optional("conflicts", ValueKind::Other),
            optional("claims", ValueKind::Other),
            optional(faces::FACES, ValueKind::Block),
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
    match entry.value.text().and_then(minor_of) {
        Some(minor) => Some(minor),
        None => {
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

/// The minor version of this format, or `None` for one of which nothing is known.
pub(super) fn minor_of(format: &str) -> Option<u32> {
    format.strip_prefix(FORMAT_MAJOR)?.parse().ok()
}

/// A list at the root of the metadata.
struct List {
    key: &'static str,
    /// How many items it may have.
    most: usize,
    /// Whose items they are, for messages.
    owner: &'static str,
    /// What to write, for a help line.
    example: &'static str,
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
            Some(BUS) => Some(ModuleKind::Bus),
            _ => None,
        };
        if kind == Some(ModuleKind::Bus) && self.minor == 0 {
            let place = tree.child("kind").map(|tree| tree.place);
            let message = format!("a bus needs the format 1.1: write `format: \"{FORMAT}\"`");
            self.problems.push(Problem::error(place, "kind", message));
        }
        if kind.is_some_and(|kind| kind != ModuleKind::Role) {
            for key in ["storage", "needs", "uses", "interests", faces::FACES] {
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
        let mut options = self.options(tree, kind);
        let interests = self.interests(tree, &mut options);
        let conflicts = self.conflicts(tree, &options);
        let claims = self.claims(tree, &options);
        let (faces, unknown_faces) = self.faces(tree, &options);
        let owned = |name| values.text(name).map(str::to_owned);
        Some(Metadata {
            kind: kind?,
            name: name?,
            version: owned("version")?,
            author: owned("author")?,
            description: owned("description")?,
            needs: values.grants("needs"),
            uses: values.grants("uses"),
            storage: values.value("storage").and_then(Value::as_boolean) == Some(true),
            options,
            conflicts,
            claims,
            interests,
            faces,
            unknown_faces,
        })
    }

    /// The items of a list that are read; none where it is missing, or something else.
    fn items<'t>(&mut self, tree: &'t Tree, list: &List) -> &'t [Tree] {
        let List {
            key,
            most,
            owner,
            example,
        } = list;
        let Some(value) = tree.child(key).filter(|value| !value.is_null()) else {
            return &[];
        };
        let items = match &value.node {
            TreeNode::List(items) => items,
            TreeNode::Invalid => return &[],
            _ => {
                let message = format!("expected a list of {key}, found {}", value.describe());
                self.problems
                    .push(Problem::error(value.place, *key, message).with_help(*example));
                return &[];
            }
        };
        if let Some(item) = items.get(*most) {
            self.error(
                item.place,
                key,
                format!("{owner} may have {most} {key} at most"),
            );
        }
        &items[..items.len().min(*most)]
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
