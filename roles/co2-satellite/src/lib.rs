//! A satellite of a CO2 network, and a bridge between that and Kōzō.
//!
//! | CO2 | Kōzō |
//! |---|---|
//! | a message of another satellite | event `notify` on the option `channel`: `host_id`, `data` |
//! | a message to all other satellites | order `send`; events that `forward` names |
//! | a method of this satellite | an order that `methods` names: `call`, `argument`; the event `answer` on the channel `call`: `call`, `value` or `fault` |
//! | a method of another satellite | order `call`: `host_id`, `method`, `argument`; event `result` |

mod core;
mod installation;
mod network;
mod options;
mod plugins;
mod shared;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kozo_abi::{Error, Kind, Message, Role, RoleHost, export_role};

use crate::core::{FOREIGN_EVENTS, RemoteCall, answer, forwarded, order_data, remote_call};
use network::Network;
use options::Options;
use plugins::Plugins;
use shared::Shared;

/// How long a wait for a message is at most: then it is looked whether all threads are at work.
const LOOK_EVERY: Duration = Duration::from_secs(5);

struct Satellite {
    shared: Arc<Shared>,
    plugins: Option<Plugins>,
    network: Network,
}

impl Role for Satellite {
    type Options = Options;

    fn new(mut options: Options, host: &RoleHost) -> Result<Self, Error> {
        if let Some(config) = options.config.clone() {
            adopt(&mut options, &config, host)?;
        }
        if let Some(foreign) = FOREIGN_EVENTS
            .iter()
            .find(|name| options.forward.iter().any(|one| one == *name))
        {
            host.warn(&format!(
                "`forward`: `{foreign}` is what comes from CO2, and is not sent back there: remove it"
            ));
        }
        let settings = options.settle(host.node(), host.name())?;
        let plugins = settings.plugins.clone();
        let shared = Arc::new(Shared::new(settings, host)?);
        let network = Network::start(&shared)?;
        let plugins = plugins
            .map(|plugins| Plugins::start(&shared, plugins))
            .transpose()?;
        host.info(&kozo_co2::log::listening(
            kozo_co2::time::now(),
            network.address(),
        ));
        Ok(Self {
            shared,
            plugins,
            network,
        })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        if let Some(message) = host.receive_timeout(LOOK_EVERY) {
            self.take(&message);
        }
        match self.network.is_at_work() {
            true => Ok(()),
            false => Err("the network's thread has ended".into()),
        }
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        // What plug-ins say last is still sent.
        if let Some(mut plugins) = self.plugins.take() {
            plugins.stop();
        }
        self.network.stop();
        Ok(())
    }
}

impl Satellite {
    fn take(&self, message: &Message) {
        let shared = &self.shared;
        let allowed = shared.settings.allowed;
        let is = |kind, type_name, channel: &str| {
            (
                message.kind(),
                message.type_name(),
                message.channel().unwrap_or_default(),
            ) == (kind, type_name, channel)
        };
        if is(Kind::Order, "send", &shared.settings.channel) {
            match order_data(message.data_bytes(), allowed) {
                Ok(data) => shared.send(data, message.data_bytes().len()),
                Err(error) => self.complain(message, "cannot be sent", &error),
            }
        } else if is(Kind::Order, "call", &shared.settings.channel) {
            match remote_call(message.data_bytes()) {
                Ok(call) => self.call(call),
                Err(error) => self.complain(message, "cannot be done", &error),
            }
        } else if is(Kind::Event, "answer", "call") {
            match answer(message.data_bytes(), allowed) {
                // It may be meant for another satellite.
                Ok(answer) => {
                    shared.end_call(&answer.call, answer.result);
                }
                Err(error) => self.complain(message, "answers no call", &error),
            }
        } else if message.kind() == Kind::Event {
            self.forward(message);
        }
    }

    /// Whoever ordered a call hears what came of it, even where it is not made.
    fn call(&self, mut call: RemoteCall) {
        let settled = call.settle(self.shared.settings.allowed);
        let refused = match settled {
            Ok(()) => self
                .network
                .call(call)
                .map_err(|call| (call, "too many calls are under way".to_owned())),
            Err(error) => Err((call, error.to_string())),
        };
        if let Err((call, reason)) = refused {
            network::tell(&self.shared, call, Err(reason));
        }
    }

    fn forward(&self, message: &Message) {
        if FOREIGN_EVENTS.contains(&message.type_name()) {
            return;
        }
        let sender = (message.sender_role(), message.sender_node());
        let event = forwarded(
            message.type_name(),
            message.channel(),
            sender,
            message.data_bytes(),
            self.shared.settings.allowed,
        );
        match event {
            Ok(event) => self.shared.send(event, message.data_bytes().len()),
            Err(error) => self.complain(message, "cannot be forwarded", &error),
        }
    }

    fn complain(&self, message: &Message, what: &str, error: &dyn std::fmt::Display) {
        self.shared.host.warn(&format!(
            "{} `{}` of {}@{} {what}: {error}",
            message.kind(),
            message.type_name(),
            message.sender_role(),
            message.sender_node()
        ));
    }
}

/// Lets a `config.py` fill in what is not given, and tells what it did.
fn adopt(options: &mut Options, config: &Path, host: &RoleHost) -> Result<(), Error> {
    let (values, left_out) = plugins::configuration(&options.python, config)?;
    let home = options.home().unwrap_or_default();
    let mut adopted = options.adopt(&values, &home);
    let left_out = left_out
        .iter()
        .map(|name| format!("`{name}` (no plain value)"));
    adopted.ignored.extend(left_out);
    let list = |items: &[String]| match items {
        [] => "nothing".to_owned(),
        items => items.join(", "),
    };
    host.info(&format!(
        "{}: taken: {}; given already: {}; of no use here: {}",
        config.display(),
        list(&adopted.taken),
        list(&adopted.given),
        list(&adopted.ignored)
    ));
    Ok(())
}

export_role!(Satellite);
