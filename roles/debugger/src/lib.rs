//! Waits for an order `debug`, and then serves a console over SSH for a while, to look into a running
//! node and to try things.
//!
//! ```text
//! order ─▶ lib ─▶ server ─▶ session ─▶ terminal ─▶ console ─▶ node     (what the host knows and does)
//!                   │ gate             editor          └────▶ threads  (what the system knows)
//! ```
//! `gate` and `editor` decide and are pure. Whatever comes from a node or the system goes through
//! [`text`] before a terminal sees it.

mod console;
mod editor;
mod gate;
mod gdbserver;
mod host_key;
mod node;
mod opening;
mod output;
mod server;
mod session;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod threads;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kozo_abi::{Error, Message, Role, RoleHost, export_role};
use serde::{Deserialize, Serialize};

use node::HostNode;
use opening::Opening;
use server::Server;

/// What the order is called.
const ORDER: &str = "debug";

/// What the event is called that tells of an opened and of a closed console.
const EVENT: &str = "debugger";

/// How often an open console is looked after.
const CARE_PERIOD: Duration = Duration::from_secs(1);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    password: String,
    allow_remote: bool,
    debug_timeout: f64,
    bind_address: String,
    port: u16,
    log: bool,
}

struct Debugger {
    opening: Opening,
    timeout: Duration,
    log: bool,
    server: Option<Server>,
}

/// Whom an order is for, where its data says so. Other data means nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Addressee {
    node: Option<String>,
    role: Option<String>,
}

/// The data of the event.
#[derive(Serialize)]
struct Report<'a> {
    open: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    addresses: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
}

impl Role for Debugger {
    type Options = Options;

    fn new(options: Options, _host: &RoleHost) -> Result<Self, Error> {
        let timeout = Duration::try_from_secs_f64(options.debug_timeout)?;
        Ok(Self {
            opening: Opening {
                password: options.password,
                allow_remote: options.allow_remote,
                bind_address: options.bind_address,
                port: options.port,
            },
            timeout,
            log: options.log,
            server: None,
        })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let message = match &self.server {
            None => host.receive(),
            Some(_) => host.receive_timeout(CARE_PERIOD),
        };
        if let Some(message) = message.filter(|message| is_for(message, host)) {
            self.open(&message, host)?;
        }
        if let Some(server) = self.server.take_if(|server| server.is_finished()) {
            self.closed(server, host)?;
        }
        Ok(())
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.server = None;
        Ok(())
    }
}

impl Debugger {
    /// Opens the console, or gives an open one its time anew.
    fn open(&mut self, order: &Message, host: &RoleHost) -> Result<(), Error> {
        let by = format!("{}@{}", order.sender_role(), order.sender_node());
        let until = Instant::now() + self.timeout;
        let seconds = self.timeout.as_secs_f64();
        if let Some(server) = &self.server
            && server.extend(until)
        {
            self.note(
                host,
                &format!("{by} ordered it again: the console is open for {seconds} s from now"),
            )?;
        } else {
            let node = Arc::new(HostNode::new(host.clone(), self.log));
            let server = match Server::start(&self.opening, until, node) {
                Ok(server) => server,
                Err(error) => {
                    // The next order may find the port free; the role itself is as it should be.
                    self.note(host, &format!("{by} ordered a console: {error}"))?;
                    return Ok(());
                }
            };
            let key = server.fingerprint();
            let places = server.addresses().join(" and ");
            self.note(
                host,
                &format!(
                    "{by} ordered it: a console is open for {seconds} s on {places}, with the key {key}"
                ),
            )?;
            if let Some(reason) = self.opening.why_local() {
                self.note(host, reason)?;
            }
            self.server = Some(server);
        }
        if let Some(server) = &self.server {
            host.send_event(
                EVENT,
                &Report {
                    open: true,
                    seconds: Some(seconds),
                    addresses: server.addresses(),
                    fingerprint: Some(server.fingerprint()),
                },
            )?;
        }
        Ok(())
    }

    fn closed(&self, server: Server, host: &RoleHost) -> Result<(), Error> {
        let reason = server.end();
        self.note(host, &format!("the console is closed: {reason}"))?;
        let report = Report {
            open: false,
            seconds: None,
            addresses: &[],
            fingerprint: None,
        };
        Ok(host.send_event(EVENT, &report)?)
    }

    fn note(&self, host: &RoleHost, text: &str) -> Result<(), Error> {
        host.info(text);
        if self.log {
            host.send_log(text)?;
        }
        Ok(())
    }
}

/// Whether an order that the interests let in means this role.
fn is_for(message: &Message, host: &RoleHost) -> bool {
    let Addressee { node, role } = message.data().unwrap_or_default();
    message.type_name() == ORDER
        && node.is_none_or(|node| node == host.node())
        && role.is_none_or(|role| role == host.name())
}

export_role!(Debugger);
