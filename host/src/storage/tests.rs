//! Stored values outlive whatever happens to the process and to the files.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::*;

fn node() -> NodeName {
    NodeName::new("clock.local").unwrap()
}

fn open(folder: &Path) -> RoleStorage {
    let storage = Storage::open(folder, &node()).unwrap();
    storage.role(&RoleName::new("cuckoo").unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".lock"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_value_is_read_back_and_replaced() {
    let folder = TempDir::new().unwrap();
    let role = open(folder.path());
    assert_eq!(role.load().unwrap(), None);
    for value in [&b"one"[..], b"", &[7; 100_000]] {
        role.store(value).unwrap();
        assert_eq!(open(folder.path()).load().unwrap().as_deref(), Some(value));
    }
    assert_eq!(names(folder.path()), ["clock.local.cuckoo.kozo"]);
    let mode = std::fs::metadata(role.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn roles_and_nodes_that_share_a_folder_do_not_meet() {
    let folder = TempDir::new().unwrap();
    let other = Storage::open(folder.path(), &NodeName::new("clock").unwrap()).unwrap();
    let timer = other.role(&RoleName::new("timer").unwrap());
    let cuckoo = other.role(&RoleName::new("cuckoo").unwrap());
    timer.store(b"timer").unwrap();
    open(folder.path()).store(b"elsewhere").unwrap();
    assert_eq!(cuckoo.load().unwrap(), None);
    assert_eq!(timer.load().unwrap().unwrap(), b"timer");
}

#[test]
fn two_daemons_of_one_node_do_not_share_a_folder() {
    let folder = TempDir::new().unwrap();
    let first = Storage::open(folder.path(), &node()).unwrap();
    let leftover = folder.path().join(".clock.local.cuckoo.kozo-aX3.tmp");
    std::fs::write(&leftover, "half").unwrap();
    let error = Storage::open(folder.path(), &node()).unwrap_err();
    assert!(matches!(error, StorageError::InUse { .. }), "{error}");
    assert!(leftover.exists());
    drop(first);
    Storage::open(folder.path(), &node()).unwrap();
    assert!(!leftover.exists());
}

#[test]
fn a_damaged_file_is_set_aside_and_the_role_starts_afresh() {
    let folder = TempDir::new().unwrap();
    let role = open(folder.path());
    role.store(b"a value").unwrap();
    let good = std::fs::read(role.path()).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for bad in [&flipped[..], &good[..good.len() - 1], b"", b"text\n"] {
        std::fs::write(role.path(), bad).unwrap();
        assert!(matches!(
            read(&role.path()),
            Err(StorageError::Damaged { .. })
        ));
        assert_eq!(role.load().unwrap(), None);
        assert_eq!(role.load().unwrap(), None);
    }
    let aside = |number| {
        folder
            .path()
            .join(format!("clock.local.cuckoo.kozo.damaged-{number}"))
    };
    assert_eq!(std::fs::read(aside(1)).unwrap(), flipped);
    assert_eq!(std::fs::read(aside(4)).unwrap(), b"text\n");
    role.store(b"new").unwrap();
    assert_eq!(role.load().unwrap().unwrap(), b"new");
}

#[test]
fn only_so_many_damaged_files_are_kept() {
    let folder = TempDir::new().unwrap();
    let role = open(folder.path());
    for round in 0..MAX_DAMAGED + 3 {
        std::fs::write(role.path(), format!("bad {round}")).unwrap();
        assert_eq!(role.load().unwrap(), None);
    }
    let names = names(folder.path());
    assert_eq!(names.len(), MAX_DAMAGED);
    let last = std::fs::read(folder.path().join(names.last().unwrap())).unwrap();
    assert_eq!(last, format!("bad {}", MAX_DAMAGED + 2).as_bytes());
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let role = open(folder.path());
    role.store(b"a value").unwrap();
    let mut later = std::fs::read(role.path()).unwrap();
    later[7] = 2;
    std::fs::write(role.path(), &later).unwrap();
    let error = role.load().unwrap_err().to_string();
    assert!(
        error.contains("later version of Kōzō (format 2)"),
        "{error}"
    );
    assert_eq!(std::fs::read(role.path()).unwrap(), later);
}

#[test]
fn what_is_no_file_or_too_large_is_refused_with_a_reason() {
    let folder = TempDir::new().unwrap();
    let role = open(folder.path());
    let error = role.store(&vec![0; MAX_STORED + 1]).unwrap_err();
    assert!(matches!(error, StorageError::TooLarge(_)));
    role.store(&vec![0; MAX_STORED]).unwrap();
    assert_eq!(role.load().unwrap().unwrap().len(), MAX_STORED);
    let file = OpenOptions::new().append(true).open(role.path()).unwrap();
    file.set_len(1 << 40).unwrap();
    assert!(matches!(
        read(&role.path()),
        Err(StorageError::Damaged { .. })
    ));
    std::fs::remove_file(role.path()).unwrap();
    std::fs::create_dir(role.path()).unwrap();
    assert!(matches!(role.load(), Err(StorageError::NotAFile(_))));
    std::fs::remove_dir(role.path()).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, role.path(), fifo, mode, 0).unwrap();
    assert!(matches!(role.load(), Err(StorageError::NotAFile(_))));
}

#[test]
fn a_missing_folder_is_made_for_the_daemon_alone_but_no_tree() {
    let above = TempDir::new().unwrap();
    let folder = above.path().join("storage");
    open(&folder).store(b"x").unwrap();
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    let error = Storage::open(&above.path().join("a/b"), &node()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StorageError::Make { .. }));
    assert!(
        text.contains("a/b` (`roleStorage`) does not exist"),
        "{text}"
    );
}

#[test]
fn a_folder_that_is_none_or_is_gone_is_an_error_that_names_it() {
    let above = TempDir::new().unwrap();
    let file = above.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Storage::open(&file, &node()).unwrap_err();
    assert!(matches!(error, StorageError::NotAFolder(_)));
    let folder = above.path().join("storage");
    let role = open(&folder);
    std::fs::remove_dir_all(&folder).unwrap();
    let text = role.store(b"x").unwrap_err().to_string();
    assert!(text.contains("clock.local.cuckoo.kozo`"), "{text}");
    assert!(check_folder(&folder).is_err());
    assert!(!folder.exists());
}

#[test]
fn a_store_that_fails_leaves_the_last_value_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let role = open(folder.path());
    std::fs::create_dir_all(role.path().join("not-empty")).unwrap();
    let error = role.store(b"new").unwrap_err();
    assert!(matches!(error, StorageError::Write { .. }));
    assert_eq!(names(folder.path()), ["clock.local.cuckoo.kozo"]);
}

/// The environment variable by which the child knows its folder.
const FOLDER: &str = "KOZO_TEST_STORE_FOLDER";

/// How often the child is killed.
const KILLS: usize = 50;

/// The value of one round: its number, so often that the length varies.
fn value(round: u32) -> Vec<u8> {
    round.to_be_bytes().repeat(1 + round as usize % 5000)
}

fn is_value(bytes: &[u8]) -> bool {
    let round = bytes.first_chunk().map(|start| u32::from_be_bytes(*start));
    round.is_some_and(|round| value(round) == bytes)
}

/// Not a test, but the child of the next one.
#[test]
#[ignore = "stores until it is killed; started by the test about kills"]
fn a_child_that_stores_for_ever() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let role = open(Path::new(&folder));
    let mut stderr = std::io::stderr();
    // So many that a parent that is gone does not leave it running.
    for round in 0..1_000_000 {
        role.store(&value(fastrand::u32(..))).unwrap();
        writeln!(stderr, "stored {round}").unwrap();
    }
}

fn start_child(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("storage::tests::a_child_that_stores_for_ever")
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_process_that_is_killed_while_it_stores_leaves_a_whole_value() {
    let folder = TempDir::new().unwrap();
    for kill in 0..KILLS {
        let mut child = start_child(folder.path());
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let stored = lines
            .map_while(Result::ok)
            .filter(|line| line.starts_with("stored"))
            .take(1 + fastrand::usize(..20))
            .count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(stored > 0, "the child stored nothing");
        let bytes = read(&folder.path().join("clock.local.cuckoo.kozo"));
        let bytes = bytes.unwrap().unwrap();
        assert!(is_value(&bytes), "after kill {kill}: {} bytes", bytes.len());
    }
    let role = open(folder.path());
    assert!(is_value(&role.load().unwrap().unwrap()));
    assert_eq!(names(folder.path()), ["clock.local.cuckoo.kozo"]);
}
