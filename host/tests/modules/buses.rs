//! Buses that are loaded and driven.

use std::path::Path;
use std::sync::Arc;

use kozo::modules::{BusInstance, BusModule, CallError, Inspected, LoadError};
use kozo_abi::{Level, Publish};

use crate::support::bench::{Bench, make_bus};
use crate::support::build::{cargo, check, fixture};
use crate::support::{code, inspect_error, loader, patched, source};

fn load(fixture_name: &str) -> Result<Arc<BusModule>, LoadError> {
    let path = fixture(fixture_name);
    let bytes = std::fs::read(&path).unwrap();
    let inspected = Inspected::new(&path, &bytes).unwrap();
    let name = &inspected.metadata.name;
    loader().bus(source(name, &path, &code(&bytes), &inspected.image))
}

fn module() -> Arc<BusModule> {
    load("bus_probe").unwrap()
}

#[test]
fn a_bus_is_driven_through_its_whole_life() {
    let bench = Arc::new(Bench::default());
    let bus = make_bus(&module(), &bench, "").unwrap();
    bus.subscribe("in.*", true).unwrap();
    bus.subscribe("in.*", false).unwrap();
    assert_eq!(bus.publish("a.b", None, b"abc"), Ok(Publish::Accepted(1)));
    assert_eq!(
        bus.publish("a.b", Some("re.1"), b""),
        Ok(Publish::Accepted(2))
    );
    assert_eq!(bus.publish("full", None, b""), Ok(Publish::Full));
    assert_eq!(bus.publish("down", None, b""), Ok(Publish::Down));
    assert_eq!(bus.run().unwrap_err().to_string(), "the engine is gone");
    bus.stop().unwrap();
    drop(bus);

    let notes = bench.notes();
    assert_eq!(
        notes.heard,
        [
            "up Limits { max_datagram: 1000, wildcards: false, no_responders: true, \
             publish_from_roles: false, server: \"nats.example:4222\" }",
            "round_trip 300µs",
            "deliver in.one Some(\"back\") [0, 255]",
            "deliver in.two None []",
            "wait_for_room 2s",
            "dropped 1",
            "confirmed 2",
            "nobody ask.one",
            "refused m.one permissions violation",
            "down Ready",
        ]
    );
    assert_eq!(notes.status, "getting up");
    let log: Vec<_> = notes.log.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        log,
        [
            "fleet of here (probe), next minor: None",
            "in.* true",
            "in.* false",
            "a.b None 3",
            "a.b Some(\"re.1\") 0",
            "full None 0",
            "down None 0",
            "Taken",
            "room: true",
            "/state/there.probe1",
        ]
    );
    drop(notes);
    assert_eq!(Arc::strong_count(&bench), 1);
}

#[test]
fn a_bus_that_is_stopped_waits_for_nothing() {
    let bench = Bench::stopping();
    let bus = make_bus(&module(), &bench, "").unwrap();
    assert!(bus.run().is_err());
    assert_eq!(bench.notes().heard.last().unwrap(), "down Stopping");
}

#[test]
fn a_panic_in_any_call_of_a_bus_is_an_error() {
    type Call = fn(&BusInstance) -> Result<(), CallError>;
    let calls: [(&str, Call); 4] = [
        ("run", |bus| bus.run()),
        ("publish", |bus| bus.publish("a", None, b"").map(drop)),
        ("subscribe", |bus| bus.subscribe("a", true)),
        ("stop", |bus| bus.stop()),
    ];
    let module = module();
    let bench = Arc::new(Bench::default());
    for (call, make_call) in calls {
        let bus = make_bus(&module, &bench, call).unwrap();
        let error = make_call(&bus).unwrap_err().to_string();
        assert!(error.starts_with("panicked at "), "{error}");
        assert!(error.contains(&format!("no good {call}")), "{error}");
    }
    let error = make_bus(&module, &bench, "init").unwrap_err().to_string();
    assert!(error.contains("no good init"), "{error}");

    drop(make_bus(&module, &bench, "drop").unwrap());
    let (level, text) = bench.notes().log.last().unwrap().clone();
    assert_eq!(level, Level::Error);
    assert!(
        text.starts_with("while the bus was dropped: panicked at "),
        "{text}"
    );
    assert_eq!(Arc::strong_count(&bench), 1);
}

#[test]
fn a_panic_of_the_host_does_not_reach_a_bus() {
    for (service, last) in [
        ("up", "down Ready"),
        // What the host failed with is not offered again.
        ("deliver", "down Ready"),
        ("wait_for_room", "down Ready"),
    ] {
        let bench = Bench::broken(service);
        let bus = make_bus(&module(), &bench, "").unwrap();
        assert_eq!(bus.run().unwrap_err().to_string(), "the engine is gone");
        assert_eq!(bench.notes().heard.last().unwrap(), last, "{service}");
    }
    let bench = Bench::broken("state_dir");
    let bus = make_bus(&module(), &bench, "").unwrap();
    let error = bus.run().unwrap_err().to_string();
    assert_eq!(error, "the host failed; its log has more");
}

#[test]
fn a_module_of_another_kind_in_place_of_a_bus_is_named() {
    let path = Path::new("/modules/libx.so");
    let refused = |bytes: &[u8]| {
        let inspected = Inspected::new(path, bytes).unwrap();
        let name = &inspected.metadata.name;
        let error = loader().bus(source(name, path, &code(bytes), &inspected.image));
        error.unwrap_err().to_string()
    };
    let error = refused(&crate::support::probe());
    let expected = "what it exports is `BusModule` in one, `RoleModule` in the other";
    assert!(error.contains(expected), "{error}");
    let error = refused(&std::fs::read(fixture("transport_probe")).unwrap());
    let expected = "what it exports is `BusModule` in one, `TransportModule` in the other";
    assert!(error.contains(expected), "{error}");
}

/// As a host of the first version says of a bus, whose description it reads in the same way.
#[test]
fn a_kind_that_a_host_does_not_know_is_named() {
    let bytes = std::fs::read(fixture("bus_probe")).unwrap();
    let bytes = patched(bytes, "kind: bus\n", "kind: zoo\n");
    assert_eq!(
        inspect_error(&bytes),
        "its metadata (`module.yaml`) has mistakes:\n\
         error: /modules/libx.so:2:7: kind: `zoo` is not one of the possible values\n    \
         help: write `role`, `transport` or `bus`"
    );
}

/// The engine that tests of daemons use, against the contract and doing wrong what it is told to.
#[test]
fn the_hub_of_the_tests_does_what_it_is_told() {
    let output = cargo("test").args(["-p", "fixture-bus-hub"]).output();
    let said = check(&output.unwrap());
    assert!(said.contains("6 passed; 0 failed"), "{said}");
}
