//! Which nodes of which files are looked at, where the command line does not say.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_auth::keys;
use kozo_ground::names::NodeName;
use kozo_status::NodeStatus;

use super::machine::Machine;
use super::parallel::each;
use crate::cli::arguments::{self, Command};
use crate::config::{Document, Network, Node};
use crate::control::{Client, ClientError, Surroundings};
use crate::introspection::Request;
use crate::modules::{Registry, SearchFolders, TrustedWriters};

/// The file that the unit `kozo@NODE.service` of the packages runs with.
pub(super) const PACKAGED_FILE: &str = "/etc/kozo/kozo.yml";

/// Where systemd keeps what is started with the machine.
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants";

/// How long all daemons together may take to say what they are.
const ASK_LIMIT: Duration = Duration::from_secs(10);

/// A node of a file to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) config: PathBuf,
    /// None where nothing says which node this machine is.
    pub(super) node: Option<NodeName>,
    /// Why this one is looked at.
    pub(super) chosen: String,
}

/// The name of the unit that runs a node.
pub(super) fn unit_of(node: &NodeName) -> String {
    format!("kozo@{node}.service")
}

/// What this machine runs, or is set up to run.
pub(super) fn find(machine: &Machine, surroundings: &Surroundings) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |config: PathBuf, node: NodeName, chosen: String| {
        let is_known = |known: &Target| known.node.as_ref() == Some(&node);
        if !targets.iter().any(is_known) {
            let node = Some(node);
            targets.push(Target {
                config,
                node,
                chosen,
            });
        }
    };
    for (node, answer) in ask_all(surroundings.sockets()) {
        match answer {
            Ok(status) => {
                let config = file_of(machine, status.pid).unwrap_or_else(|| PACKAGED_FILE.into());
                add(config, node, format!("it runs, as process {}", status.pid));
            }
            Err(ClientError::NotAllowed(_)) => {
                let chosen = "its control socket is there, and this user may not use it";
                add(PACKAGED_FILE.into(), node, chosen.to_owned());
            }
            // Left behind by one that was killed, or busy.
            Err(_) => {}
        }
    }
    for unit in machine.names(WANTED) {
        let node = unit
            .strip_prefix("kozo@")
            .and_then(|rest| rest.strip_suffix(".service"))
            .and_then(|name| NodeName::new(name).ok());
        if let Some(node) = node {
            let chosen = format!("the unit `{}` is enabled", unit_of(&node));
            add(PACKAGED_FILE.into(), node, chosen);
        }
    }
    if targets.is_empty() && machine.has(PACKAGED_FILE) {
        targets.push(own_node(machine.path(PACKAGED_FILE)));
    }
    targets
}

/// What the daemons behind these sockets say; nothing of those that do not answer at all.
fn ask_all(sockets: Vec<(NodeName, PathBuf)>) -> Vec<(NodeName, Result<NodeStatus, ClientError>)> {
    let answers = each(sockets, ASK_LIMIT, |(node, socket)| {
        let answer = Client::at(&socket).ask::<NodeStatus>(&Request::Status);
        (node, answer)
    });
    answers.into_iter().flatten().collect()
}

/// The file that a running daemon was started with.
fn file_of(machine: &Machine, process: u32) -> Option<PathBuf> {
    let words = machine.read(&format!("/proc/{process}/cmdline")).ok()?;
    let words = words.trim_end_matches('\0').split('\0');
    let words = words.map(|word| OsString::from_vec(word.into())).collect();
    let Ok(arguments) = arguments::parse(words) else {
        return None;
    };
    let Command::Run(run) = arguments.command else {
        return None;
    };
    // Behind a link that only its user and root may follow; it does nothing to an absolute path.
    let folder = std::fs::read_link(machine.path(&format!("/proc/{process}/cwd")));
    match run.config.is_absolute() {
        true => Some(run.config),
        false => Some(folder.ok()?.join(run.config)),
    }
}

/// The node of a file that this machine is, as far as the keys on it tell.
pub(super) fn own_node(config: PathBuf) -> Target {
    let (node, chosen) = match node_with_key_here(&config) {
        Some(found) => found,
        None => {
            let chosen = "nothing says which of its nodes this machine is: name it";
            (None, chosen.to_owned())
        }
    };
    Target {
        config,
        node,
        chosen,
    }
}

fn node_with_key_here(config: &Path) -> Option<(Option<NodeName>, String)> {
    let document = Document::read(config).ok()?;
    let nodes: Vec<NodeName> = document.nodes().collect();
    if let [only] = nodes.as_slice() {
        return Some((Some(only.clone()), "it is the only node of the file".into()));
    }
    let network = network(&document)?;
    let groups = network.groups.iter().map(|group| &group.block);
    let holder = |block: &Node| {
        let key = keys::load_private(&block.private_key).ok()?;
        let holder = network.keys.holder(key.public_key())?;
        // The key may be that of a node whose block names another file.
        let is_of_block = std::ptr::eq(network.block(holder.as_str())?, block);
        is_of_block.then(|| holder.clone())
    };
    let mut here = network.nodes.values().chain(groups).filter_map(holder);
    match (here.next(), here.next()) {
        (Some(node), None) => Some((Some(node), "its private key is here".into())),
        _ => None,
    }
}

fn network(document: &Document) -> Option<Network> {
    // Without modules: their options play no part here.
    let none = Registry::scan(SearchFolders::default(), TrustedWriters::of_this_process());
    document
        .network(&none, None)
        .ok()
        .map(|(network, _)| network)
}

#[cfg(test)]
mod tests {
    use super::super::machine::tests::machine;
    use super::*;

    #[test]
    fn enabled_units_are_looked_at_with_the_file_of_the_packages() {
        let (folder, machine) = machine(&[
            (&format!("{WANTED}/kozo@clock.service"), ""),
            (&format!("{WANTED}/ssh.service"), ""),
            (&format!("{WANTED}/kozo@a b.service"), ""),
        ]);
        let surroundings = Surroundings {
            system: folder.path().join("run/kozo"),
            temporary: folder.path().join("tmp"),
            ..Surroundings::default()
        };
        let targets = find(&machine, &surroundings);
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].config, Path::new(PACKAGED_FILE));
        assert_eq!(targets[0].node, NodeName::new("clock").ok());
    }

    #[test]
    fn the_file_of_a_daemon_stands_in_its_command_line() {
        let (_folder, machine) = machine(&[
            ("/proc/5/cmdline", "/usr/bin/kozo\0run\0/etc/n.yml\0clock\0"),
            ("/proc/6/cmdline", "kozo\0--log\0debug\0/n.yml\0clock\0"),
            ("/proc/7/cmdline", "kozo\0status\0"),
        ]);
        let file = |process| file_of(&machine, process);
        assert_eq!(file(5).as_deref(), Some(Path::new("/etc/n.yml")));
        assert_eq!(file(6).as_deref(), Some(Path::new("/n.yml")));
        assert_eq!((file(7), file(8)), (None, None));
    }
}
