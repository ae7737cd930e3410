use rustix::process::Signal;

use super::process::wait_until;
use super::scene::Scene;

#[test]
fn a_killed_daemons_links_come_back_when_it_returns() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    let log = scene.folder().join("scribe.log");
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    scene.role(
        "scribe",
        "logger",
        &format!("{{file: {}, flushEvery: 1}}", log.display()),
    );
    let lines = || {
        std::fs::read_to_string(&log)
            .unwrap_or_default()
            .lines()
            .count()
    };
    let mut clock = scene.start("clock");
    for _ in 0..3 {
        let mut scribe = scene.start("scribe");
        clock.wait_for_link("scribe");
        scribe.wait_for_link("clock");
        let before = lines();
        wait_until("the log grows", || (lines() > before + 2).then_some(()));
        scribe.kill();
        clock.wait_for_text("link", "down");
    }
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
}

#[test]
fn what_the_survivor_queued_while_its_peer_was_away_arrives_in_order_and_once() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    let log = scene.folder().join("scribe.log");
    scene.role("clock", "timer1", "{type: timer, tick: 0.05}");
    let logger = format!("{{file: {}, flushEvery: 1, timePrefix: ''}}", log.display());
    scene.role("scribe", "logger", &logger);
    // However long the peer is away, nothing is dropped.
    scene.option("outgoingQueueLength", "1000000");
    let _clock = scene.start("clock");
    let mut scribe = scene.start("scribe");
    scribe.wait_for_link("clock");
    wait_until("lines arrive", || {
        std::fs::read_to_string(&log).ok().filter(|t| !t.is_empty())
    });
    scribe.signal(Signal::TERM);
    assert_eq!(scribe.end().code(), Some(0));
    let mut scribe = scene.start("scribe");
    scribe.wait_for_link("clock");
    let before = std::fs::read_to_string(&log).unwrap().lines().count();
    wait_until("lines arrive again", || {
        (std::fs::read_to_string(&log).unwrap().lines().count() > before + 5).then_some(())
    });
    assert!(!scribe.has_said("missed messages"));
}
