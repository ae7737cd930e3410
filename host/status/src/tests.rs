//! The JSON of the types, which others rely on.

use serde_json::json;

use super::*;

#[test]
fn the_json_of_a_peer_is_flat_and_in_the_order_that_people_know() {
    let text = r#"{"peer":"scribe","state":"left-to-peer","next_dial_seconds":null,"links":[],"wanted":true,"links_made":11,"dialling":[],"unusable":[],"queued":{"messages":1,"bytes":2},"in_flight":{"messages":0,"bytes":0},"sent":1,"sent_again":2,"acknowledged":3,"dropped_by_limit":4,"dropped_by_age":5,"received":6,"repeated":7,"missed":8,"bytes_sent":9,"bytes_received":10,"other_file":true,"questions_refused":12,"bus_frames_refused":13,"last_error":null,"last_error_seconds":null,"twins":null}"#;
    let peer: PeerStatus = serde_json::from_str(text).unwrap();
    assert_eq!((peer.outbox.dropped(), peer.inbound.missed), (9, 8));
    assert_eq!(serde_json::to_string(&peer).unwrap(), text);
}

#[test]
fn what_an_older_node_does_not_tell_has_a_default_and_what_a_newer_one_adds_is_left_out() {
    let older = json!({
        "node": "clock", "version": "0.1.0", "pid": 1, "running_seconds": 1.5, "roles": [],
        "peers": [], "transports": [], "orders_refused": 0, "mood": "good",
        "connections": {"unproven": 0, "turned_away": 0, "refused": 0},
    });
    let status: NodeStatus = serde_json::from_value(older).unwrap();
    assert_eq!(status.log, LogLosses::default());
}

#[test]
fn a_name_that_is_none_is_refused() {
    let role = json!({"node": "../clock", "linked": "a", "other": "b", "last_seconds": 0.0});
    let error = serde_json::from_value::<TwinsStatus>(role).unwrap_err();
    assert!(error.to_string().contains("may not"), "{error}");
}
