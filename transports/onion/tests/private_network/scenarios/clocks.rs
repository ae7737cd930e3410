//! Clocks that are wrong.

use crate::Stage;
use crate::clock::Clock;
use crate::scene::Scene;

pub(super) fn a_clock_that_is_far_off_is_told_of_and_no_harm_once_it_is_set(stage: &Stage) {
    let mut scene = Scene::new(stage.folder("clocks"), &["alice", "bob", "carol"]);
    let network = stage.network.description();
    scene.onion("alice", &network, "");
    scene.onion("bob", &network, "");
    scene.onion("carol", &network, ", incomingOnly: true");
    // More than certificates last, before what the network's directory is good for, and a difference
    // that Tor bears with.
    let at = |node: &str, off: &str| {
        let clock = Clock::new(scene.clock_file(node), off);
        (scene.start_at(node, &clock), clock)
    };
    let (alice, of_alice) = at("alice", "+100h");
    let (bob, of_bob) = at("bob", "-30h");
    let (carol, _) = at("carol", "+5h");
    carol.wait_for_status("reachable at ");
    // She has asked a relay meanwhile, which may answer later than the way was found.
    carol.wait_until_said("clock is about 5 hours ahead");
    drop(carol);
    bob.wait_for_status("clock is about 30 hours behind");
    bob.wait_for_failure("alice", "clock is about 30 hours behind");
    alice.wait_for_status("clock is about 4 days ahead");
    for node in [&alice, &bob] {
        assert!(!node.has_said("stuck"));
    }
    of_alice.set("+0");
    of_bob.set("+0");
    alice.wait_for_link_over("bob", "onion");
    for node in [&alice, &bob] {
        node.wait_for_status("reachable at ");
        assert!(node.has_said("the clock was set"));
    }
}
