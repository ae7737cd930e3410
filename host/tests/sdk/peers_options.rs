//! Options of a peer's transport that its module does not take.

use tempfile::TempDir;

use super::hang::{ask, start_with, tcp_of};
use super::scene::Scene;
use super::toolchain::install_fixture;

#[test]
fn options_that_a_peers_transport_does_not_take_cost_the_way_to_it_and_not_the_start() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-probe", modules.path());
    let scene = Scene::new(&["clock", "scribe", "wrong"]);
    let mut text = scene.text();
    let probe = |fault: &str| format!("      probe: {{address: '127.0.0.1:0', fault: {fault}}}\n");
    let tcp = tcp_of(&scene, "clock");
    text = text.replace(&tcp, &(tcp.clone() + &probe("none")));
    text = text.replace(&tcp_of(&scene, "wrong"), &probe("init"));
    let file = scene.write_as("kozo.yml", &text);
    let mut clock = start_with(&file, "clock", modules.path());
    let mut scribe = start_with(&file, "scribe", modules.path());
    clock.wait_for_link("scribe");
    scribe.wait_for_link("clock");
    let why = ask(&file, "clock", &["why", "wrong"]).unwrap();
    assert!(
        why.contains("There is no way to `probe` of wrong: panicked at"),
        "{why}"
    );
    let table = ask(&file, "clock", &["status"]).unwrap();
    assert!(
        table.contains("wrong: no way to its `probe`: panicked at"),
        "{table}"
    );
    assert_eq!(clock.count("there is no way to it: "), 1);
    // Its own node does not start.
    let mut wrong = start_with(&file, "wrong", modules.path());
    assert_eq!(wrong.end().code(), Some(3));
}
