//! The example networks, with the modules as they are shipped.

use std::fs;
use std::path::{Path, PathBuf};

use super::reference::shipped;
use super::{Document, KEY_A, Modules};

#[test]
fn each_node_of_the_example_networks_has_nothing_that_is_wrong() {
    let modules = Modules(shipped());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/examples");
    let files = [folder.clone(), folder.join("fleet")]
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|file| file.unwrap().path());
    let is_network = |path: &PathBuf| {
        let is_yaml = path.extension().is_some_and(|ending| ending == "yml");
        // That one is for containers.
        is_yaml && !path.ends_with("compose.yml")
    };
    let files: Vec<_> = files.filter(is_network).collect();
    assert!(files.iter().any(|path| path.ends_with("fleet/network.yml")));
    for file in files {
        let document = Document::read(&file).unwrap();
        let (network, warnings) = document.network(&modules, None).unwrap();
        assert!(warnings.is_empty(), "{warnings}");
        for node in network.nodes.keys() {
            let (_, warnings) = document.network(&modules, Some(node)).unwrap();
            assert!(warnings.is_empty(), "{warnings}");
        }
    }
}

#[test]
fn the_examples_of_the_page_about_mqtt_have_nothing_that_is_wrong() {
    let modules = Modules(shipped());
    let page = include_str!("../../../../docs/mqtt.md");
    let blocks: Vec<_> = page.split("```yaml node\n").skip(1).collect();
    assert!(blocks.len() > 3);
    for block in blocks {
        let block = block.split("```").next().unwrap();
        let storage = match block.contains("roleStorage:") {
            true => "",
            false => "roleStorage: /var/lib/kozo/roles\n",
        };
        let node = format!("privateKey: key\npublicKey: {KEY_A}\n{storage}{block}");
        let node = node.trim_end().replace('\n', "\n    ");
        let file = format!("system:\n  hub:\n    {node}\n");
        let document = Document::parse("net.yaml", "/etc/kozo", file.as_bytes()).unwrap();
        let (_, warnings) = document
            .network(&modules, None)
            .unwrap_or_else(|problems| panic!("{problems}\n{file}"));
        assert!(warnings.is_empty(), "{warnings}\n{file}");
    }
}
