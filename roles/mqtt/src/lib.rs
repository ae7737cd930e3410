//! Leads to an MQTT broker, and by it to Home Assistant.
//!
//! ```text
//!  events of roles ─▶ lib ────────┐                          ┌─▶ client ─▶ broker
//!  status of nodes ─▶ watch ──────┼─▶ shared ─▶ bridge ──────┤
//!  broker ─▶ connection (client) ─┘            decides, pure └─▶ orders, events, log, storage
//! ```
//! `bridge` stands on `registry` (what is announced), `retained` (what topics are to have), `readings` (what faces
//! show), `early` (what comes before they are known), `presence` (which nodes are there) and `outbox` (what happens
//! once). `client` alone knows what speaks MQTT.

mod bridge;
mod connection;
mod devices;
mod early;
mod entity;
mod options;
mod outbox;
mod picture;
mod presence;
mod rate;
mod readings;
mod registry;
mod retained;
mod shared;
#[cfg(test)]
mod tests;
mod topics;
mod watch;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kozo_abi::{Error, InboxLimits, Role, RoleHost, export_role};

use bridge::{Bridge, Memory};
use options::Options;
use shared::Shared;

/// How many messages are taken before it is looked what else there is to do.
const BATCH: usize = 256;

/// What waits for the role at least: a node that comes back, or a whole house that is switched on, says much at once.
const INBOX: InboxLimits = InboxLimits {
    length: 1000,
    size: 4 << 20,
};

/// How long the connection has to say good-bye.
const FAREWELL: Duration = Duration::from_secs(2);

struct Mqtt {
    shared: Arc<Shared>,
    connection: Option<JoinHandle<()>>,
}

impl Role for Mqtt {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let (settings, reach) = options.apply(host)?;
        let memory = host.load::<Memory>().unwrap_or_else(|error| {
            host.warn(&format!("what was announced before is not known: {error}"));
            None
        });
        let bridge = Bridge::new(settings, memory.unwrap_or_default(), fastrand::Rng::new());
        let shared = Arc::new(Shared::new(host.clone(), bridge));
        let connecting = Arc::clone(&shared);
        let connection = thread::Builder::new()
            .name("mqtt".to_owned())
            .spawn(move || connection::run(&connecting, &reach))?;
        let (watching, asking) = (Arc::clone(&shared), host.clone());
        let watch = thread::Builder::new()
            .name("mqtt-watch".to_owned())
            .spawn(move || watch::run(&watching, &asking));
        let this = Self {
            shared,
            connection: Some(connection),
        };
        // Without it there is nothing to do, and what has begun ends with `this`.
        watch?;
        Ok(this)
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let mut next = host.receive_timeout(self.shared.pause());
        for _ in 0..BATCH {
            let Some(message) = next else { break };
            self.shared.hear(&message);
            next = host.try_receive();
        }
        if let Some(message) = next {
            self.shared.hear(&message);
        }
        self.shared.tick();
        Ok(())
    }

    /// Events of many roles may come in one packet.
    fn inbox(&self, configured: InboxLimits) -> InboxLimits {
        InboxLimits {
            length: configured.length.max(INBOX.length),
            size: configured.size.max(INBOX.size),
        }
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.end();
        Ok(())
    }
}

impl Mqtt {
    fn end(&mut self) {
        self.shared.stop();
        if let Some(connection) = self.connection.take() {
            // One that is still being made has no end that could be waited for: it comes by itself.
            let until = Instant::now() + FAREWELL;
            while !connection.is_finished() && Instant::now() < until {
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        self.end();
    }
}

export_role!(Mqtt);
