//! Roles that are loaded and driven.

use std::sync::Arc;
use std::time::Duration;

use kozo_abi::{InboxLimits, Level, Pace};
use kozo_ground::interest::Kind;

use crate::support::bench::{Bench, make, make_on, report};
use crate::support::build::{METADATA, c_library, c_module, section};
use crate::support::{for_aarch64, load, loader, patched, probe};

#[test]
fn a_role_is_driven_through_its_whole_life() {
    let module = load(&loader(), &probe()).unwrap();
    assert_eq!(module.name().as_str(), "probe");
    assert_eq!(module.abi(), kozo_abi::VERSION);
    let (bench, role) = make(&module, "");
    let mut role = role.unwrap();
    assert_eq!(
        role.pace(),
        Ok(Pace::EveryOrMessage(Duration::from_secs(5)))
    );
    let configured = InboxLimits {
        length: 8,
        size: 99,
    };
    assert_eq!(
        role.inbox(configured),
        Ok(InboxLimits {
            length: 9,
            size: 99
        })
    );

    // Without a message it reports, and counts its runs in its storage.
    // It may be driven from one thread now, from another one then.
    role.run().unwrap();
    std::thread::scope(|scope| scope.spawn(|| role.run()).join().unwrap()).unwrap();
    assert_eq!(bench.last::<super::support::bench::Report>().1, 2);
    assert_eq!(bench.notes().stored, Some(vec![2]));
    assert_eq!(bench.notes().slept, [Duration::from_millis(7); 2]);

    // With one it answers. What its filter refuses it never sees.
    bench.notes().inbox.extend(["unwanted", "tick"]);
    role.run().unwrap();
    {
        let notes = bench.notes();
        let (kind, type_name, channel, _, wait) = notes.sent.last().unwrap();
        assert_eq!((*kind, type_name.as_str()), (Kind::Order, "tick"));
        assert_eq!(channel.as_deref(), Some("hall"));
        assert_eq!(*wait, Duration::from_secs(3));
    }
    let echo: (String, (String, String), u64, String) = bench.last();
    let sender = ("there".to_owned(), "timer1".to_owned());
    assert_eq!(echo, ("event".to_owned(), sender, 2, "hi".to_owned()));

    role.reopen().unwrap();
    role.stop().unwrap();
    drop(role);
    assert_eq!(
        bench.notes().log,
        [
            (Level::Debug, "made on here as probe1".to_owned()),
            (Level::Info, "stopped".to_owned())
        ]
    );
    // The module gave back everything that it had of the host.
    assert_eq!(Arc::strong_count(&bench), 1);
}

#[test]
fn options_that_do_not_fit_are_an_error_of_the_module() {
    let module = load(&loader(), &probe()).unwrap();
    let bench = Arc::new(Bench::default());
    let error = module
        .create(bench.clone(), b"\x80")
        .unwrap_err()
        .to_string();
    assert!(error.contains("missing field `fault`"), "{error}");
    let error = module.create(bench.clone(), b"").unwrap_err().to_string();
    assert!(error.contains("the options do not fit"), "{error}");
    assert_eq!(Arc::strong_count(&bench), 1);
}

#[test]
fn what_the_host_cannot_do_is_an_error_of_the_role() {
    let module = load(&loader(), &probe()).unwrap();
    let bench = Bench::broken("disk");
    let mut role = make_on(&module, &bench, "", true).unwrap();
    assert_eq!(role.run().unwrap_err().to_string(), "the disk is full");
}

#[test]
fn the_same_bytes_are_loaded_once() {
    let loader = loader();
    let first = load(&loader, &probe()).unwrap();
    assert!(Arc::ptr_eq(&first, &load(&loader, &probe()).unwrap()));
    let other = patched(probe(), "PROBE-MARK-1", "PROBE-MARK-2");
    assert!(!Arc::ptr_eq(&first, &load(&loader, &other).unwrap()));
}

/// The system knows an object by its path, and paths of memory are reused: each build has to be
/// itself, whatever was loaded or failed before.
#[test]
fn every_build_and_every_name_is_itself() {
    let mut modules = Vec::new();
    for number in 0..8 {
        let loader = loader();
        let mark = format!("PROBE-MARK-{number}");
        let build = patched(probe(), "PROBE-MARK-1", &mark);
        let name = format!("name: prob{number}\n");
        let renamed = patched(build.clone(), "name: probe\n", &name);
        modules.push((load(&loader, &build).unwrap(), mark.clone()));
        let broken = c_module(
            &section(1, METADATA),
            "int gone(void); int f(void) { return gone(); }",
            &[],
        );
        load(&loader, &broken).unwrap_err();
        modules.push((load(&loader, &renamed).unwrap(), mark));
        // What it loaded outlives it.
        drop(loader);
    }
    for (module, mark) in modules {
        assert_eq!(report(&module).0, mark);
    }
}

#[test]
fn a_module_for_another_machine_is_refused_by_name() {
    let error = load(&loader(), &for_aarch64(probe()))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("it is built for aarch64, but this machine is "),
        "{error}"
    );
}

#[test]
fn an_undefined_symbol_is_an_error_not_the_end() {
    let code = "int kozo_gone(void); int use(void) { return kozo_gone(); }";
    // Bound when first called, if the host let it.
    let module = c_module(&section(1, METADATA), code, &["-Wl,-z,lazy"]);
    let error = load(&loader(), &module).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it uses `kozo_gone`, which none of its libraries has: a library is too old, or was forgotten when the \
         module was linked"
    );
}

#[test]
fn a_newer_system_library_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("libc.so.6");
    let versions = folder.path().join("versions");
    std::fs::write(&versions, "GLIBC_9.99 { global: kozo_future; };").unwrap();
    let script = format!("-Wl,--version-script={}", versions.display());
    let code = "int kozo_future(void) { return 1; }";
    c_library(
        &fake,
        code,
        &["-nostdlib", "-Wl,-soname,libc.so.6", &script],
    );
    let code = "int kozo_future(void); int use(void) { return kozo_future(); }";
    let library = fake.to_str().unwrap();
    let module = c_module(&section(1, METADATA), code, &["-nostdlib", library]);
    let error = load(&loader(), &module).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it needs version `GLIBC_9.99` of `libc.so.6`, which this system is too old for: build it on this system \
         or an older one"
    );
}

#[test]
fn an_entry_point_that_is_none_is_refused_each_time() {
    let loader = loader();
    let module = c_module(&section(1, METADATA), "", &[]);
    for _ in 0..2 {
        let error = load(&loader, &module).unwrap_err().to_string();
        assert!(
            error.starts_with("its entry point is not that of a module"),
            "{error}"
        );
    }
}
