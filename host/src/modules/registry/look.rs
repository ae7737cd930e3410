//! What is read of each file: all of it, what it says of itself, or only which module it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kozo_description::{Heading, ModuleKind};

use super::choice::state_alone;
use super::{FileState, ModuleFile, is_called};
use crate::modules::content::Content;
use crate::modules::file::TrustedWriters;
use crate::modules::inspect::{Glance, InspectError, Inspected};

/// A look at files.
pub(super) struct Look<'u> {
    trust: TrustedWriters,
    /// The names of the modules of whose files all is read; without them it is of every file.
    used: Option<&'u BTreeSet<String>>,
    /// What files are read to.
    bytes: Vec<u8>,
    /// The contents of those that can be used, by the places of their entries.
    contents: BTreeMap<usize, Content>,
}

impl<'u> Look<'u> {
    pub(super) fn new(trust: TrustedWriters, used: Option<&'u BTreeSet<String>>) -> Self {
        Self {
            trust,
            used,
            bytes: Vec::new(),
            contents: BTreeMap::new(),
        }
    }

    /// Looks at the file of the entry with this place. With a heading, no more was read than that.
    pub(super) fn at(
        &mut self,
        index: usize,
        path: PathBuf,
        searched_for: impl Fn(ModuleKind) -> bool,
    ) -> (ModuleFile, Option<Heading>) {
        let inspected = match self.inspect(&path) {
            Ok(Glance::Heading {
                heading,
                architecture,
            }) => {
                let kind = heading.kind;
                let entry = ModuleFile {
                    path,
                    inspected: None,
                    state: state_alone(kind, architecture, searched_for(kind)),
                };
                return (entry, Some(heading));
            }
            Ok(Glance::Whole(inspected)) => Ok(*inspected),
            Err(error) => Err(error),
        };
        let entry = entry(path, inspected, searched_for);
        if let (FileState::Usable, Some(inspected)) = (&entry.state, &entry.inspected)
            && self.is_used(inspected.metadata.name.as_str())
        {
            // Without the memory for it, it is read again when it is loaded, and then that is told.
            let content = Content::copy(&entry.path, inspected.clone(), &self.bytes).ok();
            self.contents
                .extend(content.map(|content| (index, content)));
        }
        (entry, None)
    }

    /// Looks at what the module in a file says of itself.
    pub(super) fn glance(
        &mut self,
        path: PathBuf,
        searched_for: impl Fn(ModuleKind) -> bool,
    ) -> ModuleFile {
        let inspected = Inspected::glance(&mut self.bytes, &path, self.trust);
        entry(path, inspected, searched_for)
    }

    /// What was read of the file of this entry, if its module is in use.
    pub(super) fn take_content(&mut self, index: usize) -> Option<Content> {
        self.contents.remove(&index)
    }

    fn inspect(&mut self, path: &Path) -> Result<Glance, InspectError> {
        let is_called_so = |used: &BTreeSet<String>| used.iter().any(|name| is_called(path, name));
        if self.used.is_some_and(|used| !is_called_so(used)) {
            let glance = Inspected::glance_at_heading(&mut self.bytes, path, self.trust)?;
            let name = match &glance {
                Glance::Heading { heading, .. } => &heading.name,
                Glance::Whole(inspected) => &inspected.metadata.name,
            };
            if !self.is_used(name.as_str()) {
                return Ok(glance);
            }
        }
        let inspected = Inspected::read_into(&mut self.bytes, path, self.trust)?;
        Ok(Glance::Whole(Box::new(inspected)))
    }

    fn is_used(&self, name: &str) -> bool {
        self.used.is_some_and(|used| used.contains(name))
    }
}

/// The entry of a file that was looked at.
fn entry(
    path: PathBuf,
    inspected: Result<Inspected, InspectError>,
    searched_for: impl Fn(ModuleKind) -> bool,
) -> ModuleFile {
    match inspected {
        Ok(inspected) => {
            let kind = inspected.metadata.kind;
            let architecture = inspected.image.architecture;
            ModuleFile {
                path,
                inspected: Some(inspected),
                state: state_alone(kind, architecture, searched_for(kind)),
            }
        }
        Err(error) => ModuleFile {
            path,
            inspected: None,
            state: FileState::Refused(error.into()),
        },
    }
}
