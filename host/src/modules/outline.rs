//! What there is to know of a module's file, out of the parts of it that tell: a hundredth of most.
//!
//! Whether such a file is whole is not to be seen so. Who runs a module reads all of it.

use std::ops::Range;

use kozo_abi::METADATA_SECTION;
use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};

use super::file::OpenFile;
use super::seal::SEAL_SIZE;

/// How much of the beginning is read at first, in bytes: the header, and most often the table of segments.
const BEGINNING: usize = 1024;

/// Reads the tables of a shared object, what it says of itself, and where a seal is if it has one; zeros stand
/// in the place of everything else. What is read is found in it by the same means as in the whole file.
///
/// None when the file is something else, or contradicts itself: all of it has to be read to tell what is
/// wrong.
pub(super) fn read(file: &OpenFile) -> Option<Vec<u8>> {
    let mut outline = Outline {
        file,
        // The system gives memory for what is written alone.
        bytes: vec![0; file.length()],
    };
    outline.add(0..BEGINNING.min(file.length()))?;
    match outline.bytes.get(..5)? {
        b"\x7fELF\x01" => outline.add_parts::<FileHeader32<Endianness>>()?,
        b"\x7fELF\x02" => outline.add_parts::<FileHeader64<Endianness>>()?,
        _ => return None,
    }
    outline.add(file.length().checked_sub(SEAL_SIZE)?..file.length())?;
    Some(outline.bytes)
}

struct Outline<'f> {
    file: &'f OpenFile,
    bytes: Vec<u8>,
}

impl Outline<'_> {
    fn add(&mut self, range: Range<usize>) -> Option<()> {
        let start = range.start;
        self.file.read_at(self.bytes.get_mut(range)?, start).ok()
    }

    fn add_parts<H: FileHeader<Endian = Endianness>>(&mut self) -> Option<()> {
        let header = H::parse(self.bytes.as_slice()).ok()?;
        let endian = header.endian().ok()?;
        let (segments, sections) = (header.e_phoff(endian), header.e_shoff(endian));
        let segments = table(segments, header.e_phentsize(endian), header.e_phnum(endian))?;
        let sections = table(sections, header.e_shentsize(endian), header.e_shnum(endian))?;
        self.add(segments)?;
        self.add(sections)?;
        let header = H::parse(self.bytes.as_slice()).ok()?;
        let names = usize::from(header.e_shstrndx(endian).0);
        let sections = header.section_headers(endian, self.bytes.as_slice()).ok()?;
        let range = |index: usize| {
            let section = sections.get(index)?;
            section_range::<H>(section, endian)
        };
        let names_range = range(names)?;
        let mut parts = Vec::new();
        for (index, section) in sections.iter().enumerate() {
            if [elf::SHT_DYNAMIC, elf::SHT_DYNSYM].contains(&section.sh_type(endian)) {
                parts.push(range(index)?);
                parts.push(range(section.sh_link(endian) as usize)?);
            }
        }
        parts.push(names_range);
        // The names of libraries and those of symbols are in one section.
        parts.sort_by_key(|part| part.start);
        parts.dedup();
        parts.into_iter().try_for_each(|part| self.add(part))?;
        let header = H::parse(self.bytes.as_slice()).ok()?;
        let sections = header.sections(endian, self.bytes.as_slice()).ok()?;
        let is_metadata = |section: &&H::SectionHeader| {
            let name = sections.section_name(endian, *section);
            name.is_ok_and(|name| name == METADATA_SECTION.as_bytes())
        };
        let metadata = sections.iter().filter(is_metadata);
        let metadata: Option<Vec<_>> = metadata
            .map(|section| section_range::<H>(section, endian))
            .collect();
        metadata?.into_iter().try_for_each(|part| self.add(part))
    }
}

/// Where a table of so many entries is. None where the header says that their number stands elsewhere, since
/// there are none or too many.
fn table(offset: impl Into<u64>, size: u16, count: u16) -> Option<Range<usize>> {
    let start = usize::try_from(offset.into()).ok()?;
    let length = usize::from(size).checked_mul(usize::from(count))?;
    let is_here = ![0, u16::MAX].contains(&count);
    is_here.then_some(start..start.checked_add(length)?)
}

fn section_range<H: FileHeader<Endian = Endianness>>(
    section: &H::SectionHeader,
    endian: Endianness,
) -> Option<Range<usize>> {
    let start = usize::try_from(section.sh_offset(endian).into()).ok()?;
    let length = usize::try_from(section.sh_size(endian).into()).ok()?;
    Some(start..start.checked_add(length)?)
}
