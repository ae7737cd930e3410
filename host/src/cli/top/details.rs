//! All that is known of one node, link or role, as lines.

use kozo_ground::names::{NodeName, RoleName};
use kozo_ground::text::{Tone, bytes, count, shortened, span};
use kozo_status::{Amount, NodeReport, NodeStatus, PeerStatus, RoleStatus, TransportState};

use super::model::{BusLine, LinkLine, Model, Overview, Rates, RoleLine};
use super::sheets::{Subject, bus_state, byte_rate, link_state, rate, role_state};

/// How much of a text of others is shown, in characters.
const LONGEST_TEXT: usize = 400;

/// What stands before the lines of a section.
const MARGIN: &str = "  ";

type Lines = Vec<(String, Tone)>;

/// The lines about `subject`. Texts of others are escaped.
pub(super) fn details(model: &Model, subject: &Subject) -> Lines {
    let mut lines = Lines::new();
    let name = |text: &String| NodeName::new(text).ok();
    if let Some(overview) = model.overview() {
        match subject {
            Subject::Node(node) => {
                if let Some(report) = name(node).and_then(|node| model.report(&node)) {
                    node_lines(&mut lines, overview, report);
                }
            }
            Subject::Link(node, peer) => {
                if let (Some(node), Some(peer)) = (name(node), name(peer)) {
                    pair_lines(&mut lines, model, overview, &node, &peer);
                }
            }
            Subject::Bus(node, bus) => {
                if let Some(node) = name(node) {
                    bus_lines(&mut lines, model, overview, &node, bus);
                }
            }
            Subject::Role(node, role) => {
                if let (Some(node), Ok(role)) = (name(node), RoleName::new(role)) {
                    role_lines(&mut lines, model, overview, &node, &role);
                }
            }
        }
    }
    if lines.is_empty() {
        lines.push(("Nothing is told of it any more.".to_owned(), Tone::Doubtful));
    }
    lines
}

fn heading(lines: &mut Lines, text: impl Into<String>) {
    if !lines.is_empty() {
        lines.push((String::new(), Tone::Plain));
    }
    lines.push((text.into(), Tone::Strong));
}

fn say(lines: &mut Lines, text: &str, tone: Tone) {
    let text = shortened(text, LONGEST_TEXT);
    lines.push((format!("{MARGIN}{text}"), tone));
}

fn node_lines(lines: &mut Lines, overview: &Overview, report: &NodeReport) {
    heading(lines, format!("Node {}", report.node));
    if let Some(seconds) = report.unreachable_seconds {
        let text = format!("no link with it for {}", span(seconds));
        say(lines, &text, Tone::Bad);
    }
    if let Some(error) = &report.error {
        say(lines, error, Tone::Doubtful);
    }
    if report.other_file {
        let text = "it has another version of the network's file than the node that was asked";
        say(lines, text, Tone::Doubtful);
    }
    let line = overview.nodes.iter().find(|line| line.node == report.node);
    if let Some(status) = &report.status {
        let text = format!(
            "kozo {}, process {}, for {}",
            status.version,
            status.pid,
            span(status.running_seconds)
        );
        say(lines, &text, Tone::Plain);
        let digest = format!("file {}", status.file_digest);
        say(lines, &digest, Tone::Plain);
        if let Some(line) = line {
            say(lines, &rates_text(&line.rates), Tone::Plain);
        }
        faults(lines, status);
    }
    let of_node = |line: &&RoleLine| line.node == report.node;
    section(lines, "Roles", |lines| {
        for role in overview.roles.iter().filter(of_node) {
            let (state, tone) = role_state(role.state, role.restart_in_seconds);
            let text = format!(
                "{} ({}): {state}, {} waiting, {}",
                role.role,
                role.module,
                role.waiting,
                inbox_rates(role)
            );
            say(lines, &text, tone_of_fault(tone));
        }
    });
    let with_node = |line: &&LinkLine| line.node == report.node || line.peer == report.node;
    section(lines, "Links", |lines| {
        for link in overview.links.iter().filter(with_node) {
            let other = match link.node == report.node {
                true => &link.peer,
                false => &link.node,
            };
            let (state, tone) = link_state(link.state, link.next_dial_seconds);
            let mut text = format!("{other}: {state}");
            if let (Some(transport), Some(address)) = (&link.transport, &link.address) {
                text += &format!(" over {transport} with {address}");
            }
            if let Some(seconds) = link.round_trip_seconds {
                text += &format!(", round trip {}", span(seconds));
            }
            say(lines, &text, tone_of_fault(tone));
            if let Some(error) = &link.error {
                say(lines, &format!("{MARGIN}{error}"), Tone::Doubtful);
            }
        }
    });
    let of_node = |line: &&BusLine| line.node == report.node;
    section(lines, "Buses", |lines| {
        for bus in overview.buses.iter().filter(of_node) {
            let (state, tone) = bus_state(bus.state);
            let mut text = format!("{}: {state}", bus.bus);
            if let Some(server) = &bus.server {
                text += &format!(", {server}");
            }
            text += &format!(", hears {}", count(bus.nodes_heard as u64, "node"));
            say(lines, &text, tone_of_fault(tone));
            if let Some(error) = &bus.error {
                say(lines, &format!("{MARGIN}{error}"), Tone::Doubtful);
            }
        }
    });
    let transports = report.status.as_ref().map(|status| &status.transports);
    section(lines, "Transports", |lines| {
        for transport in transports.into_iter().flatten() {
            let (state, tone) = match transport.state {
                TransportState::Starting => ("starting", Tone::Doubtful),
                TransportState::Listening => ("listening", Tone::Plain),
                TransportState::DialsOnly => ("dials only", Tone::Plain),
                TransportState::Failing => ("failing", Tone::Bad),
            };
            let mut text = format!("{} ({}): {state}", transport.name, transport.module);
            for more in [&transport.status, &transport.error].into_iter().flatten() {
                text += &format!(", {more}");
            }
            say(lines, &text, tone);
        }
    });
}

/// What is zero as long as all is well.
fn faults(lines: &mut Lines, status: &NodeStatus) {
    let connections = status.connections;
    for (number, what, why) in [
        (
            status.orders_refused,
            "order",
            "refused: `acceptOrdersFrom` does not name the sender",
        ),
        (
            connections.refused,
            "connection",
            "refused: the other end did not prove that it is a node of the network",
        ),
        (
            connections.turned_away,
            "connection",
            "turned away: too many had not said who they are",
        ),
        (
            status.log.dropped,
            "log line",
            "dropped: nobody read the log",
        ),
    ] {
        if number > 0 {
            say(
                lines,
                &format!("{} {why}", count(number, what)),
                Tone::Doubtful,
            );
        }
    }
}

/// A section, if there is something in it.
fn section(lines: &mut Lines, title: &str, fill: impl FnOnce(&mut Lines)) {
    let mut inner = Lines::new();
    fill(&mut inner);
    if !inner.is_empty() {
        heading(lines, title);
        lines.append(&mut inner);
    }
}

fn tone_of_fault(tone: Tone) -> Tone {
    match tone {
        Tone::Good => Tone::Plain,
        other => other,
    }
}

fn pair_lines(
    lines: &mut Lines,
    model: &Model,
    overview: &Overview,
    node: &NodeName,
    peer: &NodeName,
) {
    let line = overview
        .links
        .iter()
        .find(|line| line.node == *node && line.peer == *peer);
    for (one, other) in [(node, peer), (peer, node)] {
        let status = model.report(one).and_then(|report| report.status.as_ref());
        let told = status.and_then(|status| status.peers.iter().find(|it| it.peer == *other));
        if let Some(told) = told {
            heading(lines, format!("What {one} tells of {other}"));
            if let Some(line) = line.filter(|line| line.node == *one) {
                say(lines, &rates_text(&line.rates), Tone::Plain);
            }
            peer_lines(lines, told);
        }
    }
}

fn peer_lines(lines: &mut Lines, peer: &PeerStatus) {
    let (state, tone) = link_state(peer.state, peer.next_dial_seconds);
    say(lines, &state, tone);
    for link in &peer.links {
        let who = if link.dialled {
            "dialled from here"
        } else {
            "dialled by it"
        };
        let text = format!(
            "over {} with {}, {who}, for {}",
            link.transport,
            link.address,
            span(link.up_seconds)
        );
        say(lines, &text, Tone::Plain);
        let trip = link
            .round_trip_seconds
            .map_or("not measured yet".to_owned(), span);
        let cipher = link.cipher.as_deref().unwrap_or("as the other end knows");
        say(
            lines,
            &format!("round trip {trip}, cipher {cipher}"),
            Tone::Plain,
        );
    }
    for attempt in &peer.dialling {
        let text = format!(
            "dials `{}` with `{}`, for {}",
            attempt.peer_transport,
            attempt.transport,
            span(attempt.seconds)
        );
        say(lines, &text, Tone::Doubtful);
    }
    amounts(
        lines,
        &[("queued", peer.queued), ("in flight", peer.in_flight)],
    );
    let outbox = &peer.outbox;
    let text = format!(
        "sent {}, again {}, acknowledged {}; {}",
        outbox.sent,
        outbox.sent_again,
        outbox.acknowledged,
        bytes(peer.bytes_sent)
    );
    say(lines, &text, Tone::Plain);
    let inbound = &peer.inbound;
    let text = format!(
        "received {}, repeated {}, missed {}; {}",
        inbound.received,
        inbound.repeated,
        inbound.missed,
        bytes(peer.bytes_received)
    );
    say(lines, &text, Tone::Plain);
    dropped(lines, outbox.dropped_by_limit, outbox.dropped_by_age);
    if let Some(error) = &peer.last_error {
        let ago = span(peer.last_error_seconds.unwrap_or_default());
        say(lines, &format!("{ago} ago: {error}"), Tone::Doubtful);
    }
}

/// How much there is of each.
fn amounts(lines: &mut Lines, of: &[(&str, Amount)]) {
    for (what, amount) in of {
        let text = format!(
            "{what} {} ({})",
            count(amount.messages as u64, "message"),
            bytes(amount.bytes as u64)
        );
        say(lines, &text, Tone::Plain);
    }
}

/// What a queue has dropped, if it has.
fn dropped(lines: &mut Lines, by_limit: u64, by_age: u64) {
    if by_limit > 0 || by_age > 0 {
        let text = format!("dropped {by_limit} by the queue's limits, {by_age} by age");
        say(lines, &text, Tone::Doubtful);
    }
}

fn bus_lines(lines: &mut Lines, model: &Model, overview: &Overview, node: &NodeName, bus: &str) {
    let status = model.report(node).and_then(|report| report.status.as_ref());
    let told = status.and_then(|status| status.buses.iter().find(|it| it.name == bus));
    let Some(told) = told else {
        return;
    };
    heading(lines, format!("Bus {bus} of {node}"));
    say(lines, &format!("module {}", told.module), Tone::Plain);
    let (state, tone) = bus_state(told.state);
    let text = format!("{state} for {}", span(told.since_seconds));
    say(lines, &text, tone);
    for more in [&told.server, &told.status].into_iter().flatten() {
        say(lines, more, Tone::Plain);
    }
    let mut known = overview.buses.iter();
    if let Some(line) = known.find(|line| line.node == *node && line.bus == bus) {
        say(lines, &rates_text(&line.rates), Tone::Plain);
        if let Some(error) = &line.error {
            say(lines, error, Tone::Doubtful);
        }
    }
    let text = format!(
        "hears {}, in {}; sends in {}",
        count(told.nodes_heard as u64, "node"),
        count(told.lanes_in as u64, "lane"),
        count(told.lanes_out as u64, "lane")
    );
    say(lines, &text, Tone::Plain);
    amounts(
        lines,
        &[
            ("queued", told.queued),
            ("not confirmed", told.unconfirmed),
            ("kept for repairs", told.kept),
        ],
    );
    let outgoing = &told.outgoing;
    let text = format!(
        "sent {}, again {}, repairs {}; {}",
        outgoing.sent,
        outgoing.sent_again,
        outgoing.repairs_sent,
        bytes(outgoing.bytes_sent)
    );
    say(lines, &text, Tone::Plain);
    let incoming = &told.incoming;
    let text = format!(
        "received {}, repaired {}, repeated {}, missed {}; {}",
        incoming.received,
        incoming.repaired,
        incoming.repeated,
        incoming.missed,
        bytes(incoming.bytes_received)
    );
    say(lines, &text, Tone::Plain);
    dropped(lines, outgoing.dropped_by_limit, outgoing.dropped_by_age);
    for refusals in &told.refused {
        let text = format!("refused {}: {}", refusals.count, refusals.text);
        say(lines, &text, Tone::Doubtful);
    }
}

fn role_lines(
    lines: &mut Lines,
    model: &Model,
    overview: &Overview,
    node: &NodeName,
    role: &RoleName,
) {
    let status = model.report(node).and_then(|report| report.status.as_ref());
    let told: Option<&RoleStatus> =
        status.and_then(|status| status.roles.iter().find(|it| it.name == *role));
    let Some(told) = told else {
        return;
    };
    heading(lines, format!("Role {role} of {node}"));
    let (state, tone) = role_state(told.state, told.restart_in_seconds);
    say(lines, &format!("module {}", told.module), Tone::Plain);
    say(lines, &state, tone);
    let faces = crate::cli::faces::shown_as(told);
    if !faces.is_empty() {
        say(lines, &format!("shown as {faces}"), Tone::Plain);
    }
    let mut known = overview.roles.iter();
    if let Some(line) = known.find(|line| line.node == *node && line.role == *role) {
        say(lines, &inbox_rates(line), Tone::Plain);
    }
    let inbox = &told.inbox;
    let text = format!(
        "{} of {} waiting, {} of {}",
        inbox.waiting,
        inbox.length_limit,
        bytes(inbox.bytes as u64),
        bytes(inbox.size_limit as u64)
    );
    say(lines, &text, Tone::Plain);
    let text = format!("received {}, taken {}", inbox.received, inbox.taken);
    say(lines, &text, Tone::Plain);
    let text = format!(
        "dropped {} by the inbox's limits, {} by age, {} by stops",
        inbox.dropped_by_limit, inbox.dropped_by_age, inbox.dropped_by_stop
    );
    say(lines, &text, Tone::Plain);
    let text = format!(
        "made anew {}, failed {}",
        count(told.restarts, "time"),
        count(told.failures, "time")
    );
    say(lines, &text, Tone::Plain);
    if told.lines_left_out > 0 {
        let text = format!("{} left out", count(told.lines_left_out, "log line"));
        say(lines, &text, Tone::Doubtful);
    }
    if let Some(error) = &told.last_error {
        say(lines, &format!("last error: {error}"), Tone::Doubtful);
    }
}

/// What goes and comes in a second.
pub(super) fn rates_text(rates: &Rates) -> String {
    let known = |rate: Option<f64>, shown: fn(f64) -> String| {
        rate.map_or_else(|| "–".to_owned(), |rate| shown(rate) + "/s")
    };
    format!(
        "in {} ({}), out {} ({})",
        known(rates.received_per_second, rate),
        known(rates.bytes_received_per_second, byte_rate),
        known(rates.sent_per_second, rate),
        known(rates.bytes_sent_per_second, byte_rate),
    )
}

fn inbox_rates(role: &RoleLine) -> String {
    let known = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |it| rate(it) + "/s");
    format!(
        "{} in, {} taken",
        known(role.received_per_second),
        known(role.taken_per_second)
    )
}
