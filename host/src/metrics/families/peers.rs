//! The other nodes: links with them, messages for them and from them.

use kozo_status::{PeerState, PeerStatus};

use crate::metrics::family::{Facts, Family, Number, Samples, counter, gauge};

const PEER: &[&str] = &["peer"];

pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "kozo_link_up",
        &["peer", "transport"],
        "Whether messages flow to and from another node, and over which transport of this one; that is empty \
         where they do not.",
        |facts, samples| {
            for peer in &facts.status.peers {
                let link = peer.links.first().filter(|_| peer.state == PeerState::Up);
                let transport = link.map_or("", |link| link.transport.as_str());
                samples.add(&[peer.peer.as_str(), transport], link.is_some());
            }
        },
    ),
    gauge(
        "kozo_link_wanted",
        PEER,
        "Whether one of the two nodes is to keep a link at all times, as their policies say.",
        |facts, samples| each(facts, samples, |peer| peer.wanted),
    ),
    gauge(
        "kozo_link_round_trip_seconds",
        PEER,
        "The smoothed round trip of heartbeats over the present link.",
        |facts, samples| {
            for peer in &facts.status.peers {
                let link = peer.links.first();
                if let Some(seconds) = link.and_then(|link| link.round_trip_seconds) {
                    samples.add(&[peer.peer.as_str()], seconds);
                }
            }
        },
    ),
    counter(
        "kozo_link_established_total",
        PEER,
        "Links that came up.",
        |facts, samples| each(facts, samples, |peer| peer.links_made),
    ),
    counter(
        "kozo_link_bytes_total",
        &["peer", "direction"],
        "Bytes on the path of all links, encryption included: sent or received.",
        |facts, samples| {
            for peer in &facts.status.peers {
                let name = peer.peer.as_str();
                samples.add(&[name, "sent"], peer.bytes_sent);
                samples.add(&[name, "received"], peer.bytes_received);
            }
        },
    ),
    counter(
        "kozo_messages_sent_total",
        PEER,
        "Messages that were handed to a link for the first time.",
        |facts, samples| each(facts, samples, |peer| peer.outbox.sent),
    ),
    counter(
        "kozo_messages_sent_again_total",
        PEER,
        "Messages that were handed to a link once more, after a cut.",
        |facts, samples| each(facts, samples, |peer| peer.outbox.sent_again),
    ),
    counter(
        "kozo_messages_acknowledged_total",
        PEER,
        "Messages that the other node acknowledged.",
        |facts, samples| each(facts, samples, |peer| peer.outbox.acknowledged),
    ),
    counter(
        "kozo_messages_dropped_total",
        &["peer", "reason"],
        "Messages for another node that were dropped: newer ones pushed them out of the queue (limit), or they \
         grew too old (age).",
        |facts, samples| {
            for peer in &facts.status.peers {
                let name = peer.peer.as_str();
                samples.add(&[name, "limit"], peer.outbox.dropped_by_limit);
                samples.add(&[name, "age"], peer.outbox.dropped_by_age);
            }
        },
    ),
    counter(
        "kozo_messages_received_total",
        PEER,
        "Messages that came from another node, each counted once.",
        |facts, samples| each(facts, samples, |peer| peer.inbound.received),
    ),
    counter(
        "kozo_messages_repeated_total",
        PEER,
        "Messages that came again after a cut, and were ignored.",
        |facts, samples| each(facts, samples, |peer| peer.inbound.repeated),
    ),
    counter(
        "kozo_messages_missed_total",
        PEER,
        "Messages that another node had for this one and dropped.",
        |facts, samples| each(facts, samples, |peer| peer.inbound.missed),
    ),
    gauge(
        "kozo_queue_messages",
        PEER,
        "Messages that wait for another node.",
        |facts, samples| each(facts, samples, |peer| peer.queued.messages),
    ),
    gauge(
        "kozo_queue_bytes",
        PEER,
        "Bytes of the messages that wait for another node.",
        |facts, samples| each(facts, samples, |peer| peer.queued.bytes),
    ),
    gauge(
        "kozo_in_flight_messages",
        PEER,
        "Messages that were sent and are not acknowledged yet.",
        |facts, samples| each(facts, samples, |peer| peer.in_flight.messages),
    ),
    gauge(
        "kozo_in_flight_bytes",
        PEER,
        "Bytes of the messages that were sent and are not acknowledged yet.",
        |facts, samples| each(facts, samples, |peer| peer.in_flight.bytes),
    ),
    counter(
        "kozo_questions_refused_total",
        PEER,
        "Questions of another node that were refused: it asks too often.",
        |facts, samples| each(facts, samples, |peer| peer.questions_refused),
    ),
    gauge(
        "kozo_peer_twins",
        PEER,
        "Whether there was a sign lately of two daemons that run as the other node, or as this one.",
        |facts, samples| each(facts, samples, |peer| peer.twins.is_some()),
    ),
];

/// Adds a sample for each of the other nodes.
fn each<N: Into<Number>>(
    facts: &Facts<'_>,
    samples: &mut Samples<'_>,
    value: impl Fn(&PeerStatus) -> N,
) {
    for peer in &facts.status.peers {
        samples.add(&[peer.peer.as_str()], value(peer));
    }
}
