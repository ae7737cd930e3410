//! What the tests share.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod elf;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kozo::modules::image::Image;
use kozo::modules::load::{LoadError, Source};
use kozo::modules::memory::Memory;
use kozo::modules::{
    InspectError, Inspected, Loader, Registry, RegistryError, RoleModule, TrustedWriters,
};
use kozo_ground::names::ModuleName;
use tempfile::TempDir;

/// The bytes of the role that most tests load.
pub(crate) fn probe() -> Vec<u8> {
    std::fs::read(build::fixture("role_probe")).unwrap()
}

/// `bytes` with every `from` made a `to` of the same length.
pub(crate) fn patched(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut at = 0;
    let mut count = 0;
    while let Some(found) = find(&bytes[at..], from.as_bytes()) {
        at += found;
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        at += to.len();
        count += 1;
    }
    assert!(count > 0, "no `{from}` in the file");
    bytes
}

pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A module for another kind of machine: the field `e_machine` of its ELF header says so.
pub(crate) fn for_aarch64(mut bytes: Vec<u8>) -> Vec<u8> {
    const AARCH64: u16 = 183;
    bytes[18..20].copy_from_slice(&AARCH64.to_le_bytes());
    bytes
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Why the bytes are no module, as a user reads it.
pub(crate) fn inspect_error(bytes: &[u8]) -> String {
    match Inspected::new(Path::new("/modules/libx.so"), bytes) {
        Ok(inspected) => panic!("`{}` is a module", inspected.metadata.name),
        Err(error) => error.to_string(),
    }
}

/// Why a file is not read as a module, as a user reads it.
pub(crate) fn read_error(path: &Path, trust: TrustedWriters) -> InspectError {
    Inspected::read(path, trust).expect_err("the file is a module")
}

/// Loads a role from bytes, under the name that they give.
pub(crate) fn load(loader: &Loader, bytes: &[u8]) -> Result<Arc<RoleModule>, LoadError> {
    let path = PathBuf::from("/modules/libx.so");
    let (name, image) = match Inspected::new(&path, bytes) {
        Ok(inspected) => (inspected.metadata.name, inspected.image),
        Err(error) => panic!("{error}"),
    };
    loader.role(source(&name, &path, &code(bytes), &image))
}

/// Loads a role module of a registry, from its present file.
pub(crate) fn load_role(registry: &Registry, name: &str) -> Result<Arc<RoleModule>, RegistryError> {
    registry.load_content(&registry.present_role(&ModuleName::new(name).unwrap())?)
}

pub(crate) fn source<'a>(
    name: &'a ModuleName,
    path: &'a Path,
    code: &'a Arc<Memory>,
    image: &'a Image,
) -> Source<'a> {
    Source {
        name,
        path,
        code,
        image,
    }
}

/// What a loader takes.
pub(crate) fn code(bytes: &[u8]) -> Arc<Memory> {
    Arc::new(Memory::new("test", bytes).unwrap())
}

/// A loader without folders of imports.
pub(crate) fn loader() -> Loader {
    Loader::new(Vec::new(), TrustedWriters::Any)
}
