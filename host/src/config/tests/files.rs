//! Reading from the disk, and which class of failure it is.

use std::fs;
use std::path::Path;

use kozo_description::Class;

use super::*;
use crate::config::MAX_FILE_SIZE;

fn failure(path: &Path) -> (Class, String) {
    let problems = Document::read(path).unwrap_err();
    let text = problems.to_string();
    (
        problems.class(),
        text.replace(path.to_str().unwrap(), "FILE"),
    )
}

#[test]
fn a_file_is_read_and_its_folder_is_where_relative_paths_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.yaml");
    let text = with("/var/lib/kozo/key", "key")
        .replace("KEY_A", KEY_A)
        .replace("KEY_B", KEY_B);
    fs::write(&path, text).unwrap();
    let document = Document::read(&path).unwrap();
    let (network, _) = document.network(Modules::all(), None).unwrap();
    let clock = network.node(&NodeName::new("clock").unwrap()).unwrap();
    assert_eq!(clock.private_key, folder.path().join("key"));
}

#[test]
fn a_missing_file_is_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        failure(&folder.path().join("net.yaml")),
        (
            Class::Unreadable,
            "error: FILE: there is no such file\n    help: give the path of the network's \
             configuration file"
                .to_owned()
        )
    );
}

#[test]
fn a_folder_is_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        failure(folder.path()),
        (
            Class::Unreadable,
            "error: FILE: this is a folder\n    help: give the path of the file in it".to_owned()
        )
    );
}

#[test]
fn a_file_that_is_too_large_is_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.yaml");
    fs::write(&path, "#".repeat(MAX_FILE_SIZE + 1)).unwrap();
    assert_eq!(
        failure(&path),
        (
            Class::Invalid,
            "error: FILE: the file is larger than 1048576 bytes\n    help: check that this is the \
             network's configuration file"
                .to_owned()
        )
    );
}

#[test]
fn bytes_that_are_no_text_are_invalid() {
    let problems = load_bytes(b"system:\n  \xc3\xa9\xff: 1\n", None).unwrap_err();
    assert_eq!(problems.class(), Class::Invalid);
    assert_eq!(
        problems.to_string(),
        "error: net.yaml:2:4: the file is not UTF-8 text: byte 0xff does not belong here\n    \
         help: save the file as UTF-8"
    );
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    let text = GOOD.replace("KEY_A", KEY_A).replace("KEY_B", KEY_B);
    assert!(load_bytes(format!("\u{feff}{text}").as_bytes(), Some("clock")).is_ok());
}

#[test]
fn line_ends_of_windows_are_no_mistake() {
    network(&GOOD.replace('\n', "\r\n"));
}

#[test]
fn a_local_node_that_is_not_in_the_file_is_a_class_of_its_own() {
    let text = GOOD.replace("KEY_A", KEY_A).replace("KEY_B", KEY_B);
    let problems = load_bytes(text.as_bytes(), Some("clok")).unwrap_err();
    assert_eq!(problems.class(), Class::UnknownNode);
    assert_eq!(
        problems.to_string(),
        "error: net.yaml: system: no node of this file is called `clok`\n    help: did you mean \
         `clock`? its nodes are `clock` and `scribe`"
    );
}

#[test]
fn mistakes_come_before_a_local_node_that_is_not_in_the_file() {
    let problems = load_bytes(b"system: 5\n", Some("clock")).unwrap_err();
    assert_eq!(problems.class(), Class::Invalid);
}
