//! The whole room through its public door: a text goes in, a network or a report comes out.

mod accepted;
mod blocks;
mod bounds;
mod buses;
mod claims;
mod examples;
mod faces;
mod files;
mod foreign;
mod grants;
mod greeting;
mod keys;
mod members;
mod metrics;
mod modules;
mod numbers;
mod reference;
mod reports;
mod robustness;
mod rules;
mod yaml;

use std::sync::LazyLock;

use kozo_description::{Metadata, Problems};
use kozo_ground::names::NodeName;

use super::{Catalog, Document, Lookup, Network};

const KEY_A: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG/rmCrM8J69xo8l6Ge7BLSiFmyJA9CWAiwEDJoBalpF";
const KEY_B: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIJ6PItWBK03dxpJGkpFDYA4ESSmH4nEbFIoIqcH+GPl";

/// A file without mistakes, in which tests make one.
const GOOD: &str = "\
system:
  clock:
    privateKey: /var/lib/kozo/key
    publicKey: KEY_A
    roles:
      timer1:
        type: timer
        tick: 60
    transports:
      tcp:
        address: clock.local
  scribe:
    privateKey: /var/lib/kozo/key
    publicKey: KEY_B
    roleStorage: /var/lib/kozo/storage
    roles:
      cuckoo:
      logger:
        clearLog: yes
    transports:
      tcp:
        address: scribe.local, 10.13.37.51
heartbeat: 30
";

/// The modules of the fixtures.
struct Modules(Vec<Metadata>);

impl Modules {
    fn all() -> &'static Self {
        static ALL: LazyLock<Modules> = LazyLock::new(Modules::read);
        &ALL
    }

    fn read() -> Self {
        let texts = [
            include_str!("../../../tests/data/modules/timer.yaml"),
            include_str!("../../../tests/data/modules/cuckoo.yaml"),
            include_str!("../../../tests/data/modules/logger.yaml"),
            include_str!("../../../tests/data/modules/tcp.yaml"),
            include_str!("../../../tests/data/modules/engine.yaml"),
        ];
        Self(
            texts
                .iter()
                .map(|text| Metadata::parse(text).unwrap())
                .collect(),
        )
    }

    fn lookup(&self, module: &str) -> Lookup<'_> {
        match self
            .0
            .iter()
            .find(|metadata| metadata.name.as_str() == module)
        {
            Some(metadata) => Lookup::Found(metadata),
            None => Lookup::Missing {
                looked_in: vec!["/usr/lib/kozo/roles".into()],
                reason: None,
            },
        }
    }
}

impl Catalog for Modules {
    fn role(&self, module: &str) -> Lookup<'_> {
        self.lookup(module)
    }

    fn transport(&self, module: &str) -> Lookup<'_> {
        self.lookup(module)
    }

    fn bus(&self, module: &str) -> Lookup<'_> {
        self.lookup(module)
    }
}

/// Reads a file of which `KEY_A` and `KEY_B` stand for public keys, as the node `clock`.
fn load(text: &str) -> Result<(Network, Problems), Problems> {
    let text = text.replace("KEY_A", KEY_A).replace("KEY_B", KEY_B);
    load_bytes(text.as_bytes(), Some("clock"))
}

fn load_bytes(bytes: &[u8], local: Option<&str>) -> Result<(Network, Problems), Problems> {
    let local = local.map(|name| NodeName::new(name).unwrap());
    Document::parse("net.yaml", "/etc/kozo", bytes)?.network(Modules::all(), local.as_ref())
}

/// The network of a file without errors and warnings.
fn network(text: &str) -> Network {
    let (network, warnings) = load(text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty(), "{warnings}");
    network
}

/// What is wrong with the file, as text.
fn report(text: &str) -> String {
    match load(text) {
        Ok((_, warnings)) => warnings.to_string(),
        Err(problems) => problems.to_string(),
    }
}

/// [`GOOD`] with one text in place of another.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    GOOD.replacen(old, new, 1)
}

/// [`GOOD`] with more lines at its end.
fn and(more: &str) -> String {
    format!("{GOOD}{more}")
}

/// That this is what is said about the file: the text behind the first line break of `expected`.
fn assert_report(file: &str, expected: &str) {
    assert_eq!(report(file), expected.trim_start_matches('\n'), "\n{file}");
}
