//! The guide for authors: every block of it is built, run or loaded.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::process::Process;
use super::scene::Scene;
use super::toolchain::{NewCrate, check};

/// The blocks of the guide whose first line says this, without that line.
fn blocks(header: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/modules.md");
    let text = std::fs::read_to_string(path).unwrap();
    // Every second part between fences is a block.
    let blocks = text.split("```").skip(1).step_by(2);
    let found: Vec<String> = blocks
        .filter_map(|block| block.split_once('\n'))
        .filter(|(first, _)| *first == header)
        .map(|(_, rest)| rest.to_owned())
        .collect();
    assert!(!found.is_empty(), "the guide has no block `{header}`");
    found
}

fn write(made: &NewCrate, file: &str, text: &str) {
    std::fs::write(made.folder.join(file), text).unwrap();
}

#[test]
fn the_role_of_the_guide_passes_its_test_and_runs() {
    let folder = TempDir::new().unwrap();
    let doorbell = NewCrate::new(folder.path(), "role", "doorbell");
    let faces = blocks("yaml faces").concat();
    let (format, faces) = faces.split_once("# …\n").unwrap();
    let module = blocks("yaml").concat().replace("format: \"1.0\"\n", format);
    write(&doorbell, "module.yaml", &(module + faces));
    // The test of its faces stands beside the other one.
    let code = blocks("rust").concat();
    let code = code.trim_end().strip_suffix('}').unwrap();
    let of_faces = blocks("rust faces").concat();
    write(&doorbell, "src/lib.rs", &format!("{code}{of_faces}}}\n"));
    let tested = doorbell.cargo(&["test"]);
    assert!(tested.contains("2 passed; 0 failed"), "{tested}");
    let modules = folder.path().join("modules");
    doorbell.install(&modules);

    let mut scene = Scene::new(&["hall"]);
    for line in blocks("yaml node").concat().lines() {
        scene.node_option("hall", line);
    }
    let file = scene.write();
    let arguments = ["run", file.to_str().unwrap(), "hall"];
    let mut hall = Process::start_with(&arguments, &[("KOZOROLEPATH", &modules)]);
    hall.wait_for("the doorbell", |line| {
        let message = line["message"].as_str();
        message.is_some_and(|text| text.contains("rang 0 times so far"))
    });
    hall.signal(rustix::process::Signal::TERM);
    assert_eq!(hall.end().code(), Some(0));
    assert!(scene.storage("hall").join("hall.doorbell.kozo").exists());
}

#[test]
fn the_role_of_the_guide_that_asks_is_answered_what_it_is_granted() {
    let folder = TempDir::new().unwrap();
    let porter = NewCrate::new(folder.path(), "role", "porter");
    write(&porter, "module.yaml", &blocks("yaml status").concat());
    write(&porter, "src/lib.rs", &blocks("rust status").concat());
    let modules = folder.path().join("modules");
    porter.install(&modules);

    let mut scene = Scene::new(&["hall", "yard"]);
    for line in blocks("yaml status node").concat().lines() {
        scene.node_option("hall", line);
    }
    scene.node_option("hall", "  timer1: {type: timer, tick: 0.2}");
    let file = scene.write();
    let file = file.to_str().unwrap();
    let folders = [("KOZOROLEPATH", modules.as_path())];
    let mut yard = Process::start_with(&["run", file, "yard"], &folders);
    let mut hall = Process::start_with(&["run", file, "hall"], &folders);
    let says = |line: &serde_json::Value, what: &str| {
        let text = line["message"].as_str();
        text.is_some_and(|text| text.contains(what))
    };
    hall.wait_for("who is present", |line| says(line, "present: yard"));
    hall.wait_for("what passes", |line| says(line, "timer1 said tick"));
    for node in [&mut hall, &mut yard] {
        node.signal(rustix::process::Signal::TERM);
        assert_eq!(node.end().code(), Some(0));
    }

    // Without the grant the node does not start, and says what to add.
    let refused = std::fs::read_to_string(file).unwrap();
    let refused = refused.replace("grant: [status, messages]", "description: nothing granted");
    std::fs::write(file, refused).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args(["check", file, "hall"])
        .env("KOZOROLEPATH", &modules)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("add `grant: [status, messages]`"), "{said}");
}

#[test]
fn the_transports_of_the_guide_build() {
    let folder = TempDir::new().unwrap();
    let wire = NewCrate::new(folder.path(), "transport", "wire");
    write(&wire, "src/lib.rs", &blocks("rust transport").concat());
    wire.cargo(&["check"]);
}

#[test]
fn the_bus_of_the_guide_passes_its_test() {
    let folder = TempDir::new().unwrap();
    let air = NewCrate::new(folder.path(), "bus", "air");
    write(&air, "module.yaml", &blocks("yaml bus").concat());
    let code = blocks("rust bus").concat() + "\n" + &blocks("rust bus tests").concat();
    write(&air, "src/lib.rs", &code);
    let tested = air.cargo(&["test"]);
    assert!(tested.contains("1 passed; 0 failed"), "{tested}");
}

#[test]
fn the_commands_of_the_guide_work() {
    let folder = TempDir::new().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kozo")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).unwrap();
    for block in blocks("sh") {
        // The versions that are on this machine, as for all crates that are made here.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        let block = block.replace(
            "cd doorbell\n",
            &format!("cd doorbell\ncp {} .\n", lock.display()),
        );
        let output = Command::new("sh")
            .args(["-euc", &block])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("CARGO_TARGET_DIR")
            .output()
            .unwrap();
        let said = check(output);
        assert!(said.contains("Answers the ticks of timers"), "{said}");
    }
}
