use std::collections::BTreeMap;

use kozo_description::ModuleKind;

use super::read;
use crate::bench::faces::{Input, Reading};
use crate::bench::{Incoming, RoleBench, StartedRole};
use crate::export::Described;
use crate::{Error, Role, RoleHost};

struct Ruled;

impl Role for Ruled {
    type Options = serde::de::IgnoredAny;

    fn new(_: Self::Options, _: &RoleHost) -> Result<Self, Error> {
        Ok(Self)
    }

    fn run(&mut self, _: &RoleHost) -> Result<(), Error> {
        Ok(())
    }
}

impl Described for Ruled {
    const METADATA: &'static str = r#"
format: "1.1"
kind: role
name: ruled
version: "1.0"
author: Somebody
description: Says what it would refuse.
options:
  to: {type: list, format: address, default: null, description: Where to.}
  few: {type: integer, default: 1, atMost: many, description: A small number.}
  many: {type: number, default: 2, description: A larger one.}
conflicts:
  - {when: {to: "*", few: 0, many: 2}, message: "not so"}
claims:
  - {when: {few: 2}, resource: "bell {many}", without: [x]}
  - {reach: "{to}", port: "{few}"}
  - {listen: "", port: "{few}"}
"#;
}

/// What the bench says of a `module.yaml`; nothing when it takes it.
fn said_of(text: &str) -> String {
    match read(text, ModuleKind::Role) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// [`Ruled`]'s with one text in place of another.
fn with(old: &str, new: &str) -> String {
    assert!(Ruled::METADATA.contains(old), "{old}");
    Ruled::METADATA.replacen(old, new, 1)
}

fn ruled() -> RoleBench<Ruled> {
    RoleBench::new()
}

fn refusal(bench: RoleBench<Ruled>) -> String {
    bench.start().expect_err("a host refuses it").to_string()
}

#[test]
fn rules_that_a_host_would_refuse_are_refused() {
    assert_eq!(said_of(Ruled::METADATA), "");
    for (old, new, expected) in [
        ("\"1.1\"", "\"1.0\"", "write `format: \"1.1\"`"),
        ("\"1.1\"", "\"2.0\"", "`2.0`, is not known here"),
        ("format: address", "format: colour", "colour"),
        ("type: list", "type: path", "options.to"),
        (
            "atMost: many",
            "atMost: to",
            "options.few.atMost: `to` is no other option",
        ),
        (
            "atMost: many",
            "atMost: few",
            "options.few.atMost: `few` is no other option",
        ),
        (
            "{to: \"*\", few: 0, many: 2}",
            "{}",
            "it is empty, so it would always hold",
        ),
        ("to: \"*\"", "from: \"*\"", "no option `from`"),
        ("to: \"*\"", "to: [x]", "expected a value"),
        ("{few: 2}", "{}", "claims[0].when: it is empty"),
        ("bell {many}", "bell {much}", "no option `much`"),
        ("bell {many}", "bell {many", "a `{` is not closed"),
        (
            "resource: \"bell",
            "reach: x, resource: \"bell",
            "one of `resource`",
        ),
        ("listen: \"\", ", "", "one of `resource`"),
        ("\", without", "\", port: 1, without", "has no `port`"),
        ("reach: \"{to}\", port", "listen: x, prt", "prt"),
        (
            "listen: \"\", port: \"{few}\"",
            "listen: x",
            "needs a `port`",
        ),
        (
            "port: \"{few}\"",
            "port: \"{to}\"",
            "no list may stand here",
        ),
        (
            "bell {many}",
            "{to} and {to}",
            "only one list may stand in a pattern",
        ),
        (
            "claims:",
            "interests:\n  - {type: \"{to} and {to}\"}\nclaims:",
            "interests[0].type: only one list may stand in a pattern",
        ),
        (
            "name: ruled",
            "name: ruled.and.ruling",
            "is not the name of a module",
        ),
        (
            "options:",
            "options:\n  role: {type: text, description: One.}",
            "already stands for the name of the role",
        ),
        (
            "options:",
            "options:\n  messageQueueSize: {type: text, description: One.}",
            "every role has an option `messageQueueSize` already",
        ),
        (
            "default: 1,",
            "default: one,",
            "options.few.default: expected a whole number",
        ),
        (
            "default: 1,",
            "default: 1, minimum: 2,",
            "options.few.default: `1` is too small",
        ),
        (
            "default: 1,",
            "default: 1, minimum: 2, maximum: 0,",
            "options.few.maximum",
        ),
        (
            "default: null",
            "default: [no address]",
            "options.to.default",
        ),
        (
            "default: 2,",
            "default: 2, choices: [x],",
            "options.many.choices",
        ),
        ("default: 2,", "default: 012,", "may not start with a zero"),
    ] {
        let said = said_of(&with(old, new));
        assert!(said.contains(expected), "{new}: {said}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_where_they_are() {
    let text =
        with("description: Where to.", "descripton: Where to.").replace("many: 2}", "may: 2}");
    assert_eq!(
        said_of(&text),
        "error: module.yaml:9:3: options.to.description: an option needs the key `description`\n    \
         help: add it; what it is for\n\
         error: module.yaml:9:52: options.to.descripton: an option has no key `descripton`\n    \
         help: did you mean `description`? allowed here: `type`, `default`, `unit`, `minimum`, \
         `maximum`, `choices`, `format`, `schemes`, `atMost` and `description`\n\
         error: module.yaml:13:30: conflicts[0].when.may: the module has no option `may`"
    );
}

#[test]
fn what_a_host_takes_is_taken() {
    for (old, new) in [
        ("version: \"1.0\"", "version: 1.10"),
        ("\"1.1\"", "\"1.7\"\nmoods: [good]"),
        (
            "few: {",
            "name: {type: text, choices: only, default: only, description: One.}\n  few: {",
        ),
        ("bell {many}", "bell {{{many}}}"),
    ] {
        assert_eq!(said_of(&with(old, new)), "", "{new}");
    }
}

struct Braces;

impl Role for Braces {
    type Options = BTreeMap<String, String>;

    fn new(options: Self::Options, host: &RoleHost) -> Result<Self, Error> {
        host.info(&options["label"]);
        Ok(Self)
    }

    fn run(&mut self, _: &RoleHost) -> Result<(), Error> {
        Ok(())
    }
}

impl Described for Braces {
    const METADATA: &'static str = r#"
format: "1.1"
kind: role
name: braces
version: "1.0"
author: Somebody
description: Has braces.
options:
  label: {type: text, default: "{{{role}}}", description: A label.}
interests:
  - {kind: event, type: "{{{label}}}"}
"#;
}

#[test]
fn doubled_braces_are_braces() -> Result<(), Error> {
    let mut bench: StartedRole = RoleBench::<Braces>::new().name("x").start()?;
    assert_eq!(bench.logged()[0].1, "{x}");
    assert!(bench.deliver(Incoming::event("{{x}}")));
    assert!(!bench.deliver(Incoming::event("{x}")));
    Ok(())
}

#[test]
fn options_are_refused_with_a_hosts_words() {
    let bench = ruled()
        .option("to", ["there", "not there"])
        .option("few", 5)
        .option("mnay", 6);
    let said = refusal(bench);
    for expected in [
        "error: options of `ruled`: mnay: a role of type `ruled` has no option `mnay`\n    \
         help: did you mean `many`? allowed here: `type`, `description`, `messageQueueLength`, ",
        "error: options of `ruled`: to: `not there` has a space in it, and no IP address and no name of a \
         host has that\n    \
         help: write an IP address or a host name: `192.0.2.7`, `hall.local:6020` or `[2001:db8::7]:6020`",
        "error: options of `ruled`: few: `few` is 5, which is more than `many`, 2: make it smaller",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn options_mean_what_they_would_in_a_file() {
    for (bench, expected) in [
        (ruled().option("few", "1"), "found the text `1` in quotes"),
        (
            ruled().option("few", 1.0),
            "expected a whole number, found the number `1.0`",
        ),
        (
            ruled().option("few", u64::MAX),
            "it is too large for a number",
        ),
        (
            ruled().option("many", f64::NAN),
            "it is not a finite number",
        ),
        (ruled().option("many", None::<f64>), "it has no value"),
        (ruled().option("many", "3 h"), "expected a number"),
        (
            ruled().option("to", [Some("here"), None]),
            "expected a text in the list, found nothing",
        ),
        (
            ruled().option("to", BTreeMap::from([("here", 1)])),
            "found a mapping",
        ),
        (ruled().option("few", 0).option("to", "here"), "few: not so"),
    ] {
        let said = refusal(bench);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn rules_are_left_to_the_module_by_a_host_that_knows_only_the_first_format() -> Result<(), Error> {
    let bench = ruled().option("to", "no address").option("few", 5);
    bench.older_host().start()?;
    let said = refusal(ruled().option("few", "five").older_host());
    assert!(said.contains("expected a whole number"), "{said}");
    Ok(())
}

/// A role whose users say what it is told of.
struct Listing;

impl Role for Listing {
    type Options = serde::de::IgnoredAny;

    fn new(_: Self::Options, _: &RoleHost) -> Result<Self, Error> {
        Ok(Self)
    }

    fn run(&mut self, _: &RoleHost) -> Result<(), Error> {
        Ok(())
    }
}

impl Described for Listing {
    const METADATA: &'static str = r#"
format: "1.1"
kind: role
name: listing
version: "1.0"
author: Somebody
description: Is told of what its option lists.
options:
  wanted: {type: any, default: [], description: What it wants.}
interests:
  - {from: wanted}
"#;
}

fn wants(option: &str) -> RoleBench<Listing> {
    let patterns = BTreeMap::from([("kind", "event"), (option, "tick")]);
    RoleBench::new().option("wanted", [patterns])
}

#[test]
fn a_role_is_told_of_what_its_option_lists() -> Result<(), Error> {
    let mut bench = wants("type").start()?;
    assert!(bench.deliver(Incoming::event("tick")));
    assert!(!bench.deliver(Incoming::event("tock")));
    assert!(
        !RoleBench::<Listing>::new()
            .start()?
            .deliver(Incoming::event("tick"))
    );
    // A host that knows nothing of such lists.
    let mut older = wants("type").older_host().start()?;
    assert!(older.deliver(Incoming::event("tock")));
    Ok(())
}

#[test]
fn a_mistake_in_such_a_list_is_told() {
    let error = wants("typ").start().unwrap_err().to_string();
    let expected = "wanted[0].typ: an interest has no key `typ`";
    assert!(error.contains(expected), "{error}");
}

/// A role that is a lamp.
struct Lamp;

impl Role for Lamp {
    type Options = serde::de::IgnoredAny;

    fn new(_: Self::Options, _: &RoleHost) -> Result<Self, Error> {
        Ok(Self)
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let Some(order) = host.receive() else {
            return Ok(());
        };
        let on: bool = order.data()?;
        let told = BTreeMap::from([("on", on)]);
        Ok(host.event("lit").channel(host.name()).send(&told)?)
    }
}

impl Described for Lamp {
    const METADATA: &'static str = r#"
format: "1.1"
kind: role
name: lamp
version: "1.0"
author: Somebody
description: Shines.
options:
  channel: {type: text, default: "{role}", description: Its channel.}
interests:
  - {kind: order, type: light, channel: "{channel}"}
faces:
  lamp:
    kind: switch
    state: {event: lit, channel: "{role}"}
    command: {order: light, channel: "{channel}"}
    value: on
  other:
    kind: button
    command: {order: blink, channel: "{channel}"}
"#;
}

#[test]
fn faces_are_told_and_used_as_on_a_host() -> Result<(), Error> {
    let face = BTreeMap::from([("lamp", BTreeMap::from([("name", "Hall")]))]);
    let bench = RoleBench::<Lamp>::new()
        .name("lamp1")
        .option("channel", "hall");
    let mut bench = bench.option("face", face).start()?;
    let names: Vec<_> = bench
        .faces()
        .iter()
        .map(|face| face.name.as_str())
        .collect();
    assert_eq!(names, ["Hall", "lamp1"]);
    for (input, reading) in [(Input::On, Reading::On), (Input::Off, Reading::Off)] {
        assert!(bench.use_face("lamp", input)?);
        bench.run()?;
        let [lit] = bench.sent().try_into().map_err(|_| "not one message")?;
        assert_eq!(bench.shown("lamp", &lit)?, Some(reading));
        assert_eq!(bench.shown("other", &lit)?, None);
    }
    // What the role does not ask for does not come.
    assert!(!bench.use_face("other", Input::Press)?);
    assert!(bench.use_face("lamp", Input::Press).is_err());
    assert!(bench.use_face("fan", Input::On).is_err());
    Ok(())
}

#[test]
fn a_mistake_about_a_face_is_told_and_an_older_host_has_none() -> Result<(), Error> {
    let face = BTreeMap::from([("lmp", BTreeMap::from([("hidden", true)]))]);
    let error = RoleBench::<Lamp>::new()
        .option("face", face)
        .start()
        .unwrap_err()
        .to_string();
    let expected = "face.lmp: a role of type `lamp` has no face `lmp`";
    assert!(error.contains(expected), "{error}");
    assert_eq!(RoleBench::<Lamp>::new().older_host().start()?.faces(), []);
    Ok(())
}
