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
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use kozo_abi::{Error, Role, RoleHost, export_role};
use kozo_co2::http::Server;
use kozo_co2::{Allowed, Wide};
use serde::Deserialize;
use tokio::runtime::Builder;
use tokio::sync::watch;

use relay::{Relay, Settings};

/// How often the role looks whether its thread still runs.
const CARE_PERIOD: Duration = Duration::from_secs(1);

/// How long names of addresses to listen on may take.
const BIND_TIME: Duration = Duration::from_secs(20);

/// How long whatever still blocks has when the thread ends: a disk that hangs.
const BLOCKING_END: Duration = Duration::from_millis(500);

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
    thread: Option<JoinHandle<()>>,
    stop: watch::Sender<bool>,
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
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let relay = Arc::new(Relay::new(settings, host.clone()));
        let (stop, stopped) = watch::channel(false);
        let (bound, is_bound) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("co2 relay".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    match Server::bind(&options.bind_address, options.port).await {
                        Ok(server) => {
                            let _ = bound.send(Ok(()));
                            tasks::run(relay, server, stopped).await;
                        }
                        Err(error) => {
                            let _ = bound.send(Err(error));
                        }
                    }
                });
                runtime.shutdown_timeout(BLOCKING_END);
            })?;
        is_bound.recv_timeout(BIND_TIME).map_err(|_| {
            format!(
                "`bindAddress` could not be looked up in {} s: give it as an IP address",
                BIND_TIME.as_secs()
            )
        })??;
        Ok(Self {
            thread: Some(thread),
            stop,
        })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        // There are no messages for it: this waits until the role is to end.
        host.receive_timeout(CARE_PERIOD);
        match self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            true if !host.stopping() => Err("the thread of the relay has ended".into()),
            _ => Ok(()),
        }
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.end();
        Ok(())
    }
}

impl Co2Relay {
    fn end(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Co2Relay {
    fn drop(&mut self) {
        self.end();
    }
}

export_role!(Co2Relay);
