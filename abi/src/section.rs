//! The ELF section that holds a module's metadata, so that it is read without running the module.
//!
//! Layout, all numbers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | magic, `KOZOMETA` |
//! | 2 | version of this layout, 1 |
//! | 2 + 2 + 2 | version of `kozo-abi` the module was built with: major, minor, patch |
//! | 4 | length of the text that follows |
//! | … | the metadata: YAML, UTF-8 |

use std::fmt;

/// The name of the section.
pub const METADATA_SECTION: &str = ".kozo.meta";

const MAGIC: [u8; 8] = *b"KOZOMETA";
const LAYOUT: u16 = 1;
const HEADER_LEN: usize = 20;

/// A version of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Counts breaks: modules and hosts of different major versions do not work together.
    pub major: u16,
    /// Counts additions.
    pub minor: u16,
    /// Counts corrections that change nothing of the interface.
    pub patch: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The contents of a module's metadata section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// The version of `kozo-abi` that the module was built with.
    pub abi: Version,
    /// The metadata, a YAML text.
    pub metadata: &'a str,
}

/// Why bytes are not a metadata section.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SectionError {
    /// The bytes do not start with the magic.
    Magic,
    /// The section has a layout that this version does not know.
    Layout(u16),
    /// There are fewer bytes than the header or the announced text needs.
    Truncated {
        /// How many bytes there should be at least.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// More than one module wrote its metadata into the file.
    SeveralModules,
    /// The text is not UTF-8.
    Encoding,
}

impl fmt::Display for SectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("does not start with `KOZOMETA`"),
            Self::Layout(found) => write!(
                f,
                "has layout {found}, but only layout {LAYOUT} is known here: a newer host is needed"
            ),
            Self::Truncated { expected, found } => {
                write!(f, "is cut off: {found} bytes instead of {expected}")
            }
            Self::SeveralModules => f.write_str(
                "holds more than one module: export exactly one role, transport or bus from a crate",
            ),
            Self::Encoding => f.write_str("is not UTF-8"),
        }
    }
}

impl std::error::Error for SectionError {}

impl<'a> Section<'a> {
    /// Reads the section's bytes.
    ///
    /// # Errors
    /// [`SectionError`] says what is wrong with them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SectionError> {
        let truncated = |expected| SectionError::Truncated {
            expected,
            found: bytes.len(),
        };
        let header = bytes
            .get(..HEADER_LEN)
            .ok_or_else(|| truncated(HEADER_LEN))?;
        if header[..8] != MAGIC {
            return Err(SectionError::Magic);
        }
        let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        if number(8) != LAYOUT {
            return Err(SectionError::Layout(number(8)));
        }
        let abi = Version {
            major: number(10),
            minor: number(12),
            patch: number(14),
        };
        let length = u32::from_le_bytes([header[16], header[17], header[18], header[19]]) as usize;
        let end = HEADER_LEN.saturating_add(length);
        let text = bytes.get(HEADER_LEN..end).ok_or_else(|| truncated(end))?;
        // The linker may pad the section with zeros, and puts two modules' metadata in a row.
        if bytes[end..].iter().any(|&byte| byte != 0) {
            return Err(SectionError::SeveralModules);
        }
        let metadata = std::str::from_utf8(text).map_err(|_| SectionError::Encoding)?;
        Ok(Self { abi, metadata })
    }
}

/// How long the section for `metadata` is.
#[doc(hidden)]
pub const fn section_len(metadata: &str) -> usize {
    HEADER_LEN + metadata.len()
}

/// Builds the section at compile time; `N` is [`section_len`].
#[doc(hidden)]
pub const fn build_section<const N: usize>(metadata: &str) -> [u8; N] {
    const fn put<const N: usize>(mut to: [u8; N], at: usize, bytes: &[u8]) -> [u8; N] {
        let mut i = 0;
        while i < bytes.len() {
            to[at + i] = bytes[i];
            i += 1;
        }
        to
    }
    let text = metadata.as_bytes();
    assert!(N == HEADER_LEN + text.len());
    assert!(text.len() < u32::MAX as usize);
    let version = crate::VERSION;
    let section = put([0; N], 0, &MAGIC);
    let section = put(section, 8, &LAYOUT.to_le_bytes());
    let section = put(section, 10, &version.major.to_le_bytes());
    let section = put(section, 12, &version.minor.to_le_bytes());
    let section = put(section, 14, &version.patch.to_le_bytes());
    let section = put(section, 16, &(text.len() as u32).to_le_bytes());
    put(section, HEADER_LEN, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name: timer\n";
    const SECTION: [u8; section_len(TEXT)] = build_section(TEXT);

    #[test]
    fn a_section_is_read_back() {
        let section = Section::parse(&SECTION).unwrap();
        assert_eq!(
            section,
            Section {
                abi: crate::VERSION,
                metadata: TEXT
            }
        );
        assert_eq!(&SECTION[..10], b"KOZOMETA\x01\x00");
    }

    #[test]
    fn padding_is_no_second_module_but_anything_else_is() {
        let mut padded = SECTION.to_vec();
        padded.extend([0; 4]);
        assert!(Section::parse(&padded).is_ok());
        padded.extend(SECTION);
        assert_eq!(Section::parse(&padded), Err(SectionError::SeveralModules));
    }

    #[test]
    fn a_section_cut_off_anywhere_is_an_error() {
        for length in 0..SECTION.len() {
            let error = Section::parse(&SECTION[..length]).unwrap_err();
            assert!(matches!(error, SectionError::Truncated { found, .. } if found == length));
        }
    }
}
