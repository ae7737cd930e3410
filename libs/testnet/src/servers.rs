//! The servers of the public host.

use std::path::{Path, PathBuf};

use crate::network::{Host, Network, need};
use crate::process::{Process, Unavailable};

/// Where the XMPP server is; it serves the domain `kozo.test`.
pub const XMPP: &str = "203.0.113.1:5222";

/// The password of all accounts there.
pub const PASSWORD: &str = "secret";

/// Where the relay is, for STUN and TURN.
pub const RELAY: &str = "203.0.113.1:3478";

/// The account there.
pub const RELAY_USER: &str = "turner";

/// Its password.
pub const RELAY_PASSWORD: &str = "secret";

/// An XMPP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Debian's prosody.
    Prosody,
    /// Debian's ejabberd.
    Ejabberd,
}

/// How the XMPP server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct XmppOptions {
    /// It keeps passwords as they are, so that it can offer SASL PLAIN as well. Only prosody.
    pub plain_passwords: bool,
    /// It offers no STARTTLS. Only prosody.
    pub without_tls: bool,
    /// Each account sees only the one before and the one after it. Only prosody.
    pub chain: bool,
}

/// An XMPP server that runs. All its accounts see each other.
#[derive(Debug)]
pub struct Xmpp {
    /// Its process.
    pub process: Process,
    ca: PathBuf,
}

impl Xmpp {
    /// The certificate of the CA that its own certificate is of, as PEM.
    pub fn ca(&self) -> &Path {
        &self.ca
    }
}

/// A relay that runs.
#[derive(Debug)]
pub struct Relay {
    /// Its process.
    pub process: Process,
}

impl Network {
    /// Starts an XMPP server at [`XMPP`] with these accounts, whose password is [`PASSWORD`]. One that was stopped can be
    /// started again, and keeps its CA.
    ///
    /// # Errors
    /// There is none on this machine.
    ///
    /// # Panics
    /// It does not start.
    pub fn xmpp(&self, server: Server, accounts: &[&str]) -> Result<Xmpp, Unavailable> {
        self.xmpp_with(server, accounts, XmppOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`xmpp`](Self::xmpp).
    ///
    /// # Panics
    /// It does not start.
    pub fn xmpp_with(
        &self,
        server: Server,
        accounts: &[&str],
        options: XmppOptions,
    ) -> Result<Xmpp, Unavailable> {
        let (tools, name): (&[_], _) = match server {
            Server::Prosody => (
                &[("prosody", "prosody"), ("openssl", "openssl")],
                "xmpp-prosody",
            ),
            Server::Ejabberd => (
                &[
                    ("ejabberdctl", "ejabberd"),
                    ("erl", "erlang-base"),
                    ("openssl", "openssl"),
                ],
                "xmpp-ejabberd",
            ),
        };
        need(tools)?;
        let folder = self.folder().join(name);
        let (address, port) = XMPP.split_once(':').unwrap_or_default();
        let folder_text = folder.to_string_lossy();
        let arguments = [&[&*folder_text, address, port], accounts].concat();
        let hash = if options.plain_passwords {
            "plain"
        } else {
            "SHA-1"
        };
        let tls = if options.without_tls { "no" } else { "yes" };
        let chain = if options.chain { "yes" } else { "no" };
        let environment = [("HASH", hash), ("TLS", tls), ("CHAIN", chain)];
        let mut process = self.script(Host::Public, name, &environment, &arguments);
        process
            .wait_for("ready")
            .unwrap_or_else(|error| panic!("{error}"));
        let ca = folder.join("ca.pem");
        Ok(Xmpp { process, ca })
    }

    /// Starts a relay at [`RELAY`], and at the same port of 2001:db8::1 where there is IPv6.
    ///
    /// # Errors
    /// There is none on this machine.
    ///
    /// # Panics
    /// It does not start.
    pub fn relay(&self) -> Result<Relay, Unavailable> {
        need(&[("turnserver", "coturn")])?;
        let folder = self.folder().join("relay");
        let (address, port) = RELAY.split_once(':').unwrap_or_default();
        let folder = folder.to_string_lossy();
        let mut arguments = vec![&*folder, port, address];
        if self.has_ipv6() {
            arguments.push("2001:db8::1");
        }
        let mut process = self.script(Host::Public, "relay", &[], &arguments);
        process
            .wait_for("ready")
            .unwrap_or_else(|error| panic!("{error}"));
        Ok(Relay { process })
    }
}
