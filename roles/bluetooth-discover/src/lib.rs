//! Looks for Bluetooth devices again and again, and tells which are in range.
//!
//! After each search, two events: `bluetooth devices in range` is a map from addresses to names (the
//! empty text when a device has not told its own), `bluetooth devices in detail` is a [`Report`].

use std::sync::Arc;
use std::time::Duration;

use kozo_abi::{Error, Role, RoleHost, export_role};
use kozo_bluetooth::{Bluetooth, Device, Discovery, Mode, Runtime};
use serde::Deserialize;

mod report;
mod seen;
#[cfg(test)]
mod tests;

use report::Report;
use seen::Seen;

/// How long to wait after a search that failed, unless `cooldown` is shorter.
const RETRY: Duration = Duration::from_secs(10);

/// The least time between two searches that failed.
const LEAST_RETRY: Duration = Duration::from_secs(1);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    search_duration: f64,
    cooldown: f64,
    log: bool,
    mode: SearchMode,
    adapter: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum SearchMode {
    Classic,
    Le,
    Both,
}

struct BluetoothDiscover {
    duration: Duration,
    cooldown: Duration,
    log: bool,
    mode: Mode,
    runtime: Runtime,
    bluetooth: Arc<Bluetooth>,
    /// What was in range at the end of the last search.
    seen: Seen,
    /// Why the last search failed, if it did: it is said once.
    failure: Option<String>,
    /// How many devices were left out of the last report.
    left_out: usize,
}

impl Role for BluetoothDiscover {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        Ok(Self {
            duration: Duration::try_from_secs_f64(options.search_duration)?,
            cooldown: Duration::try_from_secs_f64(options.cooldown)?,
            log: options.log,
            mode: match options.mode {
                SearchMode::Classic => Mode::Classic,
                SearchMode::Le => Mode::Le,
                SearchMode::Both => Mode::Both,
            },
            runtime: Runtime::start(host.name())?,
            bluetooth: Arc::new(Bluetooth::new(options.adapter, None)),
            seen: Seen::default(),
            failure: None,
            left_out: 0,
        })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let searching = search(Arc::clone(&self.bluetooth), self.mode, self.duration);
        let Some(found) = self
            .runtime
            .spawn(searching)
            .wait_unless(|| host.stopping())
        else {
            return Ok(());
        };
        let pause = match found.and_then(|found| found) {
            Ok((devices, left_out)) => {
                self.recovered(host);
                self.report_left_out(left_out, host);
                self.tell(&devices, host)?;
                self.cooldown
            }
            Err(error) => {
                self.failed(error.to_string(), host);
                self.cooldown.clamp(LEAST_RETRY, RETRY)
            }
        };
        host.sleep(pause);
        Ok(())
    }
}

impl BluetoothDiscover {
    /// Sends what was found.
    fn tell(&mut self, devices: &[Device], host: &RoleHost) -> Result<(), Error> {
        let now = Seen::of(devices);
        host.send_event("bluetooth devices in range", now.names())?;
        host.send_event("bluetooth devices in detail", &Report::of(devices))?;
        if let Some(news) = now.news_since(&self.seen).filter(|_| self.log) {
            host.send_log(&news)?;
        }
        self.seen = now;
        Ok(())
    }

    fn failed(&mut self, text: String, host: &RoleHost) {
        if self.failure.as_ref() != Some(&text) {
            host.warn(&format!(
                "cannot look for devices, tried again later: {text}"
            ));
        }
        self.failure = Some(text);
    }

    fn recovered(&mut self, host: &RoleHost) {
        if self.failure.take().is_some() {
            host.info("looks for devices again");
        }
    }

    fn report_left_out(&mut self, left_out: usize, host: &RoleHost) {
        if left_out > 0 && self.left_out == 0 {
            let most = kozo_bluetooth::MAX_DEVICES;
            host.warn(&format!(
                "more than {most} devices are in range: the farthest are left out"
            ));
        }
        self.left_out = left_out;
    }
}

/// One search: the devices, and how many more there were.
async fn search(
    bluetooth: Arc<Bluetooth>,
    mode: Mode,
    duration: Duration,
) -> kozo_bluetooth::Result<(Vec<Device>, usize)> {
    let mut discovery = Discovery::start(&bluetooth, mode).await?;
    discovery.search(duration).await?;
    let found = discovery.devices().await?;
    discovery.stop().await?;
    Ok(found)
}

export_role!(BluetoothDiscover);
