//! A module needs none of the versions that its host is built with, and may bring a runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Process, wait_until};
use super::scene::Scene;
use super::toolchain::{fixtures, install_own_workspace};

const FIXTURE: &str = "role-own-runtime";

/// What the fixture has in other versions: among it what turns messages and options into bytes, and
/// what `abi_stable` itself is made of.
const DIFFERENT: [&str; 7] = [
    "bytes",
    "itoa",
    "parking_lot",
    "rmp-serde",
    "serde",
    "serde_derive",
    "smallvec",
];

/// The versions of each package in a lock file.
fn locked(file: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut versions = BTreeMap::<String, BTreeSet<String>>::new();
    for package in text.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim_matches('"').to_owned())
        };
        let (name, version) = (value("name = "), value("version = "));
        versions
            .entry(name.unwrap())
            .or_default()
            .insert(version.unwrap());
    }
    versions
}

#[test]
fn the_fixture_shares_few_versions_with_the_host() {
    let host = locked(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"));
    let own = locked(&fixtures().join(FIXTURE).join("Cargo.lock"));
    for name in DIFFERENT {
        assert!(
            host[name].is_disjoint(&own[name]),
            "{name}: {:?}",
            own[name]
        );
    }
    assert!(own.contains_key("smol") && !own.contains_key("tokio"));
}

#[test]
fn a_role_with_other_versions_and_an_async_runtime_of_its_own_works() {
    let modules = TempDir::new().unwrap();
    install_own_workspace(FIXTURE, modules.path());
    let mut scene = Scene::new(&["clock"]);
    let log = scene.folder().join("clock.log");
    let logger = format!("{{file: {}, flushEvery: 1}}", log.display());
    scene.role("clock", "logger", &logger);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    scene.role("clock", "own-runtime", "{}");
    scene.role("clock", "apart", "{type: own-runtime, isolate: true}");
    let file = scene.write();
    let arguments = ["run", file.to_str().unwrap(), "clock"];
    let mut clock = Process::start_with(&arguments, &[("KOZOROLEPATH", modules.path())]);
    for role in ["own-runtime", "apart"] {
        wait_until("it answers", || {
            let text = std::fs::read_to_string(&log).ok()?;
            let answer = format!("<{role}@clock> tick 2 of timer1 (stage 3)");
            text.contains(&answer).then_some(())
        });
    }
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
    assert_eq!(clock.count("its runtime is done"), 2);
    assert!(!clock.has_said("it failed"));
}
