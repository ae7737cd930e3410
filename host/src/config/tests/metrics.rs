//! Where a node is asked for metrics.

use super::*;

/// [`GOOD`] with this for the metrics of its first node, on line 5.
fn asked_at(text: &str) -> String {
    with(
        "    roles:\n",
        &format!("    metrics: {text}\n    roles:\n"),
    )
}

#[test]
fn metrics_are_off_unless_the_file_says_where() {
    let clock = NodeName::new("clock").unwrap();
    let metrics = |text: &str| {
        let network = network(text);
        let endpoint = network.node(&clock).unwrap().metrics.as_ref();
        endpoint.map(ToString::to_string)
    };
    assert_eq!(metrics(GOOD), None);
    assert_eq!(
        metrics(&asked_at("127.0.0.1:9464")).as_deref(),
        Some("127.0.0.1:9464")
    );
    assert_eq!(
        metrics(&asked_at("\"[::1]:9464\"")).as_deref(),
        Some("[::1]:9464")
    );
    assert_eq!(
        metrics(&asked_at("localhost:9464")).as_deref(),
        Some("localhost:9464")
    );
}

#[test]
fn an_address_that_is_none_is_refused_and_one_that_others_reach_is_warned_of() {
    assert_report(
        &asked_at("127.0.0.1"),
        r#"
error: net.yaml:5:14: system.clock.metrics: `127.0.0.1` has no port: write `host:port`
    help: write an IP address of that machine or a name for it, and a port: `127.0.0.1:9464`, say"#,
    );
    for address in ["0.0.0.0:9464", "192.0.2.7:9464", "clock.local:9464"] {
        assert_report(
            &asked_at(address),
            &format!(
                "warning: net.yaml:5:14: system.clock.metrics: whoever reaches `{address}` reads what \
                 this node does\n    help: listen on `127.0.0.1`, or let a firewall decide who reaches it"
            ),
        );
    }
}
