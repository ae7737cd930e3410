use std::collections::BTreeSet;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::fixture::{add_crash, made_in};
use crate::scene::Scene;

/// What a process has open, by number, but for what it closes meanwhile.
fn open_in(process: u32) -> Vec<(u32, PathBuf)> {
    let folder = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let mut all: Vec<_> = folder
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let number = entry.file_name().to_str().unwrap().parse().unwrap();
            Some((number, std::fs::read_link(entry.path()).ok()?))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_roles_process_has_nothing_of_the_hosts() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    add_crash(&mut scene, "clock");
    scene.role("clock", "crash1", "{type: crash, isolate: true}");
    let [mut clock, mut scribe] = ["clock", "scribe"].map(|node| scene.start(node));
    scribe.wait_for_link("clock");
    // One that was started while links and sockets were open.
    let first = made_in(&mut clock, "crash1");
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(first.cast_signed()).unwrap(),
        Signal::ABORT,
    )
    .unwrap();
    let process = made_in(&mut clock, "crash1");

    let of_host: BTreeSet<PathBuf> = open_in(clock.id())
        .into_iter()
        .map(|(_, target)| target)
        .collect();
    let of_role = open_in(process);
    for (number, target) in &of_role {
        let text = target.to_str().unwrap();
        match number {
            0 | 1 => assert_eq!(text, "/dev/null"),
            // The error output goes to the host.
            2 => assert!(text.starts_with("pipe:"), "{text}"),
            _ => {
                // Its socket, those by which it catches signals, and its module: that is sealed, and
                // the one thing that it shares.
                let is_module = text.starts_with("/memfd:crash");
                let is_own = text.starts_with("socket:") && !of_host.contains(target);
                assert!(is_own || is_module, "{number}: {text}");
            }
        }
    }
    assert!(of_role.len() <= 8, "{of_role:?}");

    let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap();
    for variable in environment.split(|byte| *byte == 0) {
        let name = variable.split(|byte| *byte == b'=').next().unwrap();
        let name = std::str::from_utf8(name).unwrap();
        let is_ordinary = ["", "PATH", "HOME", "LANG", "TZ", "KOZO_ISOLATED_ROLE"].contains(&name);
        assert!(is_ordinary || name.starts_with("LC_"), "{name}");
    }
}
