//! Carries a bus over NATS.
//!
//! The protocol is the module's own (`protocol`), since it has to know what a client for programs keeps to itself: when
//! a server has what was published (`pulse`), and what was not written when a connection is lost (`outbox`); and since it
//! writes on the thread that publishes, where nothing else waits (`sending`).

use std::sync::{Mutex, PoisonError};

use kozo_abi::{Bus, BusHost, Error, Publish, export_bus};

mod dial;
mod fault;
mod info;
mod login;
mod options;
mod outbox;
mod protocol;
mod pulse;
mod sending;
mod servers;
#[cfg(test)]
mod tests;
mod worker;

use options::{Options, Settings};
use worker::{Memory, Shared, Worker};

struct Nats {
    settings: Settings,
    host: BusHost,
    shared: Shared,
    /// Held by `run` alone, for as long as it takes.
    memory: Mutex<Memory>,
}

impl Bus for Nats {
    type Options = Options;

    fn init(options: Options, host: &BusHost) -> Result<Self, Error> {
        let settings = options.apply(host.node(), host.name())?;
        Ok(Self {
            shared: Shared::new(settings.limits),
            memory: Mutex::new(Memory::new(&settings)),
            settings,
            host: host.clone(),
        })
    }

    fn run(&self) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut worker = Worker {
            settings: &self.settings,
            shared: &self.shared,
            host: &self.host,
            memory: &mut memory,
        };
        let result = runtime.block_on(worker.run());
        drop(self.shared.sending().end());
        // A name that is looked up takes as long as it takes.
        runtime.shutdown_background();
        result
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

export_bus!(Nats);
