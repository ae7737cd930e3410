//! Names, keys and blocks in the wrong place or shape.

use super::{and, assert_report, with};

#[test]
fn a_file_without_a_network_is_refused() {
    assert_report(
        "heartbeat: 3\n",
        r#"
error: net.yaml:1:1: system: the root of the file needs the option `system`
    help: add it; the network: a block for each node, under the node's name"#,
    );
}

#[test]
fn an_empty_network_is_refused() {
    assert_report(
        "system: {}\n",
        r#"
error: net.yaml:1:1: system: the network has no nodes
    help: describe each node in a block under its name"#,
    );
}

#[test]
fn a_network_without_value_is_refused() {
    assert_report(
        "system:\n",
        r#"
error: net.yaml:1:7: system: it has no value
    help: write `name: value` lines, indented below it"#,
    );
}

#[test]
fn a_list_of_nodes_is_refused() {
    assert_report(
        "system: [clock]\n",
        r#"
error: net.yaml:1:9: system: expected a mapping, found a list
    help: write `name: value` lines, indented below it"#,
    );
}

#[test]
fn an_unknown_root_option_is_refused() {
    assert_report(
        &and("heartbeet: 3\n"),
        r#"
error: net.yaml:24:1: heartbeet: the root of the file has no option `heartbeet`
    help: did you mean `heartbeat`? allowed here: `system`, `buses`, `heartbeat`, `connectionRetry`, `outgoingQueueLength`, `outgoingQueueSize`, `maxBufferReadSize`, `cipher`, `hmac`, `sshOnly`, `rolePath`, `transportPath`, `importPath`, `messageMaxAge`, `orderMaxAge` and `idleTimeout`"#,
    );
}

#[test]
fn an_unknown_node_option_is_refused() {
    assert_report(
        &with(
            "    roles:\n      timer1",
            "    colour: red\n    roles:\n      timer1",
        ),
        r#"
error: net.yaml:5:5: system.clock.colour: a node has no option `colour`
    help: allowed here: `privateKey`, `publicKey`, `members`, `roleStorage`, `transportStorage`, `selfToOthersConnectPolicy`, `othersToSelfConnectPolicy`, `introspection`, `introspectionFor`, `metrics`, `overrideMainConfiguration`, `direct`, `roles` and `transports`"#,
    );
}

#[test]
fn an_option_in_the_wrong_case_is_refused() {
    assert_report(
        &with("roleStorage", "rolestorage"),
        r#"
error: net.yaml:15:5: system.scribe.rolestorage: a node has no option `rolestorage`
    help: did you mean `roleStorage`? allowed here: `privateKey`, `publicKey`, `members`, `roleStorage`, `transportStorage`, `selfToOthersConnectPolicy`, `othersToSelfConnectPolicy`, `introspection`, `introspectionFor`, `metrics`, `overrideMainConfiguration`, `direct`, `roles` and `transports`
error: net.yaml:17:7: system.scribe.roles.cuckoo: a role of type `cuckoo` has to remember things, and its node has no `roleStorage`
    help: add `roleStorage: FOLDER` to the node"#,
    );
}

#[test]
fn a_root_option_in_a_node_is_sent_to_its_place() {
    assert_report(
        &with(
            "    roles:\n      timer1",
            "    heartbeat: 3\n    roles:\n      timer1",
        ),
        r#"
error: net.yaml:5:5: system.clock.heartbeat: a node has no option `heartbeat`
    help: `heartbeat` belongs at the root of the file, or in `overrideMainConfiguration` for this node alone"#,
    );
}

#[test]
fn an_empty_node_lacks_its_keys() {
    assert_report(
        "system:\n  clock:\n",
        r#"
error: net.yaml:2:3: system.clock.privateKey: a node needs the option `privateKey`
    help: add it; the file with the node's private SSH key. It is on that node only, so all nodes may have the same path here
error: net.yaml:2:3: system.clock.publicKey: a node needs the option `publicKey`
    help: add it; the public half of that key, as the line in its `.pub` file: `ssh-ed25519`, `ecdsa-sha2-nistp256` (384, 521), or `ssh-rsa` of 2048 to 8192 bits. A list while one key replaces another"#,
    );
}

#[test]
fn a_node_that_is_no_block_is_refused() {
    assert_report(
        "system:\n  clock: here\n",
        r#"
error: net.yaml:2:10: system.clock: expected a mapping of options, found the text `here`
    help: write `name: value` lines, indented below the name of the block"#,
    );
}

#[test]
fn a_node_name_that_leaves_the_storage_folder_is_refused() {
    assert_report(
        &with("  scribe:", "  ../scribe:"),
        r#"
error: net.yaml:12:3: system["../scribe"]: `../scribe` is not the name of a node: '/' may not stand in a name: use letters, digits, `.`, `_` and `-`
    help: choose another name"#,
    );
}

#[test]
fn a_node_name_that_hides_is_refused() {
    assert_report(
        &with("  scribe:", "  .scribe:"),
        r#"
error: net.yaml:12:3: system[".scribe"]: `.scribe` is not the name of a node: a name may not start with a dot
    help: choose another name"#,
    );
}

#[test]
fn a_role_name_that_leaves_the_storage_folder_is_refused() {
    assert_report(
        &with("      logger:", "      ../../logger:"),
        r#"
error: net.yaml:18:7: system.scribe.roles["../../logger"]: `../../logger` is not the name of a role: '.' may not stand in a name: use letters, digits, `_` and `-`
    help: choose another name"#,
    );
}

#[test]
fn a_role_name_with_a_dot_is_refused() {
    assert_report(
        &with("      timer1:", "      timer.1:"),
        r#"
error: net.yaml:6:7: system.clock.roles["timer.1"]: `timer.1` is not the name of a role: '.' may not stand in a name: use letters, digits, `_` and `-`
    help: choose another name"#,
    );
}

#[test]
fn a_role_name_that_is_too_long_is_refused() {
    assert_report(
        &with("timer1:", &format!("{}:", "x".repeat(65))),
        r#"
error: net.yaml:6:7: system.clock.roles.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is not the name of a role: a name may have 64 characters at most, this one has 65
    help: choose another name"#,
    );
}

#[test]
fn an_empty_role_name_is_refused() {
    assert_report(
        &with("timer1:", "\"\":"),
        r#"
error: net.yaml:6:7: system.clock.roles[""]: `` is not the name of a role: a name may not be empty
    help: choose another name"#,
    );
}

#[test]
fn a_transport_name_with_a_slash_is_refused() {
    assert_report(
        &with("      tcp:", "      \"a/b\":"),
        r#"
error: net.yaml:10:7: system.clock.transports["a/b"]: `a/b` is not the name of a transport: '/' may not stand in a name: use letters, digits, `_` and `-`
    help: choose another name"#,
    );
}

#[test]
fn a_module_name_that_is_a_path_is_refused() {
    assert_report(
        &with("type: timer", "type: ./timer"),
        r#"
error: net.yaml:7:15: system.clock.roles.timer1.type: `./timer` is not the name of a module: '.' may not stand in a name: use letters, digits, `_` and `-`
    help: write the name of the module, not that of its file"#,
    );
}

#[test]
fn a_module_that_is_no_text_is_refused() {
    assert_report(
        &with("type: timer", "type: [timer]"),
        r#"
error: net.yaml:7:15: system.clock.roles.timer1.type: expected a text, found a list
    help: write a text"#,
    );
}

#[test]
fn a_list_of_roles_is_refused() {
    assert_report(
        &with(
            "      timer1:\n        type: timer\n        tick: 60",
            "      - timer1",
        ),
        r#"
error: net.yaml:6:7: system.clock.roles: expected a mapping, found a list
    help: write `name: value` lines, indented below it"#,
    );
}

#[test]
fn a_role_that_is_no_block_is_refused() {
    assert_report(
        &with("      cuckoo:\n", "      cuckoo: 5\n"),
        r#"
error: net.yaml:17:15: system.scribe.roles.cuckoo: expected a mapping of options, found the number `5`
    help: write `name: value` lines, indented below the name of the block"#,
    );
}

#[test]
fn a_connect_policy_that_is_none_is_refused() {
    assert_report(
        &with(
            "    roles:\n      timer1",
            "    selfToOthersConnectPolicy: sometimes\n    roles:\n      timer1",
        ),
        r#"
error: net.yaml:5:32: system.clock.selfToOthersConnectPolicy: `sometimes` is not one of the possible values
    help: write `constant`, `ondemand` or `never`"#,
    );
}

#[test]
fn an_override_is_checked_like_the_root() {
    assert_report(
        &with(
            "    roles:\n      timer1",
            "    overrideMainConfiguration: {heartbeat: -1, beat: 3}\n    roles:\n      timer1",
        ),
        r#"
error: net.yaml:5:44: system.clock.overrideMainConfiguration.heartbeat: `-1` is too small: the least is 0.1 seconds
    help: write a number from 0.1 to 86400 seconds
error: net.yaml:5:48: system.clock.overrideMainConfiguration.beat: `overrideMainConfiguration` has no option `beat`
    help: allowed here: `heartbeat`, `connectionRetry`, `outgoingQueueLength`, `outgoingQueueSize`, `maxBufferReadSize`, `cipher`, `hmac`, `sshOnly`, `rolePath`, `transportPath`, `importPath`, `messageMaxAge`, `orderMaxAge` and `idleTimeout`"#,
    );
}

#[test]
fn an_override_of_the_network_is_refused() {
    assert_report(
        &with(
            "    roles:\n      timer1",
            "    overrideMainConfiguration: {system: {}}\n    roles:\n      timer1",
        ),
        r#"
error: net.yaml:5:33: system.clock.overrideMainConfiguration.system: `overrideMainConfiguration` has no option `system`
    help: allowed here: `heartbeat`, `connectionRetry`, `outgoingQueueLength`, `outgoingQueueSize`, `maxBufferReadSize`, `cipher`, `hmac`, `sshOnly`, `rolePath`, `transportPath`, `importPath`, `messageMaxAge`, `orderMaxAge` and `idleTimeout`"#,
    );
}

#[test]
fn an_override_that_is_no_block_is_refused() {
    assert_report(
        &with(
            "    roles:\n      timer1",
            "    overrideMainConfiguration: 4\n    roles:\n      timer1",
        ),
        r#"
error: net.yaml:5:32: system.clock.overrideMainConfiguration: expected a mapping, found the number `4`
    help: write `name: value` lines, indented below it"#,
    );
}

#[test]
fn an_empty_inbox_is_refused() {
    assert_report(
        &with("tick: 60", "messageQueueLength: 0"),
        r#"
error: net.yaml:8:29: system.clock.roles.timer1.messageQueueLength: `0` is too small: the least is 1 messages
    help: write a whole number from 1 to 1000000 messages"#,
    );
}

#[test]
fn a_sender_of_orders_that_cannot_be_is_refused() {
    assert_report(
        &with("tick: 60", "acceptOrdersFrom: [scribe, a b, \"@clock\"]"),
        r#"
error: net.yaml:8:27: system.clock.roles.timer1.acceptOrdersFrom: `a b` can be no sender of orders
    help: write `NODE` or `ROLE@NODE`, in which `*` stands for any run of characters
error: net.yaml:8:27: system.clock.roles.timer1.acceptOrdersFrom: `@clock` can be no sender of orders
    help: write `NODE` or `ROLE@NODE`, in which `*` stands for any run of characters"#,
    );
}

#[test]
fn a_sender_on_no_node_is_a_warning() {
    assert_report(
        &with("tick: 60", "acceptOrdersFrom: cuckoo@scribbe"),
        r#"
warning: net.yaml:6:7: system.clock.roles.timer1.acceptOrdersFrom: no node of this file fits `scribbe`
    help: check the name: nobody there can give this role an order"#,
    );
}

#[test]
fn a_memory_limit_needs_a_process_of_the_roles_own() {
    for isolate in ["", "isolate: no\n        "] {
        let line = if isolate.is_empty() { 8 } else { 9 };
        assert_report(
            &with("tick: 60", &format!("{isolate}memoryLimit: 64 MiB")),
            &format!(
                r#"
error: net.yaml:{line}:22: system.clock.roles.timer1.memoryLimit: only a role in a process of its own can have a limit to its memory
    help: add `isolate: true`, or leave the limit out"#
            ),
        );
    }
}
