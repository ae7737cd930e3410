//! A network in a temporary folder: keys, ports and the file that describes it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use kozo_auth::keys::{self, NewKey, PrivateKey};
use tempfile::TempDir;

use super::process::Process;

#[path = "../support/fixtures.rs"]
mod fixtures;
#[path = "../support/modules.rs"]
mod modules;

#[allow(unused_imports)] // Others need the rest.
pub(crate) use fixtures::{fixture_folder, fixtures_target, gate_folder};
use modules::build_modules;

/// A network that is being described.
pub(crate) struct Scene {
    folder: TempDir,
    nodes: Vec<Node>,
    options: String,
}

struct Node {
    name: String,
    key: PrivateKey,
    port: u16,
    roles: String,
    more: String,
    /// The options of its transport, but for the port; none: it has no such transport.
    tcp: Option<String>,
    /// The buses that it is on, as lines among its transports.
    buses: String,
}

/// The options of a node's transport, but for the port.
const TCP: &str = "address: 127.0.0.1, bindAddress: 127.0.0.1";

impl Scene {
    /// A network of these nodes, each with a fresh ed25519 key and a port of its own.
    pub(crate) fn new(names: &[&str]) -> Self {
        build_modules();
        let nodes = names.iter().map(|name| Node {
            name: (*name).to_owned(),
            key: keys::generate(NewKey::Ed25519, name).unwrap(),
            port: kozo_abi::bench::reserve_port().unwrap(),
            roles: String::new(),
            more: String::new(),
            tcp: Some(TCP.to_owned()),
            buses: String::new(),
        });
        let scene = Self {
            folder: TempDir::new().unwrap(),
            nodes: nodes.collect(),
            // No machine is so busy that a link of 30 s in silence is one that works.
            options: "heartbeat: 10\nconnectionRetry: 2\n".to_owned(),
        };
        for node in &scene.nodes {
            keys::write_private(&scene.key_path(&node.name), &node.key).unwrap();
        }
        scene
    }

    /// The folder that all is in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives a node a role: its name, and its block in YAML's flow style.
    pub(crate) fn role(&mut self, node: &str, name: &str, block: &str) -> &mut Self {
        let node = self.node_mut(node);
        writeln!(node.roles, "      {name}: {block}").unwrap();
        self
    }

    /// Adds lines to a node's block, such as `selfToOthersConnectPolicy: never`.
    pub(crate) fn node_option(&mut self, node: &str, line: &str) -> &mut Self {
        writeln!(self.node_mut(node).more, "    {line}").unwrap();
        self
    }

    /// Sets an option of the whole network, in place of what the scene has for it.
    pub(crate) fn option(&mut self, name: &str, value: &str) -> &mut Self {
        let other = |line: &&str| !line.starts_with(&format!("{name}:"));
        let mut kept: String = self
            .options
            .lines()
            .filter(other)
            .flat_map(|l| [l, "\n"])
            .collect();
        writeln!(kept, "{name}: {value}").unwrap();
        self.options = kept;
        self
    }

    /// Makes a node listen on all addresses of its machine, and be dialled at this one.
    pub(crate) fn address(&mut self, node: &str, address: &str) -> &mut Self {
        self.tcp(node, &format!("address: {address}"))
    }

    /// Gives a node's transport these options, in YAML's flow style, instead of the usual ones.
    pub(crate) fn tcp(&mut self, node: &str, options: &str) -> &mut Self {
        self.node_mut(node).tcp = Some(options.to_owned());
        self
    }

    /// Takes the transport away from a node that is on a bus.
    pub(crate) fn without_tcp(&mut self, node: &str) -> &mut Self {
        self.node_mut(node).tcp = None;
        self
    }

    /// Puts a node on a bus, with options of its own in YAML's flow style. What the node keeps for that is in the
    /// scene's folder.
    pub(crate) fn on_bus(&mut self, node: &str, bus: &str, options: &str) -> &mut Self {
        let state = self.folder().join(format!("{node}-state"));
        let node = self.node_mut(node);
        if node.buses.is_empty() {
            writeln!(node.more, "    transportStorage: {}", state.display()).unwrap();
        }
        writeln!(node.buses, "      {bus}: {options}").unwrap();
        self
    }

    /// Gives a node another key, in the file alone.
    pub(crate) fn set_key(&mut self, node: &str, key: PrivateKey) -> &mut Self {
        self.node_mut(node).key = key;
        self
    }

    /// A node's private key.
    pub(crate) fn key(&self, node: &str) -> &PrivateKey {
        &self.node(node).key
    }

    /// The names of all nodes.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.name.as_str())
    }

    /// The port that a node listens on.
    pub(crate) fn port(&self, node: &str) -> u16 {
        self.node(node).port
    }

    /// Where a node's private key is.
    pub(crate) fn key_path(&self, node: &str) -> PathBuf {
        self.folder().join(format!("{node}.key"))
    }

    /// Where a node's roles store.
    pub(crate) fn storage(&self, node: &str) -> PathBuf {
        self.folder().join(format!("{node}-storage"))
    }

    /// Where a node's control socket is.
    pub(crate) fn control(&self, node: &str) -> PathBuf {
        control_of(&self.folder().join("kozo.yml"), node)
    }

    /// The file's text.
    pub(crate) fn text(&self) -> String {
        let mut text = "system:\n".to_owned();
        for node in &self.nodes {
            writeln!(text, "  {}:", node.name).unwrap();
            writeln!(
                text,
                "    privateKey: {}",
                self.key_path(&node.name).display()
            )
            .unwrap();
            writeln!(text, "    publicKey: {}", keys::public_line(&node.key)).unwrap();
            writeln!(
                text,
                "    roleStorage: {}",
                self.storage(&node.name).display()
            )
            .unwrap();
            text.push_str(&node.more);
            if !node.roles.is_empty() {
                writeln!(text, "    roles:\n{}", node.roles).unwrap();
            }
            writeln!(text, "    transports:").unwrap();
            if let Some(tcp) = &node.tcp {
                writeln!(text, "      tcp: {{{tcp}, port: {}}}", node.port).unwrap();
            }
            text.push_str(&node.buses);
        }
        text + &self.options
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> PathBuf {
        self.write_as("kozo.yml", &self.text())
    }

    /// Writes another file beside it.
    pub(crate) fn write_as(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        // In one step: a daemon that was started before may be reading it.
        let new = path.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &path).unwrap();
        path
    }

    /// Writes the file and starts a node's daemon.
    pub(crate) fn start(&self, node: &str) -> Process {
        start(&self.write(), node)
    }

    /// The same, with its control socket at this place.
    pub(crate) fn start_at(&self, node: &str, control: &Path) -> Process {
        start_at(&self.write(), node, control)
    }

    fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|node| node.name == name).unwrap()
    }

    fn node_mut(&mut self, name: &str) -> &mut Node {
        self.nodes
            .iter_mut()
            .find(|node| node.name == name)
            .unwrap()
    }
}

/// Starts a node's daemon with a file. Its control socket is beside the file.
pub(crate) fn start(file: &Path, node: &str) -> Process {
    start_at(file, node, &control_of(file, node))
}

fn start_at(file: &Path, node: &str, control: &Path) -> Process {
    let words = [file.as_os_str(), node.as_ref(), control.as_os_str()];
    let [file, node, control] = words.map(|word| word.to_str().unwrap());
    Process::start(&["run", file, node, "--control", control])
}

fn control_of(file: &Path, node: &str) -> PathBuf {
    file.with_file_name(format!("{node}.sock"))
}

/// The same with a role path in the environment.
pub(crate) fn start_with_roles(file: &Path, node: &str, roles: &Path) -> Process {
    let control = control_of(file, node);
    let words = [file.as_os_str(), node.as_ref(), control.as_os_str()];
    let [file, node, control] = words.map(|word| word.to_str().unwrap());
    let variables = [("KOZOROLEPATH", roles)];
    Process::start_with(&["run", file, node, "--control", control], &variables)
}
