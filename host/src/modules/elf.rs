//! Reads from a shared object what the loader has to know before the system sees it. Nothing of
//! the object is run, and one for another architecture is read just as well.

use kozo_abi::METADATA_SECTION;
use object::Endianness;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};

use super::architecture::Architecture;

/// The longest name of a library that is believed, in bytes: that of a file.
const MAX_LIBRARY_NAME: usize = 255;
/// How many libraries an object may name as its needs. Real ones name a dozen.
const MAX_NEEDS: usize = 1024;
/// How much of a file is looked at to see whether it is a text.
const TEXT_SAMPLE: usize = 512;

/// Why bytes are not a shared object. The text says what to do where that depends on the finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// There are no bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The bytes are readable text.
    #[error("it is a text file, not a shared object: give the `.so` that the build makes")]
    Text,
    /// The bytes are something else that is known.
    #[error("it is {0}, not a shared object: build the crate with `crate-type = [\"cdylib\"]`")]
    Other(&'static str),
    /// The bytes are nothing that is known.
    #[error("it is not an ELF file, so it is no shared object")]
    NotElf,
    /// The file ends too early.
    #[error(
        "it is cut off: {found} bytes, but its header speaks of {expected}; copy or build it again"
    )]
    Truncated {
        /// How many bytes there should be at least.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// It is an ELF file, but contradicts itself.
    #[error("it is damaged ({0}); copy or build it again")]
    Malformed(String),
}

/// What a shared object says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SharedObject {
    /// What it runs on.
    pub architecture: Architecture,
    /// The name by which others need it (`DT_SONAME`).
    pub soname: Option<String>,
    /// The names of the libraries that it needs (`DT_NEEDED`), in the order of the file.
    pub needs: Vec<String>,
    /// The contents of each metadata section.
    pub metadata_sections: Vec<Vec<u8>>,
    /// Whether it has sections at all; some ways of stripping leave none.
    pub has_sections: bool,
}

impl SharedObject {
    /// Reads `bytes`. `symbol` is called with the name and size of every symbol that it offers.
    ///
    /// # Errors
    /// [`ElfError`] says why they are no shared object.
    pub(super) fn read(bytes: &[u8], symbol: &mut dyn FnMut(&[u8], u64)) -> Result<Self, ElfError> {
        recognise(bytes)?;
        // The class: 32 or 64 bits.
        match bytes.get(4) {
            Some(1) => read::<elf::FileHeader32<Endianness>>(bytes, symbol),
            Some(2) => read::<elf::FileHeader64<Endianness>>(bytes, symbol),
            Some(class) => Err(ElfError::Malformed(format!("class {class} is unknown"))),
            None => Err(truncated(bytes, 16)),
        }
    }
}

fn recognise(bytes: &[u8]) -> Result<(), ElfError> {
    if bytes.starts_with(b"\x7fELF") {
        return Ok(());
    }
    if bytes.is_empty() {
        return Err(ElfError::Empty);
    }
    if b"\x7fELF".starts_with(bytes) {
        return Err(truncated(bytes, 16));
    }
    let known: [(&[u8], &str); 5] = [
        (b"!<arch>\n", "a static library"),
        (b"!<thin>\n", "a static library"),
        (b"MZ", "a Windows program"),
        (&[0xcf, 0xfa, 0xed, 0xfe], "a macOS program"),
        (&[0x1f, 0x8b], "a compressed file"),
    ];
    if let Some((_, what)) = known.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(ElfError::Other(what));
    }
    let sample = &bytes[..bytes.len().min(TEXT_SAMPLE)];
    let readable = match std::str::from_utf8(sample) {
        Ok(text) => Some(text),
        // The sample's end may cut a character in two.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&sample[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    Err(match readable {
        Some(text) if !text.contains(is_binary) => ElfError::Text,
        _ => ElfError::NotElf,
    })
}

fn is_binary(character: char) -> bool {
    character.is_control() && !character.is_whitespace() && character != '\u{1b}'
}

fn truncated(bytes: &[u8], expected: u64) -> ElfError {
    ElfError::Truncated {
        expected,
        found: bytes.len() as u64,
    }
}

fn malformed(error: object::Error) -> ElfError {
    ElfError::Malformed(error.to_string().to_lowercase())
}

/// The end of `count` entries of `size` bytes from `offset`, and whether the file reaches so far.
fn reaches(bytes: &[u8], offset: u64, count: u64, size: u64) -> Result<(), ElfError> {
    let end = count.saturating_mul(size).saturating_add(offset);
    if end > bytes.len() as u64 {
        return Err(truncated(bytes, end));
    }
    Ok(())
}

fn read<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    symbol: &mut dyn FnMut(&[u8], u64),
) -> Result<SharedObject, ElfError> {
    if bytes.len() < size_of::<H>() {
        return Err(truncated(bytes, size_of::<H>() as u64));
    }
    let header = H::parse(bytes).map_err(malformed)?;
    let endian = header.endian().map_err(malformed)?;
    match header.e_type(endian) {
        elf::ET_DYN => {}
        elf::ET_EXEC => return Err(ElfError::Other("a program")),
        elf::ET_REL => return Err(ElfError::Other("an object file that is not linked yet")),
        elf::ET_CORE => return Err(ElfError::Other("a core dump")),
        _ => return Err(ElfError::Malformed("its type is unknown".to_owned())),
    }
    check_segments(bytes, header, endian)?;

    let section_offset: u64 = header.e_shoff(endian).into();
    if section_offset != 0 {
        // At least the first entry, which may hold the number of them; then all of them.
        let entry = u64::from(header.e_shentsize(endian));
        reaches(bytes, section_offset, 1, entry)?;
        let count = u64::from(header.shnum(endian, bytes).map_err(malformed)?);
        reaches(bytes, section_offset, count, entry)?;
    }
    let sections = header.sections(endian, bytes).map_err(malformed)?;
    let (soname, needs) = read_dynamic(bytes, endian, &sections)?;
    read_symbols(bytes, endian, &sections, symbol)?;
    Ok(SharedObject {
        architecture: Architecture {
            machine: header.e_machine(endian).0,
            is_64_bit: header.is_type_64(),
            is_little_endian: endian == Endianness::Little,
        },
        soname,
        needs,
        metadata_sections: read_metadata(bytes, endian, &sections)?,
        has_sections: !sections.is_empty(),
    })
}

/// Every byte that the system would map has to be in the file: touching one that is not kills the
/// process.
fn check_segments<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    header: &H,
    endian: Endianness,
) -> Result<(), ElfError> {
    let offset: u64 = header.e_phoff(endian).into();
    let count = u64::from(header.phnum(endian, bytes).map_err(malformed)?);
    reaches(bytes, offset, count, u64::from(header.e_phentsize(endian)))?;
    let (mut is_loadable, mut is_dynamic) = (false, false);
    for segment in header.program_headers(endian, bytes).map_err(malformed)? {
        let in_file: u64 = segment.p_filesz(endian).into();
        let in_memory: u64 = segment.p_memsz(endian).into();
        match segment.p_type(endian) {
            elf::PT_LOAD => {
                is_loadable = true;
                reaches(bytes, segment.p_offset(endian).into(), 1, in_file)?;
                if in_file > in_memory {
                    let text = "a segment is larger in the file than in memory";
                    return Err(ElfError::Malformed(text.to_owned()));
                }
            }
            elf::PT_DYNAMIC => {
                is_dynamic = true;
                reaches(bytes, segment.p_offset(endian).into(), 1, in_file)?;
            }
            elf::PT_INTERP => return Err(ElfError::Other("a program")),
            _ => {}
        }
    }
    if !is_loadable || !is_dynamic {
        return Err(ElfError::Malformed(
            "it has nothing that could be loaded".to_owned(),
        ));
    }
    Ok(())
}

fn read_dynamic<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
    sections: &SectionTable<'_, H>,
) -> Result<(Option<String>, Vec<String>), ElfError> {
    let dynamic = sections.dynamic_table(endian, bytes).map_err(malformed)?;
    let (mut soname, mut needs) = (None, Vec::new());
    for entry in dynamic.iter() {
        if entry.tag != elf::DT_NEEDED && entry.tag != elf::DT_SONAME {
            continue;
        }
        let name = dynamic.string(entry).map_err(malformed)?;
        if name.len() > MAX_LIBRARY_NAME || needs.len() == MAX_NEEDS {
            let text = "the libraries that it needs have no sensible names";
            return Err(ElfError::Malformed(text.to_owned()));
        }
        let name = String::from_utf8_lossy(name).into_owned();
        if entry.tag == elf::DT_NEEDED {
            needs.push(name);
        } else {
            soname = Some(name);
        }
    }
    Ok((soname, needs))
}

fn read_symbols<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
    sections: &SectionTable<'_, H>,
    found: &mut dyn FnMut(&[u8], u64),
) -> Result<(), ElfError> {
    let symbols = sections
        .symbols(endian, bytes, elf::SHT_DYNSYM)
        .map_err(malformed)?;
    for symbol in symbols.iter().filter(|symbol| !symbol.is_undefined(endian)) {
        let name = symbols.symbol_name(endian, symbol).map_err(malformed)?;
        found(name, symbol.st_size(endian).into());
    }
    Ok(())
}

fn read_metadata<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    endian: Endianness,
    sections: &SectionTable<'_, H>,
) -> Result<Vec<Vec<u8>>, ElfError> {
    let mut found = Vec::new();
    for section in sections.iter() {
        let name = sections.section_name(endian, section).map_err(malformed)?;
        if name == METADATA_SECTION.as_bytes() {
            let offset: u64 = section.sh_offset(endian).into();
            reaches(bytes, offset, 1, section.sh_size(endian).into())?;
            found.push(section.data(endian, bytes).map_err(malformed)?.to_vec());
        }
    }
    Ok(found)
}
