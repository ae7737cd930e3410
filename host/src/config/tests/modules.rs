//! What the metadata of modules says about the file.

use super::{assert_report, with};

#[test]
fn a_misspelt_module_option_gets_a_suggestion() {
    assert_report(
        &with("tick: 60", "tik: 60"),
        r#"
error: net.yaml:8:9: system.clock.roles.timer1.tik: a role of type `timer` has no option `tik`
    help: did you mean `tick`? allowed here: `type`, `description`, `messageQueueLength`, `messageQueueSize`, `acceptOrdersFrom`, `grant`, `isolate`, `memoryLimit`, `face`, `tick`, `message` and `log`"#,
    );
}

#[test]
fn an_unknown_module_option_lists_the_known_ones() {
    assert_report(
        &with("tick: 60", "colour: red"),
        r#"
error: net.yaml:8:9: system.clock.roles.timer1.colour: a role of type `timer` has no option `colour`
    help: allowed here: `type`, `description`, `messageQueueLength`, `messageQueueSize`, `acceptOrdersFrom`, `grant`, `isolate`, `memoryLimit`, `face`, `tick`, `message` and `log`"#,
    );
}

#[test]
fn an_unknown_option_is_refused_on_other_nodes_too() {
    assert_report(
        &with("clearLog", "cleanLog"),
        r#"
error: net.yaml:19:9: system.scribe.roles.logger.cleanLog: a role of type `logger` has no option `cleanLog`
    help: did you mean `clearLog`? allowed here: `type`, `description`, `messageQueueLength`, `messageQueueSize`, `acceptOrdersFrom`, `grant`, `isolate`, `memoryLimit`, `face`, `file`, `timePrefix`, `flushEvery`, `clearLog`, `nodeRestrict`, `rotateEvery` and `rotateMax`"#,
    );
}

#[test]
fn a_missing_required_option_is_refused() {
    assert_report(
        &with("        address: clock.local\n", ""),
        r#"
error: net.yaml:10:7: system.clock.transports.tcp.address: a transport of type `tcp` needs the option `address`
    help: add it; the addresses and names under which other nodes reach this one"#,
    );
}

#[test]
fn a_missing_required_option_is_refused_on_other_nodes_too() {
    assert_report(
        &with("        address: scribe.local, 10.13.37.51\n", ""),
        r#"
error: net.yaml:21:7: system.scribe.transports.tcp.address: a transport of type `tcp` needs the option `address`
    help: add it; the addresses and names under which other nodes reach this one"#,
    );
}

#[test]
fn a_required_option_without_value_is_refused() {
    assert_report(
        &with("address: clock.local", "address:"),
        r#"
error: net.yaml:11:16: system.clock.transports.tcp.address: it has no value
    help: write a text or a list of texts"#,
    );
}

#[test]
fn a_module_option_out_of_range_is_refused() {
    assert_report(
        &with("tick: 60", "tick: 0"),
        r#"
error: net.yaml:8:15: system.clock.roles.timer1.tick: `0` is too small: the least is 0.001 seconds
    help: write a number from 0.001 to 31536000 seconds"#,
    );
}

#[test]
fn a_role_that_remembers_needs_a_folder() {
    assert_report(
        &with("    roleStorage: /var/lib/kozo/storage\n", ""),
        r#"
error: net.yaml:16:7: system.scribe.roles.cuckoo: a role of type `cuckoo` has to remember things, and its node has no `roleStorage`
    help: add `roleStorage: FOLDER` to the node"#,
    );
}

#[test]
fn a_missing_role_module_of_the_local_node_is_refused() {
    assert_report(
        &with("type: timer", "type: timr"),
        r#"
error: net.yaml:7:15: system.clock.roles.timer1.type: there is no role module `timr` on this machine
    help: name an installed module with `type`, or the folder of this one with `rolePath`; looked in `/usr/lib/kozo/roles`"#,
    );
}

#[test]
fn a_missing_transport_module_of_the_local_node_is_refused() {
    assert_report(
        &with(
            "      tcp:\n        address: clock.local",
            "      tpc:\n        address: clock.local",
        ),
        r#"
error: net.yaml:10:7: system.clock.transports.tpc: there is no transport module `tpc` on this machine
    help: name an installed module with `type`, or the folder of this one with `transportPath`; looked in `/usr/lib/kozo/roles`"#,
    );
}

#[test]
fn a_missing_module_of_another_node_is_a_warning() {
    assert_report(
        &with("      cuckoo:", "      gardener:"),
        r#"
warning: net.yaml:17:7: system.scribe.roles.gardener: there is no role module `gardener` on this machine
    help: its options are checked where it is installed; looked in `/usr/lib/kozo/roles`"#,
    );
}

#[test]
fn a_transport_module_is_no_role() {
    assert_report(
        &with("type: timer", "type: tcp"),
        r#"
error: net.yaml:7:15: system.clock.roles.timer1.type: the role module `tcp` cannot be used: it is a transport module
    help: name an installed module with `type`, or the folder of this one with `rolePath`"#,
    );
}
