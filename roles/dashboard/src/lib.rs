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
mod server;
mod site;
mod thread;
mod told;
mod watch;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kozo_abi::{Error, Kind, Message, Role, RoleHost, export_role};
use serde::Deserialize;
use serde_json::Value;

use access::Names;
use hub::Hub;
use site::Site;
use thread::ServerThread;
use told::Passed;

/// How often the server's thread is looked after.
const CARE_PERIOD: Duration = Duration::from_secs(1);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    bind_address: String,
    port: u16,
    names: Vec<String>,
}

struct Dashboard {
    hub: Arc<Hub>,
    server: ServerThread,
}

impl Role for Dashboard {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let hub = Hub::new();
        let site = Site {
            host: host.clone(),
            hub: Arc::clone(&hub),
            names: Names::new(&options.names),
        };
        let server = ServerThread::start(&options.bind_address, options.port, site)?;
        host.info(&format!("the page is at http://{}", server.address()));
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

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.server.stop();
        Ok(())
    }
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
