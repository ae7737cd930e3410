//! What a module says about itself: the YAML text that it carries.
//!
//! The host reads it without running the module. It names the module, describes its options (with
//! the same [`OptionSpec`] as the host's own), and says which messages a role wants to hear of, so
//! that any node can work that out from the network's file alone.
//!
//! ```yaml
//! format: "1.1"
//! kind: role
//! name: cuckoo
//! version: "1.0"
//! author: The Kōzō developers
//! description: Listens for ticks and prints them.
//! storage: true
//! options:
//!   timer: {type: text, default: "*", description: The timer to listen to.}
//! interests:
//!   - {kind: event, type: tick, role: "{timer}"}
//! ```

mod claims;
mod faces;
mod heading;
mod parse;
mod template;
#[cfg(test)]
mod tests;
mod wanted;

use std::path::Path;

use kozo_faces::Face;
use kozo_ground::grant::Grants;
use kozo_ground::interest::Interest;
use kozo_ground::names::{ModuleName, RoleName};

use crate::check::located;
use crate::conflict::Conflict;
use crate::kind::ModuleKind;
use crate::{
    DefaultValue, ModuleOptions, OptionSpec, Place, Problem, Problems, Tree, Value, ValueKind,
};
use claims::ClaimTemplate;
pub use claims::Claimed;
use faces::FaceTemplate;
pub use faces::UnknownFace;
pub use heading::Heading;
use template::Template;
pub use wanted::DeclaredInterest;
use wanted::Wanted;
pub(crate) use wanted::check_listed;

/// The largest metadata, in bytes.
const MAX_METADATA_SIZE: usize = 64 << 10;

/// How many options a module may have.
pub const MAX_OPTIONS: usize = 256;

/// How many interests a role module may have, and how many an option may list.
const MAX_INTERESTS: usize = 256;

/// How many conflicts a module may have.
const MAX_CONFLICTS: usize = 64;

/// How many claims a module may have.
const MAX_CLAIMS: usize = 64;

/// What a module says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// Role, transport or bus.
    pub kind: ModuleKind,
    /// The module's name, whatever its file is called.
    pub name: ModuleName,
    /// The module's own version.
    pub version: String,
    /// Who wrote it.
    pub author: String,
    /// What it does.
    pub description: String,
    /// Whether it needs its node's `roleStorage`.
    pub storage: bool,
    /// What its node has to grant it.
    pub needs: Grants,
    /// What it uses where its node grants it, and does without otherwise.
    pub uses: Grants,
    /// Its options, in its own order.
    pub options: Vec<OptionSpec>,
    /// Combinations of its options that it can do nothing with.
    pub(crate) conflicts: Vec<Conflict>,
    claims: Vec<ClaimTemplate>,
    interests: Vec<Wanted>,
    faces: Vec<FaceTemplate>,
    /// Faces of kinds that are not known here.
    unknown_faces: Vec<UnknownFace>,
}

impl Metadata {
    /// Reads the text that a module carries.
    ///
    /// # Errors
    /// Everything that is wrong with it; the report is about the file `metadata` until
    /// [`Problems::about`] gives it the name of the module's file.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        parse::parse(text)
    }

    /// The option of this name.
    pub fn option(&self, name: &str) -> Option<&OptionSpec> {
        self.options.iter().find(|option| option.name == name)
    }

    /// Leaves it to the module what a host does not check that knows only the format 1.0: the formats of
    /// texts, conflicts, numbers that limit each other, which messages an option lists (the role
    /// gets all of them then), and faces, of which it tells nobody.
    pub fn leave_rules_to_the_module(&mut self) {
        self.conflicts.clear();
        self.faces.clear();
        self.unknown_faces.clear();
        self.interests.iter_mut().for_each(Wanted::forget_option);
        for option in &mut self.options {
            (option.format, option.at_most) = (None, None);
            option.schemes.clear();
        }
    }

    /// What in `other` is not as it is here and matters to who has checked a network's file with
    /// this: not its version, author and descriptions, nor its claims and what it uses where it may, of which only warnings come, nor its
    /// faces, which are told as they were. None when all of that is the same.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        // Listed in full, so that whoever adds something decides about it.
        let Self {
            kind,
            name,
            version: _,
            author: _,
            description: _,
            storage,
            needs,
            uses: _,
            options,
            conflicts,
            claims: _,
            interests,
            faces: _,
            unknown_faces: _,
        } = self;
        let without_words = |options: &[OptionSpec]| -> Vec<OptionSpec> {
            let bare = |option: &OptionSpec| OptionSpec {
                description: String::new(),
                ..option.clone()
            };
            options.iter().map(bare).collect()
        };
        let when = |conflict: &Conflict| conflict.when.clone();
        if *kind != other.kind {
            Some("another kind")
        } else if *name != other.name {
            Some("another name")
        } else if without_words(options) != without_words(&other.options) {
            Some("other options")
        } else if !conflicts
            .iter()
            .map(when)
            .eq(other.conflicts.iter().map(when))
        {
            Some("other rules for its options")
        } else if *interests != other.interests {
            Some("other interests")
        } else if *storage != other.storage {
            Some("another need of `roleStorage`")
        } else if *needs != other.needs {
            Some("other needs of what is granted")
        } else {
            None
        }
    }

    /// What a role of this module wants to hear of, with these options and names; that of the node may be a
    /// pattern, where it stands for several.
    pub fn interests(&self, options: &ModuleOptions, node: &str, role: &RoleName) -> Vec<Interest> {
        let names = Names {
            node,
            role: role.as_str(),
        };
        let values = |name: &str| names.values(options, name);
        let wanted = self.interests.iter();
        wanted
            .flat_map(|wanted| wanted.interests(options, &values))
            .collect()
    }

    /// The same as it is written in the metadata, with the names of options in braces.
    pub fn declared_interests(&self) -> Vec<DeclaredInterest> {
        self.interests.iter().map(Wanted::as_written).collect()
    }

    /// The faces of a role of this module with these options and names. `tree` is what the network's file says of
    /// them, at `path`; what is wrong with a face leaves it out, and `place` is where that is told.
    pub(crate) fn faces(
        &self,
        (tree, path): (Option<&Tree>, &str),
        place: Place,
        options: Option<&ModuleOptions>,
        names: Names<'_>,
        problems: &mut Problems,
    ) -> Vec<Face> {
        let templates = match tree {
            Some(tree) => parse::overruled(self, tree, path, problems),
            None => self.faces.clone(),
        };
        let Some(options) = options else {
            return Vec::new();
        };
        let fill = |template: &FaceTemplate| {
            let face = template.fill(options, names);
            face.map_err(|why| problems.push(Problem::error(place, path, why)))
                .ok()
        };
        templates.iter().filter_map(fill).collect()
    }

    /// Whether this option lists interests of the role.
    pub(crate) fn lists_interests(&self, option: &str) -> bool {
        self.interests
            .iter()
            .any(|wanted| wanted.option() == Some(option))
    }
}

/// What names in braces stand for besides options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'n> {
    pub(crate) node: &'n str,
    pub(crate) role: &'n str,
}

impl Names<'_> {
    /// What a name in braces stands for; none: an option without a value.
    fn values(&self, options: &ModuleOptions, name: &str) -> Option<Vec<String>> {
        match name {
            "node" => Some(vec![self.node.to_owned()]),
            "role" => Some(vec![self.role.to_owned()]),
            option => match options.value(option)? {
                Value::Null => None,
                Value::List(items) => Some(items.iter().map(Value::to_text).collect()),
                single => Some(vec![single.to_text()]),
            },
        }
    }
}

impl OptionSpec {
    /// The value that a module's option has on this node, in this role or transport, when it is
    /// not given: names filled in, and relative paths starting at `folder`, if there is one.
    pub(crate) fn default_for(&self, node: &str, instance: &str, folder: Option<&Path>) -> Value {
        let DefaultValue::Value(default) = &self.default else {
            return Value::Null;
        };
        let text = |text: &str| {
            let filled = match Template::parse(text) {
                Ok(template) => {
                    template.fill_one(|name| if name == "node" { node } else { instance })
                }
                // Refused when the metadata was read.
                Err(_) => text.to_owned(),
            };
            match self.kind {
                ValueKind::Path => located(&filled, folder),
                _ => filled,
            }
        };
        default.map_texts(&text)
    }
}
