//! Passing messages on to one satellite: a task of its own, so that one that stalls holds up nobody else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kozo_co2::document::{Notify, Pass};
use kozo_co2::http::{CallError, Client};
use kozo_co2::time;
use tokio::sync::Notify as Wake;
use tokio::task::AbortHandle;

use crate::outbox::{Outbox, Pushed};
use crate::relay::Relay;
use crate::satellite::Satellite;

/// How long a satellite has for a `notify`. Its plug-ins are to return at once.
const NOTIFY_TIME: Duration = Duration::from_secs(5);

/// What is on the way to a satellite. Dropping it ends its task.
pub(crate) struct Delivery {
    outbox: Arc<Waiting>,
    task: AbortHandle,
}

#[derive(Default)]
struct Waiting {
    outbox: Mutex<Outbox>,
    wake: Wake,
}

impl Delivery {
    pub(crate) fn start(relay: &Arc<Relay>, satellite: &Satellite) -> Self {
        let outbox = Arc::<Waiting>::default();
        let courier = Courier {
            relay: Arc::clone(relay),
            host_id: satellite.host_id.clone(),
            pass: satellite.pass.clone(),
            client: Client::new(satellite.address.into(), NOTIFY_TIME),
            failing: false,
        };
        let task = tokio::spawn(courier.run(Arc::clone(&outbox)));
        Self {
            outbox,
            task: task.abort_handle(),
        }
    }

    /// Queues a message, for which older ones may be dropped.
    pub(crate) fn push(&self, message: Notify) -> Pushed {
        let pushed = self.outbox.lock().push(message);
        self.outbox.wake.notify_one();
        pushed
    }

    /// How many messages wait, without the one on its way.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.lock().len()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Waiting {
    fn lock(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Courier {
    relay: Arc<Relay>,
    host_id: String,
    pass: Pass,
    client: Client,
    /// Whether the last one failed, which is told once.
    failing: bool,
}

impl Courier {
    async fn run(mut self, outbox: Arc<Waiting>) {
        loop {
            let message = self.next(&outbox).await;
            self.relay
                .shared()
                .registry
                .received(&self.host_id, time::now());
            let result = self.client.call(message.for_satellite(&self.pass)).await;
            self.note(result.err());
        }
    }

    /// The next message. What was pushed out by then is told once none waits any more.
    async fn next(&self, outbox: &Waiting) -> Notify {
        loop {
            let pushed_out = {
                let mut outbox = outbox.lock();
                match outbox.pop() {
                    Some(message) => return message,
                    None => outbox.take_pushed_out(),
                }
            };
            if pushed_out > 0 {
                self.relay.reporter.info(&format!(
                    "{} has caught up; messages that were dropped meanwhile: {pushed_out}",
                    self.host_id
                ));
            }
            outbox.wake.notified().await;
        }
    }

    fn note(&mut self, error: Option<CallError>) {
        let host_id = &self.host_id;
        match error {
            None if self.failing => {
                self.failing = false;
                self.relay
                    .reporter
                    .info(&format!("{host_id} takes messages again"));
            }
            None => {}
            Some(error) => {
                self.relay.shared().registry.missed(host_id, 1);
                if !self.failing {
                    self.failing = true;
                    self.relay
                        .reporter
                        .warn(&format!("{host_id} did not take a message: {error}"));
                }
            }
        }
    }
}
