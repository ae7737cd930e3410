use rustix::process::Signal;

use crate::fixture::{add_crash, children, made_in, wait_for_end};
use crate::process::{Process, wait_until};
use crate::scene::Scene;

/// A node with a crashing role beside a timer, linked with another one that logs.
struct Beside {
    scene: Scene,
    clock: Process,
    scribe: Process,
}

impl Beside {
    fn new(block: &str) -> Self {
        let mut scene = Scene::new(&["clock", "scribe"]);
        add_crash(&mut scene, "clock");
        scene.role("clock", "crash1", block);
        scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
        let log = scene.folder().join("scribe.log");
        scene.role(
            "scribe",
            "logger",
            &format!("{{file: {}, flushEvery: 1}}", log.display()),
        );
        let [clock, scribe] = ["clock", "scribe"].map(|node| scene.start(node));
        Self {
            scene,
            clock,
            scribe,
        }
    }

    fn ticks(&self) -> usize {
        let log = self.scene.folder().join("scribe.log");
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text.matches("<timer1@clock>").count()
    }

    /// Waits until ticks go on, and ends both in order.
    fn ends_unharmed(mut self) {
        let before = self.ticks();
        wait_until("ticks go on", || (self.ticks() > before + 3).then_some(()));
        let daemons = [&mut self.clock, &mut self.scribe];
        assert!(daemons.iter().all(|daemon| !daemon.has_said("\"down\"")));
        for daemon in daemons {
            daemon.signal(Signal::TERM);
            assert_eq!(daemon.end().code(), Some(0));
            daemon.wait_for_text("kozo", "stopped");
        }
    }
}

/// The role is made, ends like this, and is made anew, in another process each time.
#[track_caller]
fn ends_again_and_again(does: &str, more: &str, end: &str) -> Beside {
    let mut beside = Beside::new(&format!(
        "{{type: crash, does: {does}, isolate: true{more}}}"
    ));
    let first = made_in(&mut beside.clock, "crash1");
    assert_ne!(first, beside.clock.id());
    beside.clock.wait_for_text("role", end);
    let second = made_in(&mut beside.clock, "crash1");
    assert_ne!(first, second);
    wait_for_end(first);
    beside.clock.wait_for_text("role", end);
    made_in(&mut beside.clock, "crash1");
    beside
}

#[test]
fn a_segmentation_fault_costs_only_the_role() {
    let end = "its process ended by signal 11 (SIGSEGV)";
    ends_again_and_again("segfault", "", end).ends_unharmed();
}

#[test]
fn a_crash_in_a_thread_of_the_roles_own_is_noticed_at_once() {
    let end = "its process ended by signal 11 (SIGSEGV)";
    ends_again_and_again("thread", "", end).ends_unharmed();
}

#[test]
fn an_abort_costs_only_the_role() {
    let end = "its process ended by signal 6 (SIGABRT)";
    ends_again_and_again("abort", "", end).ends_unharmed();
}

#[test]
fn a_stack_overflow_costs_only_the_role_and_its_last_words_are_logged() {
    let beside = ends_again_and_again("overflow", "", "its process ended by signal 6 (SIGABRT)");
    // Its error output is read beside the rest, and not waited for for long.
    beside.clock.wait_for_any_text("has overflowed its stack");
    beside.ends_unharmed();
}

#[test]
fn a_leak_ends_at_the_memory_limit() {
    let end = "its process ended by signal 6 (SIGABRT)";
    let beside = ends_again_and_again("leak", ", memoryLimit: 64 MiB", end);
    // As above.
    beside.clock.wait_for_any_text("memory allocation of");
    beside.ends_unharmed();
}

#[test]
fn a_panic_is_told_as_in_the_hosts_own_process() {
    ends_again_and_again("panic", "", "no good run").ends_unharmed();
}

#[test]
fn a_role_that_never_returns_is_killed_when_the_daemon_stops() {
    let mut beside = Beside::new("{type: crash, does: loop, isolate: true}");
    let process = made_in(&mut beside.clock, "crash1");
    let before = beside.ticks();
    wait_until("ticks arrive", || {
        (beside.ticks() > before + 3).then_some(())
    });
    beside.clock.signal(Signal::TERM);
    assert_eq!(beside.clock.end().code(), Some(0));
    beside
        .clock
        .wait_for_text("role", "it did not end within 4s of being asked to");
    wait_for_end(process);
    assert!(!beside.clock.has_said("is left behind"));
}

#[test]
fn a_role_that_hangs_while_it_stops_is_killed() {
    let mut beside = Beside::new("{type: crash, does: linger, isolate: true}");
    let process = made_in(&mut beside.clock, "crash1");
    beside.clock.signal(Signal::TERM);
    beside.clock.wait_for_text("role", "asked to stop");
    assert_eq!(beside.clock.end().code(), Some(0));
    wait_for_end(process);
    assert!(!beside.clock.has_said("is left behind"));
}

/// How many processes sleep for so many seconds.
fn sleepers(seconds: u32) -> usize {
    let wanted = format!("sleep\0{seconds}\0");
    let processes = std::fs::read_dir("/proc").unwrap();
    let lines = processes
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("cmdline")).ok());
    lines.filter(|line| *line == wanted).count()
}

#[test]
fn what_a_role_has_started_ends_with_it_in_whatever_session_it_is() {
    // Times that nobody else sleeps for.
    let seconds = 1_000_000 + std::process::id() % 1_000_000;
    let block = format!("{{type: crash, does: leave, rounds: {seconds}, isolate: true}}");
    let mut beside = Beside::new(&block);
    let process = made_in(&mut beside.clock, "crash1");
    wait_until("all of them sleep", || {
        (sleepers(seconds) == 20).then_some(())
    });
    // First it crashes, and is made anew; then the daemon stops.
    let pid = rustix::process::Pid::from_raw(process.cast_signed()).unwrap();
    rustix::process::kill_process(pid, Signal::ABORT).unwrap();
    beside.clock.wait_for_text("role", "ended by signal 6");
    made_in(&mut beside.clock, "crash1");
    wait_until("those of the second life sleep", || {
        (sleepers(seconds) == 20).then_some(())
    });
    beside.clock.signal(Signal::TERM);
    assert_eq!(beside.clock.end().code(), Some(0));
    wait_until("none of them is left", || {
        (sleepers(seconds) == 0).then_some(())
    });
}

#[test]
fn a_killed_daemon_leaves_no_process_behind() {
    let mut beside = Beside::new("{type: crash, does: loop, isolate: true}");
    let process = made_in(&mut beside.clock, "crash1");
    assert_eq!(children(beside.clock.id()), [process]);
    beside.clock.kill();
    wait_for_end(process);
}
