//! Nodes whose configuration files differ.

use super::control::{said, status};
use super::process::wait_until;
use super::scene::{Scene, start};

#[test]
fn which_nodes_have_another_version_of_the_file_is_shown_and_logged_once() {
    let scene = Scene::new(&["clock", "cottage", "scribe"]);
    let clock = scene.start("clock");
    let _cottage = scene.start("cottage");
    let longer = scene.text() + "# one line more\n";
    let other = scene.write_as("other.yml", &longer);
    let mut scribe = start(&other, "scribe");
    for peer in ["cottage", "scribe"] {
        wait_until(peer, || {
            clock
                .has_line(|l| l["message"] == "up" && l["fields"]["peer"] == peer)
                .then_some(())
        });
    }
    let warned = |line: &serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("another version"))
    };
    let line = clock.wait_for_any("another version", warned);
    assert_eq!(
        (&line["level"], &line["fields"]["peer"]),
        (&"WARN".into(), &"scribe".into())
    );
    let why = said(&scene, "clock", &["why", "scribe"]).unwrap();
    assert!(
        why.contains("scribe has another version of the configuration file"),
        "{why}"
    );
    let why = said(&scene, "clock", &["why", "cottage"]).unwrap();
    assert!(!why.contains("another version"), "{why}");
    let text = said(&scene, "clock", &["status"]).unwrap();
    assert!(
        text.contains("another version of the configuration file: scribe\n"),
        "{text}"
    );
    // It comes back with the same one, and once more with the other.
    for (file, differs) in [(scene.write(), false), (other, true)] {
        scribe.kill();
        scribe = start(&file, "scribe");
        wait_until("the state of the peer", || {
            let status = status(&scene, "clock")?;
            let peer = status["peers"]
                .as_array()?
                .iter()
                .find(|it| it["peer"] == "scribe")?;
            (peer["other_file"] == differs).then_some(())
        });
    }
    assert_eq!(clock.count_lines(warned), 1);
}
