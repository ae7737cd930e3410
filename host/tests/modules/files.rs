//! Files that are no modules, or not quite.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kozo::modules::image::Image;
use kozo::modules::{Architecture, FileState, Inspected, Registry, SearchFolders, TrustedWriters};
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, elf};

use crate::support::build::{METADATA, c_code, c_library, c_module, section};
use crate::support::elf as elf_file;
use crate::support::{find, folder, for_aarch64, inspect_error, patched, probe, read_error};

#[test]
fn a_module_is_known_without_running_it() {
    let inspected = Inspected::new(Path::new("x.so"), &probe()).unwrap();
    assert_eq!(inspected.metadata.name.as_str(), "probe");
    assert_eq!(inspected.metadata.options.len(), 2);
    assert_eq!(inspected.image.abi, kozo_abi::VERSION);
    assert_eq!(Some(inspected.image.architecture), Architecture::native());
    assert!(
        inspected
            .image
            .needs
            .iter()
            .any(|library| library.starts_with("libc.so"))
    );

    let foreign = Inspected::new(Path::new("x.so"), &for_aarch64(probe())).unwrap();
    assert_eq!(foreign.image.architecture.to_string(), "aarch64");
    assert_eq!(foreign.metadata, inspected.metadata);
}

#[test]
fn a_module_for_a_smaller_or_older_machine_is_known_as_well() {
    const ARM: u16 = 40;
    const POWERPC: u16 = 20;
    let text = section(1, METADATA);
    for (machine, is_little_endian, expected) in [(ARM, true, "arm"), (POWERPC, false, "powerpc")] {
        let module = elf_file::module_32(machine, is_little_endian, &text);
        let inspected = Inspected::new(Path::new("x.so"), &module).unwrap();
        assert_eq!(inspected.image.architecture.to_string(), expected);
        assert_eq!(inspected.image.needs, ["libc.so.6"]);
        assert_eq!(inspected.metadata.name.as_str(), "made-in-c");
        for end in 4..module.len() {
            let text = inspect_error(&module[..end]);
            assert!(text.starts_with("it is cut off"), "{end}: {text}");
        }
    }
}

#[test]
fn what_is_no_shared_object_is_called_what_it_is() {
    for (bytes, expected) in [
        (&b""[..], "the file is empty"),
        (
            b"#!/bin/sh\necho caf\xc3\xa9\n",
            "it is a text file, not a shared object: give the `.so` that the build makes",
        ),
        (
            b"!<arch>\nlib.rmeta/",
            "it is a static library, not a shared object: build the crate with `crate-type = [\"cdylib\"]`",
        ),
        (
            b"\x00\x01\x02\x03",
            "it is not an ELF file, so it is no shared object",
        ),
        (
            b"\xff\xfe\xfd\xfc",
            "it is not an ELF file, so it is no shared object",
        ),
        (
            b"\x7fEL",
            "it is cut off: 3 bytes, but its header speaks of 16; copy or build it again",
        ),
    ] {
        assert_eq!(inspect_error(bytes), expected);
    }
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(inspect_error(&program).starts_with("it is a program, not a shared object"));
}

#[test]
fn a_module_cut_off_anywhere_is_called_that() {
    let module = probe();
    let ends = (0..64).chain((64..module.len()).step_by(module.len() / 200));
    for end in ends.skip(4) {
        let text = inspect_error(&module[..end]);
        let expected = format!("it is cut off: {end} bytes, but its header speaks of ");
        assert!(text.starts_with(&expected), "{end}: {text}");
    }
}

#[test]
fn a_library_that_is_no_module_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libplain.so");
    c_library(&path, "int f(void) { return 1; }", &[]);
    assert_eq!(
        inspect_error(&std::fs::read(&path).unwrap()),
        "it has no `.kozo.meta` section, so it is no Kōzō module: a module's crate needs one `export_role!` or \
         `export_transport!`"
    );
}

#[test]
fn a_broken_metadata_section_is_described() {
    let module = |section: &[u8]| c_module(section, "", &[]);
    let good = section(1, METADATA);
    assert!(Inspected::new(Path::new("x"), &module(&good)).is_ok());

    let two = [good.clone(), good.clone()].concat();
    assert_eq!(
        inspect_error(&module(&two)),
        "its `.kozo.meta` section holds more than one module: export exactly one role, transport or bus from a crate"
    );
    assert!(inspect_error(&module(&good[1..])).ends_with("does not start with `KOZOMETA`"));
    assert!(
        inspect_error(&module(&good[..40])).contains("section is cut off: 40 bytes instead of")
    );
    assert_eq!(
        inspect_error(&module(&section(2, METADATA))),
        "it was built with `kozo-abi` 2.0.0, but this host speaks 1.1.0: update Kōzō"
    );
    assert_eq!(
        inspect_error(&module(&section(0, METADATA))),
        "it was built with `kozo-abi` 0.0.0, but this host speaks 1.1.0: build the module again with `kozo-abi` 1"
    );
}

#[test]
fn all_mistakes_of_the_metadata_are_listed() {
    let metadata = METADATA
        .replace("kind: role", "kind: roll")
        .replace("made-in-c", "made in c");
    let text = inspect_error(&c_module(&section(1, &metadata), "", &[]));
    assert!(
        text.starts_with("its metadata (`module.yaml`) has mistakes:\n"),
        "{text}"
    );
    assert!(
        text.contains("error: /modules/libx.so:2:7: kind: "),
        "{text}"
    );
    assert!(
        text.contains("error: /modules/libx.so:3:7: name: "),
        "{text}"
    );
}

#[test]
fn a_module_without_entry_point_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libhidden.so");
    c_library(
        &path,
        &c_code(&section(1, METADATA), ""),
        &["-fvisibility=hidden"],
    );
    let text = inspect_error(&std::fs::read(&path).unwrap());
    assert!(
        text.starts_with("it does not export the entry point of a module"),
        "{text}"
    );
}

#[test]
fn a_module_without_section_headers_is_told_so() {
    let mut module = probe();
    // `e_shoff`, then `e_shnum` and `e_shstrndx`, of a 64-bit header.
    if usize::BITS == 64 {
        module[0x28..0x30].fill(0);
        module[0x3c..0x40].fill(0);
        assert!(inspect_error(&module).starts_with("its section headers were stripped"));
    }
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let folder = folder(&[("real.so", &probe())]);
    let path = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink("nowhere", path("dangling.so")).unwrap();
    std::os::unix::fs::symlink("real.so", path("link.so")).unwrap();
    std::fs::create_dir(path("folder.so")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("fifo.so"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();

    assert!(Inspected::read(&path("link.so"), TrustedWriters::Any).is_ok());
    for (name, expected) in [
        (
            "dangling.so",
            "it is a link to `nowhere`, which does not exist: make the link anew, or remove it",
        ),
        (
            "folder.so",
            "it is a folder, not a regular file: put the `.so` file itself there, or a link to it",
        ),
        (
            "fifo.so",
            "it is a FIFO, not a regular file: put the `.so` file itself there, or a link to it",
        ),
        (
            "gone.so",
            "it cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(
            read_error(&path(name), TrustedWriters::Any).to_string(),
            expected
        );
    }
    let text = read_error(Path::new("/dev/null"), TrustedWriters::Any).to_string();
    assert!(
        text.starts_with("it is a device, not a regular file"),
        "{text}"
    );
}

/// Anybody but root; the rights of root would hide what this test is about.
const NOBODY: u32 = 65534;

#[test]
fn what_this_user_may_not_read_is_told_with_the_remedy() {
    let folder = folder(&[("libx.so", &probe())]);
    let path = folder.path().join("libx.so");
    let allow = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let file_error = "this user may not read it: allow that with `chmod a+r`, and with `chmod a+x` for the folders \
                      on the way to it";
    let scan = || {
        let paths = SearchFolders {
            roles: vec![folder.path().to_owned()],
            ..SearchFolders::default()
        };
        Registry::scan(paths, TrustedWriters::Any)
    };
    // The user of a thread is its own.
    let as_nobody = || {
        if rustix::process::geteuid().is_root() {
            let nobody = Some(rustix::process::Uid::from_raw(NOBODY));
            rustix::thread::set_thread_res_uid(None, nobody, None).unwrap();
        }
        let error = read_error(&path, TrustedWriters::Any).to_string();
        let registry = scan();
        assert_eq!(registry.entries().len(), 1);
        assert!(matches!(registry.entries()[0].state, FileState::Refused(_)));
        error
    };
    allow(folder.path(), 0o755);
    allow(&path, 0o200);
    let error = std::thread::scope(|scope| scope.spawn(as_nobody).join().unwrap());
    assert_eq!(error, file_error);

    allow(folder.path(), 0o700);
    let in_folder = || {
        let nobody = Some(rustix::process::Uid::from_raw(NOBODY));
        if rustix::thread::set_thread_res_uid(None, nobody, None).is_err() {
            allow(folder.path(), 0o000);
        }
        let registry = scan();
        let (_, error) = registry.folder_errors().first().unwrap().clone();
        error.to_string()
    };
    let error = std::thread::scope(|scope| scope.spawn(in_folder).join().unwrap());
    allow(folder.path(), 0o700);
    assert_eq!(
        error,
        "this user may not read it: allow that with `chmod a+rx`"
    );
}

#[test]
fn root_takes_nothing_that_everybody_may_write() {
    let folder = folder(&[("libx.so", &probe())]);
    let file = folder.path().join("libx.so");
    let allow = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let is_refused = |path: &Path| {
        let expected = format!(
            "every user may write to `{}`, and Kōzō runs as root here",
            path.display()
        );
        let text = read_error(&file, TrustedWriters::User(0)).to_string();
        assert!(text.starts_with(&expected), "{text}");
        assert!(Inspected::read(&file, TrustedWriters::Any).is_ok());
    };
    assert!(Inspected::read(&file, TrustedWriters::User(0)).is_ok());
    allow(&file, 0o666);
    is_refused(&file);
    allow(&file, 0o644);
    allow(folder.path(), 0o1777);
    is_refused(folder.path());
    // The folder where it really is counts as well as the one with the link.
    let real = folder.path().canonicalize().unwrap();
    let links = tempfile::tempdir().unwrap();
    let link = links.path().join("link.so");
    std::os::unix::fs::symlink(real.join("libx.so"), &link).unwrap();
    let text = read_error(&link, TrustedWriters::User(0)).to_string();
    assert!(text.contains(&format!("`{}`", real.display())), "{text}");
}

/// How many broken modules are tried.
const MUTANTS: usize = 10_000;

/// Damage in the places that are read: none of it may end the process. What comes out is not
/// checked; most mutants are refused, some are still modules.
#[test]
fn no_damage_makes_inspection_panic() {
    let good = probe();
    let places = read_places(&good);
    let mut module = good.clone();
    let mut random = Random(0x5eed);
    let mut refused = 0;
    for _ in 0..MUTANTS {
        let mut undo = Vec::new();
        for _ in 0..=random.below(3) {
            let (start, end) = places[random.below(places.len())];
            let at = start + random.below(end - start);
            let width = [1, 1, 2, 4, 8][random.below(5)].min(module.len() - at);
            let value = match random.below(4) {
                0 => 0,
                1 => u64::MAX,
                2 => good.len() as u64 + random.below(16) as u64,
                _ => random.next(),
            };
            undo.push((at, module[at..at + width].to_vec()));
            module[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        let end = match random.below(8) {
            0 => random.below(module.len()),
            _ => module.len(),
        };
        refused += usize::from(Inspected::new(Path::new("x"), &module[..end]).is_err());
        for (at, bytes) in undo.into_iter().rev() {
            module[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }
    assert_eq!(module, good);
    assert!(
        refused > MUTANTS / 10,
        "only {refused} mutants were noticed"
    );
}

/// The parts of the file that inspection reads: headers, and the sections that it looks into.
fn read_places(bytes: &[u8]) -> Vec<(usize, usize)> {
    if usize::BITS != 64 {
        return vec![(0, bytes.len())];
    }
    let header = elf::FileHeader64::<Endianness>::parse(bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, bytes).unwrap();
    let table = header.e_shoff.get(endian) as usize;
    // The ELF header twice, and with it the program headers: most of what is checked is there.
    let mut places = vec![
        (0, 64),
        (0, 1024),
        (table, bytes.len().min(table + 64 * sections.len())),
    ];
    for name in [".kozo.meta", ".dynamic", ".dynsym", ".dynstr", ".shstrtab"] {
        let (_, section) = sections.section_by_name(endian, name.as_bytes()).unwrap();
        let start = section.sh_offset(endian) as usize;
        places.push((start, start + section.sh_size(endian) as usize));
    }
    places
}

/// A sequence that is the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

#[test]
fn damaged_text_in_the_metadata_is_noticed() {
    let module = probe();
    let at = find(&module, b"name: probe").unwrap();
    let mut damaged = module.clone();
    damaged[at] = 0xff;
    assert_eq!(
        inspect_error(&damaged),
        "its `.kozo.meta` section is not UTF-8"
    );
    let renamed = patched(module, "name: probe\n", "name: pr.be\n");
    assert!(Image::read(&renamed).is_ok());
    assert!(inspect_error(&renamed).contains("name: "));
}
