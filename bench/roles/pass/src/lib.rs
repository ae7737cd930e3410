//! Passes numbered events on as they are: what a program that does so is compared with.

use std::time::Duration;

use kozo_abi::{Error, Role, RoleHost, export_role};
use serde::Deserialize;

/// How long an event waits for room.
const PACED_WAIT: Duration = Duration::from_secs(10);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
struct Options {
    // Only the interest refers to it.
    #[serde(rename = "from")]
    _from: String,
}

struct Pass;

impl Role for Pass {
    type Options = Options;

    fn new(_options: Options, _host: &RoleHost) -> Result<Self, Error> {
        Ok(Self)
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let mut next = host.receive();
        while let Some(message) = next {
            let event = host.event(message.type_name()).paced(PACED_WAIT);
            event.send_bytes(message.data_bytes())?;
            next = host.try_receive();
        }
        Ok(())
    }
}

export_role!(Pass);
