//! The thread that listens on one of this node's transports.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kozo_backoff::Backoff;
use kozo_status::TransportState;
use tokio::runtime::Handle;

use super::own::OwnTransport;
use super::services::Services;
use crate::limited::DroppedApart;
use crate::link::Listener;
use crate::modules::{CallError, TransportInstance, TransportServices};

/// How long to wait after a failure before the transport is asked again: at first,
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// and at most.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// How long it may take a transport to be prepared, or to listen, before it is shown as one that fails.
/// It is waited for all the same.
const PREPARE_LIMIT: Duration = Duration::from_secs(60);

/// Prepares a transport and accepts what connects to it, for as long as the daemon runs.
pub(crate) struct Acceptor {
    instance: Arc<DroppedApart<TransportInstance>>,
    services: Arc<Services>,
    name: String,
    can_accept: bool,
    listener: Listener,
    runtime: Handle,
}

impl Acceptor {
    /// Starts the thread. It ends when the transport is stopped, or never if the transport hangs. There
    /// is none for a transport that was left out.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(
        transport: &OwnTransport,
        listener: Listener,
        runtime: Handle,
    ) -> std::io::Result<()> {
        let Some(made) = &transport.made else {
            return Ok(());
        };
        let acceptor = Self {
            instance: Arc::clone(&made.instance),
            services: Arc::clone(&transport.services),
            name: transport.name.clone(),
            can_accept: made.can_accept,
            listener,
            runtime,
        };
        let name = format!("accept {}", transport.name);
        thread::Builder::new()
            .name(name)
            .spawn(move || acceptor.run())
            .map(drop)
    }

    fn run(&self) {
        let prepared = self.persist("local_init", "cannot be prepared", || {
            self.instance.local_init()
        });
        if !prepared {
            return;
        }
        if !self.can_accept {
            self.services.set_state(TransportState::DialsOnly);
            return;
        }
        if !self.persist("bind", "cannot listen", || self.instance.bind()) {
            return;
        }
        self.services.set_state(TransportState::Listening);
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        let mut random = fastrand::Rng::new();
        let mut fault = RepeatedFault::default();
        while !self.services.stopping() {
            match self.instance.accept() {
                Ok(Some(connection)) => {
                    backoff.reset();
                    fault = RepeatedFault::default();
                    self.services.set_state(TransportState::Listening);
                    self.runtime
                        .block_on(self.listener.accept(&self.name, connection));
                }
                Ok(None) => {
                    // A transport that returns early must not keep a processor busy.
                    if !self.services.stopping() && !self.services.sleep(FIRST_RETRY) {
                        return;
                    }
                }
                Err(error) => {
                    let text = format!("cannot accept a connection: {error}");
                    fault.report(&text, &self.services);
                    self.services.set_failing(text);
                    if !self.services.sleep(backoff.next(&mut random)) {
                        return;
                    }
                }
            }
        }
    }

    /// Tries until it works; false when the transport is stopped before.
    fn persist(
        &self,
        call: &'static str,
        what: &'static str,
        step: impl Fn() -> Result<(), CallError>,
    ) -> bool {
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        let mut random = fastrand::Rng::new();
        let mut fault = RepeatedFault::default();
        while let Err(error) = self.watched(call, what, &step) {
            fault.report(
                &format!("{what}, tried again later: {error}"),
                &self.services,
            );
            self.services.set_failing(format!("{what}: {error}"));
            if !self.services.sleep(backoff.next(&mut random)) {
                return false;
            }
        }
        !self.services.stopping()
    }

    /// Makes a call. That it does not come back is said while it does not.
    fn watched(
        &self,
        call: &'static str,
        what: &'static str,
        step: impl Fn() -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let services = Arc::clone(&self.services);
        let watch = self.runtime.spawn(async move {
            tokio::time::sleep(PREPARE_LIMIT).await;
            let seconds = PREPARE_LIMIT.as_secs();
            let text = format!("{what}: `{call}` has not come back for more than {seconds} s");
            services.report(&text);
            services.set_failing(text);
        });
        let result = step();
        watch.abort();
        // The state is what came of it, unless it is what the watch has said: then it starts anew.
        if result.is_ok() && self.services.condition().state == TransportState::Failing {
            self.services.set_state(TransportState::Starting);
        }
        result
    }
}

/// A fault that is met again and again: the log tells of it once. What it is now is in the state.
#[derive(Default)]
struct RepeatedFault {
    said: Option<String>,
}

impl RepeatedFault {
    fn report(&mut self, text: &str, services: &Services) {
        if self.said.as_deref() != Some(text) {
            services.report(text);
            self.said = Some(text.to_owned());
        }
    }
}
