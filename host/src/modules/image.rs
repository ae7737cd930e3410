//! A module as a file holds it: a shared object with a metadata section and an entry point.

use kozo_abi::{METADATA_SECTION, Section, SectionError, Version};

use super::architecture::Architecture;
use super::elf::{ElfError, SharedObject};

/// Why bytes are not a module that this host understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// They are not even a shared object.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// The section headers were stripped, and with them the way to the metadata.
    #[error(
        "its section headers were stripped, so its metadata cannot be found: strip it with plain `strip`"
    )]
    NoSections,
    /// There is no metadata section.
    #[error(
        "it has no `{METADATA_SECTION}` section, so it is no Kōzō module: a module's crate needs one `export_role!` or `export_transport!`"
    )]
    NoMetadata,
    /// The metadata section cannot be read.
    #[error("its `{METADATA_SECTION}` section {0}")]
    Section(SectionError),
    /// The module was built for an interface that breaks with this host's.
    #[error(
        "it was built with `kozo-abi` {module}, but this host speaks {host}: {}",
        other_major_remedy(*.module, *.host)
    )]
    Major {
        /// The module's version.
        module: Version,
        /// The host's.
        host: Version,
    },
    /// It has metadata, but nothing to call.
    #[error(
        "it does not export the entry point of a module: build it as a `cdylib`, and let no linker script or `strip` option remove its exports"
    )]
    NoEntryPoint,
}

fn other_major_remedy(module: Version, host: Version) -> String {
    if module.major > host.major {
        "update Kōzō".to_owned()
    } else {
        format!("build the module again with `kozo-abi` {}", host.major)
    }
}

/// What is known of a module from its file alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The version of the interface that it was built with.
    pub abi: Version,
    /// What it runs on.
    pub architecture: Architecture,
    /// Its metadata, a YAML text.
    pub metadata: String,
    /// The libraries that it needs, by name.
    pub needs: Vec<String>,
}

impl Image {
    /// Reads a module from the bytes of its file. Nothing of it is run, and one for another
    /// architecture is read as well.
    ///
    /// # Errors
    /// [`ImageError`] says why they are no module.
    pub fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        let mut has_entry_point = false;
        let object = SharedObject::read(bytes, &mut |name, size| {
            has_entry_point |= name == ENTRY_POINT.as_bytes() && size >= SMALLEST_ENTRY_POINT;
        })?;
        let section = match object.metadata_sections.as_slice() {
            [section] => section,
            [] if object.has_sections => return Err(ImageError::NoMetadata),
            [] => return Err(ImageError::NoSections),
            _ => return Err(ImageError::Section(SectionError::SeveralModules)),
        };
        let Section { abi, metadata } = Section::parse(section).map_err(ImageError::Section)?;
        let host = kozo_abi::VERSION;
        if abi.major != host.major {
            return Err(ImageError::Major { module: abi, host });
        }
        if !has_entry_point {
            return Err(ImageError::NoEntryPoint);
        }
        Ok(Self {
            abi,
            architecture: object.architecture,
            metadata: metadata.to_owned(),
            needs: object.needs,
        })
    }
}

/// The symbol under which a module's header is exported.
pub(super) const ENTRY_POINT: &str = abi_stable::library::ROOT_MODULE_LOADER_NAME;

/// A header has a magic text of 32 bytes and more; anything smaller is another thing of that name.
const SMALLEST_ENTRY_POINT: u64 = 40;
