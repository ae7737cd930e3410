//! The buses of a node, as a table and as notes.

use kozo_ground::text::{Table, Tone, count, shortened, span};
use kozo_status::{BusNodeState, BusNodeStatus, BusNodes, BusState, BusStatus, GatewayStatus};

use super::{LONGEST_ERROR, doubtful_if};

/// A table of buses, if there are any.
pub(super) fn section(text: &mut String, buses: &[BusStatus], colour: bool) {
    if buses.is_empty() {
        return;
    }
    let mut heading = vec![
        "bus", "module", "state", "server", "for", "trip", "nodes", "lanes", "queued", "sent",
        "received", "repaired", "missed", "refused", "dropped",
    ];
    let says = buses.iter().any(|bus| bus.status.is_some());
    if says {
        heading.push("it says");
    }
    let mut table = Table::new(&heading);
    for bus in buses {
        table.row(row(bus, says));
    }
    super::section(text, &table, colour);
}

fn row(bus: &BusStatus, says: bool) -> Vec<(String, Tone)> {
    let (state, tone) = state(bus);
    let plain = |text: String| (text, Tone::Plain);
    let doubtful = |number: u64| (number.to_string(), doubtful_if(number > 0));
    let short = |text: Option<&String>| {
        let text = text.map(String::as_str).unwrap_or_default();
        (shortened(text, LONGEST_ERROR).into_owned(), Tone::Plain)
    };
    let waiting = bus.queued.messages + bus.unconfirmed.messages;
    let mut row = vec![
        plain(bus.name.clone()),
        plain(bus.module.to_string()),
        (state.to_owned(), tone),
        short(bus.server.as_ref().filter(|_| bus.state == BusState::Up)),
        plain(span(bus.since_seconds)),
        plain(bus.round_trip_seconds.map_or(String::new(), span)),
        plain(bus.nodes_heard.to_string()),
        // Out and in, as everywhere here.
        plain(format!("{}/{}", bus.lanes_out, bus.lanes_in)),
        plain(waiting.to_string()),
        plain(bus.outgoing.sent.to_string()),
        plain(bus.incoming.received.to_string()),
        plain(bus.incoming.repaired.to_string()),
        doubtful(bus.incoming.missed),
        doubtful(bus.refused_total()),
        doubtful(bus.outgoing.dropped().saturating_add(bus.incoming.expired)),
    ];
    if says {
        row.push(short(bus.status.as_ref()));
    }
    row
}

/// How it stands with a bus, for people.
pub(crate) fn state(bus: &BusStatus) -> (&'static str, Tone) {
    match bus.state {
        BusState::Up if bus.denied.is_empty() => ("up", Tone::Good),
        BusState::Up => ("up, refused something", Tone::Doubtful),
        BusState::Connecting if bus.error.is_none() => ("connecting", Tone::Doubtful),
        BusState::Connecting | BusState::Down => ("down", Tone::Bad),
    }
}

/// What is nothing as long as all is well.
pub(super) fn notes(bus: &BusStatus) -> Vec<String> {
    let name = &bus.name;
    let mut lines = Vec::new();
    // What was mended since is for `kozo why`.
    if let Some(error) = bus.error.as_deref().filter(|_| bus.state != BusState::Up) {
        lines.push(format!("bus {name}: {}", shortened(error, LONGEST_ERROR)));
    }
    if let Some(gateway) = &bus.gateway {
        lines.push(format!(
            "bus {name}: this node is the gateway of {}, {} of them linked; {} of theirs handed on, {} for them, {} \
             refused, {}",
            count(gateway.neighbours as u64, "node"),
            gateway.linked,
            count(gateway.published, "datagram"),
            gateway.delivered,
            gateway.refused,
            dropped(gateway)
        ));
    }
    if bus.nodes_with_other_file > 0 {
        lines.push(format!(
            "bus {name}: {} with another version of the configuration file: `kozo status --nodes`",
            count(bus.nodes_with_other_file as u64, "node"),
        ));
    }
    lines.extend(bus.denied.iter().map(|denial| {
        format!(
            "bus {name}: its engine refuses this node `{}`: {}",
            denial.subject,
            shortened(&denial.reason, LONGEST_ERROR)
        )
    }));
    if !bus.refused.is_empty() {
        let reasons = bus.refused.iter();
        let reasons = reasons.map(|refusals| format!("{} {}", refusals.count, refusals.text));
        let reasons: Vec<_> = reasons.collect();
        lines.push(format!(
            "bus {name}, of what came and was refused: {}",
            reasons.join("; ")
        ));
    }
    if bus.dropped_on_the_way > 0 {
        lines.push(format!(
            "bus {name}: {} dropped on the way to this node, and asked for again where something is missed",
            count(bus.dropped_on_the_way, "datagram")
        ));
    }
    if let Some(seconds) = bus.twin_seconds {
        lines.push(format!(
            "bus {name}: another daemon runs with this node's key, heard of {} ago: stop one of them, or give it \
             a name and a key of its own",
            span(seconds)
        ));
    }
    lines
}

/// The nodes that were heard of over buses, as a table.
pub(super) fn nodes(nodes: &BusNodes, colour: bool) -> String {
    if nodes.nodes.is_empty() {
        return "no node has been heard of over a bus\n".to_owned();
    }
    let mut table = Table::new(&[
        "node",
        "bus",
        "state",
        "last heard",
        "for",
        "trip",
        "run",
        "lanes",
        "received",
        "repaired",
        "missed",
        "reads us",
        "program",
    ]);
    for node in &nodes.nodes {
        table.row(node_row(node));
    }
    let mut text = table.render(colour);
    for node in &nodes.nodes {
        if let Some(why_not) = &node.why_not {
            let why_not = shortened(why_not, LONGEST_ERROR);
            text += &format!(
                "\n{}: {}",
                node.node,
                kozo_ground::text::printable(&why_not)
            );
        }
    }
    if nodes.nodes.iter().any(|node| node.why_not.is_some()) {
        text.push('\n');
    }
    if nodes.left_out > 0 {
        text += &format!("\nand {} more\n", nodes.left_out);
    }
    text
}

fn node_row(node: &BusNodeStatus) -> Vec<(String, Tone)> {
    let (state, tone) = match node.state {
        BusNodeState::NotHeard => ("not heard", Tone::Plain),
        BusNodeState::Asking => ("asking", Tone::Doubtful),
        BusNodeState::Heard if node.other_file => ("heard, other file", Tone::Doubtful),
        BusNodeState::Heard => ("heard", Tone::Good),
        BusNodeState::NoKey => ("no key", Tone::Bad),
        BusNodeState::Absent => ("absent", Tone::Bad),
        BusNodeState::Never => ("never", Tone::Plain),
    };
    let plain = |text: String| (text, Tone::Plain);
    let time = |seconds: Option<f64>| plain(seconds.map_or(String::new(), span));
    let agent = node.agent.as_deref().unwrap_or_default();
    vec![
        plain(node.node.to_string()),
        plain(node.bus.clone()),
        (state.to_owned(), tone),
        time(node.last_heard_seconds),
        time(node.heard_of_seconds),
        time(node.round_trip_seconds),
        plain(
            node.counter
                .map_or(String::new(), |counter| counter.to_string()),
        ),
        plain(node.lanes_in.to_string()),
        plain(node.incoming.received.to_string()),
        plain(node.incoming.repaired.to_string()),
        (
            node.incoming.missed.to_string(),
            doubtful_if(node.incoming.missed > 0),
        ),
        plain(
            node.reads_seconds
                .map_or("no".to_owned(), |_| "yes".to_owned()),
        ),
        plain(shortened(agent, LONGEST_ERROR).into_owned()),
    ]
}

/// What a gateway dropped, and why.
fn dropped(gateway: &GatewayStatus) -> String {
    let dropped = [
        (gateway.dropped_by_length, "too long for the engine"),
        (gateway.dropped_by_limit, "more than may wait"),
        (gateway.dropped_by_engine, "while the engine was away"),
        (
            gateway.dropped_by_link,
            "for want of room on a link, or of a link",
        ),
    ];
    let total: u64 = dropped.iter().map(|(count, _)| count).sum();
    let reasons = dropped.iter().filter(|(count, _)| *count > 0);
    let reasons: Vec<_> = reasons
        .map(|(count, reason)| format!("{count} {reason}"))
        .collect();
    match reasons.as_slice() {
        [] => "none dropped".to_owned(),
        _ => format!("{total} dropped ({})", reasons.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bus() -> BusStatus {
        let bus = r#"{
            "name": "fleet", "module": "nats", "state": "up", "since_seconds": 7200.0, "error": "the last one",
            "status": null, "server": "nats1:4222", "round_trip_seconds": 0.0004, "times_up": 2,
            "max_datagram_bytes": 1048576, "subscriptions": 5, "nodes_heard": 42, "lanes_out": 3, "lanes_in": 44,
            "queued": {"messages": 1, "bytes": 46}, "kept": {"messages": 47, "bytes": 48},
            "unconfirmed": {"messages": 2, "bytes": 50}, "waiting": {"messages": 0, "bytes": 0},
            "sent": 53, "sent_again": 0, "dropped_by_limit": 5, "dropped_by_age": 1,
            "datagrams_sent": 58, "bytes_sent": 59, "repairs_sent": 0, "asks_answered": 0, "asks_sent": 0,
            "received": 63, "repaired": 4, "repeated": 0, "missed": 6, "expired": 1, "unwanted": 0,
            "datagrams_received": 69, "bytes_received": 70, "refused": [], "twin_seconds": null
        }"#;
        serde_json::from_str(bus).unwrap()
    }

    fn table(bus: BusStatus) -> String {
        let mut text = String::new();
        section(&mut text, &[bus], false);
        text
    }

    #[test]
    fn a_bus_is_a_row_and_a_node_without_one_has_no_table() {
        let expected = "
  bus    module  state  server      for  trip    nodes  lanes  queued  sent  received  repaired  missed  refused  dropped
  fleet  nats    up     nats1:4222  2 h  400 µs  42     3/44   3       53    63        4         6       0        7
";
        assert_eq!(table(bus()), expected);
        assert_eq!(notes(&bus()), Vec::<String>::new());
        let mut text = String::new();
        section(&mut text, &[], false);
        assert_eq!(text, "");
    }

    #[test]
    fn what_is_wrong_with_a_bus_is_told_with_the_reason() {
        let down = BusStatus {
            state: BusState::Down,
            error: Some("no \u{1b}route".to_owned()),
            ..bus()
        };
        assert!(table(down.clone()).contains("down"));
        assert_eq!(notes(&down), ["bus fleet: no \\u{1b}route"]);
        let denied =
            json!([{"subject": "kozo.>", "reason": "not you", "last_seconds": 1.0, "times": 2}]);
        let refused = json!([{"reason": "seal", "text": "it is not sealed", "count": 3}]);
        let odd = BusStatus {
            denied: serde_json::from_value(denied).unwrap(),
            refused: serde_json::from_value(refused).unwrap(),
            dropped_on_the_way: 9,
            twin_seconds: Some(5.0),
            ..bus()
        };
        assert!(table(odd.clone()).contains("up, refused something"));
        let notes = notes(&odd).join("\n");
        for part in [
            "`kozo.>`: not you",
            "3 it is not sealed",
            "9 datagrams",
            "key, heard of 5.0 s ago",
        ] {
            assert!(notes.contains(part), "{part} in {notes}");
        }
    }

    #[test]
    fn what_a_gateway_handed_on_and_dropped_is_told_with_the_reasons() {
        let mut gateway = GatewayStatus {
            neighbours: 2,
            linked: 1,
            published: 20,
            delivered: 30,
            ..GatewayStatus::default()
        };
        let told = |gateway| {
            notes(&BusStatus {
                gateway: Some(gateway),
                ..bus()
            })
        };
        let start = "bus fleet: this node is the gateway of 2 nodes, 1 of them linked; 20 datagrams of theirs handed on, \
                     30 for them, 0 refused,";
        assert_eq!(told(gateway), [format!("{start} none dropped")]);
        (gateway.dropped_by_length, gateway.dropped_by_link) = (3, 4);
        let reasons =
            "7 dropped (3 too long for the engine, 4 for want of room on a link, or of a link)";
        assert_eq!(told(gateway), [format!("{start} {reasons}")]);
    }

    #[test]
    fn nodes_that_were_heard_of_are_rows_with_what_is_against_them() {
        let node = r#"{"bus": "fleet", "node": "field-7", "state": "no-key", "heard_of_seconds": null,
            "last_heard_seconds": null, "session": null, "counter": 4, "agent": "kozo 0.1.0", "file_digest": null,
            "other_file": false, "round_trip_seconds": null, "lanes_in": 0, "received": 0, "repaired": 0,
            "repeated": 0, "missed": 0, "expired": 0, "unwanted": 0, "datagrams_received": 0, "bytes_received": 0,
            "reads_seconds": 3.0, "why_not": "a foreign \u001bkey"}"#;
        let told = BusNodes {
            nodes: vec![serde_json::from_str(node).unwrap()],
            left_out: 2,
        };
        let text = nodes(&told, false);
        assert!(text.contains("field-7  fleet  no key"), "{text}");
        assert!(text.contains("field-7: a foreign \\u{1b}key\n"), "{text}");
        assert!(text.ends_with("and 2 more\n"), "{text}");
        assert_eq!(
            nodes(&BusNodes::default(), false),
            "no node has been heard of over a bus\n"
        );
    }
}
