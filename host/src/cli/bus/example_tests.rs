//! The servers of the example network with a bus, in `packaging/examples/fleet`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kozo_bus::subject::{SubjectKey, Subjects};
use kozo_description::Metadata;
use kozo_ground::names::BusName;

use super::{LoginWord, Rights, nats};
use crate::config::{Catalog, Document, Lookup};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/examples/fleet")
}

/// The modules that the example needs, as they are shipped.
struct Shipped(Vec<Metadata>);

impl Shipped {
    fn new() -> Self {
        let texts = [
            include_str!("../../../../roles/logger/module.yaml"),
            include_str!("../../../../roles/timer/module.yaml"),
            include_str!("../../../../transports/nats/module.yaml"),
            include_str!("../../../../transports/tcp/module.yaml"),
        ];
        Self(texts.map(|text| Metadata::parse(text).unwrap()).into())
    }
}

impl Catalog for Shipped {
    fn role(&self, module: &str) -> Lookup<'_> {
        match self.0.iter().find(|found| found.name.as_str() == module) {
            Some(metadata) => Lookup::Found(metadata),
            None => Lookup::Missing {
                looked_in: Vec::new(),
                reason: None,
            },
        }
    }

    fn transport(&self, module: &str) -> Lookup<'_> {
        self.role(module)
    }

    fn bus(&self, module: &str) -> Lookup<'_> {
        self.role(module)
    }
}

#[test]
fn the_permissions_of_the_example_are_those_that_are_printed() {
    let document = Document::read(&folder().join("network.yml")).unwrap();
    let network = document.network(&Shipped::new(), None);
    let (network, _) = network.unwrap_or_else(|problems| panic!("{problems}"));
    let subjects = Subjects::new(BusName::new("fleet").unwrap(), &SubjectKey::public());
    let rights = Rights::of(&network, &BusName::new("fleet").unwrap(), &subjects);
    let printed = nats::write(&rights.users(""), LoginWord::Certificate);
    let file = fs::read_to_string(folder().join("permissions.conf")).unwrap();
    assert_eq!(printed, file);
}

/// As a person does it who follows docs/fleet.md, with the certificates that the example's program makes.
#[test]
fn nats_server_takes_the_configuration_of_each_server_with_the_certificate_of_its_name() {
    let made = tempfile::tempdir().unwrap();
    let run = |folder: &Path, program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).output()
    };
    for (program, word) in [("openssl", "version"), ("nats-server", "--version")] {
        if run(made.path(), program, &[word]).is_err() {
            eprintln!("skipped: {program} is not installed here");
            return;
        }
    }
    let program = folder().join("certificate");
    let compose = fs::read_to_string(folder().join("compose.yml")).unwrap();
    for server in ["nats1", "nats2", "nats3"] {
        let name = format!("{server}.example.org");
        let made_it = run(
            made.path(),
            "sh",
            &[program.to_str().unwrap(), "server", &name],
        );
        let made_it = made_it.unwrap();
        assert!(made_it.status.success(), "{made_it:?}");
        // What `/etc/nats` has on its machine, and in its container.
        let machine = tempfile::tempdir().unwrap();
        let configuration = format!("{server}.conf");
        for file in [&configuration, "cluster.conf", "permissions.conf"] {
            fs::copy(folder().join(file), machine.path().join(file)).unwrap();
        }
        let certificates = machine.path().join("certs");
        fs::create_dir(&certificates).unwrap();
        let own = made.path().join("certs").join(&name);
        for file in ["ca.pem", "server.pem", "server.key"] {
            fs::copy(own.join(file), certificates.join(file)).unwrap();
        }
        assert!(compose.contains(&format!("./certs/{name}:/etc/nats/certs:ro")));
        let checked = run(machine.path(), "nats-server", &["-t", "-c", &configuration]).unwrap();
        assert!(checked.status.success(), "{checked:?}");
        let verify = [
            "verify",
            "-CAfile",
            "ca.pem",
            "-verify_hostname",
            &name,
            "server.pem",
        ];
        let verified = run(&certificates, "openssl", &verify).unwrap();
        assert!(verified.status.success(), "{verified:?}");
    }
}
