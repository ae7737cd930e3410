//! The node as a whole, its file and its transports.

use kozo_status::TransportState;

use crate::metrics::family::{Family, counter, gauge, info};

pub(super) const FAMILIES: &[Family] = &[
    info(
        "kozo_build_info",
        &["node", "version"],
        "The node and the version of its daemon.",
        |facts, samples| {
            let status = facts.status;
            samples.add(&[status.node.as_str(), &status.version], true);
        },
    ),
    gauge(
        "kozo_start_time_seconds",
        &[],
        "When the daemon started, in seconds since 1970, by the wall clock as it is set now.",
        |facts, samples| samples.add(&[], facts.started_seconds),
    ),
    info(
        "kozo_config_info",
        &["digest"],
        "The network's file that the node runs with: nodes with the same digest have the same file.",
        |facts, samples| samples.add(&[&facts.status.file_digest], true),
    ),
    gauge(
        "kozo_config_peers_differing",
        &[],
        "Other nodes that had another version of the network's file when they were last linked.",
        |facts, samples| {
            let peers = facts.status.peers.iter();
            samples.add(&[], peers.filter(|peer| peer.other_file).count());
        },
    ),
    gauge(
        "kozo_transport_up",
        &["transport", "module"],
        "Whether a transport of the node works: 0 while it is being prepared, and while it is failing.",
        |facts, samples| {
            for transport in &facts.status.transports {
                let up = match transport.state {
                    TransportState::Listening | TransportState::DialsOnly => true,
                    TransportState::Starting | TransportState::Failing => false,
                };
                samples.add(&[&transport.name, transport.module.as_str()], up);
            }
        },
    ),
    counter(
        "kozo_orders_refused_total",
        &[],
        "Orders from somebody whom acceptOrdersFrom does not name.",
        |facts, samples| samples.add(&[], facts.status.orders_refused),
    ),
    counter(
        "kozo_connections_refused_total",
        &["reason"],
        "Connections that became no links: the other end did not prove that it is a node (unproven), or too many \
         had not yet (crowd).",
        |facts, samples| {
            let connections = facts.status.connections;
            samples.add(&["unproven"], connections.refused);
            samples.add(&["crowd"], connections.turned_away);
        },
    ),
    gauge(
        "kozo_connections_unproven",
        &[],
        "Connections whose other end has not said who it is yet.",
        |facts, samples| samples.add(&[], facts.status.connections.unproven),
    ),
    counter(
        "kozo_log_lines_lost_total",
        &["reason"],
        "Lines that are not in the log as they were: nobody read the log (unread), or they were summed up, since \
         too many were of one kind (repeated).",
        |facts, samples| {
            samples.add(&["unread"], facts.status.log.dropped);
            samples.add(&["repeated"], facts.status.log.summed_up);
        },
    ),
];
