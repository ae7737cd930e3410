//! What two have that only one can is told, with both places.

use super::reference::shipped;
use super::{Document, KEY_A, KEY_B, Modules};

/// The warnings for two nodes with these lines below them; there are no errors.
#[track_caller]
fn warnings(hall: &str, attic: &str) -> Vec<String> {
    let file = format!(
        "system:\n  hall:\n    privateKey: key\n    publicKey: {KEY_A}\n{hall}  \
         attic:\n    privateKey: key\n    publicKey: {KEY_B}\n{attic}"
    );
    let document = Document::parse("net.yaml", "/etc/kozo", file.as_bytes()).unwrap();
    let modules = Modules(shipped());
    let (_, warnings) = document
        .network(&modules, None)
        .unwrap_or_else(|error| panic!("{error}"));
    warnings
        .iter()
        .map(|warning| {
            let place = warning.place.unwrap();
            let (line, column) = (place.line, place.column);
            format!("{line}:{column}: {}: {}", warning.path, warning.message)
        })
        .collect()
}

/// Roles of the first node, one a line from line 6 on.
fn roles(roles: &[&str]) -> Vec<String> {
    let lines = roles.iter().map(|role| format!("      {role}\n"));
    warnings(&format!("    roles:\n{}", lines.collect::<String>()), "")
}

/// Transports of the first node in the same way.
fn transports(transports: &[&str]) -> Vec<String> {
    let lines = transports.iter().map(|one| format!("      {one}\n"));
    warnings(
        &format!("    transports:\n{}", lines.collect::<String>()),
        "",
    )
}

#[test]
fn a_port_for_metrics_that_a_transport_listens_on_is_told_with_both_places() {
    let hall = "    metrics: 127.0.0.1:6020\n    transports:\n      tcp: {address: hall.local}\n";
    assert_eq!(
        warnings(hall, ""),
        [
            "5:14: system.hall.metrics: TCP port 6020 is listened on twice on this node: by \
             `system.hall.transports.tcp` on line 7, and here"
        ]
    );
    assert_eq!(warnings(&hall.replace(":6020", ":9464"), ""), [""; 0]);
}

#[test]
fn a_pin_of_two_roles_is_told_with_both_places() {
    assert_eq!(
        roles(&[
            "motion: {type: motion-detect}",
            "lamp: {type: gpio-output, pin: 18}",
        ]),
        [
            "7:38: system.hall.roles.lamp.pin: GPIO line 18 is used twice on this node: by \
             `system.hall.roles.motion` on line 6, and here"
        ]
    );
    let used = |one: &str, other: &str| {
        let one = format!("a: {{type: gpio-output, {one}}}");
        let other = format!("b: {{type: motion-detect, {other}}}");
        roles(&[&one, &other]).len()
    };
    for (one, other, warnings) in [
        ("pin: 4", "pin: 4", 1),
        ("pin: 4", "line: '4'", 1),
        ("pin: 4", "line: GPIO4", 1),
        ("pin: 4, chip: gpiochip0", "pin: 4, chip: gpiochip0", 1),
        ("pin: 4, chip: gpiochip0", "line: 4, chip: 0", 1),
        ("pin: 4, chip: /dev/gpiochip0", "line: 4, chip: 0", 1),
        ("line: PA7, chip: a", "line: PA7, chip: a", 1),
        ("pin: 4", "pin: 5", 0),
        ("pin: 4", "pin: 4, chip: gpiochip1", 0),
        ("pin: 4, chip: gpiochip0", "pin: 4, chip: gpiochip1", 0),
        (
            "pin: 4, line: PA7, chip: a",
            "pin: 4, line: PA8, chip: a",
            0,
        ),
    ] {
        assert_eq!(used(one, other), warnings, "{one} | {other}");
    }
}

#[test]
fn the_same_pin_of_two_nodes_is_two_pins() {
    let lamp = "    roles: {lamp: {type: gpio-output, pin: 4}}\n";
    assert_eq!(warnings(lamp, lamp), [""; 0]);
}

#[test]
fn a_file_of_two_loggers_is_told() {
    assert_eq!(
        roles(&[
            "a: {type: logger}",
            "b: {type: logger, file: /var/log/kozo/kozo.log}"
        ]),
        [
            "7:31: system.hall.roles.b.file: the file /var/log/kozo/kozo.log is used twice on this \
             node: by `system.hall.roles.a` on line 6, and here"
        ]
    );
}

#[test]
fn a_port_that_two_listen_on_is_told_where_their_addresses_overlap() {
    let told = "system.hall.transports.b.port: TCP port 7000 is listened on twice on this node: by \
                `system.hall.transports.a` on line 6, and here";
    assert_eq!(
        transports(&[
            "a: {type: tcp, address: 192.0.2.1, port: 7000}",
            "b: {type: tcp, address: '192.0.2.1:7001', port: 7000}",
        ]),
        [format!("7:55: {told}")]
    );
    let overlaps = |one: &str, other: &str| {
        let one = format!("a: {{type: tcp, address: a, bindAddress: '{one}'}}");
        let other = format!("b: {{type: tcp, address: b, bindAddress: '{other}'}}");
        transports(&[&one, &other]).len()
    };
    for (one, other, warnings) in [
        ("", "127.0.0.1", 1),
        ("0.0.0.0", "127.0.0.1", 1),
        ("192.0.2.1", "::", 1),
        ("localhost", "::1", 1),
        ("192.0.2.1", "192.0.2.2", 0),
    ] {
        assert_eq!(overlaps(one, other), warnings, "{one} | {other}");
    }
    let both = "    roles:\n      inject: {type: message_injector}\n    transports:\n      \
                tcp: {address: 192.0.2.1, port: 7050}\n      \
                onion: {service: system, port: 7050, outgoingOnly: true}\n";
    assert_eq!(
        warnings(both, "").len(),
        1,
        "that of Tor alone does not listen"
    );
}

#[test]
fn an_address_of_two_nodes_is_told() {
    assert_eq!(
        warnings(
            "    transports: {tcp: {address: [192.0.2.1, Hall.local, 192.0.2.1]}}\n",
            "    transports:\n      lan:\n        type: tcp\n        port: 7000\n        address:\n          \
             - 192.0.2.1\n          - hall.local.:6020\n"
        ),
        [
            "15:13: system.attic.transports.lan.address: `hall.local:6020` is given for two nodes: by \
             `system.hall.transports.tcp` on line 5, and here"
        ]
    );
    let uuid = "    transports: {bluetooth: {uuid: 5d8f0d3e-4f5b-4f0c-9d5b-6c3f3a1c2b4d}}\n";
    assert_eq!(warnings(uuid, &uuid.replace("5d8f", "5D8F")).len(), 1);
    // What is never dialled need not be an address of its own.
    let tcp = "    transports: {tcp: {address: localhost}}\n";
    let hidden = format!("    othersToSelfConnectPolicy: never\n{tcp}");
    assert_eq!(warnings(tcp, tcp).len(), 1);
    assert_eq!(warnings(tcp, &hidden).len(), 0);
}

#[test]
fn what_two_roles_have_of_the_whole_network_is_told_with_both_places() {
    let bridge = |more: &str| {
        format!(
            "    roleStorage: .\n    roles: {{mqtt: {{grant: [status], broker: 'mqtt://hub'{more}}}}}\n"
        )
    };
    assert_eq!(
        warnings(&bridge(""), &bridge(", nodes: [attic]")),
        [
            "11:66: system.attic.roles.mqtt.nodes: the MQTT topic kozo/node/attic is used twice in this network: by \
             `system.hall.roles.mqtt` on line 6, and here"
        ]
    );
    for apart in [", prefix: upstairs", ", nodes: []"] {
        assert_eq!(warnings(&bridge(""), &bridge(apart)), [""; 0], "{apart}");
    }
    assert_eq!(
        warnings(&bridge(", nodes: [h*]"), &bridge(", nodes: ['*y', attic]")).len(),
        1
    );
}

#[test]
fn what_is_wrong_by_itself_claims_nothing() {
    let file = format!(
        "system:\n  hall:\n    privateKey: key\n    publicKey: {KEY_A}\n    roles:\n      \
         a: {{type: motion-detect, pin: x}}\n      b: {{type: motion-detect}}\n"
    );
    let document = Document::parse("net.yaml", "/etc/kozo", file.as_bytes()).unwrap();
    let modules = Modules(shipped());
    let problems = document.network(&modules, None).unwrap_err();
    assert_eq!(problems.iter().count(), 1, "{problems}");
}
