//! What a node tells its peers of its roles' interests, when there is more of it than they take.

use std::fmt::Write;

use super::injector::Injector;
use super::scene::Scene;

#[test]
fn a_node_with_more_interests_than_a_hello_holds_is_linked_and_hears_what_it_wants() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    let port = Injector::on(&mut scene, "clock");
    for role in 0..60 {
        let mut nodes = String::new();
        for node in 0..100 {
            let _ = write!(
                nodes,
                ", the-node-with-the-long-name-in-the-attic-{role}-{node}"
            );
        }
        let file = format!("file: {role}.log, flushEvery: 1, timePrefix: ''");
        // One role of all of them wants to hear of this node.
        let first = if role == 7 { "clock" } else { "nobody" };
        let block = format!("{{type: logger, {file}, nodeRestrict: [{first}{nodes}]}}");
        scene.role("scribe", &format!("log{role}"), &block);
    }
    let mut scribe = scene.start("scribe");
    let warned = scribe.wait_for_text("start", "what its roles want to hear of");
    assert_eq!(warned["level"], "WARN");
    let mut clock = scene.start("clock");
    clock.wait_for_link("scribe");
    Injector::connect(port).send("('log', 'for one of many')");
    let written = scribe.wait_for_text("role", "for one of many");
    assert_eq!(written["fields"]["role"], "log7");
    // It came over the link to all of them, and nobody else took it.
    for role in [0, 59] {
        let text = std::fs::read_to_string(scene.folder().join(format!("{role}.log"))).unwrap();
        assert_eq!(text, "");
    }
}
