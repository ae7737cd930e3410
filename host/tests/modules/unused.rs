//! Modules beside those that a node uses: what is known of them without reading all of their files.

use std::collections::BTreeSet;
use std::path::Path;

use kozo::modules::seal::seal_of;
use kozo::modules::{FileState, Registry, SearchFolders, TrustedWriters};
use kozo_description::ModuleKind;
use kozo_ground::names::ModuleName;

use crate::support::build::{METADATA, c_library, c_module, fixture, section};
use crate::support::elf::module_32;
use crate::support::{folder, for_aarch64, load_role, patched, probe};

fn folders(folder: &Path) -> SearchFolders {
    SearchFolders {
        roles: vec![folder.to_owned()],
        transports: vec![folder.to_owned()],
        imports: Vec::new(),
    }
}

/// The registry of a node that uses these modules.
fn scan_for(folder: &Path, used: &[&str]) -> Registry {
    let used = used.iter().map(|name| (*name).to_owned());
    Registry::scan_for(folders(folder), TrustedWriters::Any, &used.collect())
}

fn sealed(mut file: Vec<u8>) -> Vec<u8> {
    file.extend(seal_of(&file));
    file
}

/// A sealed module whose code is damaged, far from all that tells what it is.
fn damaged() -> Vec<u8> {
    let mut file = sealed(probe());
    let middle = file.len() / 2;
    file[middle] ^= 1;
    file
}

#[test]
fn a_part_of_a_file_tells_the_same_as_all_of_it() {
    const ARM: u16 = 40;
    let text = section(1, METADATA);
    let probe = probe();
    let mut files = vec![
        sealed(probe.clone()),
        for_aarch64(probe.clone()),
        module_32(ARM, true, &text),
        module_32(ARM, false, &text),
        c_module(&text, "", &[]),
        c_module(&text[1..], "", &[]),
        c_module(&[text.clone(), text.clone()].concat(), "", &[]),
        b"a text\n".to_vec(),
        Vec::new(),
    ];
    let cuts = (1..probe.len()).step_by(probe.len() / 50);
    files.extend(cuts.map(|end| probe[..end].to_vec()));
    // Each byte of the header: what it says is somewhere else, or makes no sense.
    files.extend((0..64).map(|at| {
        let mut file = probe.clone();
        file[at] ^= 0xff;
        file
    }));
    files.push(probe);
    let folder = tempfile::tempdir().unwrap();
    for (number, file) in files.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number:03}.so")), file).unwrap();
    }
    c_library(
        &folder.path().join("none.so"),
        "int f(void) { return 1; }",
        &[],
    );
    std::fs::create_dir(folder.path().join("folder.so")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("gone.so")).unwrap();

    let whole = Registry::scan(folders(folder.path()), TrustedWriters::Any);
    let part = scan_for(folder.path(), &[]);
    assert_eq!(whole.entries().len(), files.len() + 3);
    assert_eq!(part.entries().len(), whole.entries().len());
    let mut known = BTreeSet::new();
    for (part, whole) in part.entries().iter().zip(whole.entries()) {
        assert_eq!(format!("{part:?}"), format!("{whole:?}"));
        known.insert(whole.inspected.is_some());
    }
    assert_eq!(known.len(), 2);
}

#[test]
fn damage_to_code_is_noticed_where_it_would_run() {
    let folder = folder(&[("libprobe.so", &damaged())]);
    let used = scan_for(folder.path(), &["probe"]);
    let state = &used.entries()[0].state;
    assert!(matches!(state, FileState::Refused(_)), "{state:?}");

    let unused = scan_for(folder.path(), &[]);
    let state = &unused.entries()[0].state;
    assert!(matches!(state, FileState::Usable), "{state:?}");
    let error = load_role(&unused, "probe").unwrap_err().to_string();
    assert!(error.contains("it is damaged, or was changed"), "{error}");
}

#[test]
fn a_damaged_file_that_is_called_like_a_module_in_use_is_not_taken_for_another() {
    let mut file = sealed(probe());
    let name = crate::support::find(&file, b"name: probe\n").unwrap();
    file[name + "name: ".len()] ^= 1;
    let folder = folder(&[("libprobe.so", &file)]);
    let registry = scan_for(folder.path(), &["probe"]);
    let state = &registry.entries()[0].state;
    assert!(matches!(state, FileState::Refused(_)), "{state:?}");
}

#[test]
fn the_file_of_a_module_in_use_is_read_once() {
    let transport = std::fs::read(fixture("transport_probe")).unwrap();
    let used = folder(&[("librole.so", &probe()), ("libtransport.so", &transport)]);
    let registry = scan_for(used.path(), &["probe"]);
    for file in ["librole.so", "libtransport.so"] {
        std::fs::write(used.path().join(file), b"").unwrap();
    }
    let name = ModuleName::new("probe").unwrap();
    registry.load_transport(&name).unwrap();
    registry
        .load_content(&registry.known_role(&name).unwrap())
        .unwrap();
    // It is what lies there that a role is made anew of.
    assert!(registry.present_role(&name).is_err());
}

#[test]
fn of_two_of_a_name_in_one_folder_neither_is_kept() {
    let folder = folder(&[("a.so", &probe()), ("b.so", &probe())]);
    let registry = scan_for(folder.path(), &["probe"]);
    let known = registry.known_role(&ModuleName::new("probe").unwrap());
    let error = known.unwrap_err().to_string();
    assert!(error.contains("remove one of them"), "{error}");
}

/// The probe, with a mistake in what it says of itself, behind its name.
fn mistaken() -> Vec<u8> {
    patched(probe(), "author: ", "outhor: ")
}

#[test]
fn of_what_the_file_does_not_name_no_more_is_read_than_the_name() {
    let first = folder(&[("libprobe.so", &mistaken())]);
    let second = folder(&[("libprobe.so", &probe())]);
    let paths = || SearchFolders {
        roles: vec![first.path().to_owned(), second.path().to_owned()],
        transports: Vec::new(),
        imports: Vec::new(),
    };
    let scan = || Registry::scan_for(paths(), TrustedWriters::Any, &BTreeSet::new());
    let states = |registry: &Registry| -> Vec<_> {
        let states = registry.states();
        states
            .map(|(_, state)| match state {
                FileState::Usable => "usable",
                FileState::ShadowedBy(_) => "shadowed",
                FileState::Refused(_) => "refused",
                FileState::Foreign => "foreign",
            })
            .collect()
    };

    // Its name is there, and what is wrong behind that is not looked at.
    let registry = scan();
    assert_eq!(states(&registry), ["usable", "shadowed"]);

    // Whoever names it gets what a look at all of it finds.
    let mut known = scan();
    known.know(&BTreeSet::from(["other".to_owned()]));
    assert_eq!(states(&known), ["usable", "shadowed"]);
    known.know(&BTreeSet::from(["probe".to_owned()]));
    assert_eq!(states(&known), ["refused", "usable"]);
    let good = second.path().join("libprobe.so");
    let chosen = |registry: &Registry| {
        let entry = registry.entry(ModuleKind::Role, "probe");
        entry.map(|entry| (entry.path.clone(), entry.inspected.is_some()))
    };
    assert_eq!(chosen(&known), Some((good.clone(), true)));

    // And so does whoever asks without that.
    assert_eq!(chosen(&registry), Some((good, true)));
    load_role(&registry, "probe").unwrap();
    let refused = &registry.entries()[0].state;
    assert!(matches!(refused, FileState::Refused(_)), "{refused:?}");
}
