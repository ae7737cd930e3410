//! Whether what the file says of a node is there on this machine: interfaces, and what relative paths
//! lead to. All of it may come later, so these are warnings.

use std::env;
use std::fs;
use std::path::Path;

use kozo_addresses::Endpoint;
use kozo_description::{Format, Problem, Problems};
use kozo_ground::names::NodeName;
use kozo_ground::text::{enumerate, quoted};
use rustix::io::Errno;
use rustix::net::netdevice::{index_to_name, name_to_index};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::config::{Catalog, Document, Given, Meaning};

/// Where the kernel names the interfaces of the network that this process is in.
const INTERFACES: &str = "/proc/self/net/dev";

/// Adds what is missing on this machine, which is this node.
pub(super) fn check(
    document: &Document,
    catalog: &dyn Catalog,
    local: &NodeName,
    problems: &mut Problems,
) {
    let own = document.given(catalog, local);
    if let Ok(working) = env::current_dir() {
        let paths = own
            .iter()
            .filter(|given| matches!(given.meaning, Meaning::Path | Meaning::File));
        paths.for_each(|given| misplaced(given, document.folder(), &working, problems));
    }
    own.iter()
        .for_each(|given| interface(given, true, problems));
    for node in document.others(Some(local)) {
        for given in document.given(catalog, &node) {
            // Only where others are reached is this node's affair, too.
            if given.meaning == Meaning::Formatted(Format::Address) {
                interface(&given, false, problems);
            }
        }
    }
}

/// The original took paths relative to its working folder.
fn misplaced(given: &Given<'_>, folder: &Path, working: &Path, problems: &mut Problems) {
    let Some(there) = elsewhere(Path::new(given.text), folder, working) else {
        return;
    };
    let help = format!(
        "a relative path starts at the folder of this file: write {}",
        quoted_path(&working.join(given.text))
    );
    let absent = quoted_path(&folder.join(given.text));
    if !problems.advise(given.place, &absent, &help) {
        let message = format!(
            "{absent} is not there, but {} is in the working folder",
            quoted_path(there)
        );
        problems.push(Problem::warning(given.place, &given.path, message).with_help(help));
    }
}

/// What of a path is in the working folder and not in that of the file: all of it or, since a file may
/// still have to be made, the folder that it is in.
fn elsewhere<'p>(path: &'p Path, folder: &Path, working: &Path) -> Option<&'p Path> {
    if path.is_absolute() {
        return None;
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    [Some(path), above]
        .into_iter()
        .flatten()
        .find(|path| !folder.join(path).exists() && working.join(path).exists())
}

fn interface(given: &Given<'_>, is_own: bool, problems: &mut Problems) {
    let Meaning::Formatted(format) = given.meaning else {
        return;
    };
    let host = match format {
        Format::Listening => given.text.to_owned(),
        Format::Address | Format::Endpoint => match Endpoint::parse(given.text, Some(1)) {
            Ok(endpoint) => endpoint.host,
            Err(_) => return,
        },
        Format::ListeningEndpoint => match Endpoint::parse_listening(given.text) {
            Ok(endpoint) => endpoint.host,
            Err(_) => return,
        },
        _ => return,
    };
    let Some(interface) = kozo_addresses::interface(&host).filter(|name| is_missing(name)) else {
        return;
    };
    let message = format!("this machine has no interface {}", quoted(interface));
    let there = match interfaces() {
        none if none.is_empty() => "`ip link` lists those that there are".to_owned(),
        names => format!(
            "there are {}",
            enumerate(names.iter().map(String::as_str), "and")
        ),
    };
    let help = match (is_own, format) {
        // It is the others that dial it.
        (true, Format::Address) => format!(
            "{there}; behind `%` stands the interface of the machines that connect, so this is right if it is one of theirs"
        ),
        _ => there,
    };
    problems.push(Problem::warning(given.place, &given.path, message).with_help(help));
}

/// Whether there is no interface of this name or number. Where that cannot be told, there is one.
fn is_missing(interface: &str) -> bool {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    );
    let Ok(socket) = socket else {
        return false;
    };
    let by_number = interface
        .parse()
        .is_ok_and(|index| index_to_name(&socket, index).is_ok());
    !by_number && name_to_index(&socket, interface) == Err(Errno::NODEV)
}

/// The names of all interfaces; none where they cannot be told.
fn interfaces() -> Vec<String> {
    let table = fs::read_to_string(INTERFACES).unwrap_or_default();
    // Two lines are its head.
    let rows = table.lines().skip(2).filter_map(|row| row.split_once(':'));
    let mut names: Vec<String> = rows.map(|(name, _)| name.trim().to_owned()).collect();
    names.sort();
    names
}

fn quoted_path(path: &Path) -> String {
    format!("`{}`", path.display())
}
