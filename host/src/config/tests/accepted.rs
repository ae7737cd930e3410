//! What a valid file comes to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_description::Value;
use kozo_ground::interest::{Interests, Kind, Subject};
use kozo_ground::names::RoleName;
use kozo_ground::policy::ConnectPolicy;

use super::*;
use crate::config::{InboxLimits, Isolation, Node, SearchPaths};

fn node<'n>(network: &'n Network, name: &str) -> &'n Node {
    network.node(&NodeName::new(name).unwrap()).unwrap()
}

#[test]
fn the_example_of_the_manual_loads_unchanged() {
    let network = network(include_str!("../../../tests/data/manual.yaml"));
    let clock = node(&network, "clock");
    assert_eq!(clock.private_key, Path::new("/var/lib/kozo/mykey"));
    assert_eq!(clock.public_keys.len(), 1);
    assert_eq!(clock.public_keys[0].algorithm().as_str(), "ssh-rsa");
    assert_eq!(clock.settings.heartbeat, Duration::from_secs(30));
    assert_eq!(clock.settings.ciphers, ["aes256-ctr"]);
    assert_eq!(clock.role_storage, None);

    let timer = &clock.roles[0];
    assert_eq!(timer.name.as_str(), "timer1");
    assert_eq!(timer.module.as_str(), "timer");
    let tick = timer.options.as_ref().unwrap().value("tick");
    assert_eq!(tick, Some(&Value::Number(60.0)));

    let tcp = clock.transports[0].options.as_ref().unwrap();
    let addresses: Vec<_> = tcp.value("address").unwrap().texts().collect();
    assert_eq!(
        addresses,
        [
            "clock.local",
            "10.13.37.2",
            "gnreiuoyh5rrtkjhe4r5j5423t4egyr.onion"
        ]
    );
    assert_eq!(tcp.value("port"), Some(&Value::Integer(6020)));

    let scribe = node(&network, "scribe");
    assert_eq!(
        scribe.role_storage.as_deref(),
        Some(Path::new("/var/lib/kozo/storage"))
    );
    let logger = scribe.roles[1].options.as_ref().unwrap();
    assert_eq!(logger.value("clearLog"), Some(&Value::Boolean(true)));
}

#[test]
fn what_is_not_given_has_its_default() {
    let network = network(&GOOD.replace("heartbeat: 30\n", ""));
    let clock = node(&network, "clock");
    let settings = &clock.settings;
    assert_eq!(settings.heartbeat, Duration::from_secs(10));
    assert_eq!(settings.connection_retry, Duration::from_secs(60));
    assert_eq!(settings.outgoing_queue_length, 128);
    assert_eq!(settings.outgoing_queue_size, 4 * 1024 * 1024);
    assert_eq!(settings.max_buffer_read_size, 64 * 1024);
    assert_eq!(settings.ciphers, Vec::<String>::new());
    assert_eq!(settings.macs, Vec::<String>::new());
    assert!(!settings.ssh_only);
    assert_eq!(settings.search_paths, SearchPaths::default());
    assert_eq!(settings.max_ages.message, Duration::from_secs(300));
    assert_eq!(settings.max_ages.order, Duration::from_secs(30));
    assert_eq!(settings.idle_timeout, Duration::from_secs(60));
    assert_eq!(clock.self_to_others, ConnectPolicy::Constant);
    assert_eq!(clock.others_to_self, ConnectPolicy::Constant);
    let role = &clock.roles[0];
    let size = 4 * 1024 * 1024;
    assert_eq!(role.inbox, InboxLimits { length: 8, size });
    assert_eq!(role.description, None);
    assert!(role.accept_orders_from.accept("anybody", "anywhere"));
}

#[test]
fn what_is_given_is_taken() {
    let file = with(
        "    roles:\n      timer1:",
        "    selfToOthersConnectPolicy: ondemand\n    othersToSelfConnectPolicy: never\n    roles:\n      timer1:\n        description: The wall clock\n        messageQueueLength: 3\n        messageQueueSize: 64 KiB\n        acceptOrdersFrom: scribe, timer*@clock",
    ) + "connectionRetry: 0.5\noutgoingQueueLength: 0x10\noutgoingQueueSize: 1 MiB\n\
         maxBufferReadSize: 0o10000\ncipher: aes256-ctr, aes128-ctr\nhmac: [hmac-sha1]\nsshOnly: yes\n\
         messageMaxAge: 1e2\norderMaxAge: 5\nidleTimeout: 600\n";
    let network = network(&file);
    let clock = node(&network, "clock");
    let settings = &clock.settings;
    assert_eq!(settings.connection_retry, Duration::from_millis(500));
    assert_eq!(settings.outgoing_queue_length, 16);
    assert_eq!(settings.outgoing_queue_size, 1024 * 1024);
    assert_eq!(settings.max_buffer_read_size, 4096);
    assert_eq!(settings.ciphers, ["aes256-ctr", "aes128-ctr"]);
    assert_eq!(settings.macs, ["hmac-sha1"]);
    assert!(settings.ssh_only);
    assert_eq!(settings.max_ages.message, Duration::from_secs(100));
    assert_eq!(settings.max_ages.order, Duration::from_secs(5));
    assert_eq!(settings.idle_timeout, Duration::from_secs(600));
    assert_eq!(clock.self_to_others, ConnectPolicy::OnDemand);
    assert_eq!(clock.others_to_self, ConnectPolicy::Never);
    let role = &clock.roles[0];
    assert_eq!(role.description.as_deref(), Some("The wall clock"));
    let size = 64 * 1024;
    assert_eq!(role.inbox, InboxLimits { length: 3, size });
    let orders = &role.accept_orders_from;
    assert!(orders.accept("anybody", "scribe"));
    assert!(orders.accept("timer2", "clock"));
    assert!(!orders.accept("cuckoo", "clock"));
}

#[test]
fn an_empty_list_of_senders_lets_nobody_give_orders() {
    let network = network(&with("tick: 60", "acceptOrdersFrom: []"));
    let role = &node(&network, "clock").roles[0];
    assert!(!role.accept_orders_from.accept("cuckoo", "scribe"));
}

#[test]
fn an_override_holds_for_its_node_alone() {
    let network = network(&with(
        "    roles:\n      timer1",
        "    overrideMainConfiguration: {heartbeat: 5, rolePath: \"/a:b\"}\n    roles:\n      timer1",
    ));
    let clock = &node(&network, "clock").settings;
    assert_eq!(clock.heartbeat, Duration::from_secs(5));
    assert_eq!(
        clock.search_paths.roles,
        [PathBuf::from("/a"), PathBuf::from("/etc/kozo/b")]
    );
    let scribe = &node(&network, "scribe").settings;
    assert_eq!(scribe.heartbeat, Duration::from_secs(30));
    assert_eq!(scribe.search_paths, SearchPaths::default());
}

#[test]
fn search_paths_are_known_before_the_file_is_checked() {
    let file = "rolePath: /r:r2\nimportPath: [/i]\nheartbeat: wrong\nsystem:\n  clock:\n    overrideMainConfiguration: {transportPath: /t}\n";
    let document = Document::parse("net.yaml", "/etc/kozo", file.as_bytes()).unwrap();
    let clock = NodeName::new("clock").unwrap();
    let expected = SearchPaths {
        roles: vec!["/r".into(), "/etc/kozo/r2".into()],
        transports: vec!["/t".into()],
        imports: vec!["/i".into()],
    };
    assert_eq!(document.search_paths(Some(&clock)), expected);
    assert!(document.search_paths(None).transports.is_empty());
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let file = GOOD
        .replacen("/var/lib/kozo/key", "keys/clock", 1)
        .replace("clearLog: yes", "file: log/scribe.log")
        .replace("/var/lib/kozo/storage", "../storage");
    let network = network(&file);
    assert_eq!(
        node(&network, "clock").private_key,
        Path::new("/etc/kozo/keys/clock")
    );
    let scribe = node(&network, "scribe");
    assert_eq!(
        scribe.role_storage.as_deref(),
        Some(Path::new("/etc/kozo/../storage"))
    );
    let logger = scribe.roles[1].options.as_ref().unwrap();
    assert_eq!(
        logger.value("file").and_then(Value::as_text),
        Some("/etc/kozo/log/scribe.log")
    );
}

#[test]
fn every_way_to_write_a_boolean_is_understood_where_one_is_expected() {
    for (text, boolean) in [
        ("true", true),
        ("True", true),
        ("yes", true),
        ("on", true),
        ("ON", true),
        ("false", false),
        ("No", false),
        ("off", false),
    ] {
        let network = network(&with("clearLog: yes", &format!("clearLog: {text}")));
        let logger = node(&network, "scribe").roles[1].options.as_ref().unwrap();
        let value = logger.value("clearLog").and_then(Value::as_boolean);
        assert_eq!(value, Some(boolean), "{text}");
    }
}

#[test]
fn a_text_is_taken_as_it_is_written() {
    for (written, text) in [
        ("on", "on"),
        ("012", "012"),
        ("10:20", "10:20"),
        ("1.50", "1.50"),
        ("'~'", "~"),
        ("!!str true", "true"),
        ("\"a\\tb\"", "a\tb"),
    ] {
        let network = network(&with("tick: 60", &format!("message: {written}")));
        let timer = node(&network, "clock").roles[0].options.as_ref().unwrap();
        let value = timer.value("message").and_then(Value::as_text);
        assert_eq!(value, Some(text), "{written}");
    }
}

#[test]
fn a_value_may_be_repeated_by_an_alias() {
    let file = GOOD
        .replacen(
            "privateKey: /var/lib/kozo/key",
            "privateKey: &key /var/lib/kozo/key",
            1,
        )
        .replacen("privateKey: /var/lib/kozo/key", "privateKey: *key", 1)
        .replacen("      timer1:\n", "      timer1: &timer\n", 1)
        .replacen(
            "    transports:",
            "      timer2: *timer\n    transports:",
            1,
        );
    let network = network(&file);
    let clock = node(&network, "clock");
    assert_eq!(clock.roles[1].name.as_str(), "timer2");
    assert_eq!(clock.roles[1].options, clock.roles[0].options);
    assert_eq!(node(&network, "scribe").private_key, clock.private_key);
}

#[test]
fn all_useful_types_of_keys_are_taken() {
    const ECDSA_521: &str = "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAFI2CCj7RUPtDgBqF9fUZRxb3zi7cnz55+nFzwgQdJYkRT18Lz7nOy2GkmdvpOq04iW5E6PgyPl3OjTwo39/EfNiAFSeISHFkIARJOLv99xjxdkmTqhV/8ALWWLC16k2iXgr88x9Mog/GTLak3cvs7sMQjdoYgH8/auWg79azu8IXuOVQ== with, comma";
    const ECDSA_256: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBN8qSPuVGCJsIbvztBTGZ8z7qCv2oKTZTdGugRTLpCyj3/MUB7IkcY5buF/bkzMsIGhUS2hE8ABjji6P/9zsB0I=";
    let keys = format!("\n      - KEY_A clock@home\n      - {ECDSA_521}\n      - {ECDSA_256}");
    let network = network(&with(" KEY_A", &keys));
    let types: Vec<_> = node(&network, "clock")
        .public_keys
        .iter()
        .map(|key| key.algorithm().to_string())
        .collect();
    assert_eq!(
        types,
        ["ssh-ed25519", "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp256"]
    );
}

#[test]
fn a_module_receives_one_map_with_all_of_its_options() {
    let network = network(GOOD);
    let timer = node(&network, "clock").roles[0].options.as_ref().unwrap();
    let bytes = rmp_serde::to_vec(timer).unwrap();
    let mut expected = vec![0x83];
    expected.extend(b"\xa4tick\xcb\x40\x4e\0\0\0\0\0\0");
    expected.extend(b"\xa7message\xa5Ping!");
    expected.extend(b"\xa3log\xc3");
    assert_eq!(bytes, expected);
}

#[test]
fn interests_follow_the_options_of_the_role() {
    let network = network(&with("      cuckoo:\n", "      cuckoo: {timer: timer1}\n"));
    let cuckoo = &node(&network, "scribe").roles[0];
    let tick = Subject {
        kind: Kind::Event,
        type_name: "tick",
        channel: None,
        role: "timer1",
        node: "clock",
    };
    assert!(cuckoo.interests.matches(&tick));
    let other = Subject {
        role: "timer2",
        ..tick
    };
    assert!(!cuckoo.interests.matches(&other));
    assert_eq!(cuckoo.name, RoleName::new("cuckoo").unwrap());
}

#[test]
fn a_role_whose_module_is_not_here_may_want_anything() {
    let file = with("      cuckoo:\n", "      gardener: {anything: goes}\n");
    let (network, warnings) = load(&file).unwrap();
    let gardener = &node(&network, "scribe").roles[0];
    assert_eq!(gardener.options, None);
    assert_eq!(gardener.interests, Interests::Unknown);
    assert!(!warnings.has_errors());
    assert_eq!(warnings.iter().count(), 1);
}

#[test]
fn the_digest_tells_files_apart() {
    let (one, other) = (network(GOOD), network(&and("# a comment\n")));
    assert_ne!(one.digest, other.digest);
    assert_eq!(one.digest, network(GOOD).digest);
}

#[test]
fn places_point_into_the_file() {
    let network = network(GOOD);
    let clock = node(&network, "clock");
    let place = |place: kozo_description::Place| (place.line, place.column);
    assert_eq!(place(clock.private_key_place), (3, 17));
    // It has none: the node's own place.
    assert_eq!(place(clock.role_storage_place), (2, 3));
    assert_eq!(place(clock.roles[0].place), (6, 7));
    assert_eq!(place(clock.transports[0].place), (10, 7));
}

#[test]
fn a_role_may_have_a_process_of_its_own_and_a_limit_to_its_memory() {
    let isolation = |text: &str| {
        let network = network(&with("tick: 60", text));
        let node = network
            .nodes
            .values()
            .find(|node| node.name.as_str() == "clock");
        node.unwrap().roles[0].isolation
    };
    assert_eq!(isolation("tick: 60"), None);
    assert_eq!(isolation("isolate: off"), None);
    let unlimited = Isolation { memory_limit: None };
    assert_eq!(isolation("isolate: yes"), Some(unlimited));
    let limited = Isolation {
        memory_limit: Some(64 << 20),
    };
    assert_eq!(
        isolation("isolate: true\n        memoryLimit: 64 MiB"),
        Some(limited)
    );
}
