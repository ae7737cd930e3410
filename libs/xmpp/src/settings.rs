use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use crate::Jid;

/// Where XMPP servers take connections of clients.
pub const CLIENT_PORT: u16 = 5222;

/// An account, and what it is used for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account; a resource in it is ignored.
    pub account: Jid,
    /// Its password.
    pub password: Password,
    /// The name of this session, to which others send.
    pub resource: String,
    /// The server to connect to, if it is another than port 5222 of the account's domain. Service records are
    /// not looked up.
    pub server: Option<Server>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// The namespace of the queries that are sent and received; others are refused.
    pub namespace: String,
    /// The text of the presence, which everybody sees who sees that the account is there.
    pub status: Option<String>,
    /// Whose queries and presence are handed on.
    pub senders: Senders,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Where a password is.
#[derive(Clone)]
pub enum Password {
    /// Here.
    Text(String),
    /// In a file, of which the line end is left out. It is read at each login.
    File(PathBuf),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those of the authorities that the system trusts.
    System,
    /// Those of the authorities in a file (PEM).
    File(PathBuf),
    /// Anybody's: whoever is between can pretend to be the server. The password is still not told to it.
    Anybody,
}

/// Whose queries and presence are handed on; those of others are dropped and counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Senders {
    /// Sessions whose presence has been seen: contacts, and other sessions of the same account.
    Present,
    /// These accounts (without resources), and the same account, whether present or not.
    Listed(BTreeSet<Jid>),
}
