//! The options that `module.yaml` describes, and the rules between them.

use std::fs;
use std::path::{Path, PathBuf};

use kozo_abi::Error;
use kozo_addresses::Endpoint;
use kozo_ice::TurnServer;
use kozo_xmpp::{Jid, Server, Trust};
use serde::Deserialize;

/// How many STUN servers and relays there may be, each.
const MAX_SERVERS: usize = kozo_ice::limits::SERVERS_PER_PEER;

/// The longest password of a relay, in bytes.
const MAX_PASSWORD: usize = 1024;

/// The options as the host hands them over.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    jid: String,
    password_file: PathBuf,
    server: Option<String>,
    verify_server: bool,
    ca_file: Option<PathBuf>,
    stun: Vec<String>,
    turn: Vec<Relay>,
    relay_only: bool,
    ignore_interfaces: Vec<String>,
}

/// A relay, as the file has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Relay {
    server: String,
    user: String,
    password_file: PathBuf,
}

/// The options once they are known to fit together.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) account: Jid,
    pub(crate) password_file: PathBuf,
    pub(crate) server: Option<Server>,
    pub(crate) trust: Trust,
    pub(crate) stun: Vec<String>,
    relays: Vec<Relay>,
    pub(crate) relay_only: bool,
    pub(crate) ignored_interfaces: Vec<String>,
}

impl Options {
    /// Where others find the node: all that they have to know of its options.
    ///
    /// # Errors
    /// It is no account.
    pub(crate) fn account(&self) -> Result<Jid, Error> {
        let jid: Jid = self
            .jid
            .parse()
            .map_err(|error| format!("`jid: {}`: {error}", self.jid))?;
        if jid.node().is_none() || jid.resource().is_some() {
            return Err(format!(
                "`jid: {}` is not an account on an XMPP server, such as `cabin@example.org`",
                self.jid
            )
            .into());
        }
        Ok(jid)
    }

    /// # Errors
    /// What is no address or account, or does not fit together.
    pub(crate) fn checked(&self) -> Result<Settings, Error> {
        let server = self.server.as_deref().map(endpoint).transpose();
        let server = server.map_err(|error| format!("`server`: {error}"))?;
        if !self.verify_server && self.ca_file.is_some() {
            return Err(
                "with `verifyServer: false` no certificate is checked: remove it or `caFile`"
                    .into(),
            );
        }
        for (name, count) in [("stun", self.stun.len()), ("turn", self.turn.len())] {
            if count > MAX_SERVERS {
                return Err(
                    format!("`{name}` has {count} servers: {MAX_SERVERS} are enough").into(),
                );
            }
        }
        for relay in &self.turn {
            endpoint(&relay.server).map_err(|error| format!("`server` of `turn`: {error}"))?;
            if relay.user.is_empty() {
                return Err(format!("the relay `{}` of `turn` has no `user`", relay.server).into());
            }
        }
        if self.relay_only && self.turn.is_empty() {
            return Err("with `relayOnly` there has to be a relay: name one in `turn`".into());
        }
        Ok(Settings {
            account: self.account()?,
            password_file: self.password_file.clone(),
            server: server.map(|endpoint| Server {
                host: endpoint.host,
                port: endpoint.port,
            }),
            trust: match (&self.ca_file, self.verify_server) {
                (Some(path), _) => Trust::File(path.clone()),
                (None, true) => Trust::System,
                (None, false) => Trust::Anybody,
            },
            stun: self.stun.clone(),
            relays: self.turn.clone(),
            relay_only: self.relay_only,
            ignored_interfaces: self.ignore_interfaces.clone(),
        })
    }
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text, None).map_err(|error| error.to_string())
}

impl Settings {
    /// The relays with their passwords.
    ///
    /// # Errors
    /// A password cannot be read.
    pub(crate) fn relays(&self) -> Result<Vec<TurnServer>, Error> {
        let relays = self.relays.iter();
        relays
            .map(|relay| {
                Ok(TurnServer {
                    server: relay.server.clone(),
                    user: relay.user.clone(),
                    password: password(&relay.password_file)?,
                })
            })
            .collect()
    }
}

fn password(path: &Path) -> Result<String, Error> {
    let fault = |why: &dyn std::fmt::Display| {
        format!(
            "the relay's password in `{}` cannot be used: {why}",
            path.display()
        )
    };
    let text = fs::read_to_string(path).map_err(|error| fault(&error))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.len() > MAX_PASSWORD || text.contains('\n') {
        let why = format!("it has to be one line of at most {MAX_PASSWORD} bytes");
        return Err(fault(&why).into());
    }
    Ok(text.to_owned())
}
