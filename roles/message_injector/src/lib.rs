//! Listens on a TCP port, and sends each line that is written to it as a message.
//!
//! The lines are only ever read as data; nothing in them is run.

use kozo_abi::{Error, Role, RoleHost, export_role};
use serde::Deserialize;

mod admission;
mod command;
mod complaints;
mod connection;
mod literal;
mod protocol;
mod server;
#[cfg(test)]
mod tests;
mod value;

use server::Server;

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    bind_address: String,
    bind_port: u16,
    log: bool,
}

struct MessageInjector {
    /// Works in a thread of its own; dropping it ends that.
    server: Option<Server>,
}

impl Role for MessageInjector {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let Options {
            bind_address,
            bind_port,
            log,
        } = options;
        let server = Server::start(&bind_address, bind_port, log, host)?;
        Ok(Self {
            server: Some(server),
        })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        // It wants no messages, so this only waits.
        host.receive();
        match &self.server {
            Some(server) => server.check(),
            None => Ok(()),
        }
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.server = None;
        Ok(())
    }
}

export_role!(MessageInjector);
