//! `kozo status`: what the node on this machine does, and what others say of themselves.

mod buses;
mod network;

use std::fmt::Write;

use kozo_ground::names::NodeName;
use kozo_ground::text::{Table, Tone, bytes, count, printable, shortened, span, toned};
use kozo_status::{
    BusNodes, LinkStatus, NodeReport, NodeStatus, PeerState, PeerStatus, RoleState, RoleStatus,
    TransportState, TransportStatus,
};

use super::arguments::StatusArguments;
use super::faces::shown_as;
use super::failure::Failure;
use super::output;
use super::reach::{reach, reach_about};
use crate::introspection::Request;
use crate::log::shows_colours;

/// How much of an error is shown; `--json` has all of it.
pub(super) const LONGEST_ERROR: usize = 160;

/// How many characters tell what a role is shown as.
const LONGEST_FACES: usize = 80;

pub(super) fn status(arguments: &StatusArguments) -> Result<(), Failure> {
    let by = arguments.on.as_ref();
    let report = match arguments.nodes.as_slice() {
        [] if arguments.all => {
            let daemon = reach(&arguments.daemon, by)?;
            let network = daemon.ask(&Request::Network { wait_ms: None });
            return network::show(&network.map_err(Failure::other)?, arguments.json);
        }
        [] if arguments.bus_nodes => {
            let daemon = reach(&arguments.daemon, by)?;
            let nodes: BusNodes = daemon.ask(&Request::BusNodes).map_err(Failure::other)?;
            if arguments.json {
                return output::print_json(&nodes);
            }
            let colour = shows_colours(&std::io::stdout());
            return output::print_coloured(&buses::nodes(&nodes, colour));
        }
        [] => {
            let daemon = reach(&arguments.daemon, by)?;
            daemon.ask(&Request::Status).map_err(Failure::other)?
        }
        [node] => network::one(&report_of(arguments, node)?)?,
        nodes => {
            let reports = nodes.iter().map(|node| report_of(arguments, node));
            let reports = reports.collect::<Result<Vec<_>, _>>()?;
            return network::show_each(&reports, arguments.json);
        }
    };
    if arguments.json {
        return output::print_json(&report);
    }
    output::print_coloured(&render(&report, shows_colours(&std::io::stdout())))
}

/// What a node says of itself, asked directly or through the network.
fn report_of(arguments: &StatusArguments, node: &NodeName) -> Result<NodeReport, Failure> {
    let daemon = reach_about(&arguments.daemon, arguments.on.as_ref(), node)?;
    let request = Request::StatusOf {
        node: node.to_string(),
        wait_ms: None,
    };
    daemon.ask(&request).map_err(Failure::other)
}

fn render(report: &NodeStatus, colour: bool) -> String {
    let mut text = format!(
        "{}: kozo {}, process {}, for {}, file {}\n",
        toned(report.node.as_str(), Tone::Strong, colour),
        printable(&report.version),
        report.pid,
        span(report.running_seconds),
        printable(&report.file_digest),
    );
    if !report.roles.is_empty() {
        let mut heading = vec![
            "role", "module", "state", "restarts", "waiting", "received", "dropped",
        ];
        let shown = report.roles.iter().any(|role| !shown_as(role).is_empty());
        let says = report.roles.iter().any(|role| role.status.is_some());
        if shown {
            heading.push("shown as");
        }
        if says {
            heading.push("it says");
        }
        let mut table = Table::new(&heading);
        for role in &report.roles {
            role_row(&mut table, role, shown, says);
        }
        section(&mut text, &table, colour);
    }
    if !report.peers.is_empty() {
        let mut table = Table::new(&[
            "node",
            "link",
            "over",
            "for",
            "trip",
            "queued",
            "in flight",
            "sent",
            "received",
            "dropped",
            "missed",
            "cipher",
        ]);
        for peer in &report.peers {
            peer_rows(&mut table, peer);
        }
        section(&mut text, &table, colour);
    }
    if !report.transports.is_empty() {
        let mut heading = vec!["transport", "module", "state"];
        if report.transports.iter().any(|each| each.status.is_some()) {
            heading.push("it says");
        }
        let mut table = Table::new(&heading);
        for transport in &report.transports {
            transport_row(&mut table, transport);
        }
        section(&mut text, &table, colour);
    }
    buses::section(&mut text, &report.buses, colour);
    notes(&mut text, report);
    text
}

fn section(text: &mut String, table: &Table, colour: bool) {
    text.push('\n');
    text.push_str(&table.render(colour));
}

/// Where a role is in its life, for people.
pub(super) fn role_state(role: &RoleStatus) -> (String, Tone) {
    match role.state {
        RoleState::Starting => ("starting".to_owned(), Tone::Doubtful),
        RoleState::Running => ("running".to_owned(), Tone::Good),
        RoleState::Waiting => {
            let wait = span(role.restart_in_seconds.unwrap_or_default());
            (format!("failed, again in {wait}"), Tone::Bad)
        }
        RoleState::Stopping => ("stopping".to_owned(), Tone::Doubtful),
        RoleState::Stopped => ("stopped".to_owned(), Tone::Bad),
    }
}

/// One role; with what it is shown as and what it says of itself, where any role has that.
fn role_row(table: &mut Table, role: &RoleStatus, shown: bool, says: bool) {
    let (state, tone) = role_state(role);
    let inbox = &role.inbox;
    let dropped = inbox.dropped_by_limit + inbox.dropped_by_age + inbox.dropped_by_stop;
    let mut row = vec![
        (role.name.to_string(), Tone::Plain),
        (role.module.to_string(), Tone::Plain),
        (state, tone),
        (role.restarts.to_string(), Tone::Plain),
        (
            format!("{} of {}", inbox.waiting, inbox.length_limit),
            Tone::Plain,
        ),
        (inbox.received.to_string(), Tone::Plain),
        (dropped.to_string(), doubtful_if(dropped > 0)),
    ];
    let mut text = |text: &str, longest: usize| {
        row.push((shortened(text, longest).into_owned(), Tone::Plain));
    };
    if shown {
        text(&shown_as(role), LONGEST_FACES);
    }
    if says {
        text(role.status.as_deref().unwrap_or_default(), LONGEST_ERROR);
    }
    table.row(row);
}

/// A row for the peer, and one more for each further link.
fn peer_rows(table: &mut Table, peer: &PeerStatus) {
    let link = peer.links.first();
    let (state, tone) = peer_state(peer);
    let dropped = peer.outbox.dropped();
    let way = link.map_or(String::new(), |link| {
        over(&link.transport, &link.address, link.dialled)
    });
    table.row([
        (peer.peer.to_string(), Tone::Plain),
        (state, tone),
        (way, Tone::Plain),
        (
            link.map_or(String::new(), |link| span(link.up_seconds)),
            Tone::Plain,
        ),
        (
            link.and_then(|link| link.round_trip_seconds)
                .map_or(String::new(), span),
            Tone::Plain,
        ),
        (peer.queued.messages.to_string(), Tone::Plain),
        (peer.in_flight.messages.to_string(), Tone::Plain),
        (
            format!("{} ({})", peer.outbox.sent, bytes(peer.bytes_sent)),
            Tone::Plain,
        ),
        (
            format!("{} ({})", peer.inbound.received, bytes(peer.bytes_received)),
            Tone::Plain,
        ),
        (dropped.to_string(), doubtful_if(dropped > 0)),
        (
            peer.inbound.missed.to_string(),
            doubtful_if(peer.inbound.missed > 0),
        ),
        (link.map_or(String::new(), cipher), Tone::Plain),
    ]);
    for further in peer.links.iter().skip(1) {
        table.row([
            (String::new(), Tone::Plain),
            ("up as well".to_owned(), Tone::Plain),
            (
                over(&further.transport, &further.address, further.dialled),
                Tone::Plain,
            ),
            (span(further.up_seconds), Tone::Plain),
        ]);
    }
}

fn over(transport: &str, address: &str, dialled: bool) -> String {
    // The arrow shows who dialled.
    let arrow = if dialled { "→" } else { "←" };
    format!("{transport} {arrow} {address}")
}

/// The cipher's name without its vendor, and what uses it if that is not SSH; empty where this end does not
/// know it.
fn cipher(link: &LinkStatus) -> String {
    let name = link.cipher.as_deref().unwrap_or_default();
    let short = name.split_once('@').map_or(name, |(short, _)| short);
    match link.noise {
        Some(_) => format!("{short}, Noise"),
        None => short.to_owned(),
    }
}

fn peer_state(peer: &PeerStatus) -> (String, Tone) {
    match peer.state {
        PeerState::Up => ("up".to_owned(), Tone::Good),
        PeerState::Greeting => ("greeting".to_owned(), Tone::Doubtful),
        PeerState::Dialling => ("dialling".to_owned(), Tone::Doubtful),
        PeerState::Waiting => {
            let wait = span(peer.next_dial_seconds.unwrap_or_default());
            (format!("down, again in {wait}"), Tone::Bad)
        }
        PeerState::OnDemand => ("on demand".to_owned(), Tone::Plain),
        PeerState::LeftToPeer => ("left to it".to_owned(), Tone::Doubtful),
        PeerState::NoWay => ("no way".to_owned(), Tone::Bad),
        PeerState::Never => ("never".to_owned(), Tone::Plain),
        PeerState::Stopping => ("stopping".to_owned(), Tone::Plain),
        PeerState::OverBus => ("over a bus".to_owned(), Tone::Plain),
    }
}

fn transport_row(table: &mut Table, transport: &TransportStatus) {
    let (state, tone) = match transport.state {
        TransportState::Starting => ("starting", Tone::Doubtful),
        TransportState::Listening => ("listening", Tone::Good),
        TransportState::DialsOnly => ("dials only", Tone::Plain),
        TransportState::Failing => ("failing", Tone::Bad),
    };
    table.row([
        (transport.name.clone(), Tone::Plain),
        (transport.module.to_string(), Tone::Plain),
        (state.to_owned(), tone),
        (
            shortened(
                transport.status.as_deref().unwrap_or_default(),
                LONGEST_ERROR,
            )
            .into_owned(),
            Tone::Plain,
        ),
    ]);
}

/// What is zero as long as all is well, what went wrong last, and the notes on links.
fn notes(text: &mut String, report: &NodeStatus) {
    let connections = report.connections;
    let left_out: u64 = report.roles.iter().map(|role| role.lines_left_out).sum();
    let mut lines = Vec::new();
    let mut note = |number: u64, what: &str, why: &str| {
        if number > 0 {
            lines.push(format!("{} {why}", count(number, what)));
        }
    };
    note(
        report.orders_refused,
        "order",
        "refused: `acceptOrdersFrom` does not name the sender",
    );
    note(
        connections.refused,
        "connection",
        "refused: the other end did not prove that it is a node of the network",
    );
    note(
        connections.turned_away,
        "connection",
        "turned away: too many had not said who they are",
    );
    note(
        left_out,
        "log line",
        "of roles left out: there were too many",
    );
    note(
        report.log.dropped,
        "log line",
        "dropped: nobody read the log",
    );
    for role in &report.roles {
        if let Some(error) = &role.last_error {
            lines.push(format!(
                "role {}: {}",
                role.name,
                shortened(error, LONGEST_ERROR)
            ));
        }
    }
    for transport in &report.transports {
        if let Some(error) = &transport.error {
            lines.push(format!(
                "transport {}: {}",
                transport.name,
                shortened(error, LONGEST_ERROR)
            ));
        }
    }
    lines.extend(report.buses.iter().flat_map(buses::notes));
    let others: Vec<_> = report.peers.iter().filter(|peer| peer.other_file).collect();
    if !others.is_empty() {
        let names: Vec<_> = others.iter().map(|peer| peer.peer.as_str()).collect();
        lines.push(format!(
            "another version of the configuration file: {}",
            names.join(", ")
        ));
    }
    for peer in &report.peers {
        for other in &peer.unusable {
            lines.push(format!(
                "{}: no way to its `{}`: {}",
                peer.peer,
                other.transport,
                shortened(&other.reason, LONGEST_ERROR)
            ));
        }
        // What was mended since is for `kozo why`.
        if let Some(error) = peer.last_error.as_deref().filter(|_| peer.links.is_empty()) {
            let ago = span(peer.last_error_seconds.unwrap_or_default());
            lines.push(format!(
                "{}, {ago} ago: {}",
                peer.peer,
                shortened(error, LONGEST_ERROR)
            ));
        }
        if let Some(twins) = &peer.twins {
            lines.push(format!(
                "two daemons run as {}, at {} and {}: stop one of them, or give it a name and a \
                 key of its own",
                twins.node, twins.linked, twins.other
            ));
        }
        if peer.questions_refused > 0 {
            lines.push(format!(
                "{} asks this node more often than it answers: {} refused",
                peer.peer,
                count(peer.questions_refused, "question")
            ));
        }
        if peer.bus_frames_refused > 0 {
            lines.push(format!(
                "{} wants this node to carry for a bus what it does not: {} refused",
                peer.peer,
                count(peer.bus_frames_refused, "frame")
            ));
        }
        let notes = peer.links.iter().filter_map(|link| link.note.as_deref());
        lines.extend(notes.map(|note| format!("link with {}: {note}", peer.peer)));
    }
    if !lines.is_empty() {
        text.push('\n');
    }
    for line in lines {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{}", printable(&line));
    }
}

fn doubtful_if(condition: bool) -> Tone {
    if condition {
        Tone::Doubtful
    } else {
        Tone::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kozo_ground::names::ModuleName;
    use kozo_status::{ConnectionCounts, LogLosses};

    fn report() -> NodeStatus {
        let peer = serde_json::json!({
            "peer": "scribe", "state": "waiting", "next_dial_seconds": 5.0, "links": [],
            "dialling": [], "queued": {"messages": 3, "bytes": 300},
            "in_flight": {"messages": 1, "bytes": 100}, "sent": 7, "sent_again": 1,
            "acknowledged": 6, "dropped_by_limit": 2, "dropped_by_age": 1, "received": 0,
            "repeated": 0, "missed": 4, "bytes_sent": 2048, "bytes_received": 10,
            "last_error": "connection \u{1b}refused", "last_error_seconds": 61.0,
        });
        let linked = serde_json::json!({
            "peer": "lamp", "state": "up", "next_dial_seconds": null, "links": [{
                "transport": "tcp", "address": "lamp:22", "dialled": true, "up_seconds": 2.0,
                "round_trip_seconds": null, "sent": 1, "received": 0, "bytes_sent": 5,
                "bytes_received": 0, "noise": "Noise_NNpsk0_25519_AESGCM_SHA256",
                "cipher": "aes256-gcm@openssh.com", "mac": null, "note": null,
            }],
            "dialling": [], "queued": {"messages": 0, "bytes": 0},
            "in_flight": {"messages": 0, "bytes": 0}, "sent": 1, "sent_again": 0,
            "acknowledged": 1, "dropped_by_limit": 0, "dropped_by_age": 0, "received": 0,
            "repeated": 0, "missed": 0, "bytes_sent": 5, "bytes_received": 0,
            "last_error": null, "last_error_seconds": null,
        });
        let peers = [peer, linked].map(|peer| serde_json::from_value(peer).unwrap());
        NodeStatus {
            node: NodeName::new("clock").unwrap(),
            version: "1.2.3".into(),
            pid: 7,
            file_digest: "0011223344556677".to_owned(),
            running_seconds: 90.0,
            roles: Vec::new(),
            buses: vec![],
            peers: peers.into(),
            transports: Vec::new(),
            orders_refused: 2,
            connections: ConnectionCounts {
                unproven: 0,
                turned_away: 0,
                refused: 1,
            },
            log: LogLosses::default(),
        }
    }

    #[test]
    fn a_node_is_a_row_and_what_went_wrong_stands_below() {
        let text = render(&report(), false);
        assert_eq!(
            text,
            "\
clock: kozo 1.2.3, process 7, for 1 min 30 s, file 0011223344556677

  node    link                  over           for    trip  queued  in flight  sent         received  dropped  missed  cipher
  scribe  down, again in 5.0 s                              3       1          7 (2.0 KiB)  0 (10 B)  3        4
  lamp    up                    tcp → lamp:22  2.0 s        0       0          1 (5 B)      0 (0 B)   0        0       aes256-gcm, Noise

2 orders refused: `acceptOrdersFrom` does not name the sender
1 connection refused: the other end did not prove that it is a node of the network
scribe, 1 min 1 s ago: connection \\u{1b}refused
"
        );
    }

    #[test]
    fn what_transports_say_of_themselves_has_a_column_when_they_do() {
        let transport = |name: &str, status: Option<&str>| TransportStatus {
            name: name.into(),
            module: ModuleName::new(name).unwrap(),
            state: TransportState::Listening,
            error: None,
            status: status.map(str::to_owned),
            since_seconds: 1.0,
        };
        let mut report = report();
        report.transports.push(transport("tcp", None));
        assert!(!render(&report, false).contains("it says"));
        let status = Some("getting up: 45 %");
        report.transports.push(transport("onion", status));
        let expected = "\
  transport  module  state      it says
  tcp        tcp     listening
  onion      onion   listening  getting up: 45 %
";
        let text = render(&report, false);
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn what_roles_are_shown_as_has_a_column_when_they_are() {
        let role = |name: &str, faces: serde_json::Value| -> RoleStatus {
            let role = serde_json::json!({
                "name": name, "module": name, "state": "running", "restart_in_seconds": null,
                "restarts": 0, "failures": 0, "last_error": null, "lines_left_out": 0,
                "inbox": {
                    "waiting": 0, "bytes": 0, "length_limit": 8, "size_limit": 1, "received": 0,
                    "taken": 0, "dropped_by_limit": 0, "dropped_by_age": 0, "dropped_by_stop": 0,
                },
                "faces": faces,
            });
            serde_json::from_value(role).unwrap()
        };
        let mut report = report();
        report.roles.push(role("cuckoo", serde_json::json!([])));
        assert!(!render(&report, false).contains("shown as"));
        let faces = serde_json::json!([
            {"face": "a", "kind": "switch", "name": "A", "class": "out\u{1b}let"},
            {"face": "b", "kind": "button", "name": "B", "enabled": false},
            {"face": "c", "kind": "cover", "name": "C"},
        ]);
        report.roles.push(role("lamp", faces));
        let expected = "\
  role    module  state    restarts  waiting  received  dropped  shown as
  cuckoo  cuckoo  running  0         0 of 8   0         0
  lamp    lamp    running  0         0 of 8   0         0        switch (out\\u{1b}let), cover
";
        let text = render(&report, false);
        assert!(text.contains(expected), "{text}");
        report.roles[0].status = Some("looking for a nest".to_owned());
        let text = render(&report, false);
        for expected in [
            "shown as                      it says\n",
            "   looking for a nest\n",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn colours_are_there_when_they_are_wanted() {
        assert!(!render(&report(), false).contains('\x1b'));
        assert!(render(&report(), true).contains("\x1b[31mdown"));
    }
}
