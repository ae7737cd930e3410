//! What a module's file held when it was read: looked at, and copied to where nobody changes it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kozo_description::Metadata;

use super::file::TrustedWriters;
use super::image::Image;
use super::inspect::{InspectError, Inspected};
use super::load::Source;
use super::memory::Memory;

/// The content of a module's file at one time. A copy of this is one more owner of the same content.
#[derive(Debug, Clone)]
pub struct Content(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    path: PathBuf,
    image: Image,
    metadata: Metadata,
    code: Arc<Memory>,
}

/// Why there is no content.
#[derive(Debug)]
pub(super) enum ContentError {
    /// The file is no module that can be used, or cannot be read.
    Inspect(InspectError),
    /// There is no place to copy it to.
    Memory(io::Error),
}

impl Content {
    /// Reads a module's file, and looks at it. When it holds what `known` does, that is the result.
    pub(super) fn read(
        path: &Path,
        trust: TrustedWriters,
        known: Option<&Self>,
    ) -> Result<Self, ContentError> {
        let (inspected, bytes) = Inspected::read(path, trust).map_err(ContentError::Inspect)?;
        if let Some(known) = known.filter(|known| known.0.code.holds(&bytes)) {
            return Ok(known.clone());
        }
        Self::copy(path, inspected, &bytes).map_err(ContentError::Memory)
    }

    /// Copies the bytes of a module's file, which were looked at.
    pub(super) fn copy(path: &Path, inspected: Inspected, bytes: &[u8]) -> io::Result<Self> {
        let Inspected {
            image, metadata, ..
        } = inspected;
        let code = Memory::new(metadata.name.as_str(), bytes)?;
        Ok(Self(Arc::new(Parts {
            path: path.to_owned(),
            image,
            metadata,
            code: Arc::new(code),
        })))
    }

    /// Whether both are the content of one reading, or of readings that found the same.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its bytes.
    pub fn code(&self) -> &Arc<Memory> {
        &self.0.code
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    pub(super) fn source(&self) -> Source<'_> {
        Source {
            name: &self.0.metadata.name,
            path: &self.0.path,
            code: &self.0.code,
            image: &self.0.image,
        }
    }
}
