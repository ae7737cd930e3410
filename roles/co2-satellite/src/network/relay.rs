//! The relay: registers with it, sends what waits, says goodbye.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kozo_co2::document::write_call;
use kozo_co2::http::{CallError, Client};
use kozo_co2::{Fault, Struct, Value};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout, timeout_at};

use super::{is_this_machine, source};
use crate::core::{Registration, Step};
use crate::shared::Shared;

/// How long the relay may take to answer.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// How long the registration waits for the plug-ins, whose names are a part of it.
const PLUGINS_LIMIT: Duration = Duration::from_secs(15);

/// At the end: how long what waits may take to be sent, and how long the goodbye.
const FLUSH_LIMIT: Duration = Duration::from_millis(800);
const DEREGISTER_LIMIT: Duration = Duration::from_millis(700);

/// The relay, as the satellite deals with it.
pub(super) struct Relay {
    shared: Arc<Shared>,
    own: SocketAddr,
    heard: watch::Receiver<()>,
    registration: Registration,
    /// The reason that was told last, so that it is told once.
    told: Option<String>,
    client: Option<Client>,
    /// Whether the relay was told of this satellite anew for the sake of that message, without knowing that it had to be.
    tried_anew: bool,
}

/// How long to wait before the next thing is done.
enum Pause {
    No,
    Until(Instant),
    UntilThereIsWork(Instant),
}

impl Relay {
    pub(super) fn new(shared: Arc<Shared>, own: SocketAddr, heard: watch::Receiver<()>) -> Self {
        let endpoint = shared.settings.relay.clone();
        let client = endpoint.map(|endpoint| {
            let source = source(own, &endpoint);
            Client::new(endpoint, CALL_LIMIT).from_address(source)
        });
        Self {
            shared,
            own,
            heard,
            registration: Registration::new(Instant::now(), fastrand::Rng::new()),
            told: None,
            client,
            tried_anew: false,
        }
    }

    /// Works until `stop` ends; then sends what waits, and deregisters.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let Some(relay) = self.client.as_ref().map(|client| client.endpoint().clone()) else {
            stop.await;
            return;
        };
        if self.own.ip().is_loopback() && !is_this_machine(&relay) {
            self.shared.host.warn(&format!(
                "{relay} cannot reach this satellite at {}: give `bindAddress` an address that it can reach",
                self.own
            ));
        }
        let mut loaded = self.shared.loaded.subscribe();
        let waiting = timeout(PLUGINS_LIMIT, loaded.wait_for(|loaded| *loaded));
        tokio::select! {
            () = stop.as_mut() => return,
            _ = waiting => {}
        }
        let until = loop {
            let pause = {
                let mut acting = std::pin::pin!(self.act());
                tokio::select! {
                    pause = acting.as_mut() => pause,
                    () = stop.as_mut() => {
                        // What is under way may arrive: it is not given up at once.
                        let until = tokio::time::Instant::now() + FLUSH_LIMIT;
                        let _ = timeout_at(until, acting).await;
                        break until;
                    }
                }
            };
            let paused = async {
                match pause {
                    Pause::No => {}
                    Pause::Until(until) => sleep_until(until.into()).await,
                    Pause::UntilThereIsWork(until) => tokio::select! {
                        () = self.shared.something_to_send.notified() => {}
                        () = sleep_until(until.into()) => {}
                    },
                }
            };
            tokio::select! {
                () = stop.as_mut() => break tokio::time::Instant::now() + FLUSH_LIMIT,
                () = paused => {}
            }
        };
        // Whether what is on its way has arrived is not known, and it must not come twice.
        if self.shared.outbox().done(false) {
            self.shared.host.warn(
                "the relay did not answer to a message before the end: it may not have arrived",
            );
        }
        self.leave(until).await;
    }

    /// Does what is to be done next; how long to wait then.
    async fn act(&mut self) -> Pause {
        if self.heard.has_changed().unwrap_or(false) {
            self.heard.mark_unchanged();
            self.registration.heard(Instant::now());
        }
        match self.registration.step(Instant::now()) {
            Step::Register => self.register().await,
            Step::Check(host_id) => self.check(&host_id).await,
            Step::Wait(until) => return Pause::Until(until),
            Step::Send(host_id, until) => {
                if !self.send(&host_id).await {
                    return Pause::UntilThereIsWork(until);
                }
            }
        }
        Pause::No
    }

    async fn register(&mut self) {
        let text = |text: &str| Value::String(text.to_owned());
        let plugins = self.shared.plugins();
        let argument = [
            ("port", Value::Integer(self.own.port().into())),
            (
                "plugins",
                Value::Array(plugins.iter().map(|name| text(name)).collect()),
            ),
            ("nick", text(&self.shared.settings.nick)),
            ("notify_pass", text(&self.shared.pass)),
        ];
        match self.call("relay.register", argument).await {
            Ok(Value::String(host_id)) => {
                self.told = None;
                self.registration.registered(&host_id, Instant::now());
                self.shared.set_host_id(Some(&host_id));
                self.shared.host.info(&format!("registered as {host_id}"));
            }
            Ok(other) => {
                let shown = kozo_co2::log::python(&other);
                self.failed(&format!("the relay answers {shown}, which is no host_id"));
            }
            Err(error) => self.failed(&kozo_abi::error_text(&error)),
        }
    }

    /// Asks for something that every relay knows of its satellites.
    async fn check(&mut self, host_id: &str) {
        let host_id = Value::String(host_id.to_owned());
        let asked = self
            .call("relay.get_satellite_ctime", [("host_id", host_id)])
            .await;
        match asked {
            Err(CallError::Fault(fault)) if is_unknown(&fault) => self.unknown(),
            // A relay that has no such method is one that is there.
            Ok(_) | Err(CallError::Fault(_)) => self.reached(),
            Err(error) => self.failed(&kozo_abi::error_text(&error)),
        }
    }

    /// Sends the next message; false when there is none.
    async fn send(&mut self, host_id: &str) -> bool {
        let (data, old) = {
            let mut outbox = self.shared.outbox();
            let (data, old) = outbox.next(Instant::now());
            (data.cloned(), old)
        };
        if old > 0 {
            self.shared.host.warn(&format!(
                "{old} messages for the relay were dropped: they had waited for more than {} s (`queueTime`)",
                self.shared.settings.queue_time.as_secs_f64()
            ));
        }
        let Some(data) = data else {
            return false;
        };
        let host_id = Value::String(host_id.to_owned());
        let sent = self
            .call(
                "relay.relay",
                [("host_id", host_id.clone()), ("data", data)],
            )
            .await;
        match sent {
            Ok(_) => {
                self.shared.outbox().done(true);
                self.tried_anew = false;
                self.reached();
            }
            // Nothing has left: it waits.
            Err(error @ CallError::Connect { .. }) => {
                self.shared.outbox().back();
                self.failed(&kozo_abi::error_text(&error));
            }
            Err(CallError::Fault(fault)) if is_unknown(&fault) => {
                self.refused(&fault, host_id).await;
            }
            // It may have arrived, and must not come twice.
            Err(error) => {
                self.shared.outbox().done(false);
                let error = kozo_abi::error_text(&error);
                self.shared
                    .host
                    .warn(&format!("a message was not taken by the relay: {error}"));
                self.reached();
            }
        }
        true
    }

    /// The relay does not know who sends, or has another reason of the same name: it is asked which.
    async fn refused(&mut self, fault: &Fault, host_id: Value) {
        let asked = self
            .call("relay.get_satellite_ctime", [("host_id", host_id)])
            .await;
        match asked {
            Err(CallError::Fault(fault)) if is_unknown(&fault) => {
                self.shared.outbox().back();
                self.unknown();
            }
            // It cannot tell, so the registration is made anew; a message that is refused even then is dropped.
            Err(CallError::Fault(_)) if !self.tried_anew => {
                self.tried_anew = true;
                self.shared.outbox().back();
                self.unknown();
            }
            Err(error @ CallError::Connect { .. }) => {
                self.shared.outbox().back();
                self.failed(&kozo_abi::error_text(&error));
            }
            _ => {
                self.tried_anew = false;
                self.shared.outbox().done(false);
                self.shared.host.warn(&format!(
                    "a message was refused by the relay: {}",
                    fault.text
                ));
            }
        }
    }

    fn unknown(&mut self) {
        let text = "the relay does not know this satellite any more: registering again";
        self.shared.host.info(text);
        self.shared.set_host_id(None);
        self.registration.unknown(Instant::now());
    }

    fn reached(&mut self) {
        if self.told.take().is_some() {
            self.shared.host.info("the relay is there again");
        }
        self.registration.heard(Instant::now());
    }

    fn failed(&mut self, reason: &str) {
        let wait = self.registration.failed(Instant::now());
        let text = match self.registration.host_id() {
            Some(_) => format!("the relay is away: {reason}"),
            None => format!("cannot register: {reason}"),
        };
        if self.told.as_deref() == Some(reason) {
            self.shared.host.debug(&text);
        } else {
            let next = wait.as_secs_f64();
            self.shared
                .host
                .warn(&format!("{text}; trying again in {next:.1} s, and so on"));
            self.told = Some(reason.to_owned());
        }
    }

    async fn call<const N: usize>(
        &mut self,
        method: &str,
        argument: [(&str, Value); N],
    ) -> Result<Value, CallError> {
        let argument: Struct = argument
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let document = write_call(method, vec![Value::Struct(argument)]);
        let document = document.map_err(|error| CallError::Fault(error.into()))?;
        match &mut self.client {
            Some(client) => client.call([Bytes::from(document)]).await,
            None => Err(CallError::Fault(Fault::registry("there is no relay"))),
        }
    }

    async fn leave(mut self, until: tokio::time::Instant) {
        let Some(host_id) = self.registration.host_id().map(str::to_owned) else {
            let left = self.shared.outbox().len();
            if left > 0 {
                self.shared.host.warn(&format!(
                    "{left} messages for the relay were dropped at the end"
                ));
            }
            return;
        };
        let flush = async {
            while matches!(
                self.registration.step(Instant::now()),
                Step::Send(..) | Step::Check(_)
            ) && self.send(&host_id).await
            {}
        };
        let _ = timeout_at(until, flush).await;
        let left = self.shared.outbox().len();
        if left > 0 {
            self.shared.host.warn(&format!(
                "{left} messages for the relay were dropped at the end"
            ));
        }
        let argument = [("host_id", Value::String(host_id))];
        match timeout(DEREGISTER_LIMIT, self.call("relay.deregister", argument)).await {
            Ok(Ok(_)) => self.shared.host.info("deregistered"),
            Ok(Err(error)) => {
                let error = kozo_abi::error_text(&error);
                self.shared
                    .host
                    .warn(&format!("cannot deregister: {error}"));
            }
            Err(_) => self
                .shared
                .host
                .warn("cannot deregister: the relay does not answer"),
        }
    }
}

/// Whether a relay means by this fault that it does not know a satellite. Its class has changed with the version of
/// Python: `exceptions.KeyError`, `<type 'exceptions.KeyError'>`, `<class 'KeyError'>`.
fn is_unknown(fault: &Fault) -> bool {
    let class = fault.class();
    class.contains("KeyError") || class.contains("RegistryError")
}
