//! The far end of an IPOP link, made of slixmpp, aioice and OpenSSL (`scripts/tincanpeer.py`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::local::fetched;
use crate::network::{Host, Network, need, script};
use crate::process::{Process, Unavailable};
use crate::servers::{PASSWORD, RELAY, RELAY_PASSWORD, RELAY_USER, XMPP};

/// Who the peer is, and how it goes about things.
#[derive(Debug, Clone)]
pub struct PeerOptions<'a> {
    /// Its account.
    pub account: &'a str,
    /// Its uid, 40 hexadecimal digits.
    pub uid: &'a str,
    /// Its address in the overlay.
    pub ip4: &'a str,
    /// The CA of the XMPP server.
    pub ca: &'a Path,
    /// What else: `--no-relay`, `--relay-only`, `--plain`, `--digest sha256`, `--rsa`, `--foreign-frame`, `--wrong-fingerprint`.
    pub more: &'a [&'a str],
    /// Whether it pings.
    pub pings: Pings,
}

/// Whether a peer pings whoever it has a link with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pings {
    /// It only answers.
    None,
    /// So many times; when the answers are there, it ends.
    Then(u32),
}

/// A peer that runs.
#[derive(Debug)]
pub struct Peer {
    /// Its process.
    pub process: Process,
}

impl Peer {
    /// What happened, in its order.
    pub fn events(&self) -> Vec<Value> {
        let output = self.process.output();
        output
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The first thing of this name that happened: `registered`, `sees`, `ice` (with `local` and `remote`, the kinds of
    /// candidates), `dtls`, `online`, `pong`, `offline`, `foreign frame`, `failed` and so on.
    pub fn event(&self, what: &str) -> Option<Value> {
        self.events()
            .into_iter()
            .find(|event| event["what"] == what)
    }

    /// Waits until something of this name has happened.
    ///
    /// # Errors
    /// It did not in time; with what did.
    pub fn wait_for(&mut self, what: &str) -> Result<Value, String> {
        self.process.wait_for(&format!("\"what\": \"{what}\""))?;
        // The line is there, but perhaps not to its end.
        Ok(crate::wait_until(what, || self.event(what)))
    }

    /// Waits until all its pings are answered.
    ///
    /// # Errors
    /// They are not; with what happened.
    pub fn wait_for_pongs(&mut self, limit: Duration) -> Result<(), String> {
        let status = self.process.wait(limit)?;
        if status.success() {
            return Ok(());
        }
        Err(format!(
            "the peer ends with {status}:\n{}",
            self.process.output()
        ))
    }
}

impl Network {
    /// Starts a peer on a host, which uses the XMPP server and the relay of the public host.
    ///
    /// # Errors
    /// There is no Python with what it needs, and it cannot be made (in the target folder, by `pip`).
    ///
    /// # Panics
    /// It cannot be started.
    pub fn peer(&self, host: Host, options: &PeerOptions<'_>) -> Result<Peer, Unavailable> {
        let python = python()?;
        let mut command = self.command(host, python);
        let jid = format!("{}@kozo.test", options.account);
        let turn = format!("{RELAY},{RELAY_USER},{RELAY_PASSWORD}");
        let seconds = crate::LIFETIME.as_secs().to_string();
        command.arg(script("tincanpeer.py"));
        command.args([
            "--jid",
            &jid,
            "--password",
            PASSWORD,
            "--server",
            XMPP,
            "--uid",
            options.uid,
        ]);
        command.args([
            "--ip4",
            options.ip4,
            "--stun",
            RELAY,
            "--turn",
            &turn,
            "--seconds",
            &seconds,
        ]);
        command.arg("--ca").arg(options.ca).args(options.more);
        if let Pings::Then(number) = options.pings {
            command.args(["--ping", &number.to_string()]);
        }
        let process = self.keep(command, &format!("peer-{}", options.account));
        Ok(Peer { process })
    }
}

/// The Python of the peer, in the target folder; made when there is none.
fn python() -> Result<PathBuf, Unavailable> {
    need(&[("python3", "python3")])?;
    fetched("peer-python")
}
