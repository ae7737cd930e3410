//! What the network's file says of a role's faces: an option that every role has.

use kozo_faces::FaceKind;
use kozo_ground::text::{enumerate, join_path, nearest, quoted};

use super::faces::{At, HIDDEN, kinds, of_overrule};
use super::{FORMAT_MINOR, Reader};
use crate::metadata::Metadata;
use crate::metadata::faces::{FaceTemplate, MAX_FACES};
use crate::{Entry, OptionSpec, Problem, Problems, Tree, TreeNode, Value};

/// The faces of a role of this module where `tree`, which stands at `path`, overrules what the module says of them.
pub(in crate::metadata) fn overruled(
    metadata: &Metadata,
    tree: &Tree,
    path: &str,
    problems: &mut Problems,
) -> Vec<FaceTemplate> {
    let mut faces = metadata.faces.clone();
    let TreeNode::Map(entries) = &tree.node else {
        return faces;
    };
    let mut reader = Reader {
        minor: FORMAT_MINOR,
        problems,
    };
    if let Some(face) = only_one(metadata, tree, entries) {
        let whole = Entry {
            key: String::new(),
            key_place: tree.place,
            value: tree.clone(),
        };
        faces.retain_mut(|each| {
            each.bare.face != face || reader.overrule(each, &whole, path, &metadata.options)
        });
        return faces;
    }
    for entry in entries {
        let path = join_path(path, &entry.key);
        if entry.value.child("kind").is_some() {
            let added = reader.added(metadata, entry, &path);
            faces.retain(|face| face.bare.face != entry.key);
            faces.extend(added);
            continue;
        }
        let known = faces.iter().position(|face| face.bare.face == entry.key);
        match known {
            Some(index) => {
                let stays = reader.overrule(&mut faces[index], entry, &path, &metadata.options);
                if !stays {
                    faces.remove(index);
                }
            }
            None => reader.unknown(metadata, entry, &path),
        }
    }
    if faces.len() > MAX_FACES {
        let message = format!(
            "a role may have {MAX_FACES} faces at most, and this one has {}",
            faces.len()
        );
        reader.error(tree.place, path, message);
        faces.truncate(MAX_FACES);
    }
    faces
}

/// The face that a block without names of faces is about: that of a role which has one.
fn only_one<'m>(metadata: &'m Metadata, tree: &Tree, entries: &[Entry]) -> Option<&'m str> {
    let [face] = metadata.faces.as_slice() else {
        return None;
    };
    let face = face.bare.face.as_str();
    let names_none = metadata.unknown_faces.is_empty()
        && tree.entry(face).is_none()
        && !entries.iter().any(|entry| entry.value.is_mapping());
    names_none.then_some(face)
}

impl Reader<'_> {
    /// A face that only the file knows of.
    fn added(&mut self, metadata: &Metadata, entry: &Entry, path: &str) -> Option<FaceTemplate> {
        self.face_name(entry, path);
        match self.face_kind(entry, path)? {
            FaceKind::Other(kind) => {
                let place = entry.value.child("kind").map(|tree| tree.place);
                let message = format!("there are no faces of kind {}", quoted(&kind));
                let help = match nearest(&kind, FaceKind::ALL.iter().map(FaceKind::name)) {
                    Some(near) => format!(
                        "did you mean {}? it may be one of {}",
                        quoted(near),
                        kinds()
                    ),
                    None => format!("write one of {}", kinds()),
                };
                self.problems
                    .push(Problem::error(place, join_path(path, "kind"), message).with_help(help));
                None
            }
            kind => self.face(entry, path, kind, &metadata.options),
        }
    }

    /// An entry for no face that is known.
    fn unknown(&mut self, metadata: &Metadata, entry: &Entry, path: &str) {
        let skipped = |name: &str| metadata.unknown_faces.iter().any(|face| face.face == name);
        if skipped(&entry.key) {
            return;
        }
        let names: Vec<_> = metadata
            .faces
            .iter()
            .map(|face| face.bare.face.as_str())
            .collect();
        let message = format!(
            "a role of type {} has no face {}",
            quoted(metadata.name.as_str()),
            quoted(&entry.key)
        );
        let add = "`kind` makes a further one";
        let help = match (nearest(&entry.key, names.iter().copied()), names.as_slice()) {
            (Some(near), _) => format!("did you mean {}?", quoted(near)),
            (None, []) => format!("its module declares none: {add}"),
            (None, names) => format!(
                "it has {}, and {add}",
                enumerate(names.iter().copied(), "and")
            ),
        };
        self.problems
            .push(Problem::error(entry.key_place, path, message).with_help(help));
    }

    /// Puts what the network's file says in the place of what the module does; false: the face is hidden.
    fn overrule(
        &mut self,
        face: &mut FaceTemplate,
        block: &Entry,
        path: &str,
        options: &[OptionSpec],
    ) -> bool {
        let keys = of_overrule(&face.bare.kind);
        let what = format!("the face {}", quoted(&face.bare.face));
        let values = self.block(&block.value, block.key_place, path, &what, &keys);
        let at = At {
            item: &block.value,
            path,
            values: &values,
            options,
        };
        let (name, class, icon) = (self.display_name(&at), self.class(&at), self.icon(&at));
        let unit = self.unit(&at);
        let category = values.text("category").map(str::to_owned);
        // A key without a value takes away what the module says.
        if values.contains("name") {
            face.name = name;
        }
        let bare = &mut face.bare;
        for (key, field, value) in [
            ("class", &mut bare.class, class),
            ("icon", &mut bare.icon, icon),
            ("unit", &mut bare.unit, unit),
            ("category", &mut bare.category, category),
        ] {
            if values.contains(key) {
                *field = value;
            }
        }
        let boolean = |name: &str| values.value(name).and_then(Value::as_boolean);
        bare.enabled = boolean("enabled").unwrap_or(bare.enabled);
        boolean(HIDDEN) != Some(true)
    }
}
