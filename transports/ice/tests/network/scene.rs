//! Two nodes, and the network and the servers between them.

use std::fmt::Write;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use kozo_testnet::{
    Host, Ipv6, Nat, Network, PASSWORD, RELAY, RELAY_PASSWORD, RELAY_USER, Relay, Server,
    Unavailable, XMPP, Xmpp, XmppOptions,
};

use crate::daemon::{Daemon, USER, copy_program, program};

/// The nodes, with their accounts and hosts.
pub(crate) const NODES: [(&str, &str); 2] = [("cabin", "alice"), ("barn", "bob")];

pub(crate) struct Scene {
    // Before the network that they are on.
    pub(crate) xmpp: Option<Xmpp>,
    pub(crate) relay: Option<Relay>,
    folder: PathBuf,
    public_keys: Vec<String>,
    /// What else the transport of each node is told.
    pub(crate) options: String,
    /// Other transports of each node, as lines of YAML; `{port}` is another one for each.
    pub(crate) others: String,
    pub(crate) network: Network,
}

/// Says past the capture of output why a test did nothing.
fn skipped(reason: &Unavailable) {
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

impl Scene {
    /// A network with its servers; none if it cannot be had here.
    pub(crate) fn start(nat: Nat, options: XmppOptions) -> Option<Self> {
        let made = Network::start(nat, Ipv6::No).and_then(|network| {
            let accounts = NODES.map(|(_, account)| account);
            let xmpp = network.xmpp_with(Server::Prosody, &accounts, options)?;
            let relay = network.relay()?;
            Ok((network, xmpp, relay))
        });
        let (network, xmpp, relay) = match made {
            Ok(made) => made,
            Err(reason) => {
                skipped(&reason);
                return None;
            }
        };
        assert!(
            program().exists(),
            "there is no {}: run `make test-ipop`, which builds it",
            program().display()
        );
        // Of the user that the daemons have, who may not look into the network's own.
        let folder = tempfile::Builder::new()
            .prefix("kozo-ice-")
            .tempdir()
            .expect("a folder")
            .keep();
        let mut scene = Self {
            options: format!(
                "stun: ['{RELAY}'], turn: [{{server: '{RELAY}', user: {RELAY_USER}, passwordFile: {}}}]",
                folder.join("relay-password").display()
            ),
            xmpp: Some(xmpp),
            relay: Some(relay),
            folder,
            public_keys: Vec::new(),
            others: String::new(),
            network,
        };
        scene.prepare();
        Some(scene)
    }

    fn prepare(&mut self) {
        for (node, _) in NODES {
            let key = self.path(&format!("{node}.key"));
            let output = Command::new(program())
                .args(["keygen", "--comment", node])
                .arg(&key)
                .output()
                .expect("the program can be run");
            let line = String::from_utf8(output.stdout).expect("a line of text");
            let line = line
                .trim()
                .strip_prefix("publicKey: ")
                .expect("a public key");
            self.public_keys.push(line.to_owned());
            chown(&key, Some(USER), Some(USER)).expect("root may give files away");
        }
        copy_program(&self.folder).expect("the program and its modules can be copied");
        self.write("password", PASSWORD);
        self.write("wrong-password", "wrong");
        self.write("relay-password", RELAY_PASSWORD);
        if let Some(xmpp) = &self.xmpp {
            let ca = fs::read_to_string(xmpp.ca()).expect("the server has a CA");
            self.write("ca.pem", &ca);
        }
        chown(&self.folder, Some(USER), Some(USER)).expect("root may give folders away");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).expect("files can be written");
        chown(&path, Some(USER), Some(USER)).expect("root may give files away");
    }

    /// What the transport has to be told so that it finds its server.
    pub(crate) fn account(&self) -> String {
        format!(
            "passwordFile: {}, caFile: {}",
            self.path("password").display(),
            self.path("ca.pem").display()
        )
    }

    /// Writes the file for both nodes; the account's options of the first one can be others.
    pub(crate) fn configure_with(&self, first: &str, second: &str) {
        let mut text = "heartbeat: 2\nconnectionRetry: 2\nsystem:\n".to_owned();
        for (number, (node, account)) in NODES.iter().enumerate() {
            let account_options = [first, second][number];
            let folder = self.folder.display();
            let others = self.others.replace("{port}", &(6020 + number).to_string());
            write!(
                text,
                "  {node}:
    privateKey: {folder}/{node}.key
    publicKey: {}
    roles:
      logger: {{file: {folder}/{node}.messages, flushEvery: 1, timePrefix: ''}}
    transports:
      ice: {{jid: {account}@kozo.test, server: '{XMPP}', {account_options}, {}}}
{others}",
                self.public_keys[number], self.options,
            )
            .expect("texts take texts");
        }
        self.write("kozo.yml", &text);
    }

    pub(crate) fn configure(&self) {
        let account = self.account();
        self.configure_with(&account, &account);
    }

    /// Starts a node's daemon.
    pub(crate) fn daemon(&self, host: Host, node: &str) -> Daemon {
        Daemon::start(&self.network, host, &self.folder, node)
    }

    /// Starts both, each behind its own router.
    pub(crate) fn daemons(&self) -> (Daemon, Daemon) {
        self.configure();
        (self.daemon(Host::A, "cabin"), self.daemon(Host::B, "barn"))
    }

    /// Kills a server, as a power cut would, by the file with its process's number.
    pub(crate) fn kill(&self, file: &str) {
        let file = self.network.folder().join(file);
        let number = fs::read_to_string(&file).expect("the server has such a file");
        let killed = self
            .network
            .run(Host::Public, "kill", &["-KILL", number.trim()]);
        killed.expect("it runs");
    }

    fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder());
    }
}

/// Numbered lines.
pub(crate) fn lines(what: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{what} {number}"))
        .collect()
}
