//! All that is known of a module without running it.

use std::path::Path;

use kozo_description::{Metadata, Problems};

use super::file::{self, FileError, TrustedWriters};
use super::image::{Image, ImageError};
use super::seal::{SealError, is_sealed};

/// Why a file is not a module that can be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not what was sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is no module.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// What it says about itself is wrong: a fault of the module's author.
    #[error("its metadata (`module.yaml`) has mistakes:\n{0}")]
    Metadata(Problems),
}

/// A module's file, looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// Whether the file has a checksum, which fits then.
    pub is_sealed: bool,
    /// What the shared object is like.
    pub image: Image,
    /// What the module says about itself.
    pub metadata: Metadata,
}

impl Inspected {
    /// Looks at the bytes of a module's file, which messages call `path`.
    ///
    /// # Errors
    /// [`InspectError`] says why they are no module.
    pub fn new(path: &Path, bytes: &[u8]) -> Result<Self, InspectError> {
        let is_sealed = is_sealed(bytes)?;
        let image = Image::read(bytes)?;
        let metadata = Metadata::parse(&image.metadata).map_err(|problems| {
            InspectError::Metadata(problems.about(path.display().to_string()))
        })?;
        Ok(Self {
            is_sealed,
            image,
            metadata,
        })
    }

    /// Reads a file, once, and looks at it. The bytes are those that were looked at.
    ///
    /// # Errors
    /// [`InspectError`] says why it is no module.
    pub fn read(path: &Path, trust: TrustedWriters) -> Result<(Self, Vec<u8>), InspectError> {
        let bytes = file::read(path, trust)?;
        Ok((Self::new(path, &bytes)?, bytes))
    }

    /// Reads a file as [`read`](Self::read) does, in place of what is in `bytes`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn read_into(
        bytes: &mut Vec<u8>,
        path: &Path,
        trust: TrustedWriters,
    ) -> Result<Self, InspectError> {
        file::read_into(bytes, path, trust)?;
        Self::new(path, bytes)
    }
}
