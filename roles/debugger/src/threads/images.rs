//! What is mapped into a process: programs, libraries and modules, with the tables by which their
//! stacks are walked, and the names of their functions.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use framehop::{ExplicitModuleSectionInfo, Module};
use object::read::ReadCache;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};

/// The longest section that is read, in bytes.
const MAX_SECTION: u64 = 256 * 1024 * 1024;

/// A file that is mapped, wholly or in parts.
#[derive(Debug)]
pub(super) struct Image {
    /// Its name for people.
    pub(super) name: String,
    /// From the first mapped byte to the last.
    pub(super) addresses: Range<u64>,
    /// The parts that hold code.
    pub(super) code: Vec<Range<u64>>,
    /// What is to be added to an address in the file.
    pub(super) bias: u64,
    path: PathBuf,
    /// Its functions, once they were asked for.
    functions: Option<Vec<Function>>,
}

#[derive(Debug)]
struct Function {
    addresses: Range<u64>,
    name: String,
}

/// A line of `/proc/PID/maps`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) addresses: Range<u64>,
    is_code: bool,
    offset: u64,
    inode: u64,
    path: String,
}

impl Mapping {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let is_code = fields.next()?.contains('x');
        let offset = number(fields.next()?)?;
        let _device = fields.next()?;
        Some(Self {
            addresses: number(start)?..number(end)?,
            is_code,
            offset,
            inode: fields.next()?.parse().ok()?,
            path: fields.next().unwrap_or_default().trim().to_owned(),
        })
    }

    /// All of a process.
    pub(super) fn all(process: u32) -> io::Result<Vec<Self>> {
        let lines = fs::read_to_string(format!("/proc/{process}/maps"))?;
        Ok(lines.lines().filter_map(Self::parse).collect())
    }
}

/// The files that hold code of a process.
pub(super) fn images(process: u32, mappings: &[Mapping]) -> Vec<Image> {
    let mut images: Vec<Image> = Vec::new();
    let mut last_inode = 0;
    for mapping in mappings.iter().filter(|mapping| mapping.inode != 0) {
        // The parts of a file lie behind each other.
        if mapping.inode != last_inode || images.is_empty() {
            let Some(path) = readable(process, mapping) else {
                continue;
            };
            let name = mapping.path.rsplit('/').next().unwrap_or_default();
            let name = name.trim_end_matches(" (deleted)");
            images.push(Image {
                name: name.strip_prefix("memfd:").unwrap_or(name).to_owned(),
                addresses: mapping.addresses.clone(),
                code: Vec::new(),
                bias: mapping.addresses.start.wrapping_sub(mapping.offset),
                path,
                functions: None,
            });
            last_inode = mapping.inode;
        }
        if let Some(image) = images.last_mut() {
            image.addresses.end = mapping.addresses.end;
            if mapping.is_code {
                image.code.push(mapping.addresses.clone());
            }
        }
    }
    images.retain(|image| !image.code.is_empty());
    images
}

/// A path by which the mapped file can be read, whatever lies at its own path now. Modules are mapped
/// from memory without a path, of which their process has a descriptor.
fn readable(process: u32, mapping: &Mapping) -> Option<PathBuf> {
    let is_it = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| found.ino() == mapping.inode);
    let own = PathBuf::from(&mapping.path);
    let program = PathBuf::from(format!("/proc/{process}/exe"));
    if let Some(path) = [own, program].into_iter().find(is_it) {
        return Some(path);
    }
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let mut paths = descriptors.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(is_it)
}

impl Image {
    /// The tables for walking stacks. Also finds out where the file lies.
    pub(super) fn module(&mut self) -> Option<Module<Vec<u8>>> {
        let cache = ReadCache::new(File::open(&self.path).ok()?);
        let file = object::File::parse(&cache).ok()?;
        // The first segment is mapped first.
        let first = file.segments().next()?;
        let page = first.address() - first.file_range().0;
        self.bias = self.bias.wrapping_sub(page);
        let range = |name: &str| {
            let section = file.section_by_name(name)?;
            (section.size() <= MAX_SECTION)
                .then(|| section.address()..section.address() + section.size())
        };
        let data = |name: &str| {
            range(name)?;
            Some(file.section_by_name(name)?.data().ok()?.to_vec())
        };
        let info = ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: range(".text"),
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            ..ExplicitModuleSectionInfo::default()
        };
        let addresses = self.addresses.clone();
        Some(Module::new(self.name.clone(), addresses, self.bias, info))
    }

    /// The function at an address: its name, and where it begins.
    pub(super) fn function(&mut self, address: u64) -> Option<(&str, u64)> {
        if self.functions.is_none() {
            self.functions = Some(self.read_functions().unwrap_or_default());
        }
        let at = address.wrapping_sub(self.bias);
        let functions = self.functions.as_ref()?;
        let behind = functions.partition_point(|function| function.addresses.start <= at);
        let function = functions.get(behind.checked_sub(1)?)?;
        function.addresses.contains(&at).then(|| {
            (
                function.name.as_str(),
                function.addresses.start.wrapping_add(self.bias),
            )
        })
    }

    fn read_functions(&self) -> Option<Vec<Function>> {
        let cache = ReadCache::new(File::open(&self.path).ok()?);
        let file = object::File::parse(&cache).ok()?;
        let mut functions = functions_of(&file);
        // What was taken out of the file may lie where debuggers look for it.
        if let Some(apart) = file.build_id().ok().flatten().and_then(apart) {
            let cache = ReadCache::new(apart);
            if let Ok(file) = object::File::parse(&cache) {
                functions.extend(functions_of(&file));
            }
        }
        functions.sort_by_key(|function| function.addresses.start);
        Some(functions)
    }
}

/// The file with the symbols of another one, by the number that linkers give each.
fn apart(build_id: &[u8]) -> Option<File> {
    let (first, rest) = build_id.split_first()?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    File::open(format!("/usr/lib/debug/.build-id/{first:02x}/{rest}.debug")).ok()
}

fn functions_of<'d>(file: &impl Object<'d>) -> Vec<Function> {
    let symbols = file.symbols().chain(file.dynamic_symbols());
    let functions = symbols.filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
    functions
        .filter_map(|symbol| {
            Some(Function {
                addresses: symbol.address()..symbol.address().checked_add(symbol.size())?,
                name: symbol.name().ok()?.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read() {
        let line = "7f10-7f20 r-xp 00001000 00:01 1034    /memfd:timer (deleted)";
        let expected = Mapping {
            addresses: 0x7f10..0x7f20,
            is_code: true,
            offset: 0x1000,
            inode: 1034,
            path: "/memfd:timer (deleted)".to_owned(),
        };
        assert_eq!(Mapping::parse(line), Some(expected));
        assert!(Mapping::parse("0-1 rw-p 0 00:00 0").is_some());
        for line in ["", "x", "0-1", "g-h r 0 0 0"] {
            assert_eq!(Mapping::parse(line), None, "{line}");
        }
    }
}
