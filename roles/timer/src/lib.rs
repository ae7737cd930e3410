//! Sends an event `tick` at a regular interval: its data is the list of `message` and the local
//! time as `HH:MM:SS`.

use std::time::Duration;

use jiff::Zoned;
use kozo_abi::{Error, Pace, Role, RoleHost, export_role};
use serde::Deserialize;

#[cfg(test)]
mod tests;

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
struct Options {
    tick: f64,
    message: String,
    log: bool,
}

struct Timer {
    tick: Duration,
    message: String,
    log: bool,
}

impl Role for Timer {
    type Options = Options;

    fn new(options: Options, _host: &RoleHost) -> Result<Self, Error> {
        Ok(Self {
            tick: Duration::try_from_secs_f64(options.tick)?,
            message: options.message,
            log: options.log,
        })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let time = Zoned::now().strftime("%H:%M:%S").to_string();
        host.send_event("tick", &(&self.message, &time))?;
        if self.log {
            host.send_log(&format!("{} {time}", self.message))?;
        }
        Ok(())
    }

    fn pace(&self) -> Pace {
        Pace::Every(self.tick)
    }
}

export_role!(Timer);
