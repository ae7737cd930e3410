//! What carries datagrams for a bus: its module.

use std::sync::Arc;
use std::time::Duration;

use kozo_abi::Publish;
use kozo_ground::text::error_text;

use crate::limited::{DroppedApart, Worker};
use crate::modules::{BusInstance, CallError};

/// How long a module may take to hear that it is to stop.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// What carries datagrams for a bus. All but [`run`](Self::run) are to come back at once; whether they do is not
/// sure, so whoever calls them is prepared for more.
pub(super) trait Engine: Send + Sync + 'static {
    /// Connects, brings what comes, and returns when the connection is gone or the bus is being stopped.
    fn run(&self) -> Result<(), CallError>;

    /// Takes a datagram.
    fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        data: &[u8],
    ) -> Result<Publish, CallError>;

    /// What fits the pattern is wanted, or no longer.
    fn subscribe(&self, pattern: &str, on: bool) -> Result<(), CallError>;

    /// Makes `run` return.
    fn stop(&self);
}

/// An engine that a module speaks with.
pub(super) struct ModuleEngine {
    instance: Arc<DroppedApart<BusInstance>>,
    name: String,
}

impl ModuleEngine {
    /// The engine of the bus of this name, as its module has made it.
    pub(super) fn new(instance: BusInstance, name: &str) -> Self {
        Self {
            instance: Arc::new(DroppedApart::new(instance, name)),
            name: name.to_owned(),
        }
    }
}

impl Engine for ModuleEngine {
    fn run(&self) -> Result<(), CallError> {
        self.instance.run()
    }

    fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        data: &[u8],
    ) -> Result<Publish, CallError> {
        self.instance.publish(subject, reply, data)
    }

    fn subscribe(&self, pattern: &str, on: bool) -> Result<(), CallError> {
        self.instance.subscribe(pattern, on)
    }

    fn stop(&self) {
        let instance = Arc::clone(&self.instance);
        let told = Worker::default().within(STOP_LIMIT, "stop", move || instance.stop());
        let fault = match told {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error_text(&error),
            Err(error) => error_text(&error),
        };
        tracing::error!(target: "bus", bus = self.name, "`stop` failed: {fault}");
    }
}
