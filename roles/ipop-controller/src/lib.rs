//! The controller of an IPOP network: it decides with whom there are links, and lets a tincan on the same machine make
//! them.
//!
//! ```text
//!  orders ─▶ role ─▶ worker ─▶ core ─▶ worker ─▶ tincan, other controllers, events
//!                      ▲ sockets
//! ```
//! `core` decides and is pure; `worker` is a thread that waits for sockets, orders and time.

mod core;
mod options;
mod sockets;
#[cfg(test)]
mod tests;
mod worker;

use std::net::Ipv4Addr;
use std::time::Duration;

use kozo_abi::{Error, Message, Role, RoleHost, export_role};
use kozo_ipop::Uid;

use crate::core::{Addresses, Controller};
use options::Options;
use worker::{Order, Ports, Worker};

/// How often the role looks whether its thread still runs.
const CARE_PERIOD: Duration = Duration::from_secs(1);

struct IpopController {
    worker: Worker,
    /// In a SocialVPN, addresses are one's own affair; a peer is named by its uid.
    is_group: bool,
}

impl Role for IpopController {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let (settings, addresses) = options.settings(host)?;
        let is_group = matches!(addresses, Addresses::Group(_));
        let ports = Ports {
            tincan: options.tincan_port,
            echo: options.port,
            icc: options.uses_icc().then_some(options.icc),
        };
        let controller = Controller::new(settings, addresses, fastrand::u64(..));
        let worker = Worker::start(
            controller,
            options.api()?,
            ports,
            options.watchdog,
            host.clone(),
        )?;
        Ok(Self { worker, is_group })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        if let Some(message) = host.receive_timeout(CARE_PERIOD) {
            // Anybody who may order can be mistaken: that is no reason to stop.
            if let Err(error) = self.obey(&message) {
                host.warn(&format!("{message} is not carried out: {error}"));
            }
        }
        match self.worker.is_at_work() {
            false if !host.stopping() => Err("the thread of the controller has ended".into()),
            _ => Ok(()),
        }
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.worker.stop();
        Ok(())
    }
}

impl IpopController {
    fn obey(&self, message: &Message) -> Result<(), Error> {
        let peer: String = message
            .data()
            .map_err(|_| "its data is a text: the address or the uid of a peer")?;
        let uid = match (peer.parse::<Uid>(), peer.parse::<Ipv4Addr>()) {
            (Ok(uid), _) => uid,
            (_, Ok(address)) if self.is_group => Uid::of_ip4(address),
            (_, Ok(_)) => {
                return Err(
                    "in a SocialVPN a peer is named by its uid, 40 hexadecimal digits".into(),
                );
            }
            _ => return Err(format!("`{peer}` is neither an IPv4 address nor a uid").into()),
        };
        let order = match message.type_name() {
            "ipop-link" => Order::Link(uid),
            _ => Order::Unlink(uid),
        };
        if self.worker.order(order) {
            Ok(())
        } else {
            Err("too many orders wait".into())
        }
    }
}

export_role!(IpopController);
