//! The names of hosts that the file has, looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;

use kozo_addresses::Endpoint;
use kozo_description::Format;
use kozo_ground::names::NodeName;

use super::parallel::each;
use crate::cli::prepare::Prepared;
use crate::config::Meaning;
use crate::transports::AskedWay;

/// How long looking up may take, all names together.
const LIMIT: Duration = Duration::from_secs(8);

/// How many names are looked up at most.
const MAX_NAMES: usize = 512;

/// The names that were looked up.
#[derive(Debug, Default)]
pub(super) struct Names {
    found: BTreeMap<String, LookedUp>,
    /// How many were more than are looked up.
    pub(super) left_out: usize,
}

/// A name that was looked up.
#[derive(Debug)]
pub(super) struct LookedUp {
    pub(super) answer: Answer,
    /// Whether this machine has to know it: not where it is only how others reach this node.
    pub(super) is_needed: bool,
}

/// What became of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has these addresses.
    Addresses(Vec<IpAddr>),
    /// The resolver says that it has none, or fails.
    Failed(String),
    /// The resolver has not come back.
    Late,
}

impl Names {
    /// Looks up names, each with whether this machine has to know it.
    pub(super) fn look_up(names: BTreeMap<String, bool>) -> Self {
        let left_out = names.len().saturating_sub(MAX_NAMES);
        let names: Vec<(String, bool)> = names.into_iter().take(MAX_NAMES).collect();
        let answers = each(names.clone(), LIMIT, |(name, _)| resolve(&name));
        let answers = answers.into_iter().zip(names);
        let found = answers.map(|(answer, (name, is_needed))| {
            let answer = answer.unwrap_or(Answer::Late);
            (name, LookedUp { answer, is_needed })
        });
        Self {
            found: found.collect(),
            left_out,
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &LookedUp)> {
        self.found
            .iter()
            .map(|(name, looked_up)| (name.as_str(), looked_up))
    }

    /// The addresses of a host, be it a name or a number.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if let Some(number) = as_number(host) {
            return Ok(vec![number]);
        }
        match self.found.get(host).map(|looked_up| &looked_up.answer) {
            Some(Answer::Addresses(addresses)) => Ok(addresses.clone()),
            Some(Answer::Failed(reason)) => Err(reason.clone()),
            Some(Answer::Late) => Err("the resolver did not answer in time".to_owned()),
            None => Err("it was not looked up".to_owned()),
        }
    }
}

fn resolve(name: &str) -> Answer {
    match (name, 0).to_socket_addrs() {
        Ok(addresses) => {
            let addresses: BTreeSet<IpAddr> = addresses.map(|address| address.ip()).collect();
            Answer::Addresses(addresses.into_iter().collect())
        }
        Err(error) => Answer::Failed(error.to_string()),
    }
}

/// The names of hosts in the file, but for .onion ones, of which DNS must not hear: those at which nodes
/// are reached, and those that the node itself listens at or connects through. With whether this machine
/// has to know them. Of other nodes only the addresses that this one dials are looked at, where it is known which
/// these are.
pub(super) fn names_of(
    prepared: &Prepared,
    own: Option<&NodeName>,
    dialled: Option<&[AskedWay]>,
) -> BTreeMap<String, bool> {
    let mut names = BTreeMap::new();
    for way in dialled.into_iter().flatten() {
        for address in way.addresses.iter().flatten() {
            if let Ok(endpoint) = Endpoint::parse(address, None)
                && !endpoint.is_onion()
                && as_number(&endpoint.host).is_none()
            {
                names.insert(endpoint.host, true);
            }
        }
    }
    let others = match dialled {
        Some(_) => Vec::new(),
        None => prepared.others(own),
    };
    for node in others.iter().chain(own) {
        let is_own = Some(node) == own;
        for given in prepared.given(node) {
            let Meaning::Formatted(format) = given.meaning else {
                continue;
            };
            let host = match format {
                Format::Listening if is_own => given.text.to_owned(),
                Format::Endpoint if !is_own => continue,
                Format::Address | Format::Endpoint => match Endpoint::parse(given.text, Some(1)) {
                    Ok(endpoint) if !endpoint.is_onion() => endpoint.host,
                    _ => continue,
                },
                _ => continue,
            };
            if !host.is_empty() && as_number(&host).is_none() {
                let is_needed = !is_own || format != Format::Address;
                *names.entry(host).or_default() |= is_needed;
            }
        }
    }
    names
}

/// The number of an address, where a host is written as one.
pub(super) fn as_number(host: &str) -> Option<IpAddr> {
    let number = host.split_once('%').map_or(host, |(number, _)| number);
    number.parse().ok()
}
