//! Why there is a link with another node, or none, in sentences: for `kozo why`, and for whoever else asks, so that
//! all say the same.

mod bus;

use std::fmt::Write;

use kozo_ground::policy::ConnectPolicy;
use kozo_ground::text::{bytes, count, printable, span};
use kozo_status::{EventKind, EventStatus, PeerDetails, PeerState, PolicyStatus};

/// All that can be said, as lines: the answer first, then what it rests on. An empty line is between its parts. Nothing
/// is in them that a terminal would obey.
pub(crate) fn sentences(report: &PeerDetails) -> Vec<String> {
    let lines = match &report.bus {
        Some(between) => bus::lines(report, between),
        None => of_links(report),
    };
    let printed = lines.iter().map(|line| printable(line).into_owned());
    printed.collect()
}

fn of_links(report: &PeerDetails) -> Vec<String> {
    let mut lines = vec![verdict(report)];
    lines.extend(report.peer.twins.as_ref().map(|twins| {
        format!(
            "Two daemons run as {}: {} has the link, and {} was there as well {} ago. Stop one of \
             them, or give it a name and a key of its own.",
            twins.node,
            twins.linked,
            twins.other,
            span(twins.last_seconds)
        )
    }));
    lines.extend(report.peer.dialling.iter().map(|attempt| {
        format!(
            "It has been dialled over `{}` (its `{}`) for {}.",
            attempt.transport,
            attempt.peer_transport,
            span(attempt.seconds)
        )
    }));
    lines.push(what_waits(report));
    if report.peer.other_file {
        lines.push(format!(
            "{} has another version of the configuration file, as far as its last greeting says: \
             copy the same one to every node, and restart those that had another one.",
            report.peer.peer
        ));
    }
    lines.push(String::new());
    let (node, peer) = (report.node.as_str(), report.peer.peer.as_str());
    if report.peer.state != PeerState::NoWay {
        lines.push(policy(node, peer, "dials", &report.outgoing));
        lines.push(policy(peer, node, "dials", &report.incoming));
    }
    lines.push(ways(report));
    lines.extend(what_keeps_ways(report));
    lines.extend(what_transports_say(report));
    lines.push(String::new());
    if report.history.is_empty() {
        lines.push("Nothing has happened between the two since this daemon started.".to_owned());
    } else {
        lines.push("Lately, the last first:".to_owned());
    }
    let events = report.history.iter().rev();
    lines.extend(events.map(|event| format!("  {}", happened(event))));
    lines
}

/// What is so, and why.
pub(crate) fn verdict(report: &PeerDetails) -> String {
    let (node, peer) = (&report.node, &report.peer.peer);
    if let Some(between) = &report.bus {
        return bus::verdict(report, between);
    }
    match report.peer.state {
        PeerState::Up => up(report),
        PeerState::Greeting => format!(
            "There is no link between {node} and {peer} yet: both have proven who they are, and \
             {peer} has not said its hello."
        ),
        PeerState::Dialling => {
            format!("There is no link between {node} and {peer} yet: {node} is dialling.")
        }
        PeerState::Waiting => {
            let wait = span(report.peer.next_dial_seconds.unwrap_or_default());
            let last = report.peer.last_error.as_deref();
            let last = last.map_or(String::new(), |error| format!(" The last try: {error}."));
            format!(
                "There is no link between {node} and {peer}: the tries to dial failed, and the \
                 next one is due in {wait}.{last}"
            )
        }
        PeerState::OnDemand => format!(
            "There is no link between {node} and {peer}, and none is wanted: it is made on \
             demand, and no message waits for {peer}."
        ),
        PeerState::LeftToPeer => format!(
            "There is no link between {node} and {peer}: {node} may not dial {peer}, and {peer} \
             has not dialled {node}. Ask there: `kozo why {node}`."
        ),
        PeerState::NoWay => format!(
            "There is no link between {node} and {peer}: no transport of {node} reaches one of \
             {peer}'s, and they have no bus in common."
        ),
        PeerState::Never => format!(
            "There is no link between {node} and {peer}, and there will be none: the policies \
             forbid it both ways."
        ),
        PeerState::Stopping => {
            format!("There is no link between {node} and {peer}: the daemon of {node} stops.")
        }
        PeerState::OverBus => format!("Messages between {node} and {peer} go over a bus."),
    }
}

fn up(report: &PeerDetails) -> String {
    let (node, peer) = (&report.node, &report.peer.peer);
    let Some(link) = report.peer.links.first() else {
        return format!("There is a link between {node} and {peer}.");
    };
    let dialler = if link.dialled { node } else { peer };
    let mut text = format!(
        "There is a link between {node} and {peer}: over `{}` with {}, dialled by {dialler}, up \
         for {}.",
        link.transport,
        link.address,
        span(link.up_seconds)
    );
    if let Some(round_trip) = link.round_trip_seconds {
        let _ = write!(text, " A round trip takes {}.", span(round_trip));
    }
    if let Some(cipher) = &link.cipher {
        let _ = write!(text, " It is protected by `{cipher}`");
        match &link.mac {
            Some(mac) => {
                let _ = write!(text, " and `{mac}`.");
            }
            None => text.push('.'),
        }
    }
    if let Some(noise) = &link.noise {
        let _ = write!(text, " SSH has handed it over to `{noise}`.");
    }
    if let Some(note) = &link.note {
        let _ = write!(text, " Note that {note}.");
    }
    text
}

fn what_waits(report: &PeerDetails) -> String {
    let peer = &report.peer;
    let mut parts = Vec::new();
    if peer.queued.messages > 0 {
        let messages = count(peer.queued.messages as u64, "message");
        parts.push(format!("{messages} ({})", bytes(peer.queued.bytes as u64)));
    }
    if peer.in_flight.messages > 0 {
        let messages = count(peer.in_flight.messages as u64, "message");
        parts.push(format!(
            "{messages} ({}) not acknowledged yet",
            bytes(peer.in_flight.bytes as u64)
        ));
    }
    let waits = match parts.as_slice() {
        [] => format!("Nothing waits for {}.", peer.peer),
        parts => format!("For {} there wait {}.", peer.peer, parts.join(", and ")),
    };
    let dropped = peer.outbox.dropped();
    if dropped == 0 {
        return waits;
    }
    format!(
        "{waits} {} dropped before: {} by the queue's limits, {} by age.",
        were(dropped),
        peer.outbox.dropped_by_limit,
        peer.outbox.dropped_by_age
    )
}

fn were(number: u64) -> String {
    let verb = if number == 1 { "was" } else { "were" };
    format!("{} {verb}", count(number, "message"))
}

/// When one node dials the other, or `sends` to it where there are no links, and which options say so.
fn policy(from: &str, to: &str, does: &str, policy: &PolicyStatus) -> String {
    let when = match (policy.policy, does) {
        (ConnectPolicy::Constant, "dials") => "keeps a link at all times".to_owned(),
        (ConnectPolicy::OnDemand, "dials") => "dials when it has a message".to_owned(),
        // On a bus there is nothing to be kept.
        (ConnectPolicy::Constant | ConnectPolicy::OnDemand, _) => {
            format!("{does} what roles of {to} want")
        }
        (ConnectPolicy::Never, _) => format!("never {does}"),
    };
    format!(
        "{from} to {to}: {from} {when} (`selfToOthersConnectPolicy` of {from} is `{}`, \
         `othersToSelfConnectPolicy` of {to} is `{}`).",
        policy.self_to_others.name(),
        policy.others_to_self.name()
    )
}

fn ways(report: &PeerDetails) -> String {
    let (node, peer) = (&report.node, &report.peer.peer);
    if report.ways.is_empty() {
        return format!(
            "Ways from {node} to {peer}: none; see the transports of both in the file, and `kozo \
             modules`."
        );
    }
    let ways: Vec<_> = report
        .ways
        .iter()
        .map(|way| format!("`{}` to its `{}`", way.transport, way.peer_transport))
        .collect();
    format!(
        "Ways from {node} to {peer}, best first: {}. Tries that fail are at most {} apart.",
        ways.join(", "),
        span(report.connection_retry_seconds)
    )
}

/// What is wrong with the ways that there are, and with those that there would be.
fn what_keeps_ways(report: &PeerDetails) -> Vec<String> {
    let ways = report.ways.iter().filter_map(|way| {
        let error = way.error.as_deref()?;
        let (transport, peer_transport) = (&way.transport, &way.peer_transport);
        Some(format!(
            "`{transport}` to its `{peer_transport}` is not tried at present: {error}."
        ))
    });
    let unusable = report.peer.unusable.iter().map(|other| {
        let (peer, transport) = (&report.peer.peer, &other.transport);
        format!(
            "There is no way to `{transport}` of {peer}: {}.",
            other.reason
        )
    });
    ways.chain(unusable).collect()
}

/// What the transports of the ways are about: where there is no link yet, it may be the reason.
fn what_transports_say(report: &PeerDetails) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    if !report.peer.links.is_empty() {
        return said;
    }
    for way in &report.ways {
        if let Some(status) = &way.status {
            let line = format!("`{}` says: {status}.", way.transport);
            if !said.contains(&line) {
                said.push(line);
            }
        }
    }
    said
}

fn happened(event: &EventStatus) -> String {
    let transport = &event.transport;
    let with = event
        .address
        .as_deref()
        .map_or(String::new(), |address| format!(" with {address}"));
    let reason = event.reason.as_deref().unwrap_or("no reason is known");
    let what = match (event.what, event.dialled) {
        (EventKind::Up, Some(true)) => {
            format!("a link over `{transport}`{with} came up, dialled from here")
        }
        (EventKind::Up, _) => {
            format!("a link over `{transport}`{with} came up, dialled from there")
        }
        (EventKind::Closed, _) => {
            format!("the link over `{transport}`{with} was closed: {reason}")
        }
        (EventKind::Lost, _) => format!("the link over `{transport}`{with} was lost: {reason}"),
        (EventKind::Refused, _) => {
            format!("no link came about over `{transport}`{with}: {reason}")
        }
        (EventKind::DialFailed, _) => format!("dialling over `{transport}` failed: {reason}"),
    };
    let last = span(event.last_seconds);
    match event.times {
        1 => format!("{last} ago: {what}"),
        times => format!(
            "{last} ago: {what} ({times} times since {} ago)",
            span(event.first_seconds)
        ),
    }
}

#[cfg(test)]
mod tests;
