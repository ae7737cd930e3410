//! `kozo new role NAME --python` and `--shell`: what it makes works as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::Process;
use super::python::{run, said, versions};
use super::scene::Scene;

/// Makes a role in a folder of its own.
fn made(parent: &Path, name: &str, language: &str) -> PathBuf {
    let folder = parent.join(name);
    let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args(["new", "role", name, language, "--path"])
        .arg(&folder)
        .output()
        .unwrap();
    said(&output);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("kozo run example.yml here"), "{text}");
    folder
}

/// Checks the example and runs it, until the role has greeted the timer.
fn assert_runs(folder: &Path, name: &str) {
    // Builds the modules, if nobody has.
    drop(Scene::new(&["here"]));
    let file = folder.join("example.yml");
    let checked = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .arg("check")
        .args([&file, Path::new("here")])
        .output()
        .unwrap();
    said(&checked);
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.contains("0 errors, 0 warnings"), "{checked}");
    let control = folder.join("control.sock");
    let words = [
        "run",
        file.to_str().unwrap(),
        "here",
        "--control",
        control.to_str().unwrap(),
    ];
    let mut here = Process::start_with(&words, &[]);
    here.wait_for_any_text(&format!("<{name}@here> Good day, timer"));
    here.signal(Signal::TERM);
    assert_eq!(here.end().code(), Some(0));
    assert!(!here.has_said("ERROR") && !here.has_said("did not end within"));
}

#[test]
fn a_new_role_in_python_passes_its_test_and_runs() {
    let pythons = versions();
    if pythons.is_empty() {
        return;
    }
    let parent = TempDir::new().unwrap();
    let folder = made(parent.path(), "greeter", "--python");
    for python in pythons {
        let tested = said(&run(&python, &["-m", "unittest"], &folder));
        assert!(tested.contains("Ran 2 tests"), "{tested}");
    }
    assert_runs(&folder, "greeter");
    // What it stored at its end.
    assert!(folder.join("storage/here.greeter.kozo").exists());
}

#[test]
fn a_new_role_in_sh_passes_its_test_and_runs() {
    let parent = TempDir::new().unwrap();
    // The example has a role of this name as well.
    let folder = made(parent.path(), "timer", "--shell");
    for shell in ["sh", "dash", "bash", "busybox"] {
        let mut command = Command::new(shell);
        if shell == "busybox" {
            command.arg("sh");
        }
        let Ok(output) = command.arg(folder.join("test_role.sh")).output() else {
            continue;
        };
        said(&output);
        assert_eq!(output.stdout, b"passed\n", "{shell}");
    }
    // A test that cannot fail says nothing.
    let role = folder.join("role.sh");
    let text = std::fs::read_to_string(&role).unwrap();
    std::fs::write(&role, text.replace("\"greeting\",", "\"greeted\",")).unwrap();
    let output = Command::new("sh").arg(folder.join("test_role.sh")).output();
    assert_eq!(output.unwrap().status.code(), Some(1));
    std::fs::write(&role, text).unwrap();
    assert_runs(&folder, "timer");
}
