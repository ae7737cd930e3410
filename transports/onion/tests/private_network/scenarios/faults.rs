//! What must not work, and says why.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::Stage;
use crate::daemon::kozo;
use crate::scene::Scene;

/// An address whose key nobody has.
const NOBODY: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

pub(super) fn a_wrong_port_an_unknown_address_and_a_wrong_key_make_no_link(stage: &Stage) {
    let names = ["alice", "bob", "carol", "dave"];
    let mut scene = Scene::new(stage.folder("wrong"), &names);
    let network = stage.network.description();
    let bob = scene.onion("bob", &network, ", incomingOnly: true");
    let options = format!("outgoingOnly: true, network: {}", network.display());
    scene.transport("alice", "onion", &options);
    // Bob's file is right; in Alice's, three nodes are where only Bob is, and wrong each in its way.
    let right = scene.write_as("bob.yml");
    let at = |address: &str, port: u16| {
        format!("address: {address}, onionPort: {port}, incomingOnly: true")
    };
    scene.transport("bob", "onion", &at(&bob, 6028));
    scene.transport("carol", "onion", &at(NOBODY, 6027));
    scene.transport("dave", "onion", &at(&bob, 6027));
    let bob = scene.start_with(&right, "bob");
    bob.wait_for_status("reachable at ");
    let alice = scene.start("alice");
    alice.wait_for_failure("bob", "takes no connections at port 6028");
    alice.wait_for_failure("carol", "Tor finds no such address");
    // Bob shows his own key, not Dave's.
    alice.wait_for_failure("dave", "the address leads to `bob`, and not to `dave`");
    assert!(!alice.has_said("link: up "));
}

pub(super) fn damaged_and_shared_state_folders_are_told_of(stage: &Stage) {
    let mut scene = Scene::new(stage.folder("folders"), &["alice", "bob"]);
    let network = stage.network.description();
    scene.onion("alice", &network, "");
    scene.onion("bob", &network, "");
    let file = scene.write();
    let ask = || kozo(&["address", file.to_str().unwrap(), "alice"]).unwrap_err();

    // The whole of Alice runs twice.
    let alice = scene.start("alice");
    alice.wait_for_status("reachable at ");
    let twin = scene.start_with(&scene.write_as("twin.yml"), "alice");
    twin.wait_until_said("another process uses");
    drop(twin);
    alice.kill();

    let folder = scene.state("alice").join("alice.onion");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    assert!(
        ask().contains("only its owner, this user, may look into"),
        "{}",
        ask()
    );
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();

    let key = "state/keystore/hss/kozo/ks_hs_id.ed25519_expanded_private";
    fs::write(folder.join(key), "damage").unwrap();
    assert!(ask().contains("is damaged"), "{}", ask());

    // An address that is another node's.
    let bob = scene.own_address("bob");
    let alice = format!("address: {NOBODY}, network: {}", network.display());
    scene.transport("bob", "onion", &alice);
    let wrong = scene.start("bob");
    wrong.wait_until_said(&format!("makes `{bob}`"));
}
