//! Links come back at once when the network does. Needs a network of its own, which only root can
//! make: skipped, with a word, for others.

use std::process::{Child, Command, Stdio};

use super::control::status;
use super::process::{Process, wait_until};
use super::scene::Scene;

/// An address that is nowhere until the test gives it to the loopback interface.
const ADDRESS: &str = "10.77.0.2";

/// A network namespace, held by a process.
struct Namespace(Child);

impl Namespace {
    /// None where this user may not make one.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let held = Command::new("unshare")
            .args(["--net", "--", "sleep", "600"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut namespace = Self(held);
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let path = format!("/proc/{}/ns/net", namespace.0.id());
        let made = wait_until("the namespace", || {
            if namespace.0.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let theirs = std::fs::read_link(&path).ok()?;
            (theirs != own).then_some(true)
        });
        (made && namespace.run(&["ip", "link", "set", "lo", "up"])).then_some(namespace)
    }

    fn target(&self) -> String {
        self.0.id().to_string()
    }

    /// Runs a command inside.
    fn run(&self, words: &[&str]) -> bool {
        Command::new("nsenter")
            .args(["--net", "--target", &self.target(), "--"])
            .args(words)
            .status()
            .is_ok_and(|status| status.success())
    }

    fn start(&self, scene: &Scene, node: &str) -> Process {
        let file = scene.write();
        let control = scene.control(node);
        let words = ["--net", "--target", &self.target(), "--"];
        let inside = ["run", file.to_str().unwrap(), node, "--control"];
        let control = [control.to_str().unwrap()];
        Process::start_through("nsenter", &words, &[&inside[..], &control].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_node_that_becomes_reachable_is_dialled_at_once_and_not_when_the_back_off_ends() {
    let Some(namespace) = Namespace::new() else {
        super::process::skipped("a network namespace needs root, `unshare`, `nsenter` and `ip`");
        return;
    };
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer1", "{type: timer}");
    scene.node_option("scribe", "selfToOthersConnectPolicy: never");
    scene.address("scribe", ADDRESS);
    scene.option("connectionRetry", "3600");
    let mut clock = namespace.start(&scene, "clock");
    let mut scribe = namespace.start(&scene, "scribe");
    scribe.wait_for_text("transport", "listening");
    // Far enough into the back-off that only the change can explain what follows.
    wait_until("the next try is seconds away", || {
        let status = status(&scene, "clock")?;
        (status["peers"][0]["next_dial_seconds"].as_f64()? > 3.0).then_some(())
    });
    assert!(namespace.run(&[
        "ip",
        "address",
        "add",
        &format!("{ADDRESS}/32"),
        "dev",
        "lo"
    ]));
    clock.wait_for_text("link", "the network changed");
    clock.wait_for_link("scribe");
}
