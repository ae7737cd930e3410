//! Builds modules: those of `fixtures/` with cargo, broken ones in C.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The folder of the fixtures' sources.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// The folder that the fixtures are built in: beside the one that this test was built in.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fixtures")
}

/// Cargo, for the workspace of the fixtures.
pub(crate) fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([command, "--locked", "--manifest-path"])
        .arg(sources().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target());
    cargo
}

/// What was built under this name, after all fixtures were built. Cargo's own lock keeps several
/// processes from doing it at the same time.
fn built(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        check(&cargo("build").output().unwrap());
    });
    target().join("debug").join(name)
}

/// The shared object of a fixture.
pub(crate) fn fixture(name: &str) -> PathBuf {
    built(&format!("libfixture_{name}.so"))
}

/// The host of the next minor version.
pub(crate) fn next_host() -> PathBuf {
    built("fixture-host-next")
}

/// The host of version 1.0.
pub(crate) fn previous_host() -> PathBuf {
    built("fixture-host-previous")
}

/// Builds a shared object from C.
pub(crate) fn c_library(to: &Path, code: &str, arguments: &[&str]) {
    let source = to.with_extension("c");
    std::fs::write(&source, code).unwrap();
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([to, &source])
        .args(arguments)
        .output()
        .unwrap();
    check(&output);
}

/// What a program said that has ended well.
pub(crate) fn check(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    said.into_owned()
}

/// Metadata that is good.
pub(crate) const METADATA: &str = "\
format: \"1.0\"
kind: role
name: made-in-c
version: \"1.0\"
author: The Kōzō developers
description: Nothing that could run.
";

/// A metadata section, with the version of the interface that it claims.
pub(crate) fn section(major: u16, text: &str) -> Vec<u8> {
    let mut section = b"KOZOMETA".to_vec();
    for number in [1, major, 0, 0] {
        section.extend(u16::to_le_bytes(number));
    }
    section.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    section.extend(text.as_bytes());
    section
}

/// C code for something that looks like a module, with this metadata section.
pub(crate) fn c_code(section: &[u8], code: &str) -> String {
    let bytes: Vec<String> = section.iter().map(ToString::to_string).collect();
    let entry = abi_stable::library::ROOT_MODULE_LOADER_NAME;
    format!(
        "__attribute__((section(\".kozo.meta\"), used))\n\
         static const unsigned char metadata[] = {{{}}};\n\
         char {entry}[256] = {{1}};\n{code}\n",
        bytes.join(",")
    )
}

/// The bytes of something that looks like a module, made in C.
pub(crate) fn c_module(section: &[u8], code: &str, arguments: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libmade.so");
    c_library(&path, &c_code(section, code), arguments);
    std::fs::read(path).unwrap()
}
