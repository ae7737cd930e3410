use kozo_ground::names::NodeName;
use kozo_status::{
    Amount, BusDetails, InboundCounts, LinkStatus, OutboxCounts, PeerStatus, WayStatus,
};

use super::*;

fn policy_status(policy: ConnectPolicy) -> PolicyStatus {
    PolicyStatus {
        policy,
        self_to_others: policy,
        others_to_self: ConnectPolicy::Constant,
    }
}

/// All of it, as it is printed.
fn text(report: &PeerDetails) -> String {
    sentences(report).join("\n") + "\n"
}

fn report(state: PeerState) -> PeerDetails {
    PeerDetails {
        bus: None,
        node: NodeName::new("clock").unwrap(),
        peer: PeerStatus {
            peer: NodeName::new("scribe").unwrap(),
            state,
            next_dial_seconds: None,
            links: Vec::new(),
            wanted: true,
            links_made: 0,
            dialling: Vec::new(),
            unusable: Vec::new(),
            queued: Amount::default(),
            in_flight: Amount::default(),
            outbox: OutboxCounts::default(),
            inbound: InboundCounts::default(),
            bytes_sent: 0,
            bytes_received: 0,
            other_file: false,
            questions_refused: 0,
            bus_frames_refused: 0,
            last_error: None,
            last_error_seconds: None,
            twins: None,
        },
        outgoing: policy_status(ConnectPolicy::Constant),
        incoming: policy_status(ConnectPolicy::Never),
        ways: vec![WayStatus {
            transport: "tcp".into(),
            peer_transport: "lan".into(),
            status: Some("getting up: 45 %".into()),
            error: None,
        }],
        history: Vec::new(),
        idle_timeout_seconds: 300.0,
        connection_retry_seconds: 60.0,
    }
}

#[test]
fn a_link_is_told_of_with_what_it_goes_over_and_what_protects_it() {
    let mut up = report(PeerState::Up);
    up.peer.links.push(LinkStatus {
        transport: "tcp".into(),
        address: "192.0.2.7:6020".into(),
        dialled: false,
        up_seconds: 61.0,
        round_trip_seconds: Some(0.002),
        sent: 1,
        received: 2,
        bytes_sent: 3,
        bytes_received: 4,
        noise: None,
        cipher: Some("aes256-ctr".into()),
        mac: Some("hmac-sha1".into()),
        note: None,
    });
    let text = text(&up);
    assert!(
        !text.contains("says"),
        "what a transport is about explains no link that there is: {text}"
    );
    assert!(
        text.starts_with(
            "There is a link between clock and scribe: over `tcp` with 192.0.2.7:6020, dialled \
             by scribe, up for 1 min 1 s. A round trip takes 2.0 ms. It is protected by \
             `aes256-ctr` and `hmac-sha1`.\nNothing waits for scribe.\n"
        ),
        "{text}"
    );
}

#[test]
fn what_failed_what_waits_and_when_the_next_try_is_due_are_told() {
    let mut down = report(PeerState::Waiting);
    down.peer.next_dial_seconds = Some(12.0);
    down.peer.last_error = Some("192.0.2.7:6020: connection refused".into());
    down.peer.queued = Amount {
        messages: 1,
        bytes: 100,
    };
    down.peer.outbox.dropped_by_age = 2;
    down.history.push(EventStatus {
        what: EventKind::DialFailed,
        transport: "tcp".into(),
        address: None,
        dialled: None,
        reason: down.peer.last_error.clone(),
        first_seconds: 90.0,
        last_seconds: 3.0,
        times: 7,
    });
    let text = text(&down);
    for part in [
        "the next one is due in 12 s. The last try: 192.0.2.7:6020: connection refused.",
        "For scribe there wait 1 message (100 B). 2 messages were dropped before: 0 by the \
         queue's limits, 2 by age.",
        "scribe to clock: scribe never dials (`selfToOthersConnectPolicy` of scribe is `never`, \
         `othersToSelfConnectPolicy` of clock is `constant`).",
        "best first: `tcp` to its `lan`. Tries that fail are at most 1 min apart.\n`tcp` says: \
         getting up: 45 %.\n",
        "  3.0 s ago: dialling over `tcp` failed: 192.0.2.7:6020: connection refused (7 times \
         since 1 min 30 s ago)",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn nothing_that_a_peer_said_moves_the_terminals_cursor() {
    let mut refused = report(PeerState::Waiting);
    refused.peer.last_error = Some("\x1b[2J\nThere is a link".into());
    let text = text(&refused);
    assert!(
        !text.contains('\x1b') && !text.contains("\nThere is a link"),
        "{text}"
    );
}

/// Two nodes on a bus that is in this state, of which one sees the other so.
fn over_bus(bus: &str, node: &str) -> PeerDetails {
    let bus = format!(
        r#"{{"name": "fleet", "module": "nats", "state": "{bus}", "since_seconds": 90.0, "error": "no \u001broute",
        "status": "looking for nats2", "server": "nats1", "round_trip_seconds": 0.0004, "times_up": 1,
        "max_datagram_bytes": null, "subscriptions": 5, "nodes_heard": 1, "lanes_out": 1, "lanes_in": 1,
        "queued": {{"messages": 0, "bytes": 0}}, "kept": {{"messages": 0, "bytes": 0}},
        "unconfirmed": {{"messages": 2, "bytes": 9}}, "waiting": {{"messages": 0, "bytes": 0}},
        "sent": 5, "sent_again": 0, "dropped_by_limit": 0, "dropped_by_age": 3,
        "datagrams_sent": 0, "bytes_sent": 0, "repairs_sent": 0, "asks_answered": 0, "asks_sent": 0,
        "received": 7, "repaired": 0, "repeated": 0, "missed": 0, "expired": 0, "unwanted": 0,
        "datagrams_received": 0, "bytes_received": 0, "twin_seconds": null,
        "refused": [{{"reason": "seal", "text": "it is not sealed", "count": 2}}]}}"#
    );
    let peer = format!(
        r#"{{"bus": "fleet", "node": "scribe", "state": "{node}", "heard_of_seconds": null,
        "last_heard_seconds": 4.0, "session": null, "counter": 4, "agent": null, "file_digest": null,
        "other_file": false, "round_trip_seconds": null, "lanes_in": 0, "received": 7, "repaired": 1,
        "repeated": 0, "missed": 0, "expired": 0, "unwanted": 0, "datagrams_received": 0, "bytes_received": 0,
        "reads_seconds": null, "why_not": null}}"#
    );
    let between = BusDetails {
        bus: serde_json::from_str(&bus).unwrap(),
        peer: serde_json::from_str(&peer).unwrap(),
        through: Vec::new(),
        peer_through: Vec::new(),
    };
    PeerDetails {
        bus: Some(between),
        ways: Vec::new(),
        ..report(PeerState::OverBus)
    }
}

fn between(report: &mut PeerDetails) -> &mut BusDetails {
    report.bus.as_mut().unwrap()
}

#[test]
fn how_it_stands_with_a_bus_and_with_a_node_on_it_is_the_first_thing_said() {
    for (bus, node, expected) in [
        (
            "up",
            "heard",
            "both are on it, and clock has heard scribe 4.0 s ago.",
        ),
        ("up", "asking", "clock is asking it for its key."),
        ("up", "no-key", "clock can read nothing of scribe"),
        (
            "up",
            "absent",
            "but scribe is not connected to it: the bus's engine says",
        ),
        (
            "up",
            "not-heard",
            "has not heard of scribe since its daemon started",
        ),
        ("up", "never", "the policies forbid it both ways"),
        (
            "down",
            "heard",
            "clock has not been connected to it for 1 min 30 s: no \\u{1b}route.",
        ),
        (
            "connecting",
            "not-heard",
            "clock is not connected to it yet: no",
        ),
    ] {
        let text = text(&over_bus(bus, node));
        let first = text.lines().next().unwrap();
        assert!(
            first.contains("`fleet`") && first.contains(expected),
            "{bus}, {node}: {first}"
        );
    }
}

#[test]
fn what_lies_behind_that_is_told_as_well() {
    let mut report = over_bus("up", "heard");
    let said = text(&report);
    for part in [
        "clock has been connected to nats1 for 1 min 30 s, and a round trip takes 400 µs.",
        "For the engine there wait 2 messages.",
        "3 messages of clock for the bus were dropped: 0 by the queue's limits, 3 by age.",
        "`fleet` says: looking for nats2.",
        "scribe has not asked for the key of clock",
        "2 were refused: 2 it is not sealed.",
        "clock sends what roles of scribe want",
        "scribe never sends",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let way = between(&mut report);
    way.through = vec![NodeName::new("hub").unwrap()];
    way.bus.twin_seconds = Some(3.0);
    way.bus.denied = vec![kozo_status::BusDenial {
        subject: "kozo.>".to_owned(),
        reason: "not you".to_owned(),
        last_seconds: 1.0,
        times: 2,
    }];
    way.peer.other_file = true;
    way.peer.heard_of_seconds = Some(60.0);
    way.peer.reads_seconds = Some(5.0);
    let said = text(&report);
    for part in [
        "clock reaches the bus through `hub`",
        "The engine of `fleet` refuses clock `kozo.>`, 1.0 s ago last, 2 times: not you.",
        "Another daemon runs with the key of clock",
        "scribe has another version of the configuration file",
        "Of scribe's messages 7 came, 1 of them only when they were asked for again",
        "scribe has asked for the key of clock 5.0 s ago, and got it: it reads what clock sends, unless",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}
