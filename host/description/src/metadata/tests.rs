use kozo_ground::interest::{Kind, Pattern};

use kozo_ground::names::NodeName;

use super::*;
use crate::conflict::{Condition, Conflict, Expected};
use crate::{Format, ModuleOptions};

const GOOD: &str = "\
format: \"1.0\"
kind: role
name: cuckoo
version: 1.10
author: The Kōzō developers
description: Listens for ticks and prints them.
storage: true
options:
  timer: {type: text, default: \"*\", description: The timer to listen to.}
  nodes: {type: list, default: null, description: The nodes to listen to.}
  tick: {type: number, unit: seconds, default: 1, minimum: 0.5, maximum: 60, description: How often.}
  file: {type: path, description: Where to write.}
interests:
  - {kind: event, type: tick, role: \"{timer}\", node: \"{nodes}\"}
  - {kind: order, channel: [\"{role}@{node}\", all]}
";

fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    GOOD.replacen(old, new, 1)
}

fn assert_refused(text: &str, expected: &str) {
    let problems = Metadata::parse(text).unwrap_err();
    assert_eq!(problems.to_string(), expected.trim_start_matches('\n'));
}

fn interests(values: &[(&str, Value)]) -> Vec<Interest> {
    let options: ModuleOptions = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let node = NodeName::new("scribe").unwrap();
    let role = RoleName::new("bird").unwrap();
    Metadata::parse(GOOD)
        .unwrap()
        .interests(&options, node.as_str(), &role)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn patterns(texts: &[&str]) -> Option<Vec<Pattern>> {
    Some(texts.iter().map(|&text| Pattern::new(text)).collect())
}

#[test]
fn a_module_says_who_it_is_and_what_it_takes() {
    let metadata = Metadata::parse(GOOD).unwrap();
    assert_eq!(metadata.kind, ModuleKind::Role);
    assert_eq!(metadata.name.as_str(), "cuckoo");
    assert_eq!(metadata.version, "1.10");
    assert_eq!(metadata.author, "The Kōzō developers");
    assert_eq!(metadata.description, "Listens for ticks and prints them.");
    assert!(metadata.storage);
    let names: Vec<_> = metadata
        .options
        .iter()
        .map(|option| option.name.as_str())
        .collect();
    assert_eq!(names, ["timer", "nodes", "tick", "file"]);
    let tick = metadata.option("tick").unwrap();
    assert_eq!(tick.kind, ValueKind::Number);
    assert_eq!(tick.default, DefaultValue::Value(Value::Number(1.0)));
    assert_eq!(tick.range(), "from 0.5 to 60 seconds");
    assert_eq!(
        metadata.option("nodes").unwrap().default,
        DefaultValue::None
    );
    assert_eq!(
        metadata.option("file").unwrap().default,
        DefaultValue::Required
    );
}

#[test]
fn interests_take_the_values_of_options() {
    let found = interests(&[
        ("timer", text("timer*")),
        ("nodes", Value::List(vec![text("a"), text("b")])),
    ]);
    assert_eq!(
        found,
        [
            Interest {
                kind: Some(Kind::Event),
                type_name: patterns(&["tick"]),
                role: patterns(&["timer*"]),
                node: patterns(&["a", "b"]),
                ..Interest::default()
            },
            Interest {
                kind: Some(Kind::Order),
                channel: patterns(&["bird@scribe", "all"]),
                ..Interest::default()
            },
        ]
    );
}

#[test]
fn an_option_without_a_value_makes_its_field_fit_everything() {
    let found = interests(&[("timer", text("*")), ("nodes", Value::Null)]);
    assert_eq!(found[0].node, None);
}

#[test]
fn an_empty_list_makes_its_field_fit_nothing() {
    let found = interests(&[("timer", text("*")), ("nodes", Value::List(vec![]))]);
    assert_eq!(found[0].node, Some(vec![]));
}

#[test]
fn a_list_may_have_nothing_in_it_where_that_is_its_default() {
    let metadata = Metadata::parse(&with(
        "interests:",
        "  birds:\n    type: list\n    default: []\n    description: Which.\ninterests:",
    ));
    let birds = metadata.unwrap().option("birds").unwrap().default.clone();
    assert!(matches!(birds, DefaultValue::Value(Value::List(list)) if list.is_empty()));
}

#[test]
fn defaults_take_the_names_of_where_they_are_used() {
    let metadata = Metadata::parse(&with("default: \"*\"", "default: \"{role}@{node} {{x}}\""));
    let metadata = metadata.unwrap();
    let timer = metadata.option("timer").unwrap();
    assert_eq!(
        timer.default_for("scribe", "bird", Some(Path::new("/etc"))),
        text("bird@scribe {x}")
    );
    let logs = with("{type: path,", "{type: path, default: \"{node}.log\",");
    let metadata = Metadata::parse(&logs).unwrap();
    let file = metadata.option("file").unwrap();
    assert_eq!(
        file.default_for("scribe", "bird", Some(Path::new("/etc/kozo"))),
        text("/etc/kozo/scribe.log")
    );
}

#[test]
fn a_later_minor_format_may_have_keys_that_are_not_known() {
    let text = with("\"1.0\"", "\"1.2\"")
        .replace("storage: true", "storage: true\ncolour: red")
        .replace("type: tick,", "type: tick, colour: red,");
    let metadata = Metadata::parse(&text).unwrap();
    assert_eq!(metadata.options.len(), 4);
}

#[test]
fn a_later_major_format_is_refused_without_guesses() {
    assert_refused(
        "format: \"2.0\"\nshape: round\n",
        "error: metadata:1:9: format: the format of this metadata, `2.0`, is not known here\n    \
         help: write 1.1; a module with a later one needs a later Kōzō",
    );
}

#[test]
fn everything_wrong_is_listed_at_once() {
    let text = "\
format: \"1.0\"
kind: job
name: a/b
version: [1]
colour: red
options:
  node: {type: text, default: x, description: Taken.}
  9lives: {type: text, default: x, description: Badly named.}
  size: {type: size, description: Of no type.}
  tick: {type: number, default: 99, minimum: 5, maximum: 1, unit: s, description: Impossible.}
  flag: {type: boolean, default: maybe, minimum: 1, choices: [a], description: Confused.}
  mode: {type: text, default: c, choices: [a, b], description: Not its own choice.}
  label: {type: text, default: \"{tick}\", description: Not a name.}
  brace: {type: text, default: \"{\", description: Not closed.}
  bare:
interests:
  - {kind: noise, type: \"{missing}\", rolle: x}
  - tick
";
    assert_refused(
        text,
        r#"
error: metadata:1:1: author: metadata needs the key `author`
    help: add it; who wrote it
error: metadata:1:1: description: metadata needs the key `description`
    help: add it; what it does
error: metadata:2:7: kind: `job` is not one of the possible values
    help: write `role`, `transport` or `bus`
error: metadata:3:7: name: `a/b` is not the name of a module: '/' may not stand in a name: use letters, digits, `_` and `-`
error: metadata:4:10: version: expected a text, found a list
    help: write a text
error: metadata:5:1: colour: metadata has no key `colour`
    help: allowed here: `format`, `kind`, `name`, `version`, `author`, `description`, `storage`, `options` and `interests`
error: metadata:7:3: options.node: `{node}` already stands for the name of the node
    help: choose another name
error: metadata:8:3: options.9lives: `9lives` is not the name of an option: use a letter, then letters, digits, `_` and `-`, 64 at most
error: metadata:9:16: options.size.type: `size` is not one of the possible values
    help: write `boolean`, `integer`, `number`, `text`, `path`, `list` or `any`
error: metadata:10:33: options.tick.default: `99` is too large: the most is 1 s
    help: write a number from 5 to 1 s
error: metadata:10:58: options.tick.maximum: it is smaller than `minimum`, 5, so no value fits
error: metadata:11:34: options.flag.default: expected `true` or `false`, found the text `maybe`
    help: write `true` or `false`
error: metadata:11:41: options.flag.minimum: only a number may have this, not an option of type `boolean`
error: metadata:11:53: options.flag.choices: only a text or a list may have this, not an option of type `boolean`
error: metadata:12:31: options.mode.default: `c` is not one of the possible values
    help: write `a` or `b`
error: metadata:13:32: options.label.default: `{tick}` stands for nothing in a default
    help: `{node}` and `{role}` do; write `{{` and `}}` for braces
error: metadata:14:32: options.brace.default: a `{` is not closed: write `{name}`, or `{{` for a brace
error: metadata:15:3: options.bare.type: an option needs the key `type`
    help: add it; the type of its value
error: metadata:15:3: options.bare.description: an option needs the key `description`
    help: add it; what it is for
error: metadata:17:12: interests[0].kind: `noise` is not one of the possible values
    help: write `event`, `order` or `log`
error: metadata:17:25: interests[0].type: the module has no option `missing`
    help: in braces may stand `node`, `9lives`, `size`, `tick`, `flag`, `mode`, `label`, `brace`, `bare`, `node` and `role`
error: metadata:17:38: interests[0].rolle: an interest has no key `rolle`
    help: did you mean `role`? allowed here: `kind`, `type`, `channel`, `role` and `node`
error: metadata:18:5: interests[1]: expected a mapping of options, found the text `tick`
    help: write `name: value` lines, indented below the name of the block"#,
    );
}

#[test]
fn a_transport_has_no_interests_and_no_storage() {
    assert_refused(
        &with("kind: role", "kind: transport").replace("\"{role}@{node}\"", "x"),
        r#"
error: metadata:7:1: storage: only a role may have this
error: metadata:13:1: interests: only a role may have this"#,
    );
}

#[test]
fn a_bus_needs_the_format_that_it_came_with_and_has_nothing_of_a_role() {
    let bus = with("kind: role", "kind: bus").replace("\"{role}@{node}\"", "x");
    let bus = bus.replace("format: \"1.0\"", "format: \"1.1\"");
    assert_refused(
        &bus,
        r#"
error: metadata:7:1: storage: only a role may have this
error: metadata:13:1: interests: only a role may have this"#,
    );
    let (bus, _) = bus.split_once("interests:").unwrap();
    let bus = bus.replace("storage: true\n", "");
    let metadata = Metadata::parse(&bus).unwrap();
    assert_eq!(metadata.kind, ModuleKind::Bus);
    assert_eq!(metadata.options.len(), 4);
    let options = "options:\n  bus: {type: text, description: x}\n  subjectSecretFile: {type: path, description: x}\n";
    assert_refused(
        &bus.replace("options:\n", options),
        r#"
error: metadata:8:3: options.bus: `{bus}` already stands for the name of the bus
    help: choose another name
error: metadata:9:3: options.subjectSecretFile: every bus has an option `subjectSecretFile` already
    help: choose another name"#,
    );
    assert_refused(
        &bus.replace("\"1.1\"", "\"1.0\""),
        r#"
error: metadata:2:7: kind: a bus needs the format 1.1: write `format: "1.1"`"#,
    );
}

#[test]
fn an_option_may_not_have_the_name_of_one_that_every_role_has() {
    assert_refused(
        &with("  file:", "  acceptOrdersFrom:"),
        r#"
error: metadata:12:3: options.acceptOrdersFrom: every role has an option `acceptOrdersFrom` already
    help: choose another name"#,
    );
}

#[test]
fn a_pattern_takes_one_list_and_nothing_shapeless() {
    assert_refused(
        &with("node: \"{nodes}\"", "node: \"{nodes}-{nodes}\"")
            .replace("type: tick", "type: \"{file}\"")
            .replace("{type: path,", "{type: any,"),
        r#"
error: metadata:14:25: interests[0].type: the option `file` is of type `any`, which is no pattern
error: metadata:14:58: interests[0].node: only one list may stand in a pattern"#,
    );
}

#[test]
fn metadata_that_is_none_is_refused() {
    assert_refused("", "error: metadata: the metadata is empty");
    assert_refused(
        "- a\n",
        "error: metadata:1:1: expected a mapping of options, found a list\n    help: write `name: \
         value` lines, indented below the name of the block",
    );
    assert_refused(
        &"#".repeat(MAX_METADATA_SIZE + 1),
        "error: metadata: the metadata is larger than 65536 bytes",
    );
}

#[test]
fn too_many_options_and_interests_are_refused() {
    let options = (0..=MAX_OPTIONS).fold("options:\n".to_owned(), |text, number| {
        format!("{text}  o{number}: {{type: text, description: One of many.}}\n")
    });
    let interests = format!(
        "interests:\n{}",
        "  - {type: x}\n".repeat(MAX_INTERESTS + 1)
    );
    let head = GOOD.split_once("options:").unwrap().0;
    let problems = Metadata::parse(&format!("{head}{options}{interests}")).unwrap_err();
    let messages: Vec<_> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "a module may have 256 options at most",
            "a role may have 256 interests at most"
        ]
    );
}

#[test]
fn a_report_can_be_given_the_name_of_the_modules_file() {
    let problems = Metadata::parse("").unwrap_err().about("libtimer.so");
    assert_eq!(
        problems.to_string(),
        "error: libtimer.so: the metadata is empty"
    );
}

/// `GOOD` in the format that has added formats of texts and conflicts.
fn newer(option: &str, more: &str) -> String {
    let options = format!("options:\n  {option}\n");
    with("\"1.0\"", "\"1.1\"").replace("options:\n", &options) + more
}

#[test]
fn formats_of_texts_and_conflicts_are_read() {
    let metadata = Metadata::parse(&newer(
        "address: {type: list, default: null, format: address, description: Where.}\n  \
         listen: {type: text, default: \"\", format: listening-address, description: Where.}\n  \
         most: {type: number, default: 9, atMost: tick, description: How many.}",
        "conflicts:\n  - {when: {address: \"*\", nodes: null, timer: a*, listen: {loopback: false}}, message: \"not both\"}\n",
    ))
    .unwrap();
    assert_eq!(
        metadata.option("address").unwrap().format,
        Some(Format::Address)
    );
    assert_eq!(
        metadata.option("most").unwrap().at_most.as_deref(),
        Some("tick")
    );
    let condition = |option: &str, value: Expected| Condition {
        option: option.to_owned(),
        value,
    };
    let fitting = |text: &str| Expected::Fitting(Pattern::new(text));
    assert_eq!(
        metadata.conflicts,
        [Conflict {
            when: vec![
                condition("address", fitting("*")),
                condition("nodes", Expected::Nothing),
                condition("timer", fitting("a*")),
                condition("listen", Expected::Loopback(false)),
            ],
            message: "not both".to_owned(),
        }]
    );
}

#[test]
fn the_rules_of_the_guide_for_authors_are_read() {
    let guide = include_str!("../../../../docs/modules.md");
    let (_, block) = guide.split_once("```yaml rules\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let head =
        "kind: role\nname: doorbell\nversion: \"1\"\nauthor: Somebody\ndescription: Rings.\n";
    let metadata = Metadata::parse(&format!("{head}{block}")).unwrap();
    assert_eq!(metadata.conflicts.len(), 2);
    assert_eq!(metadata.claims.len(), 1);
    // Every format is explained.
    for (name, _) in Format::ALL {
        assert!(guide.contains(&format!("\n  | `{name}` | ")), "{name}");
    }
}

#[test]
fn what_came_with_a_later_format_is_refused_in_an_earlier_one_and_skipped_in_an_unknown_one() {
    let option = "address: {type: text, default: null, format: address, description: Where.}";
    let conflicts = "conflicts:\n  - {when: {timer: x}, message: no}\n";
    let text = newer(option, conflicts);
    let problems = Metadata::parse(&text.replace("\"1.1\"", "\"1.0\"")).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "error: metadata:9:40: options.address.format: an option has no key `format`\n    \
         help: it is a key of the format 1.1: write `format: \"1.1\"`\n\
         error: metadata:17:1: conflicts: metadata has no key `conflicts`\n    \
         help: it is a key of the format 1.1: write `format: \"1.1\"`"
    );
    let later = text
        .replace("\"1.1\"", "\"1.2\"")
        .replace("format: address", "format: colour");
    let later = later + "claims:\n  - {resource: \"{timer}\"}\n  - {colour: \"{timer}\"}\n";
    let metadata = Metadata::parse(&later).unwrap();
    assert_eq!(metadata.claims.len(), 1);
    assert_eq!(metadata.option("address").unwrap().format, None);
    assert_eq!(metadata.conflicts.len(), 1);
}

#[test]
fn formats_and_conflicts_that_can_mean_nothing_are_refused() {
    assert_refused(
        &newer(
            "a: {type: integer, default: 1, format: uuid, description: x}\n  \
             b: {type: text, default: x, format: uuid, description: x}\n  \
             c: {type: text, format: colour, description: x}\n  \
             d: {type: integer, atMost: timer, description: x}",
            "conflicts:\n  - {when: {}, message: x}\n  - {when: {e: 1}, message: x}\n  - {when: {a: [1]}}\n  \
             - {when: {b: {loopback: true}}, message: x}\n  - {when: {c: {loopback: maybe}}, message: x}\n",
        ),
        r#"
error: metadata:9:34: options.a.format: only a text, a list or a path may have this, not an option of type `integer`
error: metadata:10:28: options.b.default: `x` is no UUID: `uuidgen` makes one
error: metadata:11:27: options.c.format: `colour` is no format of a text
    help: write `address`, `listening-address`, `listening-endpoint`, `endpoint`, `url`, `onion-address`, `bluetooth-address`, `uuid`, `strftime` or `file`
error: metadata:12:30: options.d.atMost: `timer` is no other option with a number
error: metadata:21:5: conflicts[0].when: it is empty, so it would always hold
error: metadata:22:13: conflicts[1].when.e: the module has no option `e`
error: metadata:23:5: conflicts[2].message: a conflict needs the key `message`
    help: add it; what is wrong, and what to do
error: metadata:23:16: conflicts[2].when.a: expected a value
    help: write one, `"*"` for any or `null` for none; of an address to listen on also `{loopback: true}` or `{loopback: false}`
error: metadata:24:16: conflicts[3].when.b: `b` has no format of an address to listen on
error: metadata:25:27: conflicts[4].when.c: expected `true` or `false`"#,
    );
}

#[test]
fn only_a_path_names_a_file_that_is_read() {
    let option = |kind: &str, format: &str| {
        newer(
            &format!("a: {{type: {kind}, default: null, format: {format}, description: x}}"),
            "",
        )
    };
    let metadata = Metadata::parse(&option("path", "file")).unwrap();
    assert_eq!(metadata.option("a").unwrap().format, Some(Format::File));
    for (kind, format, expected) in [
        (
            "path",
            "uuid",
            "options.a.format: a path has no format but `file`",
        ),
        (
            "text",
            "file",
            "options.a.format: only a path may have the format `file`",
        ),
    ] {
        let problems = Metadata::parse(&option(kind, format)).unwrap_err();
        assert!(problems.to_string().ends_with(expected), "{problems}");
    }
}

#[test]
fn a_url_has_one_of_the_schemes_that_the_option_names() {
    let option = |schemes: &str| {
        let text = format!(
            "a: {{type: list, default: null, format: url, {schemes}description: Where.}}\n  \
             b: {{type: text, default: null, description: x}}"
        );
        newer(&text, "")
    };
    let metadata = Metadata::parse(&option("schemes: [mqtt, mqtts], ")).unwrap();
    let spec = metadata.option("a").unwrap();
    assert_eq!(spec.schemes, ["mqtt", "mqtts"]);
    assert_eq!(
        spec.format_in_words().as_deref(),
        Some("URL with `mqtt` or `mqtts`")
    );
    assert!(Format::Url.check("mqtt://hub:1883", &spec.schemes).is_ok());
    let error = Format::Url.check("http://hub", &spec.schemes).unwrap_err();
    assert_eq!(
        error,
        "`http://hub` has a scheme that is not known here: begin with `mqtt://` or `mqtts://`"
    );
    assert_eq!(
        Format::Url.advice_with(&spec.schemes),
        "write a scheme, `://`, a host and perhaps a port: `mqtt://hall.local`, say"
    );
    assert_eq!(Format::Url.advice_with(&[]), Format::Url.advice());
    let any = Metadata::parse(&option("")).unwrap();
    assert!(
        Format::Url
            .check("http://hub", &any.option("a").unwrap().schemes)
            .is_ok()
    );
    assert_refused(
        &option("schemes: [\"Http://\"], ").replace("b: {type", "b: {schemes: [a], type"),
        r#"
error: metadata:9:56: options.a.schemes: `Http://` is no scheme: write it in lower case, without `://`
error: metadata:10:7: options.b.schemes: only what has the format `url` may have this"#,
    );
}

#[test]
fn claims_that_can_mean_nothing_are_refused() {
    assert_refused(
        &newer(
            "a: {type: list, default: null, description: x}\n  b: {type: any, default: null, description: x}",
            "claims:\n  - {}\n  - {resource: x, reach: x}\n  - {resource: x, port: '1'}\n  - {listen: x}\n  \
             - {resource: '{e} {b}'}\n  - {reach: '{a} {a}', port: '{a}'}\n  - {reach: x, when: {}}\n",
        ),
        r#"
error: metadata:19:5: claims[0]: it takes one of `resource`, `network`, `listen` and `reach`
error: metadata:20:5: claims[1]: it takes one of `resource`, `network`, `listen` and `reach`
error: metadata:21:5: claims[2]: a `resource` has no `port`
error: metadata:22:5: claims[3]: `listen` needs a `port`
error: metadata:23:16: claims[4].resource: the module has no option `e`
    help: in braces may stand `a`, `b`, `timer`, `nodes`, `tick` and `file`
error: metadata:23:16: claims[4].resource: the option `b` is of type `any`, which is no pattern
error: metadata:24:13: claims[5].reach: only one list may stand in a pattern
error: metadata:24:30: claims[5].port: no list may stand here
error: metadata:25:5: claims[6].when: it is empty, so it would always hold"#,
    );
}
