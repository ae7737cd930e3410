//! Carries a bus over MQTT 5: subjects are topics, a reply is a response topic, a publication that the broker answers
//! (QoS 1) is confirmed, and what comes in is not answered (QoS 0), for the host asks for what it misses.

use kozo_abi::{Bus, BusHost, Error, Publish, export_bus};

mod options;
mod outbox;
#[cfg(test)]
mod tests;
mod topics;
mod worker;

use options::{Options, Settings};
use outbox::Outbox;
use worker::{Shared, Worker};

struct MqttBus {
    settings: Settings,
    host: BusHost,
    shared: Shared,
}

impl Bus for MqttBus {
    type Options = Options;

    fn init(options: Options, host: &BusHost) -> Result<Self, Error> {
        let settings = options.apply(host.node(), host.name())?;
        Ok(Self {
            shared: Shared::new(Outbox::new(settings.limits)),
            settings,
            host: host.clone(),
        })
    }

    fn run(&self) -> Result<(), Error> {
        let worker = Worker {
            settings: &self.settings,
            shared: &self.shared,
            host: &self.host,
        };
        worker.run()
    }

    fn publish(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Publish {
        self.shared.publish(subject, reply, data)
    }

    fn subscribe(&self, pattern: &str, on: bool) {
        self.shared.subscribe(pattern, on);
    }

    fn stop(&self) {
        self.shared.stop();
    }
}

export_bus!(MqttBus);
