//! Bridges.

use crate::Stage;
use crate::scene::Scene;

pub(super) fn a_node_links_through_its_bridge_and_through_nothing_else(stage: &Stage) {
    let mut scene = Scene::new(stage.folder("bridges"), &["alice", "bob"]);
    let network = stage.network.description();
    let bridge = stage.network.start_bridge(stage.folder("bridges-tor"));
    scene.onion("alice", &network, ", incomingOnly: true");
    let options = format!(
        "outgoingOnly: true, network: {}, bridges: ['{}']",
        network.display(),
        bridge.line
    );
    scene.transport("bob", "onion", &options);
    let (alice, bob) = (scene.start("alice"), scene.start("bob"));
    bob.wait_for_link_over("alice", "onion");
    bob.send("hello");
    alice.wait_for_lines(&bob, &["hello".to_owned()]);
    // The network is as it was, and does not help.
    drop(bridge);
    bob.wait_for_no_link("alice");
    bob.wait_for_failure("alice", "error connecting to Tor");
}
