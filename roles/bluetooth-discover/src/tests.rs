//! What needs no adapter. Finding, losing and renaming a device is a case of `hardware/cases`.

use std::time::Duration;

use kozo_abi::bench::faces::{Data, Reading};
use kozo_abi::bench::{RoleBench, StartedRole};
use kozo_abi::{Error, Kind, Level, RoleHost};
use kozo_bluetooth::{Address, Device, Uuid};
use serde::Deserialize;

use super::BluetoothDiscover;
use super::report::Report;
use super::seen::Seen;

fn bench() -> RoleBench<BluetoothDiscover> {
    // An adapter that is nowhere: so this never searches in earnest.
    RoleBench::new().option("adapter", "none")
}

#[test]
fn options_that_cannot_work_are_refused() {
    for (name, value) in [
        ("searchDuration", 0.5),
        ("searchDuration", 3601.0),
        ("cooldown", -1.0),
    ] {
        let error = bench().option(name, value).start().unwrap_err().to_string();
        assert!(error.contains(&format!(": {name}: ")), "{error}");
    }
    let error = bench()
        .option("mode", "loud")
        .start()
        .unwrap_err()
        .to_string();
    assert!(error.contains(": mode: "), "{error}");
}

#[test]
fn what_is_missing_is_said_once_and_tried_again() -> Result<(), Error> {
    let mut role: StartedRole = bench().start()?;
    for _ in 0..3 {
        role.run()?;
    }
    let logged = role.logged();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert_eq!(logged[0].0, Level::Warn);
    assert!(
        logged[0]
            .1
            .starts_with("cannot look for devices, tried again later: ")
    );
    assert!(role.sent().is_empty());
    assert_eq!(role.elapsed(), Duration::from_secs(30));
    Ok(())
}

fn device(number: u8, name: Option<&str>) -> Device {
    Device {
        address: Address([0, 0, 0, 0, 0, number]),
        name: name.map(str::to_owned),
        rssi: Some(-60),
        class: Some(0x5a_020c),
        services: [Uuid::from_u128(1)].into(),
        paired: true,
        trusted: false,
        random_address: false,
    }
}

/// A role that tells of devices, in place of the one that finds them.
struct Telling;

impl kozo_abi::export::Described for Telling {
    const METADATA: &'static str = "{format: '1.0', kind: role, name: telling, version: '1.0.0', \
        author: Somebody, description: Tells of devices.}";
}

impl kozo_abi::Role for Telling {
    type Options = Nothing;

    fn new(_: Nothing, _: &RoleHost) -> Result<Self, Error> {
        Ok(Self)
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let devices = [device(1, Some("phone")), device(2, None)];
        host.send_event("range", Seen::of(&devices).names())?;
        Ok(host.send_event("detail", &Report::of(&devices))?)
    }
}

#[derive(Deserialize)]
struct Nothing {}

#[test]
fn the_events_are_names_by_address_and_all_that_is_known() -> Result<(), Error> {
    /// As a receiver would write it.
    #[derive(Debug, Deserialize)]
    struct Detail {
        version: u8,
        devices: Vec<One>,
    }
    #[derive(Debug, Deserialize)]
    struct One {
        address: String,
        name: Option<String>,
        rssi: Option<i16>,
        class: Option<u32>,
        services: Vec<String>,
        paired: bool,
        trusted: bool,
        random_address: bool,
    }

    let mut role = RoleBench::<Telling>::new().start()?;
    role.run()?;
    let sent = role.sent();
    assert!(sent.iter().all(|message| message.kind() == Kind::Event));
    let names = sent[0].data::<Vec<(String, String)>>();
    assert!(names.is_err(), "it is a map");
    let names = sent[0].data::<std::collections::BTreeMap<String, String>>()?;
    assert_eq!(names["00:00:00:00:00:01"], "phone");
    assert_eq!(names["00:00:00:00:00:02"], "");

    let detail = sent[1].data::<Detail>()?;
    assert_eq!((detail.version, detail.devices.len()), (1, 2));
    let one = &detail.devices[0];
    assert_eq!(
        (one.address.as_str(), one.rssi),
        ("00:00:00:00:00:01", Some(-60))
    );
    assert_eq!(one.services, ["00000000-0000-0000-0000-000000000001"]);
    assert_eq!((one.class, one.paired), (Some(0x5a_020c), true));
    assert!(!one.trusted && !one.random_address);
    assert_eq!(detail.devices[1].name, None);
    Ok(())
}

#[test]
fn its_face_shows_how_many_devices_there_are_and_their_names() -> Result<(), Error> {
    let role = bench().name("radio").start()?;
    let [face] = role.faces() else {
        return Err("it has not one face".into());
    };
    assert_eq!(face.name, "radio devices in range");
    let event = face.state.as_ref().map(|state| state.event.as_str());
    assert_eq!(event, Some("bluetooth devices in range"));
    let mut telling = RoleBench::<Telling>::new().start()?;
    telling.run()?;
    let names: Data = telling.sent()[0].data()?;
    assert_eq!(face.shown(&names), Some(Reading::Value(Data::Integer(2))));
    assert_eq!(face.further_facts(&names), Some(names));
    Ok(())
}
