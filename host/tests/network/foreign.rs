//! A client that shares no code with Kōzō: paramiko, and docs/protocol.md.

use std::path::{Path, PathBuf};
use std::process::Command;

use kozo_auth::keys;

use super::scene::Scene;

/// A Python with paramiko and msgpack, or why there is none. Kept beside the program, so that it
/// is fetched once.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("paramiko");
    let python = folder.join("bin/python");
    let has_all = || {
        let imported = Command::new(&python)
            .args(["-c", "import msgpack, paramiko"])
            .output();
        imported.is_ok_and(|output| output.status.success())
    };
    if has_all() {
        return Ok(python);
    }
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--retries",
        "1",
        "paramiko",
        "msgpack",
    ];
    run(Command::new(&python).args(install))?;
    has_all()
        .then_some(python)
        .ok_or_else(|| "paramiko cannot be imported".to_owned())
}

#[test]
fn a_client_in_python_joins_sends_and_receives() {
    let python = match python() {
        Ok(python) => python,
        Err(reason) => {
            super::process::skipped(format_args!("there is no paramiko here: {reason}"));
            return;
        }
    };
    let mut scene = Scene::new(&["clock", "guest"]);
    scene.role("clock", "cuckoo", "{}");
    let mut clock = scene.start("clock");
    clock.wait_for_text("transport", "listening");
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/paramiko_client.py"))
        .args([&scene.port("clock").to_string(), "guest"])
        .arg(scene.key_path("guest"))
        .args(["clock", &keys::public_line(scene.key("clock"))])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let heard = String::from_utf8_lossy(&output.stdout);
    assert!(
        heard.contains("from afar") && heard.contains("bell@guest"),
        "{heard}"
    );
    let down = clock.wait_for_text("link", "down");
    assert_eq!(down["fields"]["reason"], "the peer closed it: all is said");
}
