//! The options, as the file has them and as the module uses them.

use std::path::PathBuf;
use std::time::Duration;

use kozo_abi::Error;
use kozo_tls::Identity;
use serde::Deserialize;

use crate::login::Login;
use crate::outbox::Limits;
use crate::servers::Server;

/// How many servers may stand in the file.
const MAX_SERVERS: usize = 64;

/// The options that `module.yaml` describes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    servers: Vec<String>,
    server_order: Order,
    user: Option<String>,
    password_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    nkey_file: Option<PathBuf>,
    credentials_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    tls_first: bool,
    connect_timeout: f64,
    ping_interval: f64,
    pending_length: usize,
    pending_size: usize,
}

/// In which order servers are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    Random,
    Listed,
}

/// What a connection needs.
#[derive(Debug)]
pub(crate) struct Reach {
    /// The name of this end, for those who look after the servers.
    pub(crate) name: String,
    pub(crate) login: Login,
    pub(crate) identity: Identity,
    pub(crate) tls_first: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) ping_interval: Duration,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) servers: Vec<Server>,
    pub(crate) order: Order,
    pub(crate) limits: Limits,
    pub(crate) reach: Reach,
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
        let servers = self.servers.iter().map(|text| Server::parse(text));
        let servers = servers
            .collect::<Result<_, _>>()
            .map_err(|error| format!("`servers`: {error}"))?;
        let password = match (self.user, self.password_file) {
            (Some(user), Some(file)) => Some(Login::Password { user, file }),
            (None, None) => None,
            _ => return Err("`user` and `passwordFile` are of no use without each other".into()),
        };
        let logins = [
            password,
            self.token_file.map(Login::Token),
            self.nkey_file.map(Login::Key),
            self.credentials_file.map(Login::Credentials),
        ];
        let mut logins = logins.into_iter().flatten();
        let login = logins.next().unwrap_or(Login::None);
        if logins.next().is_some() {
            return Err(
                "there is more than one login: keep one of `user`, `tokenFile`, `nkeyFile` and `credentialsFile`"
                    .into(),
            );
        }
        Ok(Settings {
            servers,
            order: self.server_order,
            limits: Limits {
                messages: self.pending_length,
                bytes: self.pending_size,
            },
            reach: Reach {
                name: format!("kozo {node} {bus}"),
                login,
                identity: Identity {
                    authorities: self.ca_file,
                    certificate: self.certificate_file.zip(self.key_file),
                },
                tls_first: self.tls_first,
                connect_timeout: Duration::try_from_secs_f64(self.connect_timeout)?,
                ping_interval: Duration::try_from_secs_f64(self.ping_interval)?,
            },
        })
    }
}
