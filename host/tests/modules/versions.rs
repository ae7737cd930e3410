//! Neighbouring versions of the interface. Between them lies a field more at the end of every
//! table, in both directions.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use kozo::modules::Inspected;
use kozo_abi::Publish;

use crate::support::bench::{Bench, make_bus, report};
use crate::support::build::{fixture, next_host, previous_host};
use crate::support::{code, load, loader, probe, source};

#[test]
fn a_newer_module_works_in_an_older_host() {
    let newer = std::fs::read(fixture("role_probe_next")).unwrap();
    let loader = loader();
    let module = load(&loader, &newer).unwrap();
    assert_eq!(module.abi().to_string(), "1.2.0");
    // It asks for what a newer host would offer, and gets none.
    let mark = "PROBE-MARK-1".to_owned();
    assert_eq!(report(&module), (mark, 1, None, false, Some(7)));
    // And one of the host's own version beside it.
    assert_eq!(report(&load(&loader, &probe()).unwrap()).1, 1);
}

#[test]
fn a_module_of_the_first_version_works_and_asks_nothing() {
    let first = std::fs::read(fixture("role_probe_previous")).unwrap();
    let module = load(&loader(), &first).unwrap();
    assert_eq!(module.abi().to_string(), "1.0.0");
    let mark = "PROBE-MARK-1".to_owned();
    assert_eq!(report(&module), (mark, 1, None, false, None));
}

#[test]
fn a_module_that_asks_is_told_that_a_host_of_the_first_version_does_not_answer() {
    let module = fixture("role_probe");
    let modules = [("role", "probe", module.as_path())];
    assert_eq!(
        host_shows(&previous_host(), &modules),
        [r#"role probe 1.1.0 on 1.0.0: report ("PROBE-MARK-1", 1, None, false, None)"#]
    );
}

#[test]
fn a_host_of_the_first_version_takes_a_bus_for_nothing_else() {
    let bus = fixture("bus_probe");
    let modules = [
        ("role", "probe", bus.as_path()),
        ("transport", "probe", &bus),
    ];
    let expected = |kind: &str, table: &str| {
        format!(
            "{kind} probe failed: its interface says that it has version 1.1.0, but differs from this host's: \
             what it exports is `{table}` in one, `BusModule` in the other; \
             build it again with an unchanged `kozo-abi`"
        )
    };
    assert_eq!(
        host_shows(&previous_host(), &modules),
        [
            expected("role", "RoleModule"),
            expected("transport", "TransportModule")
        ]
    );
}

#[test]
fn a_newer_bus_works_in_an_older_host() {
    let path = fixture("bus_probe_next");
    let bytes = std::fs::read(&path).unwrap();
    let inspected = Inspected::new(&path, &bytes).unwrap();
    let name = &inspected.metadata.name;
    let module = loader().bus(source(name, &path, &code(&bytes), &inspected.image));
    let bench = Arc::new(Bench::default());
    let bus = make_bus(&module.unwrap(), &bench, "").unwrap();
    assert_eq!(bus.publish("a", None, b""), Ok(Publish::Accepted(1)));
    let (_, said) = &bench.notes().log[0];
    assert_eq!(said, "fleet of here (probe), next minor: None");
}

fn host_shows(host: &Path, modules: &[(&str, &str, &Path)]) -> Vec<String> {
    let arguments = modules
        .iter()
        .map(|(kind, name, path)| format!("{kind}:{name}:{}", path.display()));
    let output = Command::new(host).args(arguments).output().unwrap();
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
    let (old_bus, new_bus) = (fixture("bus_probe"), fixture("bus_probe_next"));
    let modules = [
        ("role", "probe", old.as_path()),
        ("role", "probe-next", &new),
        ("bus", "probe", &old_bus),
        ("bus", "probe-next", &new_bus),
        ("transport", "probe", &old_transport),
        ("transport", "probe-next", &new_transport),
    ];
    let mut expected = [
        r#"role probe 1.1.0 on 1.2.0: report ("PROBE-MARK-1", 1, None, false, Some(7))"#,
        r#"role probe-next 1.2.0 on 1.2.0: report ("PROBE-MARK-1", 1, Some(1), false, Some(7))"#,
        "bus probe 1.1.0 on 1.2.0: probe1 of here (probe), next minor: None",
        "bus probe-next 1.2.0 on 1.2.0: probe1 of here (probe), next minor: Some(1)",
        "transport probe 1.1.0 on 1.2.0: probe1 of here (probe, local: true), next minor: None",
        "transport probe-next 1.2.0 on 1.2.0: probe1 of here (probe, local: true), next minor: Some(1)",
    ];
    assert_eq!(host_shows(&next_host(), &modules), expected);
    let backwards: Vec<_> = modules.iter().rev().copied().collect();
    expected.reverse();
    assert_eq!(host_shows(&next_host(), &backwards), expected);
}

#[test]
fn an_interface_that_differs_without_saying_so_is_refused() {
    let other = std::fs::read(fixture("role_probe_other")).unwrap();
    let error = load(&loader(), &other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "its interface says that it has version 1.1.1, but differs from this host's: `MessageView` has `data` in one \
         where the other has `extra`; build it again with an unchanged `kozo-abi`"
    );
    // What was compared before does not make the good one fail.
    load(&loader(), &probe()).unwrap();
}
