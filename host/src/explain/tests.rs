use kozo_ground::names::NodeName;
use kozo_status::{Amount, InboundCounts, LinkStatus, OutboxCounts, PeerStatus, WayStatus};

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
