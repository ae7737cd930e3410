//! Listens for the ticks of `timer` roles, prints them, and remembers the last one in its storage.

use std::time::SystemTime;

use kozo_abi::{Error, Message, Role, RoleHost, export_role};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The options that `module.yaml` describes. `timer` is only used there, by the interests.
#[derive(Deserialize)]
struct Options {
    log: bool,
}

/// A tick as it is stored: whose it was, what it said, and when it came.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tick {
    node: String,
    role: String,
    message: String,
    /// The time of day that the timer told.
    time: String,
    /// When it came, in seconds since 1970 by this node's clock.
    received: u64,
}

struct Cuckoo {
    log: bool,
    storage_works: bool,
}

impl Role for Cuckoo {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let last = host.load::<Tick>().unwrap_or_else(|error| {
            host.warn(&format!("the last cuckoo is forgotten: {error}"));
            None
        });
        let cuckoo = Self {
            log: options.log,
            storage_works: true,
        };
        cuckoo.report(
            host,
            &match last {
                Some(Tick {
                    node,
                    role,
                    message,
                    time,
                    ..
                }) => {
                    format!("last cuckoo: {message} {time} (of {role}@{node})")
                }
                None => "last cuckoo: never".to_owned(),
            },
        )?;
        Ok(cuckoo)
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        match host.receive() {
            Some(message) => self.cuckoo(&message, host),
            None => Ok(()),
        }
    }
}

impl Cuckoo {
    fn cuckoo(&mut self, tick: &Message, host: &RoleHost) -> Result<(), Error> {
        let (message, time) = match tick.data::<(String, String)>() {
            Ok(data) => data,
            // Anybody may send events of this type: that is no reason to stop.
            Err(error) => {
                host.warn(&error.to_string());
                return Ok(());
            }
        };
        let (role, node) = (tick.sender_role(), tick.sender_node());
        self.report(
            host,
            &format!("Cuckoo! {message} {time} (of {role}@{node})"),
        )?;
        self.remember(
            host,
            &Tick {
                node: node.to_owned(),
                role: role.to_owned(),
                message,
                time,
                received: SystemTime::UNIX_EPOCH
                    .elapsed()
                    .map_or(0, |since_1970| since_1970.as_secs()),
            },
        );
        Ok(())
    }

    fn report(&self, host: &RoleHost, text: &str) -> Result<(), Error> {
        host.info(text);
        if self.log {
            host.send_log(text)?;
        }
        Ok(())
    }

    /// A full disk does not silence the cuckoo; it is reported when that changes.
    fn remember(&mut self, host: &RoleHost, tick: &Tick) {
        match host.store(tick) {
            Ok(()) => {
                if !self.storage_works {
                    host.info("cuckoos are remembered again");
                }
                self.storage_works = true;
            }
            Err(error) => {
                if self.storage_works {
                    host.error(&format!("cuckoos cannot be remembered: {error}"));
                }
                self.storage_works = false;
            }
        }
    }
}

export_role!(Cuckoo);
