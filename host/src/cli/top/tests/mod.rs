//! The view on networks that are made up here, on terminals that are none.

mod drawn;
mod keys;
mod model;
mod panics;
mod tables;

use kozo_status::NetworkStatus;
use serde_json::{Value, json};

/// A network of `clock`, which is asked, `scribe`, and `lamp`, which does not answer; `at` seconds after its
/// daemons started, in which 10 messages of 100 bytes a second went from clock to scribe.
pub(super) fn network(at: u64) -> NetworkStatus {
    let sent = at * 10;
    let role = json!({
        "name": "timer1", "module": "timer", "state": "running", "restart_in_seconds": null,
        "restarts": 0, "failures": 0, "last_error": null, "lines_left_out": 0,
        "inbox": inbox(0, 0, 0),
    });
    let writer = json!({
        "name": "writer", "module": "logger", "state": "waiting", "restart_in_seconds": 2.0,
        "restarts": 3, "failures": 3, "last_error": "Datei \u{1b}[2J voll: 構造", "lines_left_out": 0,
        "inbox": inbox(sent, at * 4, 5),
    });
    let lamp = peer("lamp", "waiting", 0, 0, None);
    serde_json::from_value(json!({
        "asked": "clock",
        "nodes": [
            {"node": "clock", "error": null, "status": node("clock", at, vec![role],
                vec![lamp, peer("scribe", "up", sent, 0, Some("schreiber.häuschen:22"))])},
            {"node": "lamp", "error": "there is no link with it", "status": null,
                "unreachable_seconds": 61.0},
            {"node": "scribe", "error": null, "took_seconds": 0.01, "other_file": true,
                "status": node("scribe", at, vec![writer],
                    vec![peer("clock", "up", 0, sent, Some("時計.例え:22"))])},
        ],
    }))
    .unwrap()
}

fn node(name: &str, at: u64, roles: Vec<Value>, peers: Vec<Value>) -> Value {
    json!({
        "node": name, "version": "1.2.3", "pid": 7, "running_seconds": at as f64,
        "file_digest": "0011", "roles": roles, "peers": peers, "transports": [],
        "orders_refused": 0,
        "connections": {"unproven": 0, "turned_away": 0, "refused": 0},
    })
}

fn inbox(received: u64, taken: u64, dropped: u64) -> Value {
    json!({
        "waiting": received - taken, "bytes": 0, "length_limit": 100, "size_limit": 1000,
        "received": received, "taken": taken, "dropped_by_limit": dropped, "dropped_by_age": 0,
        "dropped_by_stop": 0,
    })
}

fn peer(name: &str, state: &str, sent: u64, received: u64, address: Option<&str>) -> Value {
    let links = address.map(|address| {
        json!({
            "transport": "tcp", "address": address, "dialled": true, "up_seconds": 9.0,
            "round_trip_seconds": 0.0012, "sent": sent, "received": received,
            "bytes_sent": sent * 100, "bytes_received": received * 100, "cipher": null,
            "mac": null, "note": null,
        })
    });
    json!({
        "peer": name, "state": state, "next_dial_seconds": 5.0,
        "links": links.into_iter().collect::<Vec<_>>(), "dialling": [],
        "queued": {"messages": 3, "bytes": 300}, "in_flight": {"messages": 0, "bytes": 0},
        "sent": sent, "sent_again": 0, "acknowledged": sent, "dropped_by_limit": 1,
        "dropped_by_age": 1, "received": received, "repeated": 0, "missed": 0,
        "bytes_sent": sent * 100, "bytes_received": received * 100,
        "last_error": "connection refused", "last_error_seconds": 1.0,
    })
}
