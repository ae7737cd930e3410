//! Modules that end the daemon, or keep it from ending.

use rustix::process::Signal;

use super::process::Process;
use super::scene::{Scene, start_with_roles};
use super::toolchain::install_fixture;

/// A node with a role that does this, in the daemon's own process.
fn node(does: &str) -> (Scene, Process) {
    let mut scene = Scene::new(&["clock"]);
    let modules = scene.folder().join("modules");
    install_fixture("role-crash", &modules);
    scene.role("clock", "crash1", &format!("{{type: crash, does: {does}}}"));
    let clock = start_with_roles(&scene.write(), "clock", &modules);
    (scene, clock)
}

#[test]
fn a_role_that_ends_the_daemon_is_named_and_the_end_is_a_failure() {
    let (_scene, mut clock) = node("exit");
    assert_eq!(clock.end().code(), Some(5));
    clock.wait_for_text(
        "module",
        "the role `crash1` (module `crash`) has ended the whole daemon with `exit`",
    );
}

#[test]
fn an_end_by_a_thread_of_a_roles_own_is_a_failure_as_well() {
    let (_scene, mut clock) = node("exit beside");
    assert_eq!(clock.end().code(), Some(5));
    clock.wait_for_text("module", "a module, from a thread of its own, has ended");
}

#[test]
fn a_module_that_takes_a_signal_is_named_and_the_daemon_still_stops() {
    let (_scene, mut clock) = node("take signals");
    clock.wait_for_text(
        "module",
        "the module `crash` has changed what SIGTERM does to the whole daemon",
    );
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
    clock.wait_for_text("kozo", "stopped");
}
