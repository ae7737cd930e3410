//! The modules that tests load.
//!
//! A part of several test programs: each includes it with `#[path]`.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Builds the modules of this workspace, once, beside the program.
///
/// All of them, as `make test` has done before: a choice of some would get other features, and be
/// built once more. Without the program, which the tests are running.
pub(crate) fn build_modules() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_kozo"));
        let target = program.parent().and_then(Path::parent).unwrap();
        let profile = match cfg!(debug_assertions) {
            true => "dev",
            false => "release",
        };
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--profile", profile])
            .arg("--manifest-path")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
            .args(["--workspace", "--exclude", "kozo"])
            // Hundreds of crates, with tests of their own.
            .args(["--exclude", "kozo-transport-onion"])
            .arg("--target-dir")
            .arg(target)
            .status()
            .unwrap();
        assert!(status.success(), "the modules do not build");
    });
}
