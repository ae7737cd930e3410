//! The options that `module.yaml` describes, and the rules between them.

use std::fmt;
use std::path::PathBuf;

use arti_client::HsClientDescEncKey;
use kozo_abi::{Error, Peer};
use serde::Deserialize;

use crate::address::OnionAddress;
use crate::bridges::Bridges;

/// The options as the host hands them over.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    address: Option<String>,
    port: u16,
    onion_port: Option<u16>,
    incoming_only: bool,
    outgoing_only: bool,
    socket_connection_backlog: u16,
    service: Service,
    socks_proxy: String,
    network: Option<PathBuf>,
    bridges: Option<Vec<String>>,
    bridge_programs: Option<Vec<String>>,
    only_for: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Service {
    Host,
    System,
}

/// The options once they are known to fit together.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where the node is reached, where that is known yet.
    pub(crate) address: Option<OnionAddress>,
    /// The port of that address.
    pub(crate) onion_port: u16,
    /// The local port that the machine's Tor forwards to.
    pub(crate) port: u16,
    /// How many connections wait to be accepted.
    pub(crate) backlog: u16,
    /// Whether others may connect.
    pub(crate) accepts: bool,
    /// Whether the node connects to others.
    pub(crate) connects: bool,
    /// Who finds the node at all; everybody when there is none.
    pub(crate) only_for: Vec<HsClientDescEncKey>,
    /// Who speaks with the Tor network.
    pub(crate) way: Way,
}

/// Who speaks with the Tor network.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// This process.
    Own(OwnSettings),
    /// The machine's Tor, through its SOCKS proxy at `proxy`.
    System { proxy: String },
}

/// What this process has to know to speak with the Tor network.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnSettings {
    /// The file that describes another network than the public one.
    pub(crate) network: Option<PathBuf>,
    /// Ways into it.
    pub(crate) bridges: Bridges,
}

/// Where another node is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address: OnionAddress,
    pub(crate) port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)
    }
}

impl Options {
    /// Checks everything but that there is an address, which only the node itself may know yet.
    ///
    /// # Errors
    /// What does not fit together, or is no address.
    pub(crate) fn checked(&self) -> Result<Settings, Error> {
        if self.incoming_only && self.outgoing_only {
            return Err("`incomingOnly` and `outgoingOnly` exclude each other".into());
        }
        if self.outgoing_only && self.address.is_some() {
            return Err(
                "a node with `outgoingOnly` has no `address`: remove one of the two".into(),
            );
        }
        let address = self
            .address
            .as_deref()
            .map(|address| address.parse())
            .transpose()
            .map_err(|error| format!("`address`: {error}"))?;
        Ok(Settings {
            address,
            onion_port: self.onion_port.unwrap_or(self.port),
            port: self.port,
            backlog: self.socket_connection_backlog,
            accepts: !self.outgoing_only,
            connects: !self.incoming_only,
            only_for: self
                .only_for
                .iter()
                .flatten()
                .map(|key| client_key(key))
                .collect::<Result<_, _>>()?,
            way: self.way()?,
        })
    }

    fn way(&self) -> Result<Way, Error> {
        match self.service {
            Service::Host => Ok(Way::Own(OwnSettings {
                network: self.network.clone(),
                bridges: Bridges::read(
                    self.bridges.as_deref().unwrap_or_default(),
                    self.bridge_programs.as_deref().unwrap_or_default(),
                )?,
            })),
            Service::System => {
                let own = [
                    ("network", self.network.is_some()),
                    ("bridges", self.bridges.is_some()),
                    ("bridgePrograms", self.bridge_programs.is_some()),
                    ("onlyFor", self.only_for.is_some()),
                ];
                if let Some((option, _)) = own.iter().find(|(_, given)| *given) {
                    return Err(format!(
                        "`{option}` is for `service: host`: the machine's Tor has a configuration of its own"
                    )
                    .into());
                }
                let proxy = self.socks_proxy.clone();
                let valid = proxy
                    .rsplit_once(':')
                    .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
                if !valid {
                    return Err(format!(
                        "`socksProxy`: `{proxy}` is not of the form `host:port`: `127.0.0.1:9050`, say"
                    )
                    .into());
                }
                Ok(Way::System { proxy })
            }
        }
    }
}

fn client_key(text: &str) -> Result<HsClientDescEncKey, Error> {
    text.parse().map_err(|_| {
        format!("`onlyFor`: `{text}` is no key: it has the form `descriptor:x25519:…`, and the node that is to connect says what it is").into()
    })
}

impl Settings {
    /// Checks that a node that others connect to has an address.
    ///
    /// # Errors
    /// It has none; how to come by one.
    pub(crate) fn has_address(&self) -> Result<(), Error> {
        match (&self.address, self.accepts, &self.way) {
            (Some(_), ..) | (None, false, _) => Ok(()),
            (None, true, Way::Own(_)) => Err(
                "`address` is missing: `kozo address CONFIG NODE`, on that node, prints it; or set `outgoingOnly: true`".into(),
            ),
            (None, true, Way::System { .. }) => Err(
                "`address` is missing: the file `hostname` in the `HiddenServiceDir` of that machine's Tor holds it; or set `outgoingOnly: true`".into(),
            ),
        }
    }

    /// Where the node is reached.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn target(&self, peer: &Peer<'_>) -> Result<Target, Error> {
        let address = self
            .address
            .ok_or_else(|| format!("{peer} takes no connections"))?;
        Ok(Target {
            address,
            port: self.onion_port,
        })
    }
}
