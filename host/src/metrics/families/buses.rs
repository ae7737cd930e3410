//! The buses that the node is on: the engine, messages for it and from it.

use kozo_status::{Amount, BusState, BusStatus, GatewayStatus};

use crate::metrics::family::{Facts, Family, Number, Samples, counter, gauge};

const BUS: &[&str] = &["bus"];

pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "kozo_bus_up",
        BUS,
        "Whether the node is connected to the engine of a bus, so that messages flow.",
        |facts, samples| each(facts, samples, |bus| bus.state == BusState::Up),
    ),
    counter(
        "kozo_bus_established_total",
        BUS,
        "How often the node was connected to the engine.",
        |facts, samples| each(facts, samples, |bus| bus.times_up),
    ),
    gauge(
        "kozo_bus_round_trip_seconds",
        BUS,
        "How long the engine took to answer last, where the bus's module measures that.",
        |facts, samples| {
            for bus in &facts.status.buses {
                if let Some(seconds) = bus.round_trip_seconds {
                    samples.add(&[bus.name.as_str()], seconds);
                }
            }
        },
    ),
    gauge(
        "kozo_bus_denied",
        BUS,
        "Subjects that the engine does not let the node publish or subscribe to, as far as it has said so on the \
         present connection.",
        |facts, samples| each(facts, samples, |bus| bus.denied.len()),
    ),
    gauge(
        "kozo_bus_twin",
        BUS,
        "Whether there was a sign lately of another daemon that runs with the node's key.",
        |facts, samples| each(facts, samples, |bus| bus.twin_seconds.is_some()),
    ),
    gauge(
        "kozo_bus_nodes_heard",
        BUS,
        "Other nodes that this one hears over the bus.",
        |facts, samples| each(facts, samples, |bus| bus.nodes_heard),
    ),
    gauge(
        "kozo_bus_lanes",
        &["bus", "direction"],
        "Lanes, which are kinds, types and channels of messages of one role: those that the node sends in (out), \
         and those of others that it hears (in).",
        |facts, samples| {
            for bus in &facts.status.buses {
                samples.add(&[bus.name.as_str(), "out"], bus.lanes_out);
                samples.add(&[bus.name.as_str(), "in"], bus.lanes_in);
            }
        },
    ),
    counter(
        "kozo_bus_bytes_total",
        &["bus", "direction"],
        "Bytes of datagrams that were handed to the engine (sent) or came from it (received).",
        |facts, samples| {
            for bus in &facts.status.buses {
                samples.add(&[bus.name.as_str(), "sent"], bus.outgoing.bytes_sent);
                samples.add(
                    &[bus.name.as_str(), "received"],
                    bus.incoming.bytes_received,
                );
            }
        },
    ),
    counter(
        "kozo_bus_messages_sent_total",
        BUS,
        "Messages that were handed to the engine for the first time.",
        |facts, samples| each(facts, samples, |bus| bus.outgoing.sent),
    ),
    counter(
        "kozo_bus_messages_sent_again_total",
        &["bus", "reason"],
        "Messages that were handed to the engine once more: it was lost before it had confirmed them (lost), or a \
         node asked for them (repair).",
        |facts, samples| {
            for bus in &facts.status.buses {
                samples.add(&[bus.name.as_str(), "lost"], bus.outgoing.sent_again);
                samples.add(&[bus.name.as_str(), "repair"], bus.outgoing.repairs_sent);
            }
        },
    ),
    counter(
        "kozo_bus_messages_dropped_total",
        &["bus", "reason"],
        "Messages that were dropped before they meant anything to anybody: newer ones pushed them out of the queue \
         for the bus (limit), they grew too old in it (age), or they came from another node too late (expired).",
        |facts, samples| {
            for bus in &facts.status.buses {
                let name = bus.name.as_str();
                samples.add(&[name, "limit"], bus.outgoing.dropped_by_limit);
                samples.add(&[name, "age"], bus.outgoing.dropped_by_age);
                samples.add(&[name, "expired"], bus.incoming.expired);
            }
        },
    ),
    counter(
        "kozo_bus_messages_received_total",
        BUS,
        "Messages that came from other nodes, each counted once.",
        |facts, samples| each(facts, samples, |bus| bus.incoming.received),
    ),
    counter(
        "kozo_bus_messages_repaired_total",
        BUS,
        "Messages among those received that came only when they were asked for again.",
        |facts, samples| each(facts, samples, |bus| bus.incoming.repaired),
    ),
    counter(
        "kozo_bus_messages_repeated_total",
        BUS,
        "Messages that came again, and were ignored.",
        |facts, samples| each(facts, samples, |bus| bus.incoming.repeated),
    ),
    counter(
        "kozo_bus_messages_missed_total",
        BUS,
        "Messages of other nodes that were lost on the way, and that their senders had no more.",
        |facts, samples| each(facts, samples, |bus| bus.incoming.missed),
    ),
    counter(
        "kozo_bus_refused_total",
        &["bus", "reason"],
        "What came over the bus and was not taken, by reason. A reason that never came up is not there.",
        |facts, samples| {
            for bus in &facts.status.buses {
                for refusals in &bus.refused {
                    samples.add(&[&bus.name, &refusals.reason], refusals.count);
                }
            }
        },
    ),
    counter(
        "kozo_bus_datagrams_dropped_total",
        BUS,
        "Datagrams that came and were thrown away unseen: by the engine, as it has said, by the bus's module, or \
         since the node had no room. What is missed by that is asked for again.",
        |facts, samples| each(facts, samples, |bus| bus.dropped_on_the_way),
    ),
    gauge(
        "kozo_bus_messages",
        &["bus", "state"],
        "Messages that wait to be handed to the engine (queued), that it has not confirmed (unconfirmed), that are \
         kept for nodes that ask for them again (kept), or that came and wait for what comes before them (waiting).",
        |facts, samples| amounts(facts, samples, |amount| amount.messages),
    ),
    gauge(
        "kozo_bus_message_bytes",
        &["bus", "state"],
        "Bytes of these messages.",
        |facts, samples| amounts(facts, samples, |amount| amount.bytes),
    ),
    gauge(
        "kozo_bus_gateway_neighbours",
        BUS,
        "Nodes that reach the bus through this one, its neighbours, as the network's file has it. What is told of \
         gateways is there for a node that is one.",
        |facts, samples| {
            gateways(facts, |bus, gateway| {
                samples.add(&[bus], gateway.neighbours)
            })
        },
    ),
    gauge(
        "kozo_bus_gateway_neighbours_linked",
        BUS,
        "Neighbours that the gateway has a link with.",
        |facts, samples| gateways(facts, |bus, gateway| samples.add(&[bus], gateway.linked)),
    ),
    counter(
        "kozo_bus_gateway_datagrams_total",
        &["bus", "direction"],
        "Datagrams that a gateway handed on: from neighbours to the engine (sent), or from the engine to neighbours, \
         once for each of them (received).",
        |facts, samples| {
            gateways(facts, |bus, gateway| {
                samples.add(&[bus, "sent"], gateway.published);
                samples.add(&[bus, "received"], gateway.delivered);
            });
        },
    ),
    counter(
        "kozo_bus_gateway_datagrams_dropped_total",
        &["bus", "reason"],
        "Datagrams that a gateway did not hand on: longer than the engine takes (length), more of a neighbour than may \
         wait (limit), waiting when the engine was lost or before it was reached (engine), or without room on a link, \
         or a link (link). Messages among them are asked for or sent again.",
        |facts, samples| {
            gateways(facts, |bus, gateway| {
                for (reason, count) in gateway.dropped() {
                    samples.add(&[bus, reason], count);
                }
            });
        },
    ),
    counter(
        "kozo_bus_gateway_refused_total",
        BUS,
        "What neighbours wanted to publish, or to subscribe to, and may not.",
        |facts, samples| gateways(facts, |bus, gateway| samples.add(&[bus], gateway.refused)),
    ),
];

/// Goes through the buses that the node is a gateway of.
fn gateways(facts: &Facts<'_>, mut each: impl FnMut(&str, &GatewayStatus)) {
    for bus in &facts.status.buses {
        if let Some(gateway) = &bus.gateway {
            each(&bus.name, gateway);
        }
    }
}

/// Adds a sample for each bus.
fn each<N: Into<Number>>(
    facts: &Facts<'_>,
    samples: &mut Samples<'_>,
    value: impl Fn(&BusStatus) -> N,
) {
    for bus in &facts.status.buses {
        samples.add(&[bus.name.as_str()], value(bus));
    }
}

/// Adds a sample for each place where messages of a bus are.
fn amounts(facts: &Facts<'_>, samples: &mut Samples<'_>, value: impl Fn(&Amount) -> usize) {
    for bus in &facts.status.buses {
        let places = [
            ("queued", &bus.queued),
            ("unconfirmed", &bus.unconfirmed),
            ("kept", &bus.kept),
            ("waiting", &bus.waiting),
        ];
        for (state, amount) in places {
            samples.add(&[bus.name.as_str(), state], value(amount));
        }
    }
}
