//! The versions of Python that are on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Whatever of these is there, and works. The package promises 3.9 and later.
const NAMES: [&str; 8] = [
    "python3",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
];

/// All versions that are there, `python3` first, each once; empty, and told, if there is none.
pub(crate) fn versions() -> Vec<String> {
    let mut known = Vec::new();
    let mut found = Vec::new();
    for name in NAMES {
        let output = Command::new(name)
            .args([
                "-c",
                "import sys; print(sys.version_info[:3], sys.version_info >= (3, 9))",
            ])
            .output();
        let Ok(output) = output else { continue };
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        if version.trim_end().ends_with("True") && !known.contains(&version) {
            known.push(version);
            found.push(name.to_owned());
        }
    }
    if found.is_empty() {
        println!("skipped: there is no `python3` of version 3.9 or later");
    }
    found
}

/// The folder of the package in this tree.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../python")
}

/// Runs one with these words in a folder, and with the package, and leaves nothing in the tree.
pub(crate) fn run(python: &str, words: &[&str], inside: &Path) -> Output {
    Command::new(python)
        .args(words)
        .current_dir(inside)
        .env("PYTHONPATH", folder())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap()
}

/// What it said on its error output, where it succeeded.
pub(crate) fn said(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{error}", output.status);
    error
}
