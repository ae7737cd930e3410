//! Which module stands for a name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kozo::config::{Catalog, Lookup};
use kozo::modules::{FileState, Registry, RegistryError, SearchFolders, TrustedWriters};
use kozo_description::ModuleKind;
use kozo_ground::names::ModuleName;

use crate::support::bench::{make, report};
use crate::support::build::{fixture, section};
use crate::support::{build, folder, for_aarch64, load_role, patched, probe};

fn scan(roles: &[&Path], transports: &[&Path]) -> Registry {
    let owned = |folders: &[&Path]| folders.iter().map(|folder| folder.to_path_buf()).collect();
    let paths = SearchFolders {
        roles: owned(roles),
        transports: owned(transports),
        imports: Vec::new(),
    };
    Registry::scan(paths, TrustedWriters::Any)
}

fn name(name: &str) -> ModuleName {
    ModuleName::new(name).unwrap()
}

fn transport() -> Vec<u8> {
    std::fs::read(fixture("transport_probe")).unwrap()
}

fn found(registry: &Registry) -> &Path {
    &registry.entry(ModuleKind::Role, "probe").unwrap().path
}

fn reason(lookup: Lookup<'_>) -> (Vec<PathBuf>, String) {
    match lookup {
        Lookup::Missing { looked_in, reason } => (looked_in, reason.unwrap_or_default()),
        Lookup::Found(metadata) => panic!("`{}` was found", metadata.name),
    }
}

#[test]
fn the_first_module_of_a_name_counts_and_the_others_are_shadowed() {
    // Whatever the file is called.
    let first = folder(&[("zebra.so", &probe())]);
    let second = folder(&[("libprobe.so", &probe())]);
    let registry = scan(&[first.path(), second.path()], &[]);
    assert_eq!(found(&registry), first.path().join("zebra.so"));
    let FileState::ShadowedBy(path) = &registry.entries()[1].state else {
        panic!("{:?}", registry.entries()[1].state);
    };
    assert_eq!(path, &first.path().join("zebra.so"));
    let registry = scan(&[second.path(), first.path()], &[]);
    assert_eq!(found(&registry), second.path().join("libprobe.so"));
    // The same folder twice is one folder.
    assert_eq!(scan(&[first.path(), first.path()], &[]).entries().len(), 1);
}

#[test]
fn two_of_a_name_in_one_folder_are_both_refused() {
    let renamed = patched(probe(), "name: probe\n", "name: prob2\n");
    let both = folder(&[("a.so", &probe()), ("b.so", &probe()), ("c.so", &renamed)]);
    let later = folder(&[("a.so", &probe())]);
    let registry = scan(&[both.path(), later.path()], &[]);
    let (a, b) = (both.path().join("a.so"), both.path().join("b.so"));
    let states: Vec<_> = registry
        .entries()
        .iter()
        .map(|entry| &entry.state)
        .collect();
    for (state, other) in [(states[0], &b), (states[1], &a)] {
        let FileState::Refused(refusal) = state else {
            panic!("{state:?}");
        };
        let expected = format!(
            "it holds the role `probe`, as `{}` does: remove one of them",
            other.display()
        );
        assert_eq!(refusal.to_string(), expected);
    }
    assert!(matches!(states[2], FileState::Usable));
    assert!(matches!(states[3], FileState::ShadowedBy(path) if *path == a));
    // Nothing stands in for them.
    assert!(registry.entry(ModuleKind::Role, "probe").is_none());
    assert!(
        reason(registry.role("probe"))
            .1
            .contains("remove one of them")
    );
    let error = load_role(&registry, "probe").unwrap_err().to_string();
    assert!(
        error.starts_with("there is no role module `probe` in `"),
        "{error}"
    );
    load_role(&registry, "prob2").unwrap();
}

#[test]
fn a_module_for_another_machine_is_known_but_not_loaded() {
    let foreign = folder(&[("libprobe.so", &for_aarch64(probe()))]);
    let registry = scan(&[foreign.path()], &[]);
    assert!(matches!(registry.entries()[0].state, FileState::Foreign));
    assert!(matches!(registry.role("probe"), Lookup::Found(_)));
    let error = load_role(&registry, "probe").unwrap_err().to_string();
    assert!(error.contains("it is built for aarch64"), "{error}");
    // One for this machine is better, wherever it is.
    let native = folder(&[("libprobe.so", &probe())]);
    let registry = scan(&[foreign.path(), native.path()], &[]);
    assert_eq!(found(&registry), native.path().join("libprobe.so"));
    load_role(&registry, "probe").unwrap();
    // Beside each other they are no duplicates.
    std::fs::write(native.path().join("arm.so"), for_aarch64(probe())).unwrap();
    load_role(&scan(&[native.path()], &[]), "probe").unwrap();
}

#[test]
fn roles_and_transports_are_kept_apart() {
    let roles = folder(&[("libprobe.so", &probe()), ("libother.so", &transport())]);
    let transports = folder(&[("libprobe.so", &transport())]);
    let registry = scan(&[roles.path()], &[transports.path()]);
    let other = &registry.entries()[0];
    let FileState::Refused(refusal) = &other.state else {
        panic!("{:?}", other.state);
    };
    assert_eq!(
        refusal.to_string(),
        "it is a transport, but this folder is not searched for transports: move it, or add the folder to \
         `transportPath`"
    );
    load_role(&registry, "probe").unwrap();
    registry.load_transport(&name("probe")).unwrap();

    // One folder may be searched for both, as in a build tree.
    let registry = scan(&[roles.path()], &[roles.path()]);
    load_role(&registry, "probe").unwrap();
    registry.load_transport(&name("probe")).unwrap();

    // What was meant is said.
    let registry = scan(&[], &[transports.path()]);
    let (looked_in, reason) = reason(registry.role("probe"));
    assert!(looked_in.is_empty());
    assert_eq!(reason, "`probe` is a transport, not a role");
}

#[test]
fn buses_are_looked_for_where_transports_are() {
    let bus = std::fs::read(fixture("bus_probe")).unwrap();
    let both = folder(&[("libbus.so", &bus), ("libprobe.so", &transport())]);
    // One of each kind may have the same name.
    let registry = scan(&[], &[both.path()]);
    registry.load_bus(&name("probe")).unwrap();
    registry.load_transport(&name("probe")).unwrap();
    let found = |kind| &registry.entry(kind, "probe").unwrap().path;
    assert_eq!(found(ModuleKind::Bus), &both.path().join("libbus.so"));

    let alone = folder(&[("libbus.so", &bus)]);
    let registry = scan(&[alone.path()], &[]);
    let FileState::Refused(refusal) = &registry.entries()[0].state else {
        panic!("{:?}", registry.entries()[0].state);
    };
    assert_eq!(
        refusal.to_string(),
        "it is a bus, but this folder is not searched for buses: move it, or add the folder to \
         `transportPath`"
    );

    // What was meant is said.
    let registry = scan(&[], &[alone.path()]);
    let (looked_in, said) = reason(registry.transport("probe"));
    assert_eq!(looked_in, [alone.path()]);
    assert_eq!(said, "`probe` is a bus, not a transport");
    let error = registry.load_transport(&name("probe")).unwrap_err();
    assert!(error.to_string().ends_with(&said), "{error}");
    let (_, said) = reason(registry.role("probe"));
    assert_eq!(said, "`probe` is a bus, not a role");
    let only_transport = folder(&[("libprobe.so", &transport())]);
    let registry = scan(&[], &[only_transport.path()]);
    let (_, said) = reason(registry.bus("probe"));
    assert_eq!(said, "`probe` is a transport, not a bus");
}

#[test]
fn a_missing_module_is_told_with_what_is_known() {
    let roles = folder(&[
        ("libmotion_detect.so", b"#!/bin/sh\n"),
        ("libx.so", b"text"),
    ]);
    let gone = roles.path().join("gone");
    let registry = scan(&[roles.path(), &gone], &[]);
    let (looked_in, reason) = reason(registry.role("motion-detect"));
    assert_eq!(looked_in, [roles.path(), gone.as_path()]);
    assert_eq!(
        reason,
        format!(
            "`{}` is refused: it is a text file, not a shared object: give the `.so` that the build makes; `{}`: \
             there is no such folder",
            roles.path().join("libmotion_detect.so").display(),
            gone.display()
        )
    );
    assert!(registry.entry(ModuleKind::Role, "not/a name").is_none());
}

#[test]
fn replacing_the_file_of_a_running_role_changes_nothing_for_it() {
    let roles = folder(&[("libprobe.so", &probe())]);
    let path = roles.path().join("libprobe.so");
    let registry = scan(&[roles.path()], &[]);
    let module = load_role(&registry, "probe").unwrap();
    let (bench, role) = make(&module, "");
    let mut role = role.unwrap();
    role.run().unwrap();

    // Written over in place, as `cp` does: the same file, other bytes; then nothing but zeros.
    let newer = patched(probe(), "PROBE-MARK-1", "PROBE-MARK-2");
    std::fs::write(&path, &newer).unwrap();
    role.run().unwrap();
    std::fs::write(&path, vec![0; newer.len()]).unwrap();
    role.run().unwrap();
    assert_eq!(
        bench.last::<super::support::bench::Report>().0,
        "PROBE-MARK-1"
    );
    make(&module, "run").1.unwrap().run().unwrap_err();
    let error = load_role(&registry, "probe").unwrap_err();
    assert!(matches!(error, RegistryError::Inspect { .. }), "{error}");

    // Loaded again, it is the new one, beside the old one.
    std::fs::write(&path, &newer).unwrap();
    let again = load_role(&registry, "probe").unwrap();
    assert_eq!(report(&again).0, "PROBE-MARK-2");
    assert_eq!(report(&module).0, "PROBE-MARK-1");
}

#[test]
fn a_module_with_other_metadata_has_to_be_found_anew() {
    let roles = folder(&[("libprobe.so", &probe())]);
    let registry = scan(&[roles.path()], &[]);
    let first = load_role(&registry, "probe").unwrap();
    let path = roles.path().join("libprobe.so");
    let changed = patched(probe(), "  panics:\n", "  panick:\n");
    std::fs::write(&path, &changed).unwrap();
    let error = load_role(&registry, "probe").unwrap_err();
    let expected = format!(
        "the module `{}` has other options now than when it was found: start Kōzō again to use it",
        path.display()
    );
    assert_eq!(error.to_string(), expected);

    load_role(&scan(&[roles.path()], &[]), "probe").unwrap();
    // What did not change is not loaded twice.
    std::fs::write(roles.path().join("libprobe.so"), probe()).unwrap();
    let back = load_role(&registry, "probe").unwrap();
    assert!(Arc::ptr_eq(&first, &back));
}

#[test]
fn what_a_module_says_for_people_alone_may_change() {
    let roles = folder(&[("libprobe.so", &probe())]);
    let registry = scan(&[roles.path()], &[]);
    for (before, after) in [
        ("version: \"1.0\"", "version: \"1.1\""),
        ("author: The", "author: All"),
        ("Whether it fails", "Whether it stops"),
    ] {
        let changed = patched(probe(), before, after);
        std::fs::write(roles.path().join("libprobe.so"), changed).unwrap();
        load_role(&registry, "probe").unwrap();
    }
}

#[test]
fn a_file_that_cannot_be_read_now_is_not_said_to_have_changed() {
    let roles = folder(&[("libprobe.so", &probe())]);
    let registry = scan(&[roles.path()], &[]);
    let path = roles.path().join("libprobe.so");
    std::fs::remove_file(&path).unwrap();
    let error = load_role(&registry, "probe").unwrap_err();
    let expected = format!(
        "the module `{}` cannot be used now: it cannot be read: No such file",
        path.display()
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_module_that_cannot_be_loaded_is_named_with_its_file() {
    let code = "int kozo_gone(void); int use(void) { return kozo_gone(); }";
    let broken = build::c_module(&section(1, build::METADATA), code, &[]);
    let roles = folder(&[("libbroken.so", &broken), ("libprobe.so", &probe())]);
    let registry = scan(&[roles.path()], &[]);
    let error = load_role(&registry, "made-in-c").unwrap_err().to_string();
    let path = roles.path().join("libbroken.so");
    let expected = format!(
        "the module `{}` cannot be loaded: it uses `kozo_gone`",
        path.display()
    );
    assert!(error.starts_with(&expected), "{error}");
    load_role(&registry, "probe").unwrap();
}
