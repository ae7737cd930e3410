//! Faces of roles, as the file and their modules have them.

use std::fs;
use std::path::Path;

use kozo_description::Metadata;
use kozo_faces::Face;
use kozo_ground::names::NodeName;

use super::reference::shipped;
use super::{Document, GOOD, KEY_A, KEY_B, Modules};
use crate::config::Network;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faces.md");
    fs::read_to_string(path).unwrap()
}

/// The blocks of the page that begin with this line.
fn blocks(page: &str, fence: &str) -> Vec<String> {
    let fence = format!("```yaml {fence}\n");
    let parts = page.split(&fence).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap().to_owned())
        .collect()
}

fn network(roles: &str) -> (Network, String) {
    let roles = roles.replace('\n', "\n    ");
    let (head, rest) = GOOD.split_once("    roles:\n").unwrap();
    let (_, tail) = rest.split_once("    transports:\n").unwrap();
    let text = format!("{head}    {}\n    transports:\n{tail}", roles.trim_end());
    let text = text.replace("KEY_A", KEY_A).replace("KEY_B", KEY_B);
    let document = Document::parse("net.yaml", "/etc/kozo", text.as_bytes()).unwrap();
    let clock = NodeName::new("clock").unwrap();
    let (network, warnings) = document
        .network(&Modules(shipped()), Some(&clock))
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    (network, warnings.to_string())
}

fn faces(network: &Network, role: &str) -> Vec<Face> {
    let mut roles = network.nodes.values().flat_map(|node| &node.roles);
    let role = roles.find(|found| found.name.as_str() == role).unwrap();
    role.faces.clone()
}

#[test]
fn the_file_of_the_page_does_what_the_page_says() {
    let [file] = blocks(&page(), "file").try_into().unwrap();
    let (network, warnings) = network(&file);
    assert_eq!(warnings, "");
    let [garden] = faces(&network, "garden").try_into().unwrap();
    assert_eq!(
        (garden.name.as_str(), garden.class.as_deref()),
        ("Garden", Some("occupancy"))
    );
    let [pump] = faces(&network, "pump").try_into().unwrap();
    assert_eq!(
        (pump.name.as_str(), pump.icon.as_deref()),
        ("Pump", Some("mdi:water-pump"))
    );
    assert_eq!(pump.command.unwrap().channel.as_deref(), Some("pump"));
}

#[test]
fn a_program_is_what_its_block_says() {
    let [file] = blocks(&page(), "program").try_into().unwrap();
    let (network, warnings) = network(&file);
    assert_eq!(warnings, "");
    let [bell] = faces(&network, "bell").try_into().unwrap();
    assert_eq!(
        (bell.name.as_str(), bell.types),
        ("bell", vec!["ring".to_owned()])
    );
}

#[test]
fn the_module_of_the_page_is_taken() {
    let [module] = blocks(&page(), "module").try_into().unwrap();
    let rest = "kind: role\nname: lamp\nversion: \"1\"\nauthor: Somebody\ndescription: Shines.\noptions:\n  channel: {type: text, default: a, description: A channel.}\n";
    let metadata = Metadata::parse(&module.replace("# …\n", rest))
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(metadata.declared_faces().len(), 2);
}

/// The table of the page is written by hand.
#[test]
fn the_page_lists_the_faces_of_the_shipped_modules() {
    let page = page();
    for module in shipped() {
        let row = format!("| `{}` |", module.name);
        assert_eq!(
            page.contains(&row),
            !module.declared_faces().is_empty(),
            "{}",
            module.name
        );
        for face in module.declared_faces() {
            let row = format!("| `{}` | `{}`", face.face, face.kind);
            assert!(page.contains(&row), "{row}");
        }
    }
}

#[test]
fn a_mistake_about_faces_keeps_only_the_node_of_the_role_from_starting() {
    let text = GOOD.replace("KEY_A", KEY_A).replace("KEY_B", KEY_B);
    let face = "        clearLog: yes\n        face: {lamp: {hidden: true}}\n";
    let text = text.replace("        clearLog: yes\n", face);
    let document = || Document::parse("net.yaml", "/etc/kozo", text.as_bytes()).unwrap();
    let modules = Modules(shipped());
    let expected = "net.yaml:20:16: system.scribe.roles.logger.face.lamp: a role of type `logger` has no face `lamp`";
    let run = |node: &str| document().network_to_run(&modules, &NodeName::new(node).unwrap());
    let (_, warnings) = run("clock").unwrap();
    let warning = format!("warning: {expected}");
    assert!(warnings.to_string().contains(&warning), "{warnings}");
    for problems in [
        run("scribe").unwrap_err(),
        document().network(&modules, None).unwrap_err(),
    ] {
        let error = format!("error: {expected}");
        assert!(problems.to_string().contains(&error), "{problems}");
    }
}
