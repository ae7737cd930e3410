//! How two nodes reach each other, and that nothing is lost when a way is.

use std::thread;
use std::time::Duration;

use kozo_testnet::{Host, Nat, XmppOptions};

use crate::scene::{Scene, lines};

/// Two nodes get their link, over a way of this kind, and send each other messages.
fn messages_go_both_ways(nat: Nat, way: &str) {
    let Some(scene) = Scene::start(nat, XmppOptions::default()) else {
        return;
    };
    let (cabin, barn) = scene.daemons();
    cabin.wait_for_link("barn", "ice");
    barn.wait_for_link("cabin", "ice");
    cabin.wait_for_words(&format!("connected as alice@kozo.test; barn: {way}, "));
    let (there, back) = (lines("there", 20), lines("back", 20));
    cabin.send(&there);
    barn.send(&back);
    barn.wait_for_lines(&cabin, &there);
    cabin.wait_for_lines(&barn, &back);
}

#[test]
fn nodes_reach_each_other_where_addresses_are_routed() {
    messages_go_both_ways(Nat::None, "direct");
}

#[test]
fn nodes_reach_each_other_through_two_nats() {
    messages_go_both_ways(Nat::Cone, "through NAT");
}

#[test]
fn nodes_that_no_hole_can_be_punched_for_are_relayed() {
    messages_go_both_ways(Nat::Symmetric, "relayed");
}

#[test]
fn nodes_can_keep_their_addresses_to_themselves() {
    let Some(mut scene) = Scene::start(Nat::None, XmppOptions::default()) else {
        return;
    };
    scene.options.push_str(", relayOnly: true");
    let (cabin, barn) = scene.daemons();
    cabin.wait_for_link("barn", "ice");
    cabin.wait_for_words("barn: relayed");
    barn.wait_for_words("cabin: relayed");
    let log = barn.process.output();
    assert!(!log.contains("10.1.0.2"), "{log}");
}

#[test]
fn nothing_is_lost_while_a_router_is_cut_off() {
    let Some(scene) = Scene::start(Nat::Cone, XmppOptions::default()) else {
        return;
    };
    let (cabin, barn) = scene.daemons();
    cabin.wait_for_link("barn", "ice");
    let (there, back) = (lines("there", 60), lines("back", 60));
    cabin.send(&there[..20]);
    barn.send(&back[..20]);
    scene.network.cut(Host::RouterA);
    cabin.send(&there[20..40]);
    barn.send(&back[20..40]);
    // That is the fault itself, not a wait for something.
    thread::sleep(Duration::from_secs(5));
    scene.network.mend(Host::RouterA);
    cabin.send(&there[40..]);
    barn.send(&back[40..]);
    barn.wait_for_lines(&cabin, &there);
    cabin.wait_for_lines(&barn, &back);
    cabin.wait_for_link("barn", "ice");
}

#[test]
fn a_node_that_was_killed_is_found_again() {
    let Some(scene) = Scene::start(Nat::Cone, XmppOptions::default()) else {
        return;
    };
    let (cabin, mut barn) = scene.daemons();
    cabin.wait_for_link("barn", "ice");
    barn.wait_for_link("cabin", "ice");
    barn.process.kill();
    let there = lines("there", 10);
    cabin.send(&there);
    let barn = scene.daemon(Host::B, "barn");
    barn.wait_for_lines(&cabin, &there);
    barn.wait_for_link("cabin", "ice");
}
