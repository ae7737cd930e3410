//! The text of the metrics, and all that relies on their names.

mod names;
mod serving;
mod texts;

use kozo_status::{BusStatus, NodeStatus, PeerStatus};
use serde_json::json;

use super::family::{Facts, Format};
use super::process::ProcessStatus;
use super::text;

/// A node with a role, a transport, and a peer that is linked and one that is not.
fn node() -> NodeStatus {
    let status = json!({
        "node": "clock", "version": "0.1.0", "pid": 7, "running_seconds": 100.5, "file_digest": "00ff",
        "roles": [{
            "name": "timer1", "module": "timer", "state": "running", "restart_in_seconds": null,
            "restarts": 1, "failures": 2, "last_error": null, "lines_left_out": 3,
            "inbox": {
                "waiting": 4, "bytes": 5, "length_limit": 6, "size_limit": 7, "received": 8, "taken": 9,
                "dropped_by_limit": 10, "dropped_by_age": 11, "dropped_by_stop": 12,
            },
        }],
        "peers": [peer("attic"), {
            "peer": "hall", "state": "waiting", "next_dial_seconds": 1.0, "links": [], "dialling": [],
            "wanted": true, "queued": {"messages": 1, "bytes": 90}, "in_flight": {"messages": 0, "bytes": 0},
            "sent": 0, "sent_again": 0, "acknowledged": 0, "dropped_by_limit": 0, "dropped_by_age": 0,
            "received": 0, "repeated": 0, "missed": 0, "bytes_sent": 0, "bytes_received": 0,
            "last_error": "no route", "last_error_seconds": 1.0,
        }],
        "transports": [{
            "name": "tcp", "module": "tcp", "state": "listening", "error": null, "since_seconds": 99.0,
        }],
        "buses": [bus()],
        "orders_refused": 13,
        "connections": {"unproven": 14, "turned_away": 15, "refused": 16},
        "log": {"dropped": 17, "summed_up": 18},
    });
    serde_json::from_value(status).unwrap()
}

/// A bus that is up.
fn bus() -> BusStatus {
    let bus = r#"{
        "name": "fleet", "module": "nats", "state": "up", "since_seconds": 50.0, "error": null, "status": null,
        "server": "nats1:4222", "round_trip_seconds": 0.0004, "times_up": 41, "max_datagram_bytes": 1048576,
        "subscriptions": 5, "nodes_heard": 42, "lanes_out": 43, "lanes_in": 44,
        "queued": {"messages": 45, "bytes": 46}, "kept": {"messages": 47, "bytes": 48},
        "unconfirmed": {"messages": 49, "bytes": 50}, "waiting": {"messages": 51, "bytes": 52},
        "sent": 53, "sent_again": 54, "dropped_by_limit": 56, "dropped_by_age": 57,
        "datagrams_sent": 58, "bytes_sent": 59, "repairs_sent": 60, "asks_answered": 61, "asks_sent": 62,
        "received": 63, "repaired": 64, "repeated": 65, "missed": 66, "expired": 67, "unwanted": 68,
        "datagrams_received": 69, "bytes_received": 70,
        "refused": [{"reason": "seal", "text": "it is not sealed with the key that it names", "count": 71}],
        "twin_seconds": null, "dropped_on_the_way": 72,
        "denied": [{"subject": "kozo.fleet.here.*", "reason": "no", "last_seconds": 1.0, "times": 2}],
        "gateway": {
            "neighbours": 73, "linked": 74, "published": 75, "delivered": 76, "refused": 77, "dropped_by_length": 78,
            "dropped_by_limit": 79, "dropped_by_engine": 80, "dropped_by_link": 81
        }
    }"#;
    serde_json::from_str(bus).unwrap()
}

/// A peer with a link.
fn peer(name: &str) -> PeerStatus {
    let peer = json!({
        "peer": name, "state": "up", "next_dial_seconds": null, "dialling": [], "wanted": true, "links_made": 2,
        "links": [{
            "transport": "tcp", "address": "192.0.2.7:6020", "dialled": true, "up_seconds": 61.0,
            "round_trip_seconds": 0.0025, "sent": 1, "received": 2, "bytes_sent": 3, "bytes_received": 4,
            "cipher": null, "mac": null, "note": null,
        }],
        "queued": {"messages": 21, "bytes": 22}, "in_flight": {"messages": 23, "bytes": 24},
        "sent": 25, "sent_again": 26, "acknowledged": 27, "dropped_by_limit": 28, "dropped_by_age": 29,
        "received": 30, "repeated": 31, "missed": 32, "bytes_sent": 33, "bytes_received": 34,
        "other_file": true, "questions_refused": 35, "last_error": null, "last_error_seconds": null,
        "twins": {"node": "attic", "linked": "192.0.2.7", "other": "192.0.2.8", "last_seconds": 9.0},
    });
    serde_json::from_value(peer).unwrap()
}

fn process() -> ProcessStatus {
    ProcessStatus {
        cpu_seconds: 1.25,
        resident_bytes: Some(12_582_912),
        virtual_bytes: Some(120_000_000),
        threads: Some(7),
        open_fds: Some(31),
        max_fds: Some(524_288),
    }
}

/// The metrics of a node.
fn written(status: &NodeStatus, format: Format) -> String {
    let facts = Facts {
        status,
        process: &process(),
        started_seconds: 1_800_000_000.25,
    };
    text::write(&facts, format)
}
