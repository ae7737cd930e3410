//! The model, told what nodes tell.

use serde_json::{Value, json};

use super::*;
use crate::told::{Link, Peer};

fn peer(name: &str, state: &str) -> Peer {
    let link = Link {
        transport: "tcp".to_owned(),
        address: "127.0.0.1:1".to_owned(),
        up_seconds: 5.0,
        round_trip_seconds: Some(0.0015),
        ..Link::default()
    };
    Peer {
        peer: name.to_owned(),
        state: state.to_owned(),
        links: (state == "up").then_some(link).into_iter().collect(),
        wanted: state != "on-demand",
        ..Peer::default()
    }
}

fn status(node: &str, peers: Vec<Peer>) -> Status {
    Status {
        node: node.to_owned(),
        running_seconds: 100.0,
        peers,
        ..Status::default()
    }
}

fn report(status: Status) -> Report {
    Report {
        node: status.node.clone(),
        status: Some(status),
        ..Report::default()
    }
}

fn told(model: &Model, since: Option<u64>) -> Value {
    serde_json::to_value(model.changes(since, 0.0)).unwrap()
}

#[test]
fn a_link_goes_down_and_comes_back_and_only_that_is_told() {
    let mut model = Model::default();
    assert!(model.take_own(
        status(
            "clock",
            vec![peer("scribe", "up"), peer("hall", "on-demand")]
        ),
        100.0
    ));
    let first = told(&model, None);
    assert_eq!(
        (&first["whole"], &first["node"]),
        (&json!(true), &json!("clock"))
    );
    assert_eq!(first["links"][0]["state"], "on-demand");
    assert_eq!(first["links"][1]["state"], "up");
    assert_eq!(first["links"][1]["round_trip"], 1.5);
    let version = model.version();

    // The same at a later time is no change.
    let mut same = status(
        "clock",
        vec![peer("scribe", "up"), peer("hall", "on-demand")],
    );
    same.running_seconds = 101.0;
    same.peers[0].links[0].up_seconds = 6.2;
    assert!(!model.take_own(same, 101.0));

    let mut down = peer("scribe", "waiting");
    down.last_error = Some("connection refused".to_owned());
    down.last_error_seconds = Some(0.0);
    let mut fallen = status("clock", vec![down, peer("hall", "on-demand")]);
    fallen.running_seconds = 102.0;
    assert!(model.take_own(fallen, 102.0));
    let change = told(&model, Some(version));
    assert_eq!(change["whole"], false);
    assert_eq!(change["links"].as_array().unwrap().len(), 1);
    assert_eq!(change["links"][0]["state"], "down");
    assert_eq!(change["links"][0]["since"], 102.0);
    assert_eq!(change["events"][0]["what"], "link-down");
    assert_eq!(change["events"][0]["reason"], "connection refused");

    let version = model.version();
    let mut back = status(
        "clock",
        vec![peer("scribe", "up"), peer("hall", "on-demand")],
    );
    back.running_seconds = 110.0;
    model.take_own(back, 110.0);
    let change = told(&model, Some(version));
    assert_eq!(change["links"][0]["state"], "up");
    assert_eq!(change["events"][0]["what"], "link-up");
    // Who comes from another life of the page gets everything.
    assert_eq!(told(&model, Some(9999))["whole"], true);
}

#[test]
fn what_a_peer_told_before_its_link_fell_does_not_keep_it_up() {
    let mut model = Model::default();
    model.take_own(status("clock", vec![peer("scribe", "up")]), 0.0);
    let nodes = vec![
        report(status("clock", vec![peer("scribe", "up")])),
        report(status("scribe", vec![peer("clock", "up")])),
    ];
    model.take_network(Network { nodes }, 1.0);
    model.take_own(status("clock", vec![peer("scribe", "waiting")]), 2.0);
    assert_eq!(told(&model, None)["links"][0]["state"], "down");
}

#[test]
fn links_between_others_are_known_from_them() {
    let mut model = Model::default();
    let own = || status("clock", vec![peer("hall", "up"), peer("scribe", "up")]);
    model.take_own(own(), 0.0);
    let mut hall = peer("scribe", "up");
    hall.dropped_by_limit = 3;
    let nodes = vec![
        report(own()),
        report(status("hall", vec![peer("clock", "up"), hall.clone()])),
        Report {
            node: "scribe".to_owned(),
            error: Some("`scribe` tells nothing of itself".to_owned()),
            ..Report::default()
        },
        report(status("stranger", Vec::new())),
    ];
    model.take_network(Network { nodes }, 1.0);
    let whole = told(&model, None);
    assert_eq!(whole["nodes"].as_array().unwrap().len(), 3, "{whole}");
    assert_eq!(whole["nodes"][2]["state"], "silent");
    let link = &whole["links"][2];
    assert_eq!((&link["a"], &link["b"]), (&json!("hall"), &json!("scribe")));
    assert_eq!(link["from_a"]["dropped_by_limit"], 3);
    assert_eq!(link.get("lost_at"), None);

    hall.dropped_by_limit = 4;
    let nodes = vec![report(status("hall", vec![peer("clock", "up"), hall]))];
    model.take_network(Network { nodes }, 9.0);
    assert_eq!(told(&model, None)["links"][2]["lost_at"], 9.0);
}

#[test]
fn another_file_with_fewer_nodes_is_told_as_a_whole() {
    let mut model = Model::default();
    model.take_own(
        status("clock", vec![peer("hall", "up"), peer("scribe", "up")]),
        0.0,
    );
    let version = model.version();
    model.take_own(status("clock", vec![peer("hall", "up")]), 1.0);
    let change = told(&model, Some(version));
    assert_eq!(change["whole"], true);
    assert_eq!(change["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(change["links"].as_array().unwrap().len(), 1);
}
