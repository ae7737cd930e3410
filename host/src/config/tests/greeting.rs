//! What a node tells its peers of its roles has to fit into a hello.

use std::fmt::Write;

use super::*;

/// `GOOD` with this many loggers beside it, each for this many nodes.
fn loggers(count: usize, nodes: usize) -> String {
    let mut roles = "      cuckoo:\n".to_owned();
    for role in 0..count {
        let _ = write!(roles, "      log{role}: {{type: logger, nodeRestrict: [x");
        for node in 0..nodes {
            let _ = write!(
                roles,
                ", the-node-with-the-long-name-in-the-attic-of-the-house-{role}-{node}"
            );
        }
        roles.push_str("]}\n");
    }
    with("      cuckoo:\n", &roles)
}

#[test]
fn interests_that_are_too_large_for_a_hello_are_warned_of_where_the_node_is_named() {
    let report = report(&loggers(60, 100));
    assert!(
        report.starts_with("warning: net.yaml:12:3: system.scribe.roles: what its roles want to hear of are 62 interests"),
        "{report}"
    );
    assert!(
        report.contains("\n    help: say it in fewer patterns"),
        "{report}"
    );
    assert_eq!(report.lines().count(), 2, "{report}");
}

#[test]
fn as_many_as_peers_take_are_nothing_to_warn_of() {
    let network = network(&loggers(30, 100));
    let scribe = &network.nodes[&NodeName::new("scribe").unwrap()];
    assert_eq!(scribe.told_interests().summed_up, None);
}
