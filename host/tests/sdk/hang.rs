//! Transports that never come back.

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::Process;
use super::scene::Scene;
use super::toolchain::{install_fixture, with_transport};

#[test]
fn a_transport_that_hangs_delays_no_other_link_and_no_shutdown() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    let scene = Scene::new(&["clock", "scribe", "stuck"]);
    // `clock` can reach `scribe` by tcp, and `stuck` only by what hangs.
    with_transport(&scene, &["stuck"], "hang", |_| "");
    let file = scene.folder().join("kozo.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    let clocks = format!("port: {}}}\n", scene.port("clock"));
    let both = format!("{clocks}      hang: {{address: none}}\n");
    assert!(text.contains(&clocks));
    std::fs::write(&file, text.replace(&clocks, &both)).unwrap();

    let start = |node| {
        let arguments = ["run", file.to_str().unwrap(), node];
        Process::start_with(&arguments, &[("KOZOTRANSPORTPATH", modules.path())])
    };
    let mut clock = start("clock");
    let mut hangs = std::collections::HashSet::new();
    while hangs.len() < 2 {
        let line = clock.wait_for("what hangs", |line| line.to_string().contains("hangs in"));
        hangs.insert(line["message"].to_string());
    }
    let mut scribe = start("scribe");
    clock.wait_for_link("scribe");
    scribe.wait_for_link("clock");
    // And once more, after that link was cut.
    scribe.kill();
    clock.wait_for_text("link", "down");
    let mut scribe = start("scribe");
    scribe.wait_for_link("clock");
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
    clock.wait_for_text("kozo", "stopped");
}
