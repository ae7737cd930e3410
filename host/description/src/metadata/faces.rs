//! What a role is for people and other systems: what its module declares, with names of options still to be
//! filled in.

use kozo_faces::{Face, Source, Target};
use kozo_ground::text::{is_harmful, quoted};
use serde::Serialize;

use super::template::Template;
use super::{Metadata, Names};
use crate::ModuleOptions;

/// How many faces a role may have.
pub(super) const MAX_FACES: usize = 32;

/// How many characters the name of a face, a word of it and the like have at most.
pub(super) const MAX_WORD: usize = 64;

/// How many bytes the type and the channel of a message have at most.
const MAX_ADDRESS_LEN: usize = 255;

/// A face in which options are still to be filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FaceTemplate {
    /// All of it that holds no names of options.
    pub(super) bare: Face,
    /// What it is called; none: as the role is.
    pub(super) name: Option<Template>,
    pub(super) state: Option<Address>,
    pub(super) command: Option<Address>,
}

/// The type and the channel of messages.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Address {
    pub(super) type_name: Template,
    pub(super) channel: Option<Template>,
}

/// A face of a kind that came with a later version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownFace {
    /// Which of the role's faces it is.
    pub face: String,
    /// Its kind.
    pub kind: String,
}

impl Metadata {
    /// The faces as they are written in the metadata, with the names of options in braces. One without a name is
    /// called as its role is.
    pub fn declared_faces(&self) -> Vec<Face> {
        self.faces.iter().map(FaceTemplate::as_written).collect()
    }

    /// The faces that are left out, since nothing is known of their kinds here.
    pub fn unknown_faces(&self) -> &[UnknownFace] {
        &self.unknown_faces
    }
}

impl FaceTemplate {
    fn as_written(&self) -> Face {
        let text = |template: &Template| template.to_string();
        let channel = |address: &Address| address.channel.as_ref().map(text);
        Face {
            name: self.name.as_ref().map_or_else(|| "{role}".to_owned(), text),
            state: self.state.as_ref().map(|state| Source {
                event: text(&state.type_name),
                channel: channel(state),
            }),
            command: self.command.as_ref().map(|command| Target {
                order: text(&command.type_name),
                channel: channel(command),
            }),
            ..self.bare.clone()
        }
    }

    /// The face of a role with these options and names, or why there is none.
    pub(super) fn fill(&self, options: &ModuleOptions, names: Names<'_>) -> Result<Face, String> {
        let values = |name: &str| names.values(options, name);
        // No list stands in any of them, so there is one text, or none for an option without a value.
        let text = |template: &Template| {
            template
                .fill(&values)
                .and_then(|texts| texts.into_iter().next())
        };
        let fault = |what: &str, why: &str| {
            format!(
                "the face {} is left out: {what} {why}",
                quoted(&self.bare.face)
            )
        };
        let name = self
            .name
            .as_ref()
            .and_then(text)
            .filter(|name| !name.trim().is_empty());
        let name = name.unwrap_or_else(|| names.role.to_owned());
        if let Some(why) = unfit(&name, MAX_WORD) {
            return Err(fault("its name", &why));
        }
        let type_name = |address: &Address, what: &str| {
            let name = text(&address.type_name).unwrap_or_default();
            match name.len() {
                0 => Err(fault(what, "has no type")),
                1..=MAX_ADDRESS_LEN => Ok(name),
                _ => Err(fault(what, "has a type of more than 255 bytes")),
            }
        };
        let channel = |address: &Address, what: &str| {
            let channel = address.channel.as_ref().and_then(text);
            match channel {
                Some(channel) if channel.len() > MAX_ADDRESS_LEN => {
                    Err(fault(what, "has a channel of more than 255 bytes"))
                }
                channel => Ok(channel),
            }
        };
        let source = |state: &Address| -> Result<Source, String> {
            Ok(Source {
                event: type_name(state, "its event")?,
                channel: channel(state, "its event")?,
            })
        };
        let target = |command: &Address| -> Result<Target, String> {
            Ok(Target {
                order: type_name(command, "its order")?,
                channel: channel(command, "its order")?,
            })
        };
        Ok(Face {
            name,
            state: self.state.as_ref().map(source).transpose()?,
            command: self.command.as_ref().map(target).transpose()?,
            ..self.bare.clone()
        })
    }
}

/// Why a text is not one for people, of so many characters at most.
pub(super) fn unfit(text: &str, most: usize) -> Option<String> {
    if text.chars().any(is_harmful) {
        return Some("has a character that cannot be shown".to_owned());
    }
    let is_long = text.chars().nth(most).is_some();
    is_long.then(|| format!("has more than {most} characters"))
}
