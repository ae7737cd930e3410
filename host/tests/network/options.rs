//! Options of the file, as a running node heeds them.

use kozo_auth::keys::{self, NewKey};
use kozo_ground::interest::Kind;
use kozo_wire::Frame;
use rustix::process::Signal;
use serde_json::Value;

use super::control::status;
use super::guest::Guest;
use super::injector::Injector;
use super::process::wait_until;
use super::scene::{Scene, gate_folder, start, start_with_roles};
use super::ssh::{greeting, ssh, text};

#[test]
fn an_override_holds_for_its_node_alone() {
    let mut scene = Scene::new(&["clock", "guest"]);
    scene.node_option("clock", "overrideMainConfiguration: {heartbeat: 7}");
    let mut clock = scene.start("clock");
    clock.wait_for_text("transport", "listening");
    let mut guest = Guest::connect(&scene, "guest", "clock").unwrap();
    let frame = guest.wait_for("a hello", |frame| matches!(frame, Frame::Hello(_)));
    let Frame::Hello(hello) = frame else {
        unreachable!("only a hello fits");
    };
    assert_eq!(hello.heartbeat, 7000);
    // The file's own is another one.
    assert!(scene.text().contains("\nheartbeat: 10\n"));
}

#[test]
fn cipher_and_hmac_leave_nothing_else_to_choose() {
    let mut scene = Scene::new(&["clock", "guest"]);
    scene
        .option("cipher", "aes256-ctr")
        .option("hmac", "hmac-sha1");
    let mut clock = scene.start("clock");
    clock.wait_for_text("transport", "listening");
    let (port, key) = (scene.port("clock"), scene.key_path("guest"));
    let old = ["-c", "aes256-ctr", "-m", "hmac-sha1"];
    let greeting = greeting(port, "guest", &key, &old).unwrap();
    assert!(greeting.contains("clock"), "{greeting}");
    for (cipher, mac, what) in [
        ("aes128-ctr", "hmac-sha1", "no matching cipher"),
        ("aes256-gcm@openssh.com", "hmac-sha1", "no matching cipher"),
        ("aes256-ctr", "hmac-sha2-256", "no matching MAC"),
    ] {
        let arguments = ["-c", cipher, "-m", mac, "-s", "kozo"];
        let refused = ssh(port, "guest", &key, &arguments);
        assert!(refused.stdout.is_empty(), "{cipher} {mac}");
        let said = text(&refused.stderr);
        assert!(said.contains(what), "{said}");
    }
}

/// What the first link of `node` with `peer` is protected by, as its status tells: Noise, and the cipher.
fn protection(scene: &Scene, node: &str, peer: &str) -> (Option<String>, Option<String>) {
    let status = status(scene, node).unwrap();
    let peers = status["peers"].as_array().unwrap();
    let peer = peers.iter().find(|other| other["peer"] == peer).unwrap();
    let text = |key: &str| peer["links"][0][key].as_str().map(str::to_owned);
    (text("noise"), text("cipher"))
}

#[test]
fn links_go_over_to_noise_unless_one_of_the_two_keeps_to_ssh() {
    for ssh_only in [None, Some("clock"), Some("guest")] {
        let mut scene = Scene::new(&["clock", "guest"]);
        if let Some(node) = ssh_only {
            scene.node_option(node, "overrideMainConfiguration: {sshOnly: yes}");
        }
        let mut clock = scene.start("clock");
        let mut guest = scene.start("guest");
        clock.wait_for_link("guest");
        guest.wait_for_link("clock");
        let ends = [
            protection(&scene, "clock", "guest"),
            protection(&scene, "guest", "clock"),
        ];
        for (noise, cipher) in &ends {
            assert_eq!(noise.is_some(), ssh_only.is_none(), "{ends:?}");
            // Of SSH alone, the end that dialled knows it.
            assert!(cipher.is_some() || ssh_only.is_some(), "{ends:?}");
        }
        assert!(ends.iter().any(|(_, cipher)| cipher.is_some()), "{ends:?}");
    }
}

#[test]
fn while_a_key_is_replaced_both_the_old_one_and_the_new_one_are_accepted() {
    let scene = Scene::new(&["clock", "scribe"]);
    let new = keys::generate(NewKey::Ed25519, "scribe").unwrap();
    let new_path = scene.folder().join("new.key");
    keys::write_private(&new_path, &new).unwrap();
    let old_line = keys::public_line(scene.key("scribe"));
    let text = scene.text().replace(
        &format!("publicKey: {old_line}"),
        &format!(
            "publicKey:\n    - {old_line}\n    - {}",
            keys::public_line(&new)
        ),
    );
    let file = scene.write_as("rotating.yml", &text);
    let mut clock = start(&file, "clock");
    // The same file but for the path of the key, as it is after the change on that machine.
    let old_path = scene.key_path("scribe").display().to_string();
    let changed = text.replace(&old_path, &new_path.display().to_string());
    let changed = scene.write_as("rotated.yml", &changed);
    for file in [file, changed] {
        let mut scribe = start(&file, "scribe");
        clock.wait_for_link("scribe");
        scribe.wait_for_link("clock");
        scribe.signal(Signal::TERM);
        assert_eq!(scribe.end().code(), Some(0));
    }
}

#[test]
fn a_full_inbox_drops_the_oldest() {
    let mut scene = Scene::new(&["hall"]);
    let port = Injector::on(&mut scene, "hall");
    let hinge = scene.folder().join("hinge");
    scene.role(
        "hall",
        "gate",
        &format!("{{messageQueueLength: 3, hinge: {}}}", hinge.display()),
    );
    let mut hall = start_with_roles(&scene.write(), "hall", &gate_folder());
    let mut injector = Injector::connect(port);
    injector.send("('order', 'open', 'first')");
    // It is busy with this one from now on.
    hall.wait_for_text("role", ": first");
    for number in 1..=10 {
        injector.send(&format!("('order', 'open', 'number {number}')"));
    }
    std::fs::write(&hinge, "").unwrap();
    for number in 8..=10 {
        hall.wait_for_text("role", &format!(": number {number}"));
    }
    assert!(!hall.has_said(": number 1\"") && !hall.has_said(": number 7\""));
}

#[test]
fn a_full_queue_drops_the_oldest_and_the_receiver_is_told_how_many_it_missed() {
    let mut scene = Scene::new(&["sender", "scribe"]);
    let port = Injector::on(&mut scene, "sender");
    scene.option("outgoingQueueLength", "5");
    // It is to notice soon that the other one says nothing.
    scene.option("heartbeat", "1");
    scene.role("scribe", "logger", "{file: scribe.log, flushEvery: 1}");
    let mut sender = scene.start("sender");
    let mut scribe = scene.start("scribe");
    let mut injector = Injector::connect(port);
    sender.wait_for_link("scribe");
    injector.send("('log', 'number 0')");
    scribe.wait_for_text("role", "number 0");
    // It is there, but does nothing until it is let go on: for its peer, it is gone.
    scribe.signal(Signal::STOP);
    // Not the line of the log: that may be about a link that a busy machine has cost earlier.
    wait_until("the link is given up", || {
        let peer = &status(&scene, "sender")?["peers"][0];
        (peer["links"].as_array()?.is_empty()).then_some(())
    });
    for number in 1..=20 {
        injector.send(&format!("('log', 'number {number}')"));
    }
    scribe.signal(Signal::CONT);
    for number in 16..=20 {
        scribe.wait_for_text("role", &format!("number {number}"));
    }
    assert!(!scribe.has_said("number 15"));
    let missed = |line: &Value| line["fields"]["count"] == 15;
    scribe.wait_for_any("missed messages", missed);
}

#[test]
fn orders_are_accepted_from_those_who_are_named_and_refused_from_all_others() {
    let mut scene = Scene::new(&["hall", "friend", "guest"]);
    scene.role(
        "hall",
        "gate",
        "{acceptOrdersFrom: ['*@friend', message_injector@hall]}",
    );
    let port = Injector::on(&mut scene, "hall");
    let mut hall = start_with_roles(&scene.write(), "hall", &gate_folder());
    hall.wait_for_text("transport", "listening");
    let mut guest = Guest::join(&scene, "guest", "hall", Vec::new());
    guest.send_message(1, Kind::Order, "open", "for a stranger");
    let refused = hall.wait_for_text("role", "refused the order");
    assert_eq!(
        refused["message"],
        "refused the order `open` of guest@guest: `acceptOrdersFrom` does not name it"
    );
    let mut friend = Guest::join(&scene, "friend", "hall", Vec::new());
    friend.send_message(1, Kind::Order, "open", "for a friend");
    hall.wait_for_text("role", "told to open by guest@friend: for a friend");
    Injector::connect(port).send("('order', 'open', 'from within')");
    hall.wait_for_text("role", "told to open by message_injector@hall: from within");
    assert!(!hall.has_said("for a stranger"));
}
