//! The modules that tests load.
//!
//! A part of several test programs: each includes it with `#[path]`.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// What the tests load, of several test programs: one choice of modules has one set of features.
const MODULES: [&str; 13] = [
    "kozo-bus-nats",
    "kozo-role-bench-sink",
    "kozo-role-bench-source",
    "kozo-role-co2-relay",
    "kozo-role-co2-satellite",
    "kozo-role-cuckoo",
    "kozo-role-debugger",
    "kozo-role-logger",
    "kozo-role-message-injector",
    "kozo-role-mqtt",
    "kozo-role-program",
    "kozo-role-timer",
    "kozo-transport-tcp",
];

/// Builds modules, once, beside the program; `make test`, which has built all, says so with a
/// variable, for these few would get other features, and be built once more.
pub(crate) fn build_modules() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        if std::env::var_os("KOZO_TEST_MODULES_ARE_BUILT").is_some() {
            return;
        }
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
            .args(MODULES.iter().flat_map(|module| ["-p", module]))
            .arg("--target-dir")
            .arg(target)
            .status()
            .unwrap();
        assert!(status.success(), "the modules do not build");
    });
}
