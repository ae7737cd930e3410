//! A module needs neither the compiler nor the optimisation of its host.

use std::process::Command;

use tempfile::TempDir;

use super::new::assert_greets;
use super::process::skipped;
use super::toolchain::NewCrate;

/// Names a `rustc` to build a module with; without it, that of the system is taken.
const VARIABLE: &str = "KOZO_OTHER_RUSTC";
const OF_THE_SYSTEM: &str = "/usr/bin/rustc";

/// What a compiler calls itself: version, commit and date.
fn version(rustc: &str) -> Option<String> {
    let output = Command::new(rustc).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(version)
}

/// A compiler that is not the one which built this test.
fn other_compiler() -> Result<(String, String), String> {
    let rustc = std::env::var(VARIABLE).unwrap_or_else(|_| OF_THE_SYSTEM.to_owned());
    let Some(found) = version(&rustc) else {
        return Err(format!("there is no `{rustc}`: set `{VARIABLE}`"));
    };
    let own = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    match version(&own) {
        Some(own) if own != found => Ok((rustc, found)),
        _ => Err(format!("`{rustc}` is the compiler of the host, too")),
    }
}

#[test]
fn a_module_of_another_compiler_works() {
    let (rustc, version) = match other_compiler() {
        Ok(found) => found,
        Err(reason) => return skipped(reason),
    };
    println!("built by {version}");
    let folder = TempDir::new().unwrap();
    let modules = folder.path().join("modules");
    NewCrate::new(folder.path(), "role", "greeter").install_from(&rustc, &modules);
    assert_greets(&modules);
}
