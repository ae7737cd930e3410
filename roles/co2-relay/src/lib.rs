//! The relay of a CO2 network: satellites register with it, and what one of them sends it passes on to all others.
//!
//! ```text
//! relay.relay ─▶ relay ─▶ limiter ─▶ an outbox and a task a satellite ─▶ notify
//!                  │ registry
//!                  └─▶ keeper ─▶ dump
//! ```
//! `registry`, `satellite`, `limiter`, `outbox` and `pinger` decide and are pure. All tasks run on one thread.

mod delivery;
mod dump;
mod keeper;
mod limiter;
mod outbox;
mod pinger;
mod registry;
mod relay;
mod reporter;
mod satellite;
mod tasks;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kozo_abi::{Error, Role, RoleHost, export_role};
use kozo_co2::http::ServerThread;
use kozo_co2::{Allowed, Wide};
use serde::Deserialize;

use relay::{Relay, Settings};

/// How often the role looks whether its thread still runs.
const CARE_PERIOD: Duration = Duration::from_secs(1);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    bind_address: String,
    port: u16,
    max_satellites: usize,
    limiter_interval: f64,
    limiter_length: usize,
    ping_interval: f64,
    drop_after: u32,
    dump: Option<PathBuf>,
    maintainer: String,
    maintainer_email: String,
    wide: Wide,
    nil: bool,
}

struct Co2Relay {
    thread: ServerThread,
}

impl Role for Co2Relay {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        if let Some(dump) = &options.dump {
            dump::check(dump).map_err(|error| format!("`dump`: {}: {error}", dump.display()))?;
        }
        let settings = Settings {
            limits: registry::Limits {
                satellites: options.max_satellites,
                drop_after: options.drop_after,
            },
            limiter_interval: Duration::try_from_secs_f64(options.limiter_interval)?,
            limiter_length: options.limiter_length,
            ping_interval: Duration::try_from_secs_f64(options.ping_interval)?,
            dump: options.dump,
            allowed: Allowed {
                wide: options.wide,
                nil: options.nil,
            },
            maintainer: options.maintainer,
            maintainer_email: options.maintainer_email,
        };
        let relay = Arc::new(Relay::new(settings, host.clone()));
        let place = (options.bind_address.as_str(), options.port);
        let thread = ServerThread::start("co2 relay", place, None, move |server, stopped| {
            tasks::run(relay, server, stopped)
        })?;
        Ok(Self { thread })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        // There are no messages for it: this waits until the role is to end.
        host.receive_timeout(CARE_PERIOD);
        match self.thread.is_at_work() {
            false if !host.stopping() => Err("the thread of the relay has ended".into()),
            _ => Ok(()),
        }
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.thread.stop();
        Ok(())
    }
}

export_role!(Co2Relay);
