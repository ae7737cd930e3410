//! Every fuzz target with its corpus and some thousand mutations of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kozo_fuzz_bodies::TARGETS;

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let target = TARGETS.iter().find(|target| target.name == stringify!($name));
                target.unwrap().replay();
            }
        )*

        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! {
    bus_announcement bus_ask bus_datagram bus_subject
    co2_document control_request data frame_body frames hello injector_line ipop_candidates ipop_datagram ipop_frame
    isolated_frames message module_file module_metadata nats_stream network_file program_line public_key service_list signature
    ssh_opening stun_message tincan_frame
}

#[test]
fn every_target_is_replayed_and_is_one_of_cargo_fuzz() {
    let names: BTreeSet<_> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    let replayed = REPLAYED.iter().map(|name| (*name).to_owned());
    assert_eq!(replayed.collect::<BTreeSet<_>>(), names);
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found: BTreeSet<_> = fs::read_dir(fuzz.join("fuzz_targets"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(found, names);
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for name in names {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
    }
}
