//! Clocks that are wrong.

use crate::Stage;
use crate::clock::Clock;
use crate::scene::Scene;

pub(super) fn a_clock_that_is_far_off_is_told_of_and_no_harm_once_it_is_set(stage: &Stage) {
    let mut scene = Scene::new(stage.folder("clocks"), &["alice", "bob", "carol"]);
    let network = stage.network.description();
    for node in ["alice", "bob", "carol"] {
        scene.onion(node, &network, "");
    }
    // More than certificates last, before what the network's directory is good for, and a difference
    // that Tor bears with.
    let at = |node: &str, off: &str| {
        let clock = Clock::new(scene.clock_file(node), off);
        (scene.start_at(node, &clock), clock)
    };
    let (alice, of_alice) = at("alice", "+100h");
    let (bob, of_bob) = at("bob", "-30h");
    let (carol, _of_carol) = at("carol", "+5h");
    carol.wait_for_status("reachable at ");
    assert!(carol.has_said("clock is about 5 hours ahead"));
    for (node, fault) in [(&bob, "30 hours behind"), (&alice, "4 days ahead")] {
        node.wait_for_status(&format!("clock is about {fault}"));
        node.wait_for_failure("carol", &format!("clock is about {fault}"));
        assert!(!node.has_said("stuck"));
    }
    of_alice.set("+0");
    of_bob.set("+0");
    alice.wait_for_link_over("bob", "onion");
    alice.wait_for_link_over("carol", "onion");
    alice.wait_for_status("reachable at ");
    bob.wait_for_status("reachable at ");
    assert!(alice.has_said("the clock was set"));
}
