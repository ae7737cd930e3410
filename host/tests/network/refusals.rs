use std::path::Path;
use std::process::{Command, Stdio};

use kozo_auth::keys::{self, NewKey};

use super::process::{Process, wait_until};
use super::scene::{Scene, start};
use super::ssh::{greeting, ssh, text};

#[test]
fn openssh_reaches_the_subsystem_with_a_nodes_key_and_nothing_else() {
    let mut scene = Scene::new(&["clock", "guest"]);
    scene.role("clock", "timer1", "{type: timer}");
    let mut clock = scene.start("clock");
    clock.wait_for_text("kozo", "started");
    let (port, key) = (scene.port("clock"), scene.key_path("guest"));
    // The daemon greets at once: its hello names it.
    let greeting = wait_until("the subsystem answers", || {
        greeting(port, "guest", &key, &[])
    });
    assert!(greeting.contains("clock"), "{greeting:?}");
    for arguments in [&[][..], &["id"], &["-s", "sftp"], &["-T"]] {
        let output = ssh(port, "guest", &key, arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(
            output.stdout.is_empty(),
            "{arguments:?}: {}",
            text(&output.stdout)
        );
    }
    let forward = ssh(port, "guest", &key, &["-W", "127.0.0.1:1"]);
    assert!(
        text(&forward.stderr).contains("administratively prohibited"),
        "{forward:?}"
    );
    // A stranger's key, a node's key under another name, and a name that nobody has.
    let stranger = scene.folder().join("stranger.key");
    keys::write_private(
        &stranger,
        &keys::generate(NewKey::Ed25519, "stranger").unwrap(),
    )
    .unwrap();
    for (user, key) in [("guest", &stranger), ("clock", &key), ("nobody", &key)] {
        let output = ssh(port, user, key, &["-s", "kozo"]);
        let stderr = text(&output.stderr);
        assert!(
            stderr.contains("Permission denied (publickey)"),
            "{user}: {stderr}"
        );
        assert!(output.stdout.is_empty());
    }
}

/// Two nodes whose files do not agree: `scribe`'s file has another key for `clock`.
#[test]
fn a_node_with_another_key_than_the_file_says_is_refused_by_both() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer1", "{type: timer}");
    let other = keys::generate(NewKey::Ed25519, "clock").unwrap();
    let own_line = scene
        .text()
        .lines()
        .find(|line| line.contains("publicKey"))
        .unwrap()
        .to_owned();
    let wrong = format!("    publicKey: {}", keys::public_line(&other));
    let scribes = scene.write_as("scribe.yml", &scene.text().replace(&own_line, &wrong));
    let mut clock = scene.start("clock");
    let scribe = start(&scribes, "scribe");
    // Either may dial first.
    scribe.wait_for_any_text("refused a connection");
    scribe.wait_for_any_text("cannot be reached");
    clock.wait_for("cannot be reached", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("cannot be reached"))
            && line["fields"]["reason"]
                .as_str()
                .is_some_and(|text| text.contains("key"))
    });
    assert!(!clock.has_said("\"up\"") && !scribe.has_said("\"up\""));
}

fn refused(file: &Path, node: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .arg(file)
        .arg(node)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), text(&output.stderr))
}

#[test]
fn what_is_wrong_with_the_file_is_named_with_line_and_column() {
    let scene = Scene::new(&["clock"]);
    let broken = scene.write_as("broken.yml", "system:\n  clock: [\n");
    let (code, stderr) = refused(&broken, "clock");
    assert_eq!(code, Some(3));
    assert!(stderr.contains("broken.yml:2:10"), "{stderr}");

    let without = scene.text().replace("address: 127.0.0.1, ", "");
    let line = without
        .lines()
        .position(|line| line.contains("tcp:"))
        .unwrap()
        + 1;
    let missing = scene.write_as("missing.yml", &without);
    let (code, stderr) = refused(&missing, "clock");
    assert_eq!(code, Some(3));
    assert!(
        stderr.contains(&format!("missing.yml:{line}:7")),
        "{stderr}"
    );
    assert!(stderr.contains("`address`"), "{stderr}");
}

#[test]
fn a_key_that_is_not_the_nodes_keeps_the_daemon_from_starting() {
    let scene = Scene::new(&["clock", "scribe"]);
    let clocks = scene.key_path("clock").display().to_string();
    let swapped = scene
        .text()
        .replace(&clocks, &scene.key_path("scribe").display().to_string());
    let mut daemon: Process = start(&scene.write_as("swapped.yml", &swapped), "clock");
    assert_eq!(daemon.end().code(), Some(5));
    daemon.wait_for("the reason", |line| line.to_string().contains("publicKey"));
}
