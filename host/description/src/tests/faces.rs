//! Faces: from what a module declares, and what a role's block says, to what is told.

use kozo_faces::{Data, Face, FaceKind};

use super::checked_block;
use crate::{Metadata, Problems, Severity};

const METADATA: &str = r#"
format: "1.1"
kind: role
name: bell
version: "1.0"
author: Somebody
description: Rings.
options:
  floor: {type: text, default: null, description: Where it hangs.}
  sounds: {type: list, default: null, description: What it plays.}
faces:
  rang:
    kind: event
    name: "Bell of {role}"
    class: doorbell
    state: {event: rang, channel: "{floor}"}
    types: rang
  volume:
    kind: number
    command: {order: "set {role}", channel: "{node}"}
    minimum: 0
    maximum: 10
    unit: dB
    category: config
    enabled: false
"#;

fn one_face(face: &str) -> String {
    let (head, _) = METADATA.split_once("  rang:\n").unwrap();
    format!("{head}{face}")
}

fn check(metadata: &str, block: &str, severity: Severity) -> (Vec<Face>, Problems) {
    let metadata = Metadata::parse(metadata).unwrap_or_else(|problems| panic!("{problems}"));
    let (checked, problems) = checked_block(&metadata, block, severity);
    (checked.faces, problems)
}

fn faces(metadata: &str, block: &str) -> Vec<Face> {
    let (faces, problems) = check(metadata, block, Severity::Error);
    assert!(problems.is_empty(), "{problems}");
    faces
}

fn report(block: &str) -> String {
    check(METADATA, block, Severity::Error).1.to_string()
}

fn assert_refused(face: &str, expected: &str) {
    let problems = Metadata::parse(&one_face(face)).unwrap_err();
    assert_eq!(problems.to_string(), expected.trim());
}

fn json(faces: &[Face]) -> String {
    let lines: Vec<_> = faces
        .iter()
        .map(|face| serde_json::to_string(face).unwrap())
        .collect();
    lines.join("\n")
}

#[test]
fn a_face_takes_the_values_of_options_and_names() {
    assert_eq!(
        json(&faces(METADATA, "floor: second")),
        r#"{"face":"rang","kind":"event","name":"Bell of door","class":"doorbell","enabled":true,"state":{"event":"rang","channel":"second"},"types":["rang"]}
{"face":"volume","kind":"number","name":"door","category":"config","enabled":false,"command":{"order":"set door","channel":"hall"},"unit":"dB","minimum":0.0,"maximum":10.0}"#
    );
    let any_channel = faces(METADATA, "{}").remove(0).state.unwrap().channel;
    assert_eq!(any_channel, None);
}

#[test]
fn what_is_declared_has_the_names_of_options_in_braces() {
    let metadata = Metadata::parse(METADATA).unwrap();
    let [rang, volume] = metadata.declared_faces().try_into().unwrap();
    assert_eq!(rang.state.unwrap().channel.as_deref(), Some("{floor}"));
    assert_eq!(volume.name, "{role}");
    assert_eq!(volume.command.unwrap().order, "set {role}");
}

#[test]
fn every_kind_takes_all_of_its_keys() {
    let all = r#"
  a: {kind: switch, name: A, class: outlet, icon: "mdi:bell", command: {order: o}, state: {event: e}, value: x, attributes: ".", on: 1, off: "no"}
  b: {kind: binary_sensor, state: {event: e}, value: a.b, attributes: x, on: open, off: closed, offAfter: 5, expireAfter: 60}
  c: {kind: sensor, state: {event: e}, value: time, attributes: x, unit: °C, statistics: increasing, precision: 2, options: [a, b], expireAfter: 60}
  d: {kind: event, state: {event: e}, types: [a, b], value: x, attributes: y}
  e: {kind: button, command: {order: o}, press: 1.5, category: diagnostic}
  f: {kind: number, command: {order: o}, state: {event: e}, value: x, attributes: x, minimum: 0, maximum: 1, step: 0.1, unit: s, control: slider}
  g: {kind: select, command: {order: o}, state: {event: e}, value: x, attributes: x, options: [a, b]}
  h: {kind: text, command: {order: o}, state: {event: e}, value: x, attributes: x, shortest: 1, longest: 9, pattern: "[a-z]+", secret: true}
  i: {kind: device_tracker, state: {event: e}, value: x, attributes: x, source: bluetooth_le, home: here, away: gone}
"#;
    let all = faces(&one_face(all), "{}");
    let kinds: Vec<_> = all.iter().map(|face| face.kind.clone()).collect();
    assert_eq!(
        kinds,
        [
            FaceKind::Switch,
            FaceKind::BinarySensor,
            FaceKind::Sensor,
            FaceKind::Event,
            FaceKind::Button,
            FaceKind::Number,
            FaceKind::Select,
            FaceKind::Text,
            FaceKind::DeviceTracker,
        ]
    );
    assert_eq!(
        (&all[0].on, &all[0].off),
        (&Some(Data::Integer(1)), &Some(Data::Text("no".to_owned())))
    );
    assert_eq!(
        (all[1].off_after_seconds, all[1].expire_after_seconds),
        (Some(5.0), Some(60.0))
    );
    assert_eq!(
        (all[2].precision, all[2].statistics.as_deref()),
        (Some(2), Some("increasing"))
    );
    assert_eq!(all[4].press, Some(Data::Number(1.5)));
    assert_eq!(
        (all[5].step, all[5].control.as_deref()),
        (Some(0.1), Some("slider"))
    );
    assert_eq!(
        (all[7].shortest, all[7].longest, all[7].secret),
        (Some(1), Some(9), true)
    );
    assert_eq!(
        (all[8].source.as_deref(), &all[8].home),
        (Some("bluetooth_le"), &Some(Data::Text("here".to_owned())))
    );
}

#[test]
fn an_unknown_kind_is_left_out_whatever_it_says() {
    let text = one_face(
        "  blinds: {kind: cover, position: {event: p}}\n  b: {kind: button, command: {order: o}}\n",
    );
    let metadata = Metadata::parse(&text).unwrap();
    let unknown = metadata.unknown_faces();
    assert_eq!(
        (unknown[0].face.as_str(), unknown[0].kind.as_str()),
        ("blinds", "cover")
    );
    assert_eq!(faces(&text, "face: {blinds: {hidden: true}}").len(), 1);
}

#[test]
fn an_unknown_key_is_a_mistake_in_a_known_format() {
    let face = "  b:\n    kind: button\n    command: {order: o}\n    value: x\n";
    assert_refused(
        face,
        "
error: metadata:15:5: faces.b.value: a face of kind `button` has no key `value`
    help: allowed here: `kind`, `name`, `class`, `icon`, `category`, `enabled`, `command` and `press`
",
    );
    let later = one_face(face).replace("1.1", "1.7");
    assert!(Metadata::parse(&later).is_ok());
    let older = one_face(face).replace("1.1", "1.0");
    let said = Metadata::parse(&older).unwrap_err().to_string();
    assert!(
        said.contains("faces: metadata has no key `faces`"),
        "{said}"
    );
    assert!(said.contains("write `format: \"1.1\"`"), "{said}");
}

#[test]
fn what_is_missing_in_a_face_is_told() {
    assert_refused(
        "  a: {kind: select}\n  b: {class: x}\n  c:\n  d: {kind: event, state: {}}\n  e: {kind: [x]}\n",
        "
error: metadata:12:3: faces.a.command: a face of kind `select` needs the key `command`
    help: add it; write `{order: TYPE}`, the order that changes it
error: metadata:12:3: faces.a.options: a face of kind `select` needs the key `options`
    help: add it; a list of the texts that can be chosen
error: metadata:13:3: faces.b.kind: a face needs the key `kind`
    help: write one of `switch`, `binary_sensor`, `sensor`, `event`, `button`, `number`, `select`, `text` and `device_tracker`
error: metadata:14:4: faces.c: expected a face, found nothing
    help: write `kind: KIND` and what it is about below the name
error: metadata:15:3: faces.d.types: a face of kind `event` needs the key `types`
    help: add it; a list of what can happen
error: metadata:15:27: faces.d.state.event: `state` needs the key `event`
    help: add it; the type of the messages
error: metadata:16:13: faces.e.kind: expected the kind of the face, found a list
    help: write one of `switch`, `binary_sensor`, `sensor`, `event`, `button`, `number`, `select`, `text` and `device_tracker`
",
    );
}

#[test]
fn what_can_stand_in_no_face_is_told_with_its_place() {
    for (face, expected) in [
        (
            "a.b: {kind: button, command: {order: o}}",
            "12:3: faces[\"a.b\"]: `a.b` is not the name of a face",
        ),
        (
            "b: {kind: button, command: {order: \"{flor}\"}}",
            "faces.b.command.order: the module has no option `flor`",
        ),
        (
            "b: {kind: button, command: {order: \"{sounds}\"}}",
            "faces.b.command.order: no list may stand here",
        ),
        (
            "b: {kind: button, command: {order: o}, name: \"a\\u202eb\"}",
            "faces.b.name: the text has a character that cannot be shown",
        ),
        (
            "b: {kind: button, command: {order: o}, class: Big}",
            "faces.b.class: `Big` can be no class",
        ),
        (
            "b: {kind: button, command: {order: o}, icon: bell}",
            "faces.b.icon: `bell` can be no picture",
        ),
        (
            "b: {kind: button, command: {order: o}, press: [1]}",
            "faces.b.press: expected a text, a number, `true` or `false`",
        ),
        (
            "b: {kind: button, command: {order: o}, category: big}",
            "faces.b.category: `big` is not one of the possible values",
        ),
        (
            "s: {kind: sensor, state: {event: e}, value: a..b}",
            "faces.s.value: `a..b` leads nowhere: a step is missing",
        ),
        (
            "s: {kind: binary_sensor, state: {event: e}, value: time}",
            "faces.s.value: only the `value` of a sensor can be a time",
        ),
        (
            "s: {kind: binary_sensor, state: {event: e}, on: x, off: x}",
            "faces.s.on: both stand for the same",
        ),
        (
            "n: {kind: number, command: {order: o}, minimum: 2, maximum: 2}",
            "faces.n.maximum: `minimum` is 2, and `maximum` is 2",
        ),
        (
            "n: {kind: number, command: {order: o}, minimum: 1, maximum: 2, step: 0}",
            "faces.n.step: it is not above 0",
        ),
        (
            "t: {kind: text, command: {order: o}, longest: 256}",
            "faces.t.longest: ",
        ),
        (
            "s: {kind: select, command: {order: o}, options: [a, b, a]}",
            "faces.s.options: `a` is there twice",
        ),
        (
            "s: {kind: sensor, state: {event: e}, unit: \"\"}",
            "faces.s.unit: the text is empty",
        ),
    ] {
        let said = Metadata::parse(&one_face(&format!("  {face}\n")))
            .unwrap_err()
            .to_string();
        assert!(said.contains(expected), "{face}: {said}");
    }
    let many: String = (0..33)
        .map(|n| format!("  f{n}: {{kind: button, command: {{order: o}}}}\n"))
        .collect();
    let said = Metadata::parse(&one_face(&many)).unwrap_err().to_string();
    assert!(
        said.contains("metadata:44:3: faces: a role may have 32 faces at most"),
        "{said}"
    );
    let transport = one_face("  b: {kind: button, command: {order: o}}\n")
        .replace("kind: role", "kind: transport");
    let said = Metadata::parse(&transport).unwrap_err().to_string();
    assert!(said.contains("faces: only a role may have this"), "{said}");
}

#[test]
fn the_file_overrules_what_the_module_says() {
    let block = "face: {rang: {name: Front of {node}, class: null, icon: \"mdi:bell\"}, volume: {enabled: true, unit: \"%\", category: null}}";
    let block = block.replace("Front of {node}", "\"Front of {node}\"");
    let [rang, volume] = faces(METADATA, &block).try_into().unwrap();
    assert_eq!(
        (rang.name.as_str(), rang.class, rang.icon.as_deref()),
        ("Front of hall", None, Some("mdi:bell"))
    );
    assert_eq!(
        (volume.enabled, volume.unit.as_deref(), volume.category),
        (true, Some("%"), None)
    );
    assert_eq!(volume.maximum, Some(10.0));
    let [volume] = faces(METADATA, "face: {rang: {hidden: true}}")
        .try_into()
        .unwrap();
    assert_eq!(volume.face, "volume");
}

#[test]
fn a_role_with_one_face_need_not_name_it() {
    let one = one_face("  b: {kind: button, command: {order: o}}\n");
    assert_eq!(faces(&one, "face: {name: Ring}")[0].name, "Ring");
    assert_eq!(faces(&one, "face: {b: {name: Ring}}")[0].name, "Ring");
    assert_eq!(faces(&one, "face: {hidden: true}"), []);
    assert_eq!(faces(&one, "face:").len(), 1);
    let said = check(&one, "face: {nam: Ring}", Severity::Error)
        .1
        .to_string();
    assert!(
        said.contains("1:8: roles.door.face.nam: the face `b` has no key `nam`"),
        "{said}"
    );
    let said = report("face: {name: Ring}");
    assert!(
        said.contains("roles.door.face.name: a role of type `bell` has no face `name`"),
        "{said}"
    );
}

#[test]
fn the_file_may_add_a_face() {
    let added = "face: {lamp: {kind: switch, command: {order: \"set {role}\"}}, rang: {kind: button, command: {order: o}}}";
    let all = faces(METADATA, added);
    let kinds: Vec<_> = all
        .iter()
        .map(|face| (face.face.as_str(), face.kind.name()))
        .collect();
    assert_eq!(
        kinds,
        [("volume", "number"), ("lamp", "switch"), ("rang", "button")]
    );
    assert_eq!(all[1].command.as_ref().unwrap().order, "set door");
}

#[test]
fn a_mistake_about_a_face_is_told_with_its_place() {
    assert_eq!(
        report("face:\n  rong: {hidden: true}\n  volume: {nme: x, unit: 3}\n  bell: {kind: swich}\n  more: {kind: switch}\n"),
        "\
error: net.yaml:2:3: roles.door.face.rong: a role of type `bell` has no face `rong`
    help: did you mean `rang`?
error: net.yaml:3:12: roles.door.face.volume.nme: the face `volume` has no key `nme`
    help: did you mean `name`? allowed here: `name`, `class`, `icon`, `category`, `enabled`, `unit` and `hidden`
error: net.yaml:4:16: roles.door.face.bell.kind: there are no faces of kind `swich`
    help: did you mean `switch`? it may be one of `switch`, `binary_sensor`, `sensor`, `event`, `button`, `number`, `select`, `text` and `device_tracker`
error: net.yaml:5:3: roles.door.face.more.command: a face of kind `switch` needs the key `command`
    help: add it; write `{order: TYPE}`, the order that changes it"
    );
    let (faces, problems) = check(METADATA, "face: {rong: {hidden: true}}", Severity::Warning);
    assert_eq!(
        (faces.len(), problems.has_errors(), problems.is_empty()),
        (2, false, false)
    );
    let said = report("face: lamp");
    assert!(
        said.contains("roles.door.face: expected a mapping, found the text `lamp`"),
        "{said}"
    );
}

#[test]
fn a_face_that_options_make_too_long_is_left_out_and_told() {
    let long = "x".repeat(256);
    let (faces, problems) = check(METADATA, &format!("floor: {long}"), Severity::Error);
    assert_eq!(faces.len(), 1);
    assert_eq!(
        problems.to_string(),
        "error: net.yaml:1:1: roles.door.face: the face `rang` is left out: its event has a channel of more than 255 bytes"
    );
}

#[test]
fn a_host_that_knows_only_the_first_format_has_no_faces() {
    let mut metadata = Metadata::parse(METADATA).unwrap();
    metadata.leave_rules_to_the_module();
    assert_eq!(metadata.declared_faces(), []);
}
