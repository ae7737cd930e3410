//! Modules of `fixtures/`, built for a test.
//!
//! A part of several test programs: each includes it with `#[path]`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The folder with the fixture `gate`, which is built once.
pub(crate) fn gate_folder() -> PathBuf {
    fixture_folder("fixture-role-gate", "gate")
}

/// A folder with the module of a fixture alone, which is built once: its package, and the module's name.
pub(crate) fn fixture_folder(package: &str, module: &str) -> PathBuf {
    static BUILT: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let target = fixtures_target();
    let mut built = BUILT.lock().unwrap();
    if !built.iter().any(|known| known == package) {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/Cargo.toml"))
            .args(["-p", package, "--target-dir"])
            .arg(&target)
            .status()
            .unwrap();
        assert!(status.success(), "the fixture does not build");
        built.push(package.to_owned());
    }
    drop(built);
    // Of the fixtures there, only this one is needed.
    let folder = target.join(module);
    std::fs::create_dir_all(&folder).unwrap();
    let place = tempfile::NamedTempFile::new_in(&folder).unwrap();
    let library = format!("debug/lib{}.so", package.replace('-', "_"));
    std::fs::copy(target.join(library), place.path()).unwrap();
    let module = folder.join(format!("lib{module}.so"));
    place.persist(module).unwrap();
    folder
}

/// Where fixtures are built.
pub(crate) fn fixtures_target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fixtures")
}
