//! What the shipped modules could do nothing with is found in the file, wherever it is checked.

use kozo_ground::names::NodeName;

use super::reference::shipped;
use super::{Document, KEY_A, KEY_B, Modules, Network, Problems};

/// Two nodes; the second one has these lines below it.
fn file(lines: &str) -> String {
    format!(
        "system:\n  hall:\n    privateKey: key\n    publicKey: {KEY_A}\n    transports: {{tcp: {{address: 192.0.2.1}}}}\n  \
         attic:\n    privateKey: key\n    publicKey: {KEY_B}\n{lines}"
    )
}

fn check(lines: &str, local: Option<&str>) -> Result<(Network, Problems), Problems> {
    let local = local.map(|name| NodeName::new(name).unwrap());
    let document = Document::parse("net.yaml", "/etc/kozo", file(lines).as_bytes())?;
    document.network(&Modules(shipped()), local.as_ref())
}

fn run(lines: &str, local: &str) -> Result<(Network, Problems), Problems> {
    let local = NodeName::new(local).unwrap();
    let document = Document::parse("net.yaml", "/etc/kozo", file(lines).as_bytes())?;
    document.network_to_run(&Modules(shipped()), &local)
}

/// One mistake, whoever checks it, and at which place; a node that is not concerned starts.
#[track_caller]
fn assert_mistake(lines: &str, place: &str, message: &str) {
    for local in [None, Some("hall"), Some("attic")] {
        let problems = check(lines, local).expect_err(lines).to_string();
        let expected = format!("error: net.yaml:{place}: system.attic.{message}");
        assert!(problems.starts_with(&expected), "{local:?}: {problems}");
        assert_eq!(problems.matches("net.yaml").count(), 1, "{problems}");
    }
    run(lines, "attic").expect_err(lines);
    let (_, warnings) = run(lines, "hall").unwrap();
    let expected = format!("warning: net.yaml:{place}: system.attic.{message}");
    assert!(warnings.to_string().starts_with(&expected), "{warnings}");
}

#[test]
fn a_text_of_the_wrong_format_is_refused_with_its_exact_place() {
    assert_mistake(
        "    transports:\n      tcp:\n        address: [192.0.2.5, 'tcp://192.0.2.5:6020']\n",
        "11:30",
        "transports.tcp.address: `tcp://192.0.2.5:6020` begins with `tcp://`: leave that out",
    );
    assert_mistake(
        "    transports: {tcp: {address: 192.0.2.300}}\n",
        "9:33",
        "transports.tcp.address: `192.0.2.300` is no IPv4 address",
    );
    assert_mistake(
        "    transports: {tcp: {address: 192.0.2.7, bindAddress: 999.1.1.1}}\n",
        "9:57",
        "transports.tcp.bindAddress: `999.1.1.1` is no IPv4 address",
    );
    assert_mistake(
        "    transports: {tcp: {address: 192.0.2.7, socksProxy: '9050'}}\n",
        "9:56",
        "transports.tcp.socksProxy: `9050` is no IPv4 address",
    );
    assert_mistake(
        "    transports: {bluetooth: {uuid: not-a-uuid}}\n",
        "9:36",
        "transports.bluetooth.uuid: `not-a-uuid` is no UUID",
    );
    assert_mistake(
        "    transports: {onion: {address: clock.onion}}\n",
        "9:35",
        "transports.onion.address: `clock.onion` has 5 characters before `.onion`",
    );
    assert_mistake(
        "    roles: {logger: {timePrefix: '%H:%M:%S,%L '}}\n",
        "9:34",
        "roles.logger.timePrefix: `%H:%M:%S,%L ` is no format of a time",
    );
    assert_mistake(
        "    roles: {message_injector: {bindAddress: ''}}\n",
        "9:45",
        "roles.message_injector.bindAddress: `` has no host",
    );
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    assert_mistake(
        "    roles:\n      hall: {type: motion-detect, driver: rppal, chip: gpiochip0}\n",
        "10:56",
        "roles.hall.chip: `chip` is for `driver: gpiochip`",
    );
    assert_mistake(
        "    roles:\n      lamp: {type: gpio-output}\n",
        "10:7",
        "roles.lamp: no pin is named",
    );
    assert_mistake(
        "    roles:\n      lamp: {type: gpio-output, pin: 4, pulse: 3, maximumOn: 2}\n",
        "10:48",
        "roles.lamp.pulse: `pulse` is 3, which is more than `maximumOn`, 2",
    );
    // The default is too large for it.
    assert_mistake(
        "    roles:\n      lamp: {type: gpio-output, pin: 4, maximumOn: 0.1}\n",
        "10:52",
        "roles.lamp.maximumOn: `pulse` is 0.5, which is more than `maximumOn`, 0.1",
    );
    assert_mistake(
        "    transports: {tcp: {address: 192.0.2.7, socksProxy: '127.0.0.1:9050', transparentOnion: yes}}\n",
        "9:92",
        "transports.tcp.transparentOnion: `socksProxy` and `transparentOnion` exclude each other",
    );
    assert_mistake(
        "    transports: {onion: {outgoingOnly: true, incomingOnly: true}}\n",
        "9:40",
        "transports.onion.outgoingOnly: `incomingOnly` and `outgoingOnly` exclude each other",
    );
}

#[test]
fn what_is_right_is_let_be() {
    for lines in [
        "    transports: {tcp: {address: [hall.local, '192.0.2.1:7000', '::1'], bindAddress: ''}}\n",
        "    transports: {tcp: {address: 192.0.2.7, bindAddress: 0.0.0.0}}\n",
        "    transports: {tcp: {address: 192.0.2.7, transparentOnion: true}}\n",
        "    roles: {logger: {timePrefix: ''}}\n",
        "    roles: {lamp: {type: gpio-output, line: PA7, chip: gpiochip0}}\n",
        "    roles: {lamp: {type: gpio-output, pin: 4, driver: rppal, maximumOn: 0.5}}\n",
    ] {
        let (_, warnings) =
            check(lines, Some("attic")).unwrap_or_else(|error| panic!("{lines}{error}"));
        assert!(warnings.is_empty(), "{warnings}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_reported_once() {
    let lines = "    roles: {lamp: {type: gpio-output, pin: four, pulse: x, maximumOn: 0.1}}\n";
    let problems = check(lines, None).unwrap_err();
    assert_eq!(problems.iter().count(), 2, "{problems}");
}

#[test]
fn of_another_nodes_addresses_those_that_are_right_are_used() {
    let node = NodeName::new("attic").unwrap();
    let options = |lines: &str| {
        let (network, _) = run(lines, "hall").unwrap();
        network.nodes[&node].transports[0].options.clone()
    };
    let some = options("    transports: {tcp: {address: [192.0.2.300, 192.0.2.3]}}\n").unwrap();
    let texts: Vec<_> = some.value("address").unwrap().texts().collect();
    assert_eq!(texts, ["192.0.2.3"]);
    assert_eq!(
        options("    transports: {tcp: {address: 192.0.2.300}}\n"),
        None
    );
}
