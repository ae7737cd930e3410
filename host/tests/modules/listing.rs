//! What `kozo modules` shows.

use kozo::modules::description::Description;
use kozo::modules::listing::{rows, table};
use kozo::modules::{Architecture, Registry, SearchFolders, TrustedWriters};
use kozo_description::ModuleKind;

use crate::support::build::fixture;
use crate::support::{folder, for_aarch64, patched, probe};

#[test]
fn every_file_is_listed_with_what_becomes_of_it() {
    let second = patched(probe(), "name: probe\n", "name: prob2\n");
    let roles = folder(&[
        ("a.so", &probe()),
        ("b.so", &for_aarch64(second)),
        ("c.so", b"text"),
    ]);
    let later = folder(&[("a.so", &probe())]);
    let gone = later.path().join("gone");
    let paths = SearchFolders {
        roles: vec![
            roles.path().to_owned(),
            later.path().to_owned(),
            gone.clone(),
        ],
        ..SearchFolders::default()
    };
    let registry = Registry::scan(paths, TrustedWriters::Any);
    let folder = |folder: &tempfile::TempDir| folder.path().display().to_string();
    let (roles, later) = (folder(&roles), folder(&later));
    let native = Architecture::native().unwrap().to_string();
    let width = native.len().max("ARCHITECTURE".len());
    let expected = format!(
        "\
KIND  NAME   VERSION  INTERFACE  {:width$}  STATE     FILE
role  probe  1.0      1.1.0      {native:width$}  usable    {roles}/a.so
role  prob2  1.0      1.1.0      {:width$}  foreign   {roles}/b.so
-     -      -        -          {:width$}  refused   {roles}/c.so
role  probe  1.0      1.1.0      {native:width$}  shadowed  {later}/a.so

{roles}/b.so: foreign: it is built for another kind of machine: only what it says about itself is used
{roles}/c.so: refused: it is a text file, not a shared object: give the `.so` that the build makes
{later}/a.so: shadowed: `{roles}/a.so` comes first
{}: not searched: there is no such folder
",
        "ARCHITECTURE",
        "aarch64",
        "-",
        gone.display()
    );
    assert_eq!(table(&registry), expected);

    let rows = serde_json::to_value(rows(&registry)).unwrap();
    assert_eq!(rows[1]["name"], "prob2");
    assert_eq!(rows[1]["architecture"], "aarch64");
    assert_eq!(rows[1]["state"], "foreign");
    assert_eq!(rows[2]["name"], serde_json::Value::Null);
}

#[test]
fn a_bus_is_listed_and_described() {
    let bus = std::fs::read(fixture("bus_probe")).unwrap();
    let folder = folder(&[("libbus.so", &bus)]);
    let paths = SearchFolders {
        transports: vec![folder.path().to_owned()],
        ..SearchFolders::default()
    };
    let registry = Registry::scan(paths, TrustedWriters::Any);
    let row = serde_json::to_value(&rows(&registry)[0]).unwrap();
    let shown = ["kind", "name", "state"].map(|key| row[key].as_str().unwrap());
    assert_eq!(shown, ["bus", "probe", "usable"]);
    let entry = registry.entry(ModuleKind::Bus, "probe").unwrap();
    let description = Description::new(entry).unwrap();
    let text = description.to_string();
    assert!(text.starts_with("bus `probe` 1.0"), "{text}");
    assert!(text.contains("address"), "{text}");
    // As a transport, it has nothing of a role.
    let value = serde_json::to_value(&description).unwrap();
    assert!(value["interests"].is_null() && value["faces"].is_null());
}

#[test]
fn a_module_cannot_order_a_terminal_about() {
    // YAML's own escapes, so that the metadata itself is well-formed.
    let module = patched(
        probe(),
        "version: \"1.0\"\nauthor: The Kōzō developers\ndescription: Does what a test asks for.\n",
        "version: \"\\e[m\"\nauthor: \"\\e]0;\\a\\u202e and s\"\ndescription: \"\\e[2J\\nfile:  /bin/true\"\n",
    );
    let roles = folder(&[("a\x1b[2J.so", &module)]);
    let paths = SearchFolders {
        roles: vec![roles.path().to_owned(), roles.path().join("\x1b[3J")],
        ..SearchFolders::default()
    };
    let registry = Registry::scan(paths, TrustedWriters::Any);
    let entry = registry.entry(ModuleKind::Role, "probe").unwrap();
    let described = Description::new(entry).unwrap().to_string();
    for text in [table(&registry), described.clone()] {
        let harmful = |c: char| c != '\n' && kozo_ground::text::is_harmful(c);
        assert!(!text.contains(harmful), "{text:?}");
        assert!(text.contains("\\u{1b}[2J"), "{text}");
    }
    // Nor can it say something in the host's name.
    let said: Vec<_> = described
        .lines()
        .filter(|line| line.starts_with("file:"))
        .collect();
    assert_eq!(said.len(), 1, "{described}");
}

#[test]
fn a_module_is_described_by_what_it_says() {
    let roles = folder(&[("libprobe.so", &probe())]);
    let paths = SearchFolders {
        roles: vec![roles.path().to_owned()],
        ..SearchFolders::default()
    };
    let registry = Registry::scan(paths, TrustedWriters::Any);
    let entry = registry.entry(ModuleKind::Role, "probe").unwrap();
    let expected = format!(
        "\
role `probe` 1.0, by The Kōzō developers
Does what a test asks for.

file:      {}/libprobe.so
state:     usable
built for: {}, interface 1.1.0
sealed:    no, so not all damage to its file is noticed (`kozo seal`)

Options:
  fault: text, default \"\"
      The call in which the role fails.
  panics: boolean, default true
      Whether it fails by a panic, not by an error.

It asks for messages that fit any of these (`{{…}}` stands for an option, and `{{node}}` and `{{role}}` for its own \
names):
  messages of any kind
",
        roles.path().display(),
        Architecture::native().unwrap()
    );
    assert_eq!(Description::new(entry).unwrap().to_string(), expected);
}
