//! The buses of a node, as a table and as notes.

use kozo_ground::text::{Table, Tone, count, shortened, span};
use kozo_status::{BusNodeState, BusNodeStatus, BusNodes, BusState, BusStatus};

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
