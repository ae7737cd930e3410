//! The network's file of a fleet: some nodes that are real daemons, and thousands of members that are simulated.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kozo_auth::identity::{Identity, NodeKey, TrustedKeys};
use kozo_auth::keys::{self, NewKey, PrivateKey};
use kozo_ground::names::NodeName;
use ring::digest::{Digest, SHA256, digest};
use tempfile::TempDir;

use super::BUS;
use crate::Failure;
use crate::daemon::Daemon;

/// A fleet that is being described.
pub(crate) struct FleetFile {
    folder: TempDir,
    text: String,
    lines: String,
    /// Who everybody is.
    identities: Vec<(NodeName, Arc<PrivateKey>)>,
    /// How many of these are daemons; the members come behind them.
    daemons: usize,
}

/// What a fleet's members need to know of it.
pub(crate) struct Roll {
    /// The members.
    pub(crate) members: Vec<Identity>,
    /// The nodes that are daemons.
    pub(crate) daemons: Vec<NodeName>,
    /// The keys of all nodes.
    pub(crate) trusted: Arc<TrustedKeys>,
    /// The digest of the file.
    pub(crate) digest: [u8; 32],
}

impl FleetFile {
    /// A file with a bus at these servers, and no nodes.
    pub(crate) fn new(servers: &[SocketAddr]) -> Result<Self, Failure> {
        let servers: Vec<_> = servers.iter().map(|at| format!("nats://{at}")).collect();
        let text = format!(
            "outgoingQueueLength: 4096\noutgoingQueueSize: 64 MiB\n\
             buses:\n  {BUS}: {{type: nats, servers: {servers:?}}}\nsystem:\n"
        );
        Ok(Self {
            folder: TempDir::new()?,
            text,
            lines: String::new(),
            identities: Vec::new(),
            daemons: 0,
        })
    }

    /// A path in the network's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds a node that is a daemon and takes this server: its name, where it gives its metrics, and its roles as lines
    /// of YAML.
    pub(crate) fn add_daemon(
        &mut self,
        name: &str,
        server: SocketAddr,
        metrics: SocketAddr,
        roles: &[String],
    ) -> Result<(), Failure> {
        let key = keys::generate(NewKey::Ed25519, name)?;
        let path = self.path(&format!("{name}.key"));
        keys::write_private(&path, &key)?;
        let public = keys::public_line(&key);
        // Else the number of its run would be kept among those of the machine's real nodes.
        let storage = self.path(name);
        std::fs::create_dir(&storage)?;
        write!(
            self.text,
            "  {name}:\n    privateKey: {}\n    publicKey: {public}\n    roleStorage: {}\n    \
             metrics: {metrics}\n    transports: {{{BUS}: {{servers: ['nats://{server}']}}}}\n    roles:\n",
            Path::display(&path),
            Path::display(&storage)
        )?;
        for role in roles {
            writeln!(self.text, "      {role}")?;
        }
        self.identities.push((NodeName::new(name)?, Arc::new(key)));
        self.daemons = self.identities.len();
        Ok(())
    }

    /// Adds the group of the members, so many, with these roles, and writes both files. Nothing is added after that.
    pub(crate) fn write(&mut self, members: usize, roles: &[&str]) -> Result<PathBuf, Failure> {
        for number in 0..members {
            let name = format!("m-{number:05}");
            let key = keys::generate(NewKey::Ed25519, "")?;
            let public = keys::public_line(&key);
            writeln!(self.lines, "{name} {}", public.trim())?;
            self.identities.push((NodeName::new(&name)?, Arc::new(key)));
        }
        write!(
            self.text,
            "  members:\n    members: members.keys\n    privateKey: node.key\n    \
             transports: {{{BUS}: {{}}}}\n    roles:\n"
        )?;
        for role in roles {
            writeln!(self.text, "      {role}")?;
        }
        std::fs::write(self.path("members.keys"), &self.lines)?;
        std::fs::write(self.file(), &self.text)?;
        Ok(self.file())
    }

    /// The network's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.path("fleet.yml")
    }

    /// Starts a node's daemon.
    pub(crate) fn start(&self, node: &str) -> Result<Daemon, Failure> {
        Daemon::start(&self.file(), node)
    }

    /// What the members need to know.
    pub(crate) fn roll(&self) -> Roll {
        let trusted = self.identities.iter().map(|(name, key)| {
            let key = NodeKey::new(key.public_key());
            (name.clone(), vec![key])
        });
        let (daemons, members) = self.identities.split_at(self.daemons);
        let members = members.iter().map(|(name, key)| Identity {
            node: name.clone(),
            key: Arc::clone(key),
        });
        // That of a file which names files of members: of all their digests.
        let sums = [&self.text, &self.lines].map(|text| digest(&SHA256, text.as_bytes()));
        let sums: Vec<&[u8]> = sums.iter().map(Digest::as_ref).collect();
        let mut all = [0; 32];
        all.copy_from_slice(digest(&SHA256, &sums.concat()).as_ref());
        Roll {
            members: members.collect(),
            daemons: daemons.iter().map(|(name, _)| name.clone()).collect(),
            trusted: Arc::new(trusted.collect()),
            digest: all,
        }
    }
}
