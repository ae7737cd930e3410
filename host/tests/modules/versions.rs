//! Neighbouring versions of the interface. Between them lies a field more at the end of every
//! table, in both directions.

use std::path::Path;
use std::process::Command;

use crate::support::bench::report;
use crate::support::build::{fixture, next_host};
use crate::support::{load, loader, probe};

#[test]
fn a_newer_module_works_in_an_older_host() {
    let newer = std::fs::read(fixture("role_probe_next")).unwrap();
    let loader = loader();
    let module = load(&loader, &newer).unwrap();
    assert_eq!(module.abi().to_string(), "1.1.0");
    // It asks for what a newer host would offer, and gets none.
    assert_eq!(report(&module), ("PROBE-MARK-1".to_owned(), 1, None, false));
    // And one of the host's own version beside it.
    assert_eq!(report(&load(&loader, &probe()).unwrap()).1, 1);
}

fn next_host_shows(modules: &[(&str, &str, &Path)]) -> Vec<String> {
    let arguments = modules
        .iter()
        .map(|(kind, name, path)| format!("{kind}:{name}:{}", path.display()));
    let output = Command::new(next_host()).args(arguments).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{:?}", output.status);
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn older_and_newer_modules_work_in_a_newer_host_in_any_order() {
    let (old, new) = (fixture("role_probe"), fixture("role_probe_next"));
    let old_transport = fixture("transport_probe");
    let new_transport = fixture("transport_probe_next");
    let modules = [
        ("role", "probe", old.as_path()),
        ("role", "probe-next", &new),
        ("transport", "probe", &old_transport),
        ("transport", "probe-next", &new_transport),
    ];
    let mut expected = [
        r#"role probe 1.0.0 on 1.1.0: report ("PROBE-MARK-1", 1, None, false)"#,
        r#"role probe-next 1.1.0 on 1.1.0: report ("PROBE-MARK-1", 1, Some(1), false)"#,
        "transport probe 1.0.0 on 1.1.0: probe1 of here (probe, local: true), next minor: None",
        "transport probe-next 1.1.0 on 1.1.0: probe1 of here (probe, local: true), next minor: Some(1)",
    ];
    assert_eq!(next_host_shows(&modules), expected);
    let backwards: Vec<_> = modules.iter().rev().copied().collect();
    expected.reverse();
    assert_eq!(next_host_shows(&backwards), expected);
}

#[test]
fn an_interface_that_differs_without_saying_so_is_refused() {
    let other = std::fs::read(fixture("role_probe_other")).unwrap();
    let error = load(&loader(), &other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "its interface says that it has version 1.0.1, but differs from this host's: `MessageView` has `data` in one \
         where the other has `extra`; build it again with an unchanged `kozo-abi`"
    );
    // What was compared before does not make the good one fail.
    load(&loader(), &probe()).unwrap();
}
