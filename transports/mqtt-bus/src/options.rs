//! The options, as the file has them and as the module uses them.

use std::path::PathBuf;
use std::time::Duration;

use kozo_abi::Error;
use kozo_mqtt::Broker;
use kozo_tls::Identity;
use serde::Deserialize;

use crate::outbox::Limits;

/// How many brokers may stand in the file.
const MAX_SERVERS: usize = 64;

/// The longest client identifier, in bytes, that brokers have to take in practice.
const MAX_CLIENT_ID: usize = 255;

/// The options that `module.yaml` describes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    servers: Vec<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    client_id: Option<String>,
    keep_alive: u64,
    pending_length: usize,
    pending_size: usize,
}

/// What a connection needs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) brokers: Vec<Broker>,
    pub(crate) user: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) identity: Identity,
    pub(crate) client_id: String,
    pub(crate) keep_alive: Duration,
    pub(crate) limits: Limits,
}

impl Options {
    /// What follows of them for this node and bus.
    ///
    /// # Errors
    /// What the host could not find wrong with them.
    pub(crate) fn apply(self, node: &str, bus: &str) -> Result<Settings, Error> {
        if self.servers.is_empty() || self.servers.len() > MAX_SERVERS {
            return Err(format!("`servers` has to have 1 to {MAX_SERVERS} entries").into());
        }
        let brokers = self.servers.iter().map(|text| Broker::parse(text));
        let brokers = brokers
            .collect::<Result<_, _>>()
            .map_err(|error| format!("`servers`: {error}"))?;
        let client_id = self
            .client_id
            .unwrap_or_else(|| format!("kozo-{node}-{bus}"));
        if client_id.is_empty() || client_id.len() > MAX_CLIENT_ID {
            return Err(format!("`clientId` has to have 1 to {MAX_CLIENT_ID} bytes").into());
        }
        Ok(Settings {
            brokers,
            user: self.user,
            password_file: self.password_file,
            identity: Identity {
                authorities: self.ca_file,
                certificate: self.certificate_file.zip(self.key_file),
            },
            client_id,
            keep_alive: Duration::from_secs(self.keep_alive),
            limits: Limits {
                datagrams: self.pending_length,
                bytes: self.pending_size,
            },
        })
    }
}
