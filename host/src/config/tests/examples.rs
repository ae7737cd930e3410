//! The example networks, with the modules as they are shipped.

use std::fs;
use std::path::Path;

use super::reference::shipped;
use super::{Document, Modules};

#[test]
fn each_node_of_the_example_networks_has_nothing_that_is_wrong() {
    let modules = Modules(shipped());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/examples");
    let files: Vec<_> = fs::read_dir(folder).unwrap().collect();
    assert!(!files.is_empty());
    for file in files {
        let document = Document::read(&file.unwrap().path()).unwrap();
        let (network, warnings) = document.network(&modules, None).unwrap();
        assert!(warnings.is_empty(), "{warnings}");
        for node in network.nodes.keys() {
            let (_, warnings) = document.network(&modules, Some(node)).unwrap();
            assert!(warnings.is_empty(), "{warnings}");
        }
    }
}
