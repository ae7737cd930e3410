//! `kozo bus`: what concerns a bus of the network.

#[cfg(test)]
mod example_tests;
mod mosquitto;
mod nats;
mod rights;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use kozo_bus::subject::{SubjectKey, Subjects};
use kozo_ground::names::{BusName, ModuleName};
use kozo_ground::text::{count, enumerate, nearest, quoted};

use super::arguments::{BusArguments, BusCommand, LoginWord, PermissionsArguments};
use super::failure::Failure;
use super::output;
use super::prepare::Prepared;
use crate::bus::subject_secret;
use crate::config::Network;
use rights::{Rights, User};

/// The modules whose engines' configuration is known, and what writes it.
const ENGINES: [(&str, Writer); 2] = [("nats", nats::write), ("mqtt-bus", mosquitto::write)];

/// Writes the rights of all users.
type Writer = fn(&[User], LoginWord) -> String;

/// Why there is nothing to print.
#[derive(Debug, thiserror::Error)]
enum BusError {
    #[error("there is no bus `{bus}` in the file{near}")]
    Unknown { bus: BusName, near: String },
    #[error(
        "how the engine of the module `{0}` is told what nodes may do is not known here, but for {known}",
        known = enumerate(ENGINES.iter().map(|(module, _)| *module), "and")
    )]
    Engine(ModuleName),
    #[error("`{0}` is no user: it has {1:?} in it")]
    User(String, char),
}

pub(super) fn bus(arguments: &BusArguments) -> Result<(), Failure> {
    match &arguments.command {
        BusCommand::Permissions(arguments) => permissions(arguments),
    }
}

fn permissions(arguments: &PermissionsArguments) -> Result<(), Failure> {
    let prepared =
        Prepared::read(&arguments.config, None, &arguments.modules).map_err(Failure::Report)?;
    let (network, _) = prepared.network(None).map_err(Failure::Report)?;
    let bus = &arguments.bus;
    let Some(described) = network.bus(bus.as_str()) else {
        let (bus, near) = (bus.clone(), other_buses(&network, bus));
        return Err(Failure::other(BusError::Unknown { bus, near }));
    };
    let mut engines = ENGINES.iter();
    let module = &described.module;
    let Some((_, write)) = engines.find(|(name, _)| *name == module.as_str()) else {
        return Err(Failure::other(BusError::Engine(module.clone())));
    };
    let key = match &described.subject_secret_file {
        Some(path) => subject_secret(path).map_err(Failure::other)?,
        None => SubjectKey::public(),
    };
    let subjects = Subjects::new(bus.clone(), &key);
    let rights = Rights::of(&network, bus, &subjects);
    let users = rights.users(&arguments.user_prefix);
    if let Some(error) = users.iter().find_map(|user| wrong_user(&user.name)) {
        return Err(Failure::other(error));
    }
    note_shared(&users);
    output::print(&write(&users, arguments.login))
}

fn other_buses(network: &Network, bus: &BusName) -> String {
    let names = || network.buses.iter().map(|bus| bus.name.as_str());
    let known = match enumerate(names(), "and") {
        none if none.is_empty() => return ": none is described below `buses`".to_owned(),
        known => known,
    };
    match nearest(bus.as_str(), names()) {
        Some(near) => format!(": did you mean {}? There are {known}", quoted(near)),
        None => format!(": there are {known}"),
    }
}

/// A user goes into files of others, between quotation marks or in a line.
fn wrong_user(name: &str) -> Option<BusError> {
    let is_wrong = |c: &char| c.is_control() || matches!(c, '"' | '\\');
    let wrong = name.chars().find(is_wrong)?;
    Some(BusError::User(name.to_owned(), wrong))
}

/// What is odd, for people beside what is asked for.
fn note_shared(users: &[User]) {
    let mut note = String::new();
    for user in users.iter().filter(|user| user.nodes.len() > 1) {
        let (nodes, name) = (count(user.nodes.len() as u64, "node"), quoted(&user.name));
        let _ = writeln!(
            note,
            "note: {nodes} log in as {name}, so each of them may publish as the others"
        );
    }
    // That nobody reads it is no failure.
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), note.as_bytes());
}
