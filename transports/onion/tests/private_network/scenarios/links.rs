//! Links, and what happens to them.

use std::time::Duration;

use crate::Stage;
use crate::daemon::Daemon;
use crate::scene::Scene;

/// How long a node is frozen: longer than circuits and heartbeats wait for it.
const FREEZE: Duration = Duration::from_secs(60);

fn pair(stage: &Stage, name: &str) -> (Scene, [String; 2]) {
    let mut scene = Scene::new(stage.folder(name), &["alice", "bob"]);
    let network = stage.network.description();
    let addresses = ["alice", "bob"].map(|node| scene.onion(node, &network, ""));
    (scene, addresses)
}

/// Sends a line from each of two nodes, and waits until both have come.
#[track_caller]
fn exchange(one: &Daemon, other: &Daemon, sent: &mut Vec<String>, text: &str) {
    sent.push(text.to_owned());
    one.send(text);
    other.send(text);
    one.wait_for_lines(other, sent);
    other.wait_for_lines(one, sent);
}

pub(super) fn two_nodes_link_and_messages_flow_both_ways(stage: &Stage) {
    let (scene, [address, _]) = pair(stage, "two");
    let (alice, bob) = (scene.start("alice"), scene.start("bob"));
    alice.wait_for_status(&format!("reachable at {address}"));
    alice.wait_for_link_over("bob", "onion");
    bob.wait_for_link_over("alice", "onion");
    exchange(&alice, &bob, &mut Vec::new(), "hello");
    // The address can be asked for while the node runs.
    assert_eq!(scene.own_address("alice"), address);
    alice.end();
    bob.end();
}

pub(super) fn three_nodes_link_and_one_of_them_has_no_address(stage: &Stage) {
    let mut scene = Scene::new(stage.folder("three"), &["alice", "bob", "carol"]);
    let network = stage.network.description();
    scene.onion("alice", &network, "");
    // An `onionPort` of its own, and no connections from here.
    scene.onion("bob", &network, ", onionPort: 22, incomingOnly: true");
    let options = format!("outgoingOnly: true, network: {}", network.display());
    scene.transport("carol", "onion", &options);
    let daemons = ["alice", "bob", "carol"].map(|node| scene.start(node));
    let [alice, bob, carol] = &daemons;
    for (one, others) in [(alice, ["bob", "carol"]), (bob, ["alice", "carol"])] {
        for other in others {
            one.wait_for_link_over(other, "onion");
        }
    }
    carol.send("from carol");
    bob.send("from bob");
    alice.wait_for_lines(carol, &["from carol".to_owned()]);
    bob.wait_for_lines(carol, &["from carol".to_owned()]);
    carol.wait_for_lines(bob, &["from bob".to_owned()]);
}

pub(super) fn a_killed_node_comes_back_with_its_address_and_gets_what_the_other_one_held(
    stage: &Stage,
) {
    let (scene, [address, _]) = pair(stage, "killed");
    let (alice, bob) = (scene.start("alice"), scene.start("bob"));
    alice.wait_for_link("bob");
    let mut sent = Vec::new();
    exchange(&alice, &bob, &mut sent, "before");
    // What has not been acknowledged comes once more to a node that was killed: it has forgotten it.
    bob.wait_for_acknowledgements("alice");
    alice.kill();
    bob.wait_for_no_link("alice");
    bob.send("held");
    assert_eq!(scene.own_address("alice"), address);
    let alice = scene.start("alice");
    alice.wait_for_link_over("bob", "onion");
    sent.push("held".to_owned());
    alice.wait_for_lines(&bob, &sent);
    alice.send("after");
    bob.wait_for_lines(&alice, &["before".to_owned(), "after".to_owned()]);
}

pub(super) fn a_frozen_node_loses_nothing(stage: &Stage) {
    let (scene, _) = pair(stage, "frozen");
    let (alice, bob) = (scene.start("alice"), scene.start("bob"));
    alice.wait_for_link("bob");
    let mut sent = Vec::new();
    exchange(&alice, &bob, &mut sent, "before");
    alice.freeze();
    for number in 0..20 {
        let text = format!("while frozen {number}");
        bob.send(&text);
        sent.push(text);
    }
    // Not a wait for something to happen: the length of the freeze is what is tried.
    std::thread::sleep(FREEZE);
    bob.wait_for_no_link("alice");
    alice.thaw();
    alice.wait_for_lines(&bob, &sent);
    alice.send("after");
    bob.wait_for_lines(&alice, &["before".to_owned(), "after".to_owned()]);
}

pub(super) fn a_node_can_show_itself_to_chosen_ones_only(stage: &Stage) {
    /// A key that nobody has.
    const OTHER: &str = "descriptor:x25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut scene = Scene::new(stage.folder("chosen"), &["alice", "bob"]);
    let network = stage.network.description();
    let only_for = |key: &str| format!(", incomingOnly: true, onlyFor: ['{key}']");
    scene.onion("alice", &network, &only_for(OTHER));
    let options = format!("outgoingOnly: true, network: {}", network.display());
    scene.transport("bob", "onion", &options);
    let alice = scene.start("alice");
    let bob = scene.start("bob");
    let key = bob.wait("bob is told of `onlyFor`, and his key", |status| {
        let reason = status["peers"][0]["last_error"].as_str()?;
        let mut parts = reason.split('`');
        parts.find(|part| *part == "onlyFor")?;
        let key = parts.find(|part| part.starts_with("descriptor:"))?;
        Some(key.to_owned())
    });
    alice.end();
    scene.onion("alice", &network, &only_for(&key));
    let alice = scene.start("alice");
    bob.wait_for_link_over("alice", "onion");
    // She knocks at her own door with a key of her own.
    alice.wait_for_status("reachable at ");
}
