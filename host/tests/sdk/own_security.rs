//! Transports that secure their streams by themselves.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Process, wait_until};
use super::scene::Scene;
use super::toolchain::{install_fixture, with_transport};

const NODES: [&str; 2] = ["clock", "scribe"];

/// Two nodes that reach each other over TLS, and the log that one writes of the other's timer.
struct Net {
    _scene: Scene,
    file: PathBuf,
    log: PathBuf,
    modules: TempDir,
}

impl Net {
    /// `fault` is what scribe's transport does wrong.
    fn new(fault: &'static str) -> Self {
        let modules = TempDir::new().unwrap();
        install_fixture("transport-tls", modules.path());
        let mut scene = Scene::new(&NODES);
        let log = scene.folder().join("scribe.log");
        let logger = format!("{{file: {}, flushEvery: 1}}", log.display());
        scene.role("scribe", "logger", &logger);
        scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
        let more = |node: &str| if node == "scribe" { fault } else { "" };
        let file = with_transport(&scene, &NODES, "tls", more);
        Self {
            _scene: scene,
            file,
            log,
            modules,
        }
    }

    fn start(&self, node: &str) -> Process {
        let arguments = ["run", self.file.to_str().unwrap(), node];
        let modules: &Path = self.modules.path();
        Process::start_with(&arguments, &[("KOZOTRANSPORTPATH", modules)])
    }

    fn has_ticks(&self) -> bool {
        std::fs::read_to_string(&self.log).is_ok_and(|text| text.contains("<timer1@clock>"))
    }
}

/// Waits for a line with this text, wherever in the line.
fn wait_for(process: &mut Process, text: &str) {
    process.wait_for(text, |line| line.to_string().contains(text));
}

#[test]
fn nodes_link_over_a_transport_with_security_of_its_own_and_close_in_order() {
    let net = Net::new("");
    let [mut clock, mut scribe] = NODES.map(|node| net.start(node));
    clock.wait_for_link("scribe");
    scribe.wait_for_link("clock");
    wait_until("ticks are logged", || net.has_ticks().then_some(()));
    scribe.signal(Signal::TERM);
    assert_eq!(scribe.end().code(), Some(0));
    clock.wait_for_text("link", "down");
    let mut scribe = net.start("scribe");
    scribe.wait_for_link("clock");
    clock.wait_for_link("scribe");
    for mut process in [clock, scribe] {
        process.signal(Signal::TERM);
        assert_eq!(process.end().code(), Some(0));
        assert!(!process.has_said("not every link closed in time"));
    }
}

#[test]
fn a_peer_that_signs_something_else_is_refused() {
    let net = Net::new(", fault: signature");
    let [mut clock, _scribe] = NODES.map(|node| net.start(node));
    wait_for(&mut clock, "the signature is not of `scribe`");
    wait_for(&mut clock, "the signature is not of `scribe`");
    assert!(!clock.has_said("\"up\""));
    assert!(!net.has_ticks());
}

#[test]
fn a_node_that_is_none_is_not_believed() {
    let net = Net::new(", fault: claim");
    let [_clock, mut scribe] = NODES.map(|node| net.start(node));
    // Of what it dialled, or of what it accepted.
    scribe.wait_for("a refusal", |line| {
        let line = line.to_string();
        line.contains("the transport says that `nobody` is there")
            || line.contains("`nobody` is no node of the network file")
    });
    assert!(!scribe.has_said("\"up\""));
}
