//! What isolation costs: no test, but figures for people.
//! `cargo test --release -p kozo --test isolation -- --ignored --nocapture`

use crate::fixture::add_crash;
use crate::process::{Process, wait_until};
use crate::scene::Scene;

const ROUNDS: u32 = 10_000;

/// A role sends a message, another one answers, both on one node: how long that takes, and the
/// memory of every process, in KiB that it shares with no other.
fn measure(isolate: bool) {
    let mut scene = Scene::new(&["clock"]);
    add_crash(&mut scene, "clock");
    let echo = format!("{{type: crash, does: echo, isolate: {isolate}}}");
    scene.role("clock", "echo1", &echo);
    let ping = format!("{{type: crash, does: ping, rounds: {ROUNDS}}}");
    scene.role("clock", "ping1", &ping);
    let mut clock = scene.start("clock");
    let line = clock.wait_for_text("role", "rounds: median");
    println!("echo isolated: {isolate}: {}", line["message"]);
    report("host", clock.id());
    for child in crate::fixture::children(clock.id()) {
        report("role", child);
    }
    stop(&mut clock);
}

fn stop(daemon: &mut Process) {
    daemon.signal(rustix::process::Signal::TERM);
    daemon.end();
}

fn report(what: &str, process: u32) {
    let rollup = wait_until("its memory is known", || {
        std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()
    });
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let fields = ["Rss:", "Pss:", "Private_Dirty:", "VmData:"];
    let lines = rollup.lines().chain(status.lines());
    let found: Vec<_> = lines
        .filter(|line| fields.iter().any(|field| line.starts_with(field)))
        .collect();
    println!("  {what}: {}", found.join(", "));
}

#[test]
#[ignore = "it measures, and finds nothing wrong"]
fn what_isolation_costs() {
    measure(false);
    measure(true);
}
