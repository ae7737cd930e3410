//! All that is known of a module without running it.

use std::path::Path;

use kozo_description::{Heading, Metadata, Problems};

use super::architecture::Architecture;
use super::file::{self, FileError, OpenFile, TrustedWriters};
use super::image::{Image, ImageError};
use super::outline;
use super::seal::{SealError, has_seal, is_sealed};

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
    /// Whether the file has a checksum. It fits, where all of the file was looked at.
    pub is_sealed: bool,
    /// What the shared object is like.
    pub image: Image,
    /// What the module says about itself.
    pub metadata: Metadata,
}

/// What a part of a module's file has told.
#[derive(Debug)]
pub(super) enum Glance {
    /// Which module it is, of which no more was asked.
    Heading {
        heading: Heading,
        architecture: Architecture,
    },
    /// All that it says of itself.
    Whole(Box<Inspected>),
}

impl Inspected {
    /// Looks at the bytes of a module's file, which messages call `path`.
    ///
    /// # Errors
    /// [`InspectError`] says why they are no module.
    pub fn new(path: &Path, bytes: &[u8]) -> Result<Self, InspectError> {
        Self::of(path, is_sealed(bytes)?, bytes)
    }

    fn of(path: &Path, is_sealed: bool, bytes: &[u8]) -> Result<Self, InspectError> {
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
        OpenFile::open(path, trust)?.read_into(bytes)?;
        Self::new(path, bytes)
    }

    /// Looks at what a file says of itself, and reads no more of it than that: whether the rest is damaged is
    /// not noticed. `bytes` is for files of which all has to be read to say what is wrong with them.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn glance(
        bytes: &mut Vec<u8>,
        path: &Path,
        trust: TrustedWriters,
    ) -> Result<Self, InspectError> {
        let file = OpenFile::open(path, trust)?;
        let seen = outline::read(&file)
            .and_then(|outline| Self::of(path, has_seal(&outline), &outline).ok());
        if let Some(inspected) = seen {
            return Ok(inspected);
        }
        file.read_into(bytes)?;
        Self::new(path, bytes)
    }

    /// Looks only at which module a file holds, where that can be told from the first lines of its metadata: the
    /// others are not read then, and mistakes in them not noticed. Else as [`glance`](Self::glance).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn glance_at_heading(
        bytes: &mut Vec<u8>,
        path: &Path,
        trust: TrustedWriters,
    ) -> Result<Glance, InspectError> {
        let file = OpenFile::open(path, trust)?;
        let image = outline::read(&file).and_then(|outline| Image::read(&outline).ok());
        if let Some(image) = image
            && let Some(heading) = Heading::read(&image.metadata)
        {
            return Ok(Glance::Heading {
                heading,
                architecture: image.architecture,
            });
        }
        Ok(Glance::Whole(Box::new(Self::glance(bytes, path, trust)?)))
    }
}
