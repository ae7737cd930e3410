//! The module that crashes, and what is known of processes.

use std::path::Path;

use crate::process::{Process, wait_until};
use crate::scene::Scene;
use crate::toolchain::install_fixture;

/// Lets a node find the module `crash`.
pub(crate) fn add_crash(scene: &mut Scene, node: &str) {
    let folder = scene.folder().join("roles");
    install_fixture("role-crash", &folder);
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
