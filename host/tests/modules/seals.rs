//! Checksums at the end of modules' files: what `kozo seal` does, and what damage is noticed by them.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use kozo::modules::seal::{SEAL_SIZE, seal_of};
use kozo::modules::{Registry, SearchFolders, TrustedWriters};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::bench::report;
use crate::support::{folder, load_role, probe};
use crate::wait::wait_until;

const DAMAGED: &str = "it is damaged, or was changed after it was sealed: its checksum is another one than its seal says; \
                       install it again, or build and seal it again";

/// The program, which looks for roles in this folder alone.
fn kozo(roles: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kozo"));
    for variable in ["KOZOTRANSPORTPATH", "KOZOIMPORTPATH", "JOURNAL_STREAM"] {
        command.env_remove(variable);
    }
    command.env("KOZOROLEPATH", roles);
    command
}

#[track_caller]
fn fails(output: Output, code: i32) -> (String, String) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[track_caller]
fn succeeds(output: Output) -> String {
    fails(output, 0).0
}

fn seal(files: &[&Path]) -> Output {
    kozo(Path::new("/"))
        .arg("seal")
        .args(files)
        .output()
        .unwrap()
}

/// A folder with a module that is sealed.
fn sealed() -> (TempDir, PathBuf) {
    let folder = folder(&[("libprobe.so", &probe())]);
    let path = folder.path().join("libprobe.so");
    assert_eq!(
        succeeds(seal(&[&path])),
        format!("{}: sealed\n", path.display())
    );
    (folder, path)
}

/// The bytes of a module as packages have them: without what only debuggers need, then sealed.
fn sealed_for_use() -> Vec<u8> {
    let folder = folder(&[("libprobe.so", &probe())]);
    let path = folder.path().join("libprobe.so");
    strip(&path);
    succeeds(seal(&[&path]));
    std::fs::read(path).unwrap()
}

fn strip(path: &Path) {
    succeeds(Command::new("strip").arg(path).output().unwrap());
}

/// What `kozo modules` says of the files of a folder.
fn rows(folder: &Path) -> Vec<Value> {
    let output = kozo(folder).args(["modules", "--json"]).output().unwrap();
    let rows: Vec<Value> = serde_json::from_str(&succeeds(output)).unwrap();
    let in_folder = |row: &Value| Path::new(row["path"].as_str().unwrap()).starts_with(folder);
    rows.into_iter().filter(in_folder).collect()
}

fn load(folder: &Path) {
    let paths = SearchFolders {
        roles: vec![folder.to_owned()],
        ..SearchFolders::default()
    };
    let registry = Registry::scan(paths, TrustedWriters::Any);
    let module = load_role(&registry, "probe").unwrap();
    assert_eq!(report(&module).1, 1);
}

/// How many damaged copies are tried, and how many of them lie in the folder at a time.
const COPIES: usize = 150;
const AT_A_TIME: usize = 50;
/// How many bytes are overwritten at most.
const MAX_DAMAGE: usize = 32;

#[test]
fn damage_anywhere_in_a_sealed_module_is_noticed() {
    let good = sealed_for_use();
    let mut random = fastrand::Rng::with_seed(0x5eed);
    for _ in 0..COPIES / AT_A_TIME {
        let mut places = Vec::new();
        let copies = tempfile::tempdir().unwrap();
        for number in 0..AT_A_TIME {
            let mut copy = good.clone();
            let size = random.usize(1..=MAX_DAMAGE);
            let at = random.usize(..copy.len() - size);
            random.fill(&mut copy[at..at + size]);
            copy[at] = !good[at];
            places.push((at, size));
            std::fs::write(copies.path().join(format!("{number}.so")), copy).unwrap();
        }
        let rows = rows(copies.path());
        assert_eq!(rows.len(), AT_A_TIME);
        for (row, place) in rows.iter().zip(places) {
            assert_eq!(row["state"], "refused", "{place:?}: {row}");
            assert_eq!(row["reason"], DAMAGED, "{place:?}: {row}");
        }
    }
}

#[test]
fn damage_to_the_seal_itself_is_noticed() {
    let good = sealed_for_use();
    let copies = tempfile::tempdir().unwrap();
    for at in good.len() - SEAL_SIZE..good.len() {
        let mut copy = good.clone();
        copy[at] ^= 0x20;
        std::fs::write(copies.path().join(format!("{at}.so")), copy).unwrap();
    }
    let rows = rows(copies.path());
    assert_eq!(rows.len(), SEAL_SIZE);
    for row in rows {
        assert_eq!(row["reason"], DAMAGED, "{row}");
    }
}

#[test]
fn a_node_is_not_started_with_a_damaged_module() {
    let (folder, path) = sealed();
    let key = folder.path().join("key");
    let made = kozo(folder.path()).arg("keygen").arg(&key).output();
    let file = folder.path().join("net.yaml");
    let network = format!(
        "system:\n  clock:\n    privateKey: key\n    {}    roles:\n      probe1: {{type: probe}}\n",
        succeeds(made.unwrap())
    );
    std::fs::write(&file, network).unwrap();
    let said = |command: &str| {
        let mut kozo = kozo(folder.path());
        kozo.arg(command).arg(&file).arg("clock").output().unwrap()
    };
    assert_eq!(succeeds(said("check")), "0 errors, 0 warnings\n");

    let mut damaged = std::fs::read(&path).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let expected = format!("`{}` is refused: {DAMAGED}", path.display());
    let (report, _) = fails(said("check"), 3);
    assert!(report.contains(&expected), "{report}");
    let (_, report) = fails(said("run"), 3);
    assert!(report.contains(&expected), "{report}");
}

#[test]
fn a_sealed_module_loads_and_is_shown_as_that() {
    let (sealed, path) = sealed();
    assert_eq!(
        std::fs::read(path).unwrap().len(),
        probe().len() + SEAL_SIZE
    );
    load(sealed.path());
    let unsealed = folder(&[("libprobe.so", &probe())]);
    load(unsealed.path());
    for (folder, json, line) in [
        (sealed, true, "\nsealed:    yes\n"),
        (
            unsealed,
            false,
            "\nsealed:    no, so not all damage to its file is noticed (`kozo seal`)\n",
        ),
    ] {
        assert_eq!(rows(folder.path())[0]["sealed"], json);
        let output = kozo(folder.path()).args(["modules", "probe"]).output();
        let text = succeeds(output.unwrap());
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn sealing_again_changes_nothing() {
    let (_folder, path) = sealed();
    let before = std::fs::read(&path).unwrap();
    let twice = seal(&[&path, &path]);
    let line = format!("{}: was sealed already\n", path.display());
    assert_eq!(succeeds(twice), line.repeat(2));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn who_seals_while_another_does_finds_it_done() {
    let folder = folder(&[("libprobe.so", &probe())]);
    let path = folder.path().join("libprobe.so");
    let mut other = File::options().append(true).open(&path).unwrap();
    other.lock().unwrap();
    let sealing = kozo(Path::new("/"))
        .arg("seal")
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = sealing.id().to_string();
    wait_until("it waits for the lock", || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let mut waiting = locks.lines().filter(|line| line.contains("->"));
        waiting
            .any(|line| line.split_whitespace().any(|word| word == id))
            .then_some(())
    });
    other.write_all(&seal_of(&probe())).unwrap();
    drop(other);
    let said = succeeds(sealing.wait_with_output().unwrap());
    assert_eq!(said, format!("{}: was sealed already\n", path.display()));
    assert_eq!(
        std::fs::read(path).unwrap().len(),
        probe().len() + SEAL_SIZE
    );
}

#[test]
fn sealing_keeps_the_file_that_it_is() {
    let folder = folder(&[("libprobe.so", &probe())]);
    let (path, other) = (
        folder.path().join("libprobe.so"),
        folder.path().join("other"),
    );
    std::fs::hard_link(&path, &other).unwrap();
    let about = |path: &Path| {
        let metadata = std::fs::metadata(path).unwrap();
        (
            metadata.ino(),
            metadata.mode(),
            metadata.uid(),
            metadata.nlink(),
        )
    };
    let before = about(&path);
    succeeds(seal(&[&path]));
    assert_eq!(about(&path), before);
    assert_eq!(about(&other), before);
}

#[test]
fn what_strip_makes_of_a_sealed_module_is_one_without_a_seal() {
    let (folder, path) = sealed();
    strip(&path);
    assert_eq!(rows(folder.path())[0]["sealed"], false);
    load(folder.path());
    succeeds(seal(&[&path]));
    assert_eq!(rows(folder.path())[0]["sealed"], true);
    load(folder.path());
}

#[test]
fn all_that_cannot_be_sealed_is_told_in_one_run() {
    let (damaged, _) = sealed();
    let damaged = damaged.path().join("libprobe.so");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[0x1000] ^= 1;
    std::fs::write(&damaged, &bytes).unwrap();
    let folder = folder(&[("good.so", &probe()), ("text.so", b"a text\n")]);
    std::fs::create_dir(folder.path().join("folder.so")).unwrap();
    let path = |name: &str| folder.path().join(name);
    let [gone, text, inner, good] = ["gone.so", "text.so", "folder.so", "good.so"].map(path);

    let (stdout, stderr) = fails(seal(&[&gone, &text, &inner, &good, &damaged]), 5);
    assert_eq!(stdout, format!("{}: sealed\n", good.display()));
    let expected = format!(
        "error: some files are not sealed:
  `{}`: it cannot be read: No such file or directory (os error 2)
  `{}`: it is a text file, not a shared object: give the `.so` that the build makes
  `{}`: it is a folder, not a regular file: put the `.so` file itself there, or a link to it
  `{}`: {DAMAGED}
",
        gone.display(),
        text.display(),
        inner.display(),
        damaged.display()
    );
    assert_eq!(stderr, expected);
    assert_eq!(std::fs::read(text).unwrap(), b"a text\n");
    assert_eq!(std::fs::read(damaged).unwrap(), bytes);

    let (_, stderr) = fails(seal(&[]), 1);
    assert!(stderr.contains("<FILE>"), "{stderr}");
}
