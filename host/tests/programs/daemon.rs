//! Roles in Python under a real daemon.

use rustix::process::Signal;
use serde_json::Value;

use super::process::Process;
use super::python::{folder, versions};
use super::scene::Scene;

/// Counts ticks and remembers the count; each is told on with bytes, as fast as there is room.
const KEEPER: &str = r#"
import kozo

class Keeper(kozo.Role):
    def run(self):
        count = self.load() or 0
        self.info(f"loaded {count}")
        status = self.ask("status", wait=30)
        self.info(f"asked {status['node']} for {sorted(role['name'] for role in status['roles'])}")
        try:
            self.ask("open-tap", interests=[])
        except kozo.Refused as error:
            self.info(f"refused: {error}")
        while not self.stopping:
            message = self.receive()
            if message is not None:
                count += self.options["step"]
                taken = self.send_event("seen", {"count": count, "raw": b"\x00\xff"}, channel="k", wait=30)
                self.info(f"sent: {taken}")
        self.store(count)

kozo.run(Keeper)
"#;

/// Says what it is told.
const ECHO: &str = r#"
import kozo

role = kozo.Role()

@role.on_event("seen", channel="k")
async def seen(message):
    print("got", message.data["raw"], "of", message.role, "on", message.node)

@role.on_reopen
def reopen():
    role.warn("reopened")

role.run()
"#;

/// Fails as soon as it is told something.
const FAILING: &str = r#"
import kozo

class Failing(kozo.Role):
    def run(self):
        self.receive()
        raise ValueError("as it was told")

kozo.run(Failing)
"#;

fn network(python: &str) -> Scene {
    let mut scene = Scene::new(&["hall"]);
    scene.role("hall", "timer1", "{type: timer, tick: 0.2}");
    for (name, text, more) in [
        (
            "keeper",
            KEEPER,
            "grant: [status], options: {step: 2}, interests: [{type: tick}]",
        ),
        ("echo", ECHO, "interests: [{role: keeper}]"),
        ("failing", FAILING, "interests: [{role: keeper}]"),
    ] {
        std::fs::write(scene.folder().join(format!("{name}.py")), text).unwrap();
        let package = folder().canonicalize().unwrap();
        let block = format!(
            "{{type: program, command: [{python}, -B, ./{name}.py], environment: {{PYTHONPATH: {}}}, {more}}}",
            package.display()
        );
        scene.role("hall", name, &block);
    }
    scene
}

fn says(daemon: &Process, role: &str, text: &str) {
    daemon.wait_for_any(text, |line: &Value| {
        line["fields"]["role"] == role
            && line["message"]
                .as_str()
                .is_some_and(|message| message.contains(text))
    });
}

fn stop(daemon: &mut Process) {
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end().code(), Some(0));
    assert!(!daemon.has_said("of being told to stop"));
}

#[test]
fn roles_in_python_send_ask_store_and_come_back() {
    let Some(python) = versions().into_iter().next() else {
        return;
    };
    let scene = network(&python);
    let mut hall = scene.start("hall");
    says(&hall, "keeper", "loaded 0");
    says(
        &hall,
        "keeper",
        "asked hall for ['echo', 'failing', 'keeper', 'timer1']",
    );
    says(&hall, "keeper", "refused: ");
    says(&hall, "keeper", "sent: True");
    says(&hall, "echo", r"got b'\x00\xff' of keeper on hall");
    hall.signal(Signal::HUP);
    says(&hall, "echo", "reopened");
    // The traceback comes by the error output; the role is made again.
    says(&hall, "failing", "ValueError: as it was told");
    let failed = "the last line of its error output: `ValueError: as it was told`";
    hall.wait_for_any_text(failed);
    stop(&mut hall);
    let mut again = scene.start("hall");
    says(&again, "keeper", "loaded ");
    assert!(!again.has_said("loaded 0"));
    stop(&mut again);
}
