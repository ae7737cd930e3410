//! A web page that shows the network, served by the node itself.
//!
//! ```text
//! node ──watch──▶ hub (model, history, feed) ──server/live──▶ browsers
//!   ▲                                                            │
//!   └──────────────── server/exchange ◀── questions ─────────────┘
//! ```
//! `model`, `history`, `feed` and `access` decide and are pure. The page itself is in `web`, and part of the module.

mod access;
mod feed;
mod history;
mod hub;
mod model;
mod options;
mod sending;
mod server;
mod site;
#[cfg(test)]
mod tests;
mod thread;
mod tls;
mod told;
mod watch;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kozo_abi::{Error, InboxLimits, Kind, Message, Role, RoleHost, export_role};
use kozo_http::ServerThread;
use serde_json::Value;

use access::{Guard, Names};
use hub::Hub;
use options::Options;
use site::Site;
use tls::Tls;
use told::Passed;

/// How often the server's thread is looked after.
const CARE_PERIOD: Duration = Duration::from_secs(1);

/// How many lines for the log may wait for the role at least: a whole network may have something to say at once.
const INBOX_LENGTH: u64 = 1000;

struct Dashboard {
    hub: Arc<Hub>,
    server: ServerThread,
}

impl Role for Dashboard {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let hub = Hub::new();
        let protection = options.protection()?;
        let hash = options.hash()?;
        let tls = Tls::new(&protection, &certificate_names(&options, host), host)?;
        let token = options.token.as_deref();
        let guard = Guard::new(hash, token, options.port, tls.is_some());
        let fingerprint = tls.as_ref().map(|tls| tls.fingerprint.clone());
        let site = Site {
            host: host.clone(),
            hub: Arc::clone(&hub),
            names: Names::new(&options.names),
            guard: Arc::new(guard),
            tls: tls.map(|tls| tls.acceptor),
            may_send: options.send,
        };
        let server = thread::start(&options.bind_address, options.port, site)?;
        let address = server.address();
        let place = match fingerprint {
            None => format!("at http://{address}"),
            Some(digest) => format!("at https://{address}, certificate SHA-256 {digest}"),
        };
        host.info(&format!("the page is {place}"));
        host.set_status(&place);
        Ok(Self { hub, server })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        if let Some(message) = host.receive_timeout(CARE_PERIOD) {
            self.hub.logs.feed().push(&line(&message));
            self.hub.logs.ring();
        }
        match self.server.is_at_work() {
            true => Ok(()),
            false => Err("the server's thread has ended".into()),
        }
    }

    fn inbox(&self, configured: InboxLimits) -> InboxLimits {
        InboxLimits {
            length: configured.length.max(INBOX_LENGTH),
            ..configured
        }
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.server.stop();
        Ok(())
    }
}

/// What a certificate of the node's own is for.
fn certificate_names(options: &Options, host: &RoleHost) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), host.node().to_owned()];
    names.extend(options.names.iter().cloned());
    let address = options.bind_address.parse::<IpAddr>();
    names.extend(
        address
            .ok()
            .filter(|ip| !ip.is_unspecified())
            .map(|ip| ip.to_string()),
    );
    names.dedup();
    names
}

/// A line for the log of the network, in the form of a message that passes.
fn line(message: &Message) -> Passed {
    Passed {
        kind: match message.kind() {
            Kind::Event => "event",
            Kind::Order => "order",
            Kind::Log => "log",
        }
        .to_owned(),
        node: message.sender_node().to_owned(),
        role: message.sender_role().to_owned(),
        type_name: message.type_name().to_owned(),
        channel: message.channel().map(str::to_owned),
        timestamp: seconds(message.timestamp()),
        age_seconds: message.age().as_secs_f64(),
        data: message.data::<Value>().unwrap_or_default(),
        ..Passed::default()
    }
}

fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

export_role!(Dashboard);
