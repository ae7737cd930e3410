//! The module that crashes, and what is known of processes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::{Process, wait_until};
use crate::scene::Scene;

/// As this test was built, so that figures are of one kind: the profile, and its folder.
const PROFILE: (&str, &str) = match cfg!(debug_assertions) {
    true => ("dev", "debug"),
    false => ("release", "release"),
};

/// The module's file, built once, in the folder of the other fixtures.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/Cargo.toml");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fixtures");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "-p", "fixture-role-crash"])
            .args(["--profile", PROFILE.0])
            .arg("--manifest-path")
            .arg(sources)
            .arg("--target-dir")
            .arg(&target)
            .status()
            .unwrap();
        assert!(status.success(), "the fixture does not build");
        target.join(PROFILE.1).join("libfixture_role_crash.so")
    })
}

/// Lets a node find the module `crash`.
pub(crate) fn add_crash(scene: &mut Scene, node: &str) {
    let folder = scene.folder().join("roles");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(built(), folder.join("libcrash.so")).unwrap();
    let option = format!(
        "overrideMainConfiguration: {{rolePath: {}}}",
        folder.display()
    );
    scene.node_option(node, &option);
}

/// The process that a role of the fixture's says it was made in.
pub(crate) fn made_in(daemon: &mut Process, role: &str) -> u32 {
    let line = daemon.wait_for_text("role", &format!("{role} made in process "));
    let text = line["message"].as_str().unwrap();
    text.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The processes whose parent this is.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |number: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        // Behind the name, which may hold anything, come the state and the parent.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        rest.split_whitespace().nth(1) == Some(&process.to_string())
    };
    numbers.filter(is_child).collect()
}

/// Waits until a process is no more, not even as a zombie.
pub(crate) fn wait_for_end(process: u32) {
    wait_until("the process is gone", || {
        (!Path::new(&format!("/proc/{process}")).exists()).then_some(())
    });
}
