use std::path::Path;

use rustix::process::Signal;

use super::inside::Daemon;
use super::process::wait_until;
use super::scene::Scene;

/// What the cuckoo stores.
#[derive(serde::Deserialize)]
struct LastTick {
    node: String,
    role: String,
    message: String,
}

fn last_tick(file: &Path) -> Option<LastTick> {
    let stored = kozo::storage::read(file).unwrap()?;
    Some(rmp_serde::from_slice(&stored).unwrap())
}

#[test]
fn a_timers_ticks_reach_a_cuckoo_and_a_logger_on_other_nodes() {
    let mut scene = Scene::new(&["clock", "cottage", "scribe"]);
    let log = scene.folder().join("scribe.log");
    scene.role(
        "clock",
        "timer1",
        "{type: timer, tick: 0.2, message: cuckoo time}",
    );
    scene.role("cottage", "cuckoo", "{timer: timer1}");
    scene.role(
        "scribe",
        "logger",
        &format!("{{file: {}, flushEvery: 1}}", log.display()),
    );
    let daemons = ["clock", "cottage", "scribe"].map(|node| Daemon::start(&scene, node));
    let tick = wait_until("a tick is stored", || {
        last_tick(&scene.storage("cottage").join("cottage.cuckoo.kozo"))
    });
    assert_eq!(
        (tick.node.as_str(), tick.role.as_str()),
        ("clock", "timer1")
    );
    assert_eq!(tick.message, "cuckoo time");
    wait_until("the log has lines of the timer and the cuckoo", || {
        let text = std::fs::read_to_string(&log).ok()?;
        (text.contains("<timer1@clock> ") && text.contains("<cuckoo@cottage> ")).then_some(())
    });
    daemons.into_iter().for_each(Daemon::stop);
}

#[test]
fn a_node_without_an_interested_role_gets_nothing() {
    let mut scene = Scene::new(&["clock", "idler"]);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    scene.role("idler", "timer2", "{type: timer, tick: 1000}");
    let [mut clock, mut idler] = ["clock", "idler"].map(|node| scene.start(node));
    clock.wait_for_link("idler");
    idler.signal(Signal::INT);
    assert_eq!(idler.end().code(), Some(0));
    assert!(!idler.has_said("missed"));
    clock.signal(Signal::INT);
    // Nothing was left behind in the queue for it either.
    assert_eq!(clock.end().code(), Some(0));
    assert!(!clock.has_said("are left behind"));
}
