//! What is written, in both formats.

use std::time::{Duration, Instant};

use super::*;
use crate::metrics::families::all;

/// The samples of a text, without what is said about them.
fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn all_of_a_node_is_told() {
    let text = written(&node(), Format::Prometheus);
    assert_eq!(text, include_str!("node.prom"), "\n{text}");
}

#[test]
fn open_metrics_has_the_same_samples_with_units_kinds_and_an_end() {
    let (older, text) = (
        written(&node(), Format::Prometheus),
        written(&node(), Format::OpenMetrics),
    );
    assert_eq!(samples(&older), samples(&text));
    for lines in [
        "# TYPE kozo_build info\nkozo_build_info{node=\"clock\",version=\"0.1.0\"} 1\n",
        "# TYPE kozo_orders_refused counter\nkozo_orders_refused_total 13\n",
        "# TYPE kozo_link_bytes counter\n# UNIT kozo_link_bytes bytes\nkozo_link_bytes_total{",
        "# TYPE kozo_start_time_seconds gauge\n# UNIT kozo_start_time_seconds seconds\n",
        "# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\nprocess_cpu_seconds_total 1.25\n",
    ] {
        assert!(text.contains(lines), "{lines} in\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
    assert_eq!(text.matches("# EOF").count(), 1);
}

#[test]
fn what_is_not_there_leaves_nothing_behind() {
    let mut alone = node();
    alone.roles.clear();
    alone.peers.clear();
    alone.transports.clear();
    alone.buses.clear();
    let text = written(&alone, Format::Prometheus);
    for name in [
        "kozo_role_",
        "kozo_inbox_",
        "kozo_link_",
        "kozo_queue_",
        "kozo_transport_",
        "kozo_bus_",
    ] {
        assert!(!text.contains(name), "{name} in\n{text}");
    }
    assert!(text.contains("\nkozo_config_peers_differing 0\n"));
}

#[test]
fn labels_cannot_end_early() {
    let mut odd = node();
    odd.transports[0].name = "a\"} 1\nb\\".to_owned();
    let text = written(&odd, Format::Prometheus);
    let line = "\nkozo_transport_up{transport=\"a\\\"} 1\\nb\\\\\",module=\"tcp\"} 1\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn names_are_as_the_formats_ask_for() {
    let mut names = Vec::new();
    for family in all() {
        let name = family.name;
        assert!(
            !names.contains(&family.base_name()),
            "{name} is there twice"
        );
        names.push(family.base_name());
        assert!(
            name.starts_with("kozo_") || name.starts_with("process_"),
            "{name}"
        );
        let fits = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(fits), "{name}");
        // Nothing in these is escaped.
        let plain = |text: &str| !text.contains(['\n', '\\', '"']);
        assert!(plain(family.help) && family.help.ends_with('.'), "{name}");
    }
}

/// The links wait meanwhile. With optimisation it takes a tenth of what it takes in a test.
#[test]
fn the_metrics_of_a_node_with_fifty_peers_are_written_at_once() {
    let mut large = node();
    large.peers = (0..50)
        .map(|number| peer(&format!("node{number}")))
        .collect();
    let took = (0..20).map(|_| {
        let start = Instant::now();
        let text = written(&large, Format::Prometheus);
        assert!(text.lines().count() > 900);
        start.elapsed()
    });
    // The shortest time is that in which nothing else was in the way.
    let took = took.min().unwrap_or_default();
    println!("50 peers: {took:?}");
    assert!(took < Duration::from_millis(20), "{took:?}");
}
