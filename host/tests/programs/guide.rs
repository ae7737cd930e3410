//! The guide for programs: every block of it is run or checked.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::python::{run, said, versions};
use super::scene::Scene;

/// The blocks of the guide whose first line says this, without that line.
fn block(header: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/programs.md");
    let text = std::fs::read_to_string(path).unwrap();
    // Every second part between fences is a block.
    let blocks = text.split("```").skip(1).step_by(2);
    let found: Vec<&str> = blocks
        .filter_map(|block| block.split_once('\n'))
        .filter(|(first, _)| *first == header)
        .map(|(_, rest)| rest)
        .collect();
    assert_eq!(found.len(), 1, "the guide has no one block `{header}`");
    found.concat()
}

fn write(folder: &Path, file: &str, text: &str) {
    std::fs::write(folder.join(file), text).unwrap();
}

#[test]
fn the_role_of_the_guide_passes_its_test() {
    let folder = TempDir::new().unwrap();
    for file in ["role.py", "test_role.py"] {
        write(folder.path(), file, &block(&format!("python {file}")));
    }
    for python in versions() {
        let tested = said(&run(&python, &["-m", "unittest"], folder.path()));
        assert!(tested.contains("Ran 1 test"), "{tested}");
    }
}

#[test]
fn the_class_of_the_guide_does_what_it_says() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "meter.py", &block("python class"));
    let test = "\
from kozo.testing import Bench
from meter import Meter
with Bench(Meter, options={'port': 'p'}) as bench:
    bench.advance(10)
    bench.order('pause', 100)
    bench.advance(100)
    assert [message.data for message in bench.sent()] == [{'port': 'p', 'raw': b'\\x02\\x00'}]
";
    for python in versions() {
        said(&run(&python, &["-c", test], folder.path()));
    }
}

#[test]
fn the_commands_of_the_guide_work() {
    let Some(python) = versions().into_iter().next() else {
        return;
    };
    // Builds the modules, if nobody has.
    drop(Scene::new(&["here"]));
    let folder = TempDir::new().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kozo")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    let output = Command::new("sh")
        .args(["-euc", &block("sh").replace("python3", &python)])
        .current_dir(folder.path())
        .env("PATH", std::env::join_paths(folders).unwrap())
        .env("PYTHONPATH", super::python::folder())
        .output()
        .unwrap();
    assert!(said(&output).contains("Ran 2 tests"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("0 errors, 0 warnings"), "{text}");
}

#[test]
fn the_blocks_of_the_guide_are_what_a_node_takes() {
    for header in ["yaml node", "yaml node options"] {
        let mut scene = Scene::new(&["hall"]);
        for line in block(header).lines() {
            scene.node_option("hall", line);
        }
        let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
            .arg("check")
            .args([&scene.write(), Path::new("hall")])
            .output()
            .unwrap();
        said(&output);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("0 errors, 0 warnings"), "{text}");
    }
}

#[test]
fn the_lines_of_the_guide_are_what_its_role_in_sh_reads_and_writes() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "role.sh", &block("sh role.sh"));
    let lines = block("lines role.sh");
    let of = |mark: &str| -> String {
        let lines = lines.lines().filter_map(|line| line.strip_prefix(mark));
        lines.flat_map(|line| [line, "\n"]).collect()
    };
    let mut shell = Command::new("sh")
        .arg(folder.path().join("role.sh"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(of("> ").as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), of("< "));
    assert!(output.status.success());

    let by_hand = Command::new("sh")
        .args(["-euc", &block("sh by hand")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let expected = "{\"event\":\"rang\",\"data\":{\"for\":\"me\"}}\n";
    assert_eq!(String::from_utf8(by_hand.stdout).unwrap(), expected);
}

#[test]
fn every_option_of_the_role_is_in_the_guide() {
    let block = block("yaml node options");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../roles/program/module.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let metadata = kozo_description::Metadata::parse(&text).unwrap();
    for option in &metadata.options {
        assert!(
            block.contains(&format!("    {}:", option.name)),
            "{}",
            option.name
        );
    }
}
