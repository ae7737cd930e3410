//! Nodes that are to be linked: their keys, their addresses and the file that describes them.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use kozo_abi::bench::reserve_port;

use crate::clock::Clock;
use crate::daemon::{Daemon, kozo};

/// A network of nodes that is being described.
pub(crate) struct Scene {
    folder: PathBuf,
    nodes: Vec<Node>,
}

struct Node {
    name: String,
    public_key: String,
    injector: u16,
    /// Its transports, each with its options in YAML's flow style.
    transports: Vec<(String, String)>,
}

impl Scene {
    /// Nodes with fresh keys, and no transports yet.
    pub(crate) fn new(folder: PathBuf, names: &[&str]) -> Self {
        fs::create_dir(&folder).unwrap();
        let mut scene = Self {
            folder,
            nodes: Vec::new(),
        };
        for name in names {
            let key = scene.key_file(name);
            let line = kozo(&["keygen", "--comment", name, key.to_str().unwrap()]).unwrap();
            let public_key = line.trim().strip_prefix("publicKey: ").unwrap();
            scene.nodes.push(Node {
                name: (*name).to_owned(),
                public_key: public_key.to_owned(),
                injector: reserve_port().unwrap(),
                transports: Vec::new(),
            });
        }
        scene
    }

    /// Gives a node an onion transport that hosts its address by itself, after it has printed it.
    pub(crate) fn onion(&mut self, node: &str, network: &Path, more: &str) -> String {
        let network = network.display();
        self.transport(node, "onion", &format!("network: {network}{more}"));
        let address = self.own_address(node);
        let options = format!("address: {address}, network: {network}{more}");
        self.transport(node, "onion", &options);
        address
    }

    /// What `kozo address` says.
    pub(crate) fn own_address(&self, node: &str) -> String {
        let file = self.write();
        let printed = kozo(&["address", file.to_str().unwrap(), node]).unwrap();
        let address = printed.trim().strip_prefix("onion: ").unwrap();
        address.to_owned()
    }

    /// Gives a node a transport, or other options for one that it has.
    pub(crate) fn transport(&mut self, node: &str, name: &str, options: &str) {
        let transports = &mut self.node_mut(node).transports;
        transports.retain(|(other, _)| other != name);
        transports.push((name.to_owned(), options.to_owned()));
    }

    /// Where a node's keys and caches of Tor are.
    pub(crate) fn state(&self, node: &str) -> PathBuf {
        self.folder.join(format!("{node}-state"))
    }

    /// Writes the file for all nodes.
    pub(crate) fn write(&self) -> PathBuf {
        self.write_as("kozo.yml")
    }

    /// Writes the file as it is now under a name of its own.
    pub(crate) fn write_as(&self, name: &str) -> PathBuf {
        let file = self.folder.join(name);
        // In one step: a daemon that was started before may be reading it.
        let new = file.with_extension("new");
        fs::write(&new, self.text()).unwrap();
        fs::rename(&new, &file).unwrap();
        file
    }

    /// Starts a node's daemon with a file.
    pub(crate) fn start_with(&self, file: &Path, node: &str) -> Daemon {
        let injector = self.node(node).injector;
        Daemon::start(&self.folder, file, node, injector)
    }

    /// Writes the file and starts a node's daemon.
    pub(crate) fn start(&self, node: &str) -> Daemon {
        self.start_with(&self.write(), node)
    }

    /// Starts a node's daemon with a clock of its own.
    pub(crate) fn start_at(&self, node: &str, clock: &Clock) -> Daemon {
        let injector = self.node(node).injector;
        let variables = clock.variables();
        Daemon::start_in(&self.folder, &self.write(), node, injector, variables)
    }

    /// What sets a node's own clock.
    pub(crate) fn clock_file(&self, node: &str) -> PathBuf {
        self.folder.join(format!("{node}.clock"))
    }

    fn text(&self) -> String {
        let mut text = "heartbeat: 2\nconnectionRetry: 3\nsystem:\n".to_owned();
        for node in &self.nodes {
            let (name, folder) = (&node.name, self.folder.display());
            write!(
                text,
                "  {name}:
    privateKey: {}
    publicKey: {}
    transportStorage: {}
    roles:
      message_injector: {{bindAddress: 127.0.0.1, bindPort: {}, log: false}}
      logger: {{file: {folder}/{name}.messages, flushEvery: 1, timePrefix: ''}}
    transports:
",
                self.key_file(name).display(),
                node.public_key,
                self.state(name).display(),
                node.injector,
            )
            .unwrap();
            for (transport, options) in &node.transports {
                writeln!(text, "      {transport}: {{{options}}}").unwrap();
            }
        }
        text
    }

    fn key_file(&self, node: &str) -> PathBuf {
        self.folder.join(format!("{node}.key"))
    }

    fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|node| node.name == name).unwrap()
    }

    fn node_mut(&mut self, name: &str) -> &mut Node {
        let mut nodes = self.nodes.iter_mut();
        nodes.find(|node| node.name == name).unwrap()
    }
}
