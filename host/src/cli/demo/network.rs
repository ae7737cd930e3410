//! The network of the demo: three nodes on this machine, with keys and ports of their own.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use kozo_auth::keys::{self, KeyError, NewKey};
use kozo_description::ModuleKind;

/// The nodes of the network.
pub(super) const NODES: [&str; 3] = ["clock", "cottage", "scribe"];

/// The modules that they use.
pub(super) const MODULES: [(ModuleKind, &str); 4] = [
    (ModuleKind::Role, "timer"),
    (ModuleKind::Role, "cuckoo"),
    (ModuleKind::Role, "logger"),
    (ModuleKind::Transport, "tcp"),
];

/// The folder in which `cottage` keeps things.
pub(super) const STORAGE: &str = "storage";

/// The file that `scribe` writes.
pub(super) const LOG_FILE: &str = "scribe.log";

const CONFIG_FILE: &str = "network.yaml";

/// Why the network cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum MakeError {
    #[error("cannot make the key of a node")]
    Key(#[from] KeyError),
    #[error("there is no free port on 127.0.0.1")]
    Port(#[source] io::Error),
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Makes the keys and the configuration file in a folder. The result is the file's path.
pub(super) fn make(folder: &Path) -> Result<PathBuf, MakeError> {
    let mut public = Vec::new();
    for node in NODES {
        let key = keys::generate(NewKey::Ed25519, node)?;
        keys::write_private(&folder.join(key_file(node)), &key)?;
        public.push(keys::public_line(&key));
    }
    let ports = free_ports(NODES.len()).map_err(MakeError::Port)?;
    let path = folder.join(CONFIG_FILE);
    std::fs::write(&path, text(&public, &ports)).map_err(|source| MakeError::Write {
        path: path.clone(),
        source,
    })?;
    let storage = folder.join(STORAGE);
    std::fs::create_dir(&storage).map_err(|source| MakeError::Write {
        path: storage,
        source,
    })?;
    Ok(path)
}

fn key_file(node: &str) -> String {
    format!("{node}.key")
}

/// Ports that nobody listens on. They are all held until the last one is found, so that they
/// differ; that somebody takes one before the node does is possible, but the system hands a port
/// that was just let go out last.
fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let listeners = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<Vec<_>>>()?;
    listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

/// The configuration file, with the public key and the port of each of [`NODES`].
fn text(public_keys: &[String], ports: &[u16]) -> String {
    let mut text = "\
# The network of `kozo demo`: three nodes on one machine.
heartbeat: 2
connectionRetry: 2
system:
"
    .to_owned();
    for ((node, public_key), port) in NODES.iter().zip(public_keys).zip(ports) {
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "  {node}:
    privateKey: {key}
    publicKey: {public_key}
{own}    transports:
      tcp:
        address: 127.0.0.1
        bindAddress: 127.0.0.1
        port: {port}
",
            key = key_file(node),
            own = own_part(node),
        );
    }
    text
}

/// What a node has for itself.
fn own_part(node: &str) -> String {
    match node {
        "clock" => "    roles:\n      timer:\n        tick: 1\n".to_owned(),
        "cottage" => {
            format!("    roleStorage: {STORAGE}\n    roles:\n      cuckoo:\n        timer: timer\n")
        }
        _ => {
            format!("    roles:\n      logger:\n        file: {LOG_FILE}\n        flushEvery: 1\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use kozo_description::Metadata;

    use super::*;
    use crate::config::{Document, Lookup};

    /// The options of the modules that the demo uses.
    struct Modules(Vec<Metadata>);

    impl crate::config::Catalog for Modules {
        fn role(&self, module: &str) -> Lookup<'_> {
            match self.0.iter().find(|known| known.name.as_str() == module) {
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
    fn the_file_of_the_demo_is_valid_and_fits_the_keys() {
        let folder = tempfile::tempdir().unwrap();
        let config = make(folder.path()).unwrap();
        let descriptions = ["cuckoo.yaml", "logger.yaml", "tcp.yaml", "timer.yaml"];
        let modules = descriptions.map(|name| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/modules");
            Metadata::parse(&std::fs::read_to_string(path.join(name)).unwrap()).unwrap()
        });
        let document = Document::read(&config).unwrap();
        let (network, warnings) = document
            .network(&Modules(modules.to_vec()), None)
            .unwrap_or_else(|problems| panic!("{problems}"));
        assert!(warnings.is_empty(), "{warnings}");
        assert_eq!(network.nodes.len(), NODES.len());
        for node in network.nodes.values() {
            let key = keys::load_private(&node.private_key).unwrap();
            node.check_key(&key).unwrap();
            for (kind, module) in [
                (ModuleKind::Role, &node.roles[0].module),
                (ModuleKind::Transport, &node.transports[0].module),
            ] {
                assert!(MODULES.contains(&(kind, module.as_str())), "{module}");
            }
        }
    }

    #[test]
    fn free_ports_differ() {
        let mut ports = free_ports(20).unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }
}
