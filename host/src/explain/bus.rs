//! Why messages go between two nodes over a bus, or do not, in sentences.

use kozo_ground::text::{count, enumerate, span};
use kozo_status::{BusDetails, BusNodeState, BusState, BusStatus, PeerDetails};

use super::policy;

/// All that can be said of two nodes that a bus lies between: the answer first, then what it rests on.
pub(super) fn lines(report: &PeerDetails, between: &BusDetails) -> Vec<String> {
    let mut lines = vec![verdict(report, between)];
    lines.extend(gateways(report, between));
    lines.extend(denials(report, &between.bus));
    lines.extend(twins(report, between));
    if between.peer.other_file {
        lines.push(format!(
            "{} has another version of the configuration file, as it has said last: copy the same one to every \
             node, and restart those that had another one.",
            report.peer.peer
        ));
    }
    lines.push(String::new());
    lines.extend(connection(report, &between.bus));
    lines.extend(hearing(report, between));
    lines.push(reading(report, between));
    lines.extend(refusals(&between.bus));
    lines.push(String::new());
    let (node, peer) = (report.node.as_str(), report.peer.peer.as_str());
    lines.push(policy(node, peer, "sends", &report.outgoing));
    lines.push(policy(peer, node, "sends", &report.incoming));
    lines
}

/// What is so, and why.
pub(super) fn verdict(report: &PeerDetails, between: &BusDetails) -> String {
    let (node, peer) = (&report.node, &report.peer.peer);
    let BusDetails {
        bus, peer: seen, ..
    } = between;
    let name = &bus.name;
    let way = format!("Messages between {node} and {peer} go over the bus `{name}`");
    if seen.state == BusNodeState::Never {
        return format!(
            "No messages go between {node} and {peer}: both are on the bus `{name}`, and the policies forbid it \
             both ways."
        );
    }
    match bus.state {
        BusState::Up => {}
        BusState::Connecting => {
            let why = reason(bus.error.as_deref());
            return format!("{way}, and {node} is not connected to it yet{why}.");
        }
        BusState::Down => {
            let (since, why) = (span(bus.since_seconds), reason(bus.error.as_deref()));
            return format!("{way}, and {node} has not been connected to it for {since}{why}.");
        }
    }
    let why_not = reason(seen.why_not.as_deref());
    match seen.state {
        BusNodeState::Heard => {
            let last = seen.last_heard_seconds.unwrap_or_default();
            format!(
                "{way}: both are on it, and {node} has heard {peer} {} ago{why_not}.",
                span(last)
            )
        }
        BusNodeState::Asking => format!(
            "{way}: something of {peer} has come, and {node} is asking it for its key{why_not}."
        ),
        BusNodeState::NoKey => format!(
            "{way}, but {node} can read nothing of {peer}: it could not have its key{why_not}."
        ),
        BusNodeState::Absent => format!(
            "{way}, but {peer} is not connected to it: the bus's engine says that nobody listens there for what is \
             sent to {peer}{why_not}."
        ),
        BusNodeState::NotHeard if seen.reads_seconds.is_some() => format!(
            "{way}: both are on it, {peer} reads what {node} sends, and has sent nothing yet that a role of {node} \
             wants{why_not}."
        ),
        // `Never` was said above.
        BusNodeState::NotHeard | BusNodeState::Never => format!(
            "{way}, and {node} has not heard of {peer} since its daemon started{why_not}. It hears of a node when \
             that sends what a role here wants; `kozo ping {peer}` asks it now."
        ),
    }
}

fn reason(text: Option<&str>) -> String {
    text.map_or(String::new(), |text| format!(": {text}"))
}

fn gateways(report: &PeerDetails, between: &BusDetails) -> Vec<String> {
    let sides = [
        (&report.node, &between.through),
        (&report.peer.peer, &between.peer_through),
    ];
    let behind = sides.into_iter().filter(|(_, through)| !through.is_empty());
    let lines = behind.map(|(node, through)| {
        let names = through.iter().map(|name| name.as_str());
        let first = &through[0];
        format!(
            "{node} reaches the bus through {}; `kozo why {first} --of {node}` tells of the link with it.",
            enumerate(names, "or")
        )
    });
    lines.collect()
}

fn denials(report: &PeerDetails, bus: &BusStatus) -> Vec<String> {
    let lines = bus.denied.iter().map(|denial| {
        let times = match denial.times {
            1 => String::new(),
            times => format!(", {times} times"),
        };
        format!(
            "The engine of `{}` refuses {} `{}`, {} ago last{times}: {}. See what it has to allow: `kozo bus \
             permissions`.",
            bus.name,
            report.node,
            denial.subject,
            span(denial.last_seconds),
            denial.reason
        )
    });
    lines.collect()
}

fn twins(report: &PeerDetails, between: &BusDetails) -> Option<String> {
    let seconds = between.bus.twin_seconds?;
    Some(format!(
        "Another daemon runs with the key of {}: it was heard of {} ago. Stop one of them, or give it a name and a \
         key of its own.",
        report.node,
        span(seconds)
    ))
}

fn connection(report: &PeerDetails, bus: &BusStatus) -> Vec<String> {
    let node = &report.node;
    let mut lines = Vec::new();
    if bus.state == BusState::Up {
        let server = bus.server.as_deref().unwrap_or("the engine");
        let trip = bus.round_trip_seconds.map_or(String::new(), |seconds| {
            format!(", and a round trip takes {}", span(seconds))
        });
        lines.push(format!(
            "{node} has been connected to {server} for {}{trip}.",
            span(bus.since_seconds)
        ));
        let waiting = bus.queued.messages + bus.unconfirmed.messages;
        lines.push(match waiting {
            0 if bus.denied.is_empty() => format!("The engine has all that {node} has sent."),
            0 => format!("The engine has all that {node} has sent, but for what it refuses."),
            _ => format!(
                "For the engine there wait {}.",
                count(waiting as u64, "message")
            ),
        });
    } else if bus.queued.messages > 0 {
        lines.push(format!(
            "For the bus there wait {}.",
            count(bus.queued.messages as u64, "message")
        ));
    }
    let dropped = bus.outgoing.dropped();
    if dropped > 0 {
        lines.push(format!(
            "{} of {node} for the bus were dropped: {} by the queue's limits, {} by age.",
            count(dropped, "message"),
            bus.outgoing.dropped_by_limit,
            bus.outgoing.dropped_by_age
        ));
    }
    if let Some(says) = &bus.status {
        lines.push(format!("`{}` says: {says}.", bus.name));
    }
    lines
}

fn hearing(report: &PeerDetails, between: &BusDetails) -> Vec<String> {
    let (node, peer) = (&report.node, &report.peer.peer);
    let seen = &between.peer;
    let Some(since) = seen.heard_of_seconds else {
        return Vec::new();
    };
    let counts = &seen.incoming;
    let trip = seen.round_trip_seconds.map_or(String::new(), |seconds| {
        format!(" A round trip to it took {}.", span(seconds))
    });
    vec![
        format!(
            "{node} has had the key of {peer} for {}, and hears it in {}.{trip}",
            span(since),
            count(seen.lanes_in as u64, "lane")
        ),
        format!(
            "Of {peer}'s messages {} came, {} of them only when they were asked for again; {} were missed, and {} \
             came too late.",
            counts.received, counts.repaired, counts.missed, counts.expired
        ),
    ]
}

fn reading(report: &PeerDetails, between: &BusDetails) -> String {
    let (node, peer) = (&report.node, &report.peer.peer);
    match between.peer.reads_seconds {
        Some(seconds) => format!(
            "{peer} has asked for the key of {node} {} ago, and got it: it reads what {node} sends, unless its file \
             has another key for {node}, which `kozo ping {peer}` tells.",
            span(seconds)
        ),
        None => format!(
            "{peer} has not asked for the key of {node}: it has read nothing of it since the daemon of {node} \
             started. It asks as soon as something comes that one of its roles wants."
        ),
    }
}

fn refusals(bus: &BusStatus) -> Option<String> {
    if bus.refused.is_empty() {
        return None;
    }
    let reasons = bus
        .refused
        .iter()
        .map(|refusals| format!("{} {}", refusals.count, refusals.text));
    let reasons: Vec<_> = reasons.collect();
    Some(format!(
        "Of all that came over `{}`, {} refused: {}.",
        bus.name,
        match bus.refused_total() {
            1 => "one was".to_owned(),
            total => format!("{total} were"),
        },
        reasons.join("; ")
    ))
}
