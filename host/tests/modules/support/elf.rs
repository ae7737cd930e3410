//! Writes a shared object for machines that the tests' compiler does not know.

use abi_stable::library::ROOT_MODULE_LOADER_NAME;

const HEADER: usize = 52;
const SEGMENT: usize = 32;
const SECTION: usize = 40;

/// A 32-bit module with nothing in it but what inspection looks at.
pub(crate) fn module_32(machine: u16, is_little_endian: bool, metadata: &[u8]) -> Vec<u8> {
    let writer = Writer { is_little_endian };
    let names = [
        "",
        ".kozo.meta",
        ".dynstr",
        ".dynsym",
        ".dynamic",
        ".shstrtab",
    ];
    let strings = texts(&["", ROOT_MODULE_LOADER_NAME, "libc.so.6"]);
    let library = (2 + ROOT_MODULE_LOADER_NAME.len()) as u32;

    // The first symbol is none; the second is the entry point, of 256 bytes, in section 1.
    let mut symbols = vec![0; 16];
    symbols.extend(writer.words(&[1, 0, 256]));
    symbols.extend([0x11, 0]);
    symbols.extend(writer.half(1));
    // `DT_NEEDED`, then the end.
    let dynamic = writer.words(&[1, library, 0, 0]);
    let section_names = texts(&names);

    // Kind, contents, linked section, first that is not local, entry size.
    const PROGBITS: u32 = 1;
    const STRTAB: u32 = 3;
    const DYNAMIC: u32 = 6;
    const DYNSYM: u32 = 11;
    let contents: [(u32, &[u8], [u32; 3]); 5] = [
        (PROGBITS, metadata, [0, 0, 0]),
        (STRTAB, &strings, [0, 0, 0]),
        (DYNSYM, &symbols, [2, 1, 16]),
        (DYNAMIC, &dynamic, [2, 0, 8]),
        (STRTAB, &section_names, [0, 0, 0]),
    ];
    let mut body = Vec::new();
    let mut sections = vec![0; SECTION];
    let mut dynamic_at = 0;
    for (index, (kind, bytes, [link, info, entry])) in contents.into_iter().enumerate() {
        body.resize(body.len().next_multiple_of(4), 0);
        let at = (HEADER + 2 * SEGMENT + body.len()) as u32;
        if kind == DYNAMIC {
            dynamic_at = at;
        }
        body.extend(bytes);
        let name = names[..=index]
            .iter()
            .map(|name| name.len() + 1)
            .sum::<usize>() as u32;
        let size = bytes.len() as u32;
        sections.extend(writer.words(&[name, kind, 0, 0, at, size, link, info, 4, entry]));
    }
    body.resize(body.len().next_multiple_of(4), 0);
    let table = (HEADER + 2 * SEGMENT + body.len()) as u32;

    let order = if is_little_endian { 1 } else { 2 };
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, order, 1];
    file.resize(16, 0);
    file.extend([writer.half(3), writer.half(machine)].concat());
    file.extend(writer.words(&[1, 0, HEADER as u32, table, 0]));
    for number in [HEADER, SEGMENT, 2, SECTION, names.len(), names.len() - 1] {
        file.extend(writer.half(number as u16));
    }
    // `PT_LOAD` of everything before the sections' table, and `PT_DYNAMIC`.
    file.extend(writer.words(&[1, 0, 0, 0, table, table, 5, 4096]));
    let size = dynamic.len() as u32;
    file.extend(writer.words(&[2, dynamic_at, 0, 0, size, size, 4, 4]));
    file.extend(body);
    file.extend(sections);
    file
}

fn texts(texts: &[&str]) -> Vec<u8> {
    texts
        .iter()
        .flat_map(|text| [text.as_bytes(), b"\0"].concat())
        .collect()
}

struct Writer {
    is_little_endian: bool,
}

impl Writer {
    fn half(&self, number: u16) -> [u8; 2] {
        if self.is_little_endian {
            number.to_le_bytes()
        } else {
            number.to_be_bytes()
        }
    }

    fn words(&self, words: &[u32]) -> Vec<u8> {
        words
            .iter()
            .flat_map(|word| {
                if self.is_little_endian {
                    word.to_le_bytes()
                } else {
                    word.to_be_bytes()
                }
            })
            .collect()
    }
}
