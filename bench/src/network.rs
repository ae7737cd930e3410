//! A network in a temporary folder: keys, ports and the file that describes it.

use std::fmt::Write;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use kozo_auth::keys::{self, NewKey, PrivateKey};
use tempfile::TempDir;

use crate::Failure;
use crate::daemon::Daemon;

/// A network that is being described.
pub(crate) struct Network {
    folder: TempDir,
    nodes: Vec<Node>,
    options: String,
}

struct Node {
    name: String,
    key: PrivateKey,
    port: u16,
    /// Where others find it; none: at its port.
    address: Option<String>,
    lines: String,
    roles: String,
}

impl Network {
    /// A network of these nodes, each with a key and a port of its own.
    pub(crate) fn new(names: &[&str]) -> Result<Self, Failure> {
        let folder = TempDir::new()?;
        let mut nodes = Vec::new();
        for name in names {
            let key = keys::generate(NewKey::Ed25519, name)?;
            keys::write_private(&folder.path().join(format!("{name}.key")), &key)?;
            nodes.push(Node {
                name: (*name).to_owned(),
                key,
                port: reserve_port()?,
                address: None,
                lines: String::new(),
                roles: String::new(),
            });
        }
        Ok(Self {
            folder,
            nodes,
            options: String::new(),
        })
    }

    /// A path in the network's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds a line to the root of the file.
    pub(crate) fn option(&mut self, line: &str) {
        self.options += line;
        self.options.push('\n');
    }

    /// Adds a line to a node's block.
    pub(crate) fn node_option(&mut self, node: usize, line: &str) {
        let lines = &mut self.nodes[node].lines;
        lines.push_str("    ");
        lines.push_str(line);
        lines.push('\n');
    }

    /// Gives a node a role: its name, and its block in YAML's flow style.
    pub(crate) fn role(&mut self, node: usize, name: &str, block: &str) {
        let roles = &mut self.nodes[node].roles;
        roles.push_str(&format!("      {name}: {{{block}}}\n"));
    }

    /// Lets others find a node somewhere else than at its port.
    pub(crate) fn set_address(&mut self, node: usize, address: String) {
        self.nodes[node].address = Some(address);
    }

    /// The port that a node listens on.
    pub(crate) fn port(&self, node: usize) -> u16 {
        self.nodes[node].port
    }

    /// Starts a node's daemon. The first start writes the file: what is described later does not
    /// count, and no daemon reads a file that is being written.
    pub(crate) fn start(&self, node: usize) -> Result<Daemon, Failure> {
        let file = self.path("kozo.yml");
        if !file.exists() {
            std::fs::write(&file, self.text()?)?;
        }
        Daemon::start(&file, &self.nodes[node].name)
    }

    fn text(&self) -> Result<String, Failure> {
        let mut text = self.options.clone() + "system:\n";
        for node in &self.nodes {
            let Node { name, port, .. } = node;
            writeln!(text, "  {name}:")?;
            let key = self.path(&format!("{name}.key"));
            writeln!(text, "    privateKey: {}", Path::display(&key))?;
            writeln!(text, "    publicKey: {}", keys::public_line(&node.key))?;
            text += &node.lines;
            if !node.roles.is_empty() {
                writeln!(text, "    roles:\n{}", node.roles)?;
            }
            let address = node.address.as_deref().unwrap_or("127.0.0.1");
            writeln!(text, "    transports:")?;
            writeln!(
                text,
                "      tcp: {{address: '{address}', bindAddress: 127.0.0.1, port: {port}}}"
            )?;
        }
        Ok(text)
    }
}

/// How long a process that was being started meanwhile has to let go of what it has inherited, and how long nobody looks
/// again whether it has.
const INHERITED_LIMIT: Duration = Duration::from_secs(20);
const INHERITED_PAUSE: Duration = Duration::from_millis(1);

/// A port that nobody listens on, and that the system gives to nobody else for the next minute: a
/// connection that was closed here first leaves it in the state TIME_WAIT.
///
/// `kozo_abi::bench` has this, too, but as a feature: whoever uses that builds `kozo-abi` and all
/// modules of the workspace otherwise than a plain build does, and so once more.
pub(crate) fn reserve_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let mut client = TcpStream::connect(address)?;
    let (accepted, _) = listener.accept()?;
    // A process that another thread is starting has copies of all sockets until it runs its program,
    // and they are closed no earlier than there.
    drop(accepted);
    client.set_read_timeout(Some(INHERITED_LIMIT))?;
    client.read_to_end(&mut Vec::new())?;
    drop(client);
    drop(listener);
    let deadline = Instant::now() + INHERITED_LIMIT;
    while TcpStream::connect(address).is_ok() {
        if Instant::now() >= deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        thread::sleep(INHERITED_PAUSE);
    }
    Ok(address.port())
}
