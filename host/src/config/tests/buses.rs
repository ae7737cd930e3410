//! Buses, and the nodes that are on them.

use std::path::Path;

use kozo_ground::names::BusName;

use super::*;
use crate::config::{Meaning, Reach};

/// Two nodes on a bus, of which one is in the mesh as well, and a third in the mesh alone.
const BUSES: &str = "\
buses:
  fleet:
    type: engine
    servers: [one.example:4222, two.example:4222]
    subjectSecretFile: secret
    description: all over the fields
system:
  clock:
    privateKey: key
    publicKey: KEY_A
    transports:
      tcp:
        address: clock.local
      fleet: {}
  scribe:
    privateKey: key
    publicKey: KEY_B
    transports:
      fleet: {passwordFile: pass, patience: 2}
  house:
    privateKey: key
    publicKey: KEY_C
    transports: {tcp: {address: h}}
";

const KEY_C: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPDP7uMzy+22Z87nzp0Z9PkNGTmc6cF4Ba5y4AzeSR23";

fn changed(old: &str, new: &str) -> String {
    assert!(BUSES.contains(old), "{old}");
    BUSES.replacen(old, new, 1).replace("KEY_C", KEY_C)
}

fn read(text: &str) -> Network {
    network(&text.replace("KEY_C", KEY_C))
}

fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn reach(network: &Network, one: &str, other: &str) -> String {
    let (one, other) = (name(one), name(other));
    let found = network.reach(&one, &other);
    assert_eq!(found, network.reach(&other, &one), "{one}, {other}");
    match found {
        Reach::Links => "links".to_owned(),
        Reach::Bus(bus) => bus.to_string(),
        Reach::Not => "not".to_owned(),
    }
}

#[test]
fn a_bus_is_described_once_and_nodes_are_on_it() {
    let network = read(BUSES);
    let [bus] = &network.buses[..] else {
        panic!("{:?}", network.buses);
    };
    assert_eq!(bus.name.as_str(), "fleet");
    assert_eq!(bus.module.as_str(), "engine");
    assert_eq!(bus.description.as_deref(), Some("all over the fields"));
    let secret = bus.subject_secret_file.as_deref();
    assert_eq!(secret, Some(Path::new("/etc/kozo/secret")));

    let clock = &network.nodes["clock"];
    assert_eq!(clock.transports.len(), 1);
    let [on] = &clock.buses[..] else {
        panic!("{:?}", clock.buses);
    };
    let options = on.options.as_ref().unwrap();
    let text = |name: &str| options.value(name).unwrap().to_string();
    assert_eq!(text("servers"), "[one.example:4222, two.example:4222]");
    assert_eq!(text("user"), "clock");
    assert_eq!(text("patience"), "5");
    // Those of the file itself are not the module's.
    assert!(options.value("type").is_none() && options.value("subjectSecretFile").is_none());
}

#[test]
fn only_who_speaks_with_a_bus_uses_its_module() {
    let text = changed(
        "{tcp: {address: h}}",
        "{tcp: {address: h}, fleet: {through: clock}}",
    );
    let document = Document::parse("net.yaml", "/etc/kozo", text.as_bytes()).unwrap();
    let used = |node: &str| -> Vec<_> { document.modules_of(&name(node)).into_iter().collect() };
    assert_eq!(used("clock"), ["engine", "tcp"]);
    assert_eq!(used("scribe"), ["engine"]);
    assert_eq!(used("house"), ["tcp"]);
}

#[test]
fn only_who_speaks_with_a_bus_reads_the_files_of_its_module() {
    let files = |text: &str, node: &str| -> Vec<(String, String)> {
        let text = text.replace("KEY_A", KEY_A).replace("KEY_B", KEY_B);
        let document = Document::parse("net.yaml", "/etc/kozo", text.as_bytes()).unwrap();
        let given = document.given(Modules::all(), &name(node)).into_iter();
        let files = given.filter(|given| given.meaning == Meaning::File);
        files
            .map(|given| (given.path, given.text.to_owned()))
            .collect()
    };
    let text = changed(
        "    subjectSecretFile",
        "    tokenFile: of-all\n    subjectSecretFile",
    );
    let of_bus = ("buses.fleet.tokenFile".to_owned(), "of-all".to_owned());
    assert_eq!(files(&text, "clock"), [of_bus]);
    let text = text.replace("passwordFile: pass", "tokenFile: own");
    let own = "system.scribe.transports.fleet.tokenFile".to_owned();
    assert_eq!(files(&text, "scribe"), [(own, "own".to_owned())]);
    let text = text.replace("fleet: {}", "fleet: {through: scribe}");
    assert_eq!(files(&text, "clock"), []);
    assert_eq!(files(&text, "house"), []);
}

#[test]
fn a_node_may_have_options_of_the_bus_for_itself() {
    let network = read(BUSES);
    let on = &network.nodes["scribe"].buses[0];
    let options = on.options.as_ref().unwrap();
    let text = |name: &str| options.value(name).unwrap().to_string();
    assert_eq!(text("servers"), "[one.example:4222, two.example:4222]");
    assert_eq!(text("passwordFile"), "/etc/kozo/pass");
    assert_eq!(text("patience"), "2");
    assert_eq!(text("user"), "scribe");
}

#[test]
fn a_bus_carries_everything_between_those_on_it() {
    let network = read(BUSES);
    assert_eq!(reach(&network, "clock", "scribe"), "fleet");
    assert_eq!(reach(&network, "clock", "house"), "links");
    assert_eq!(reach(&network, "scribe", "house"), "not");
    let links = |node: &str| -> Vec<_> {
        let linked = network.linked_with(&name(node)).into_iter();
        linked.map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(links("clock"), ["house"]);
    assert_eq!(links("scribe"), [""; 0]);
    let bus = BusName::new("fleet").unwrap();
    let receivers = network.receivers_on(&bus, &name("clock"));
    let receivers: Vec<_> = receivers.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(receivers, ["scribe"]);
    assert!(network.receivers_on(&bus, &name("house")).is_empty());
}

#[test]
fn nodes_on_a_bus_may_have_links_in_spite_of_it() {
    let text = changed(
        "fleet: {passwordFile: pass, patience: 2}",
        "tcp: {address: s}\n      fleet: {}",
    );
    assert_eq!(reach(&network(&text), "clock", "scribe"), "fleet");
    let text = text.replacen("KEY_B\n", "KEY_B\n    direct: cl*\n", 1);
    assert_eq!(reach(&network(&text), "clock", "scribe"), "links");
}

#[test]
fn a_gateway_and_those_behind_it_have_links() {
    let text = changed(
        "transports: {tcp: {address: h}}",
        "transports: {tcp: {address: h}, fleet: {through: clock}}",
    );
    let network = network(&text);
    let house = &network.nodes["house"];
    assert_eq!(house.buses[0].through, [name("clock")]);
    assert_eq!(reach(&network, "clock", "house"), "links");
    assert_eq!(reach(&network, "scribe", "house"), "fleet");
}

#[test]
fn policies_hold_on_a_bus_as_well() {
    let text = changed("KEY_B\n", "KEY_B\n    othersToSelfConnectPolicy: never\n");
    let network = network(&text);
    let (clock, scribe) = (name("clock"), name("scribe"));
    assert!(!network.may_send(&clock, &scribe));
    assert!(network.may_send(&scribe, &clock));
    let bus = BusName::new("fleet").unwrap();
    assert!(network.receivers_on(&bus, &clock).is_empty());
    assert_eq!(network.receivers_on(&bus, &scribe).len(), 1);
}

#[test]
fn mistakes_in_the_block_of_a_bus_are_told_once() {
    assert_report(
        &changed(
            "servers: [one.example:4222, two.example:4222]",
            "patience: 0",
        ),
        r#"
error: net.yaml:2:3: buses.fleet.servers: a bus of type `engine` needs the option `servers`
    help: add it; where the engine is
error: net.yaml:4:15: buses.fleet.patience: `0` is too small: the least is 1 seconds
    help: write a number from 1 to 60 seconds"#,
    );
    assert_report(
        &changed("one.example:4222,", "one.example,"),
        r#"
error: net.yaml:4:15: buses.fleet.servers: `one.example` has no port: write `host:port`
    help: write a host and a port: `127.0.0.1:9050`, say"#,
    );
}

#[test]
fn mistakes_of_a_node_are_told_in_its_block() {
    assert_report(
        &changed("patience: 2", "patience: 99, tokenFile: t, speed: 1"),
        r#"
error: net.yaml:19:45: system.scribe.transports.fleet.patience: `99` is too large: the most is 60 seconds
    help: write a number from 1 to 60 seconds
error: net.yaml:19:60: system.scribe.transports.fleet.tokenFile: `passwordFile` and `tokenFile` are two ways to log in: remove one of the two
error: net.yaml:19:63: system.scribe.transports.fleet.speed: a node on the bus `fleet` has no option `speed`
    help: allowed here: `through`, `servers`, `user`, `passwordFile`, `tokenFile` and `patience`"#,
    );
}

#[test]
fn what_holds_for_all_on_a_bus_stands_in_its_block() {
    assert_report(
        &changed("patience: 2", "type: tcp, subjectSecretFile: s"),
        r#"
error: net.yaml:19:35: system.scribe.transports.fleet.type: a node on the bus `fleet` has no option `type`
    help: `fleet` is a bus of this file: remove the option, or call this block otherwise if it is another transport
error: net.yaml:19:46: system.scribe.transports.fleet.subjectSecretFile: a node on the bus `fleet` has no option `subjectSecretFile`
    help: `subjectSecretFile` belongs in the block of the bus: it holds for all on it"#,
    );
}

#[test]
fn a_bus_is_not_named_as_the_type_of_a_transport() {
    assert_report(
        &changed(
            "{tcp: {address: h}}",
            "{a: {type: fleet}, b: {type: engine}}",
        ),
        r#"
error: net.yaml:23:28: system.house.transports.a.type: there is no transport module `fleet` on this machine
    help: `fleet` is a bus of this file: call the block `fleet`, without `type`, to be on it
error: net.yaml:23:46: system.house.transports.b.type: the transport module `engine` cannot be used: it is a bus module
    help: describe the bus in a block below `buses`, at the root of the file, and name that block here"#,
    );
}

#[test]
fn a_bus_that_nobody_is_on_or_that_is_called_as_a_transport_is_told() {
    assert_report(
        &changed("buses:\n", "buses:\n  tcp: {type: engine, servers: 'a:1', user: y}\n  idle: {type: engine, servers: 'a:1', user: x}\n")
            .replace("tcp:\n        address: clock.local", "tcp:")
            .replace("transports: {tcp: {address: h}}", "transports: {}"),
        r#"
warning: net.yaml:2:3: buses.tcp: `tcp` is the name of a transport, too
    help: blocks called `tcp` below `transports` mean the bus: call it otherwise, so that nobody takes them for the transport
warning: net.yaml:3:3: buses.idle: no node is on this bus
    help: add `idle: {}` to the `transports` of its nodes"#,
    );
}

#[test]
fn a_module_that_is_missing_is_told_in_the_block_of_the_bus() {
    assert_report(
        &changed("type: engine", "type: other"),
        r#"
error: net.yaml:3:11: buses.fleet.type: there is no bus module `other` on this machine
    help: name an installed module with `type`, or the folder of this one with `transportPath`; looked in `/usr/lib/kozo/roles`"#,
    );
}

#[test]
fn gateways_are_nodes_that_speak_with_the_bus() {
    let through = |names: &str| {
        changed(
            "{tcp: {address: h}}",
            &format!("{{tcp: {{address: h}}, fleet: {{through: {names}}}}}"),
        )
    };
    let said = |names: &str| report(&through(names));
    assert_report(
        &through("[clok, house, scribe, clock, clock]"),
        r#"
error: net.yaml:23:55: system.house.transports.fleet.through: no node of this file is called `clok`
    help: did you mean `clock`? name a node with `fleet: {}` among its `transports`
error: net.yaml:23:61: system.house.transports.fleet.through: a node cannot be its own gateway
    help: name another node, or remove the option if this one speaks with the bus itself
error: net.yaml:23:68: system.house.transports.fleet.through: there can be no link with `scribe`: `scribe` has no transport that makes any
    help: give both a transport, such as `tcp`, besides the bus
warning: net.yaml:23:83: system.house.transports.fleet.through: `clock` is named twice
    help: remove one of them"#,
    );
    assert!(said("[]").contains("it names no gateway"), "{}", said("[]"));
    let behind = through("clock").replace("fleet: {}\n", "fleet: {through: house}\n");
    let said = report(&behind);
    assert!(
        said.contains("`clock` does not speak with the bus `fleet` itself, but through others"),
        "{said}"
    );
    let elsewhere = through("clock").replace("      fleet: {}\n", "");
    let said = report(&elsewhere);
    assert!(said.contains("`clock` is not on the bus `fleet`"), "{said}");
    let never = "    selfToOthersConnectPolicy: never\n    othersToSelfConnectPolicy: never\n";
    let said = report(&through("clock").replacen("KEY_A\n", &format!("KEY_A\n{never}"), 1));
    assert!(
        said.contains("the policies of the file let no link be made with `clock`"),
        "{said}"
    );
}

#[test]
fn direct_names_nodes_that_there_can_be_links_with() {
    assert_report(
        &changed("KEY_A\n", "KEY_A\n    direct: [scribe, hose, h*]\n").replacen(
            "KEY_B\n",
            "KEY_B\n    direct: clock\n",
            1,
        ),
        r#"
warning: net.yaml:11:13: system.clock.direct: there can be no link with `scribe`: it has no transport that makes any
    help: give it a transport, such as `tcp`, besides the bus
warning: net.yaml:11:13: system.clock.direct: no node of this file fits `hose`
    help: check the name: nobody is reached by links for it
warning: net.yaml:19:13: system.scribe.direct: there can be no link with `clock`: this node has no transport that makes any
    help: give it a transport, such as `tcp`, besides the bus"#,
    );
}

#[test]
fn two_users_of_an_engine_with_one_name_are_told() {
    assert_report(
        &changed("patience: 2", "user: clock"),
        r#"
warning: net.yaml:19:41: system.scribe.transports.fleet.user: the user clock of the engine is used twice in this network: by `system.clock.transports.fleet` on line 14, and here
    help: only one can have it: use another one here"#,
    );
}

#[test]
fn the_first_bus_of_the_file_that_both_are_on_carries() {
    let two = changed(
        "buses:\n",
        "buses:\n  second: {type: engine, servers: 'a:1'}\n",
    )
    .replace("fleet: {}\n", "fleet: {}\n      second: {user: s}\n")
    .replace("patience: 2}", "patience: 2}\n      second: {user: t}");
    assert_eq!(reach(&network(&two), "clock", "scribe"), "second");
}
