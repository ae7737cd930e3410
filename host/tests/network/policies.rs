//! When a node connects to another one.

use super::guest::Guest;
use super::injector::Injector;
use super::process::wait_until;
use super::scene::{Scene, gate_folder, start_with_roles};

const POLICIES: [&str; 3] = ["constant", "ondemand", "never"];

/// One sender with `policy`, and a receiver with each one. Only the sender connects.
fn who_gets_what(policy: &str) -> Vec<(&'static str, bool)> {
    let mut scene = Scene::new(&["sender", "constant", "ondemand", "never"]);
    scene.role("sender", "timer", "{tick: 0.2, log: false}");
    scene.node_option("sender", &format!("selfToOthersConnectPolicy: {policy}"));
    scene.node_option("sender", "othersToSelfConnectPolicy: never");
    for receiver in POLICIES {
        scene.role(receiver, "cuckoo", "{log: false}");
        scene.node_option(receiver, "selfToOthersConnectPolicy: never");
        scene.node_option(receiver, &format!("othersToSelfConnectPolicy: {receiver}"));
    }
    // What the sender tells itself shows that it has sent.
    scene.role("sender", "cuckoo", "{log: false}");
    let daemons = ["sender", "constant", "ondemand", "never"].map(|node| scene.start(node));
    let ticked = |node: &str| {
        let file = scene.storage(node).join(format!("{node}.cuckoo.kozo"));
        file.exists()
    };
    let expected = |receiver: &str| policy != "never" && receiver != "never";
    wait_until("the ticks arrive", || {
        let arrived = |receiver: &&str| !expected(receiver) || ticked(receiver);
        (ticked("sender") && POLICIES.iter().all(arrived)).then_some(())
    });
    if POLICIES.iter().any(|receiver| expected(receiver)) {
        daemons[0].wait_for_any_text("\"up\"");
    } else {
        assert!(!daemons[0].has_said("\"up\""));
    }
    POLICIES.map(|receiver| (receiver, ticked(receiver))).into()
}

#[test]
fn messages_flow_unless_one_of_the_two_policies_is_never() {
    for policy in POLICIES {
        let flows = policy != "never";
        let expected = [("constant", flows), ("ondemand", flows), ("never", false)];
        assert_eq!(who_gets_what(policy), expected, "{policy}");
    }
}

#[test]
fn a_link_on_demand_waits_for_a_message_ends_when_idle_and_comes_back() {
    let mut scene = Scene::new(&["sender", "steady", "quiet"]);
    let port = Injector::on(&mut scene, "sender");
    scene.option("idleTimeout", "0.3");
    for node in ["steady", "quiet"] {
        scene.role(
            node,
            "logger",
            &format!("{{file: {node}.log, flushEvery: 1}}"),
        );
        scene.node_option(node, "selfToOthersConnectPolicy: never");
    }
    scene.node_option("quiet", "othersToSelfConnectPolicy: ondemand");
    let mut quiet = scene.start("quiet");
    let steady = scene.start("steady");
    let mut sender = scene.start("sender");
    // Without any message, there is a link with the one and none with the other.
    sender.wait_for_link("steady");
    let mut injector = Injector::connect(port);
    for text in ["first", "second"] {
        assert_eq!(quiet.count("\"up\""), usize::from(text == "second"));
        injector.send(&format!("('log', '{text}')"));
        let down = quiet.wait_for_text("link", "down");
        let reason = down["fields"]["reason"].as_str().unwrap();
        assert!(reason.contains("it was idle"), "{reason}");
        // The role takes the message whenever it has its turn.
        quiet.wait_for_any_text(&format!("<message_injector@sender> {text}"));
    }
    // The other link carried the same messages and was as idle, but it is wanted at all times.
    assert!(!steady.has_said("\"down\""));
}

#[test]
fn a_role_whose_module_the_sender_lacks_is_dialled_for_any_message_until_it_says_what_it_wants() {
    let mut scene = Scene::new(&["sender", "hall"]);
    let port = Injector::on(&mut scene, "sender");
    scene.role("hall", "gate", "{}");
    scene.option("idleTimeout", "0.3");
    scene.node_option("hall", "othersToSelfConnectPolicy: ondemand");
    scene.node_option("hall", "selfToOthersConnectPolicy: never");
    let file = scene.write();
    let mut hall = start_with_roles(&file, "hall", &gate_folder());
    let mut sender = scene.start("sender");
    let mut injector = Injector::connect(port);
    // Nobody knows whether a gate wants it: so the node is asked.
    injector.send("('event', 'unrelated', 'x')");
    sender.wait_for_link("hall");
    hall.wait_for_text("link", "down");
    // Now it is known: this one is for nobody, and the order is.
    injector.send("('event', 'unrelated', 'y')");
    injector.send("('order', 'open', 'please')");
    hall.wait_for_text("role", "told to open by message_injector@sender: please");
}

#[test]
fn a_node_that_can_only_dial_out_gets_and_sends_everything() {
    let mut scene = Scene::new(&["hub", "hut"]);
    // Nobody listens under this address.
    let closed = kozo_abi::bench::reserve_port().unwrap();
    scene.tcp(
        "hut",
        &format!("address: '127.0.0.1:{closed}', bindAddress: 127.0.0.1"),
    );
    scene.role("hub", "timer", "{tick: 0.2}");
    scene.role("hut", "cuckoo", "{}");
    scene.role("hub", "logger", "{file: hub.log, flushEvery: 1}");
    let mut hub = scene.start("hub");
    let mut hut = scene.start("hut");
    let up = hut.wait_for_link("hub");
    assert_eq!(up["fields"]["dialled"], true);
    hub.wait_for_text("role", "<cuckoo@hut> ");
}

#[test]
fn who_may_not_connect_is_told_so_and_its_messages_are_ignored() {
    let mut scene = Scene::new(&["recluse", "guest"]);
    scene.role("recluse", "logger", "{file: recluse.log, flushEvery: 1}");
    scene.node_option("recluse", "othersToSelfConnectPolicy: never");
    let mut recluse = scene.start("recluse");
    recluse.wait_for_text("transport", "listening");
    let mut guest = Guest::connect(&scene, "guest", "recluse").unwrap();
    let hello = guest.hello();
    guest.say(|frames| frames.hello(&hello));
    guest.send_message(1, kozo_ground::interest::Kind::Log, "", "let me in");
    let frames = guest.wait_for_end();
    let said = format!("{frames:?}");
    assert!(
        said.contains("the connect policies allow no link"),
        "{said}"
    );
    assert!(!recluse.has_said("let me in"));
}
