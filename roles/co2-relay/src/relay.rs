//! What all tasks of the relay share, and what is done on a call.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kozo_co2::document::{MAX_DOCUMENT, MethodCall, Notify};
use kozo_co2::fault::VALUE_ERROR;
use kozo_co2::http::Service;
use kozo_co2::methods::{Builtin, Call, Host, Method, Prepared, Table};
use kozo_co2::page::{self, Page};
use kozo_co2::properties::Properties;
use kozo_co2::value::sendable;
use kozo_co2::{Allowed, Fault, Struct, Value, time};
use tokio::sync::Notify as Wake;

use crate::delivery::Delivery;
use crate::keeper::Keeper;
use crate::limiter::{Full, Limiter};
use crate::pinger::Pinger;
use crate::registry::{self, Change, NUMBERS, Registry};
use crate::reporter::{Reporter, State};
use crate::satellite::{self, Registration, Satellite};

/// How many satellites the page of them shows.
const MAX_SHOWN: usize = 500;

/// What the options say about the relay itself.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) limits: registry::Limits,
    pub(crate) limiter_interval: Duration,
    pub(crate) limiter_length: usize,
    pub(crate) ping_interval: Duration,
    pub(crate) dump: Option<PathBuf>,
    pub(crate) allowed: Allowed,
    pub(crate) maintainer: String,
    pub(crate) maintainer_email: String,
}

/// A relay.
pub(crate) struct Relay {
    pub(crate) reporter: Box<dyn Reporter>,
    pub(crate) keeper: Keeper,
    table: Table,
    properties: Properties,
    settings: Settings,
    state: Mutex<Shared>,
    /// A message waits in the limiter.
    pub(crate) queued: Wake,
    /// Another satellite may be the next to be pinged.
    pub(crate) pinging: Wake,
}

/// What changes.
pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) limiter: Limiter<Message>,
    pub(crate) pinger: Pinger,
    /// By host id.
    pub(crate) deliveries: HashMap<String, Delivery>,
}

/// A message that waits to be passed on.
pub(crate) struct Message {
    pub(crate) sender: String,
    pub(crate) notify: Notify,
}

impl Relay {
    pub(crate) fn new(settings: Settings, reporter: impl Reporter) -> Self {
        Self {
            reporter: Box::new(reporter),
            keeper: Keeper::new(settings.dump.clone()),
            table: Table::new(Host::Relay),
            properties: Properties::new(
                &settings.maintainer,
                &settings.maintainer_email,
                time::now(),
            ),
            state: Mutex::new(Shared {
                registry: Registry::new(settings.limits),
                limiter: Limiter::new(settings.limiter_length, settings.limiter_interval),
                pinger: Pinger::new(settings.ping_interval),
                deliveries: HashMap::new(),
            }),
            settings,
            queued: Wake::new(),
            pinging: Wake::new(),
        }
    }

    pub(crate) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up the satellites of the dump again.
    pub(crate) fn restore(self: &Arc<Self>) {
        let satellites = self.keeper.load(self.reporter.as_ref());
        if satellites.is_empty() {
            return;
        }
        let mut shared = self.shared();
        let without = shared.registry.restore(satellites);
        let restored: Vec<Satellite> = shared.registry.satellites().cloned().collect();
        for satellite in &restored {
            let delivery = Delivery::start(self, satellite);
            shared
                .deliveries
                .insert(satellite.host_id.clone(), delivery);
        }
        let ids = restored.iter().map(|satellite| satellite.host_id.as_str());
        shared.pinger.spread(ids, Instant::now());
        drop(shared);
        if without > 0 {
            self.reporter.warn(&format!(
                "the dump has {without} satellites more than `maxSatellites` allows, which have to register again"
            ));
        }
        for satellite in &restored {
            self.reporter.satellite(satellite, State::Restored);
        }
        self.reporter.info(&format!(
            "satellites that were registered before: {}",
            restored.len()
        ));
    }

    /// A ping was answered in so many milliseconds, or was not.
    pub(crate) async fn pinged(&self, host_id: &str, time: Option<f64>) {
        let mut waited = 0;
        let change = {
            let mut shared = self.shared();
            let change = shared.registry.pinged(host_id, time);
            let lost = matches!(change, Some((Change::Lost, _)));
            if lost {
                waited = waiting(shared.deliveries.remove(host_id));
            } else if shared.registry.satellite(host_id).is_ok() {
                shared.pinger.add(host_id, Instant::now());
            }
            change
        };
        self.pinging.notify_one();
        if let Some((change, satellite)) = change {
            self.reporter.satellite(&satellite, change.into());
            let nick = &satellite.nick;
            match change {
                Change::Failing => self
                    .reporter
                    .info(&format!("{host_id} ({nick}) did not answer a ping")),
                Change::Back => self
                    .reporter
                    .info(&format!("{host_id} ({nick}) answers pings again")),
                Change::Lost => {
                    self.reporter.warn(&format!(
                        "{host_id} ({nick}) has not answered {} pings and is registered no more",
                        self.settings.limits.drop_after
                    ));
                    self.tell_dropped(host_id, waited);
                    self.keeper.keep().await;
                }
            }
        }
    }

    /// So many messages waited for a satellite that is registered no more.
    fn tell_dropped(&self, host_id: &str, waited: usize) {
        if waited > 0 {
            self.reporter.warn(&format!(
                "dropped messages that waited for {host_id}: {waited}"
            ));
        }
    }

    /// Ends all deliveries, and tells what they have not delivered.
    pub(crate) fn end_deliveries(&self) {
        let (unpassed, undelivered) = {
            let mut shared = self.shared();
            let undelivered: usize = shared
                .deliveries
                .drain()
                .map(|(_, one)| one.waiting())
                .sum();
            (shared.limiter.len(), undelivered)
        };
        if unpassed + undelivered > 0 {
            self.reporter.warn(&format!(
                "dropped at the end: {unpassed} messages that were to be passed on to all, and {undelivered} that \
                 waited for a single satellite"
            ));
        }
    }

    /// Writes the dump whenever the satellites change.
    pub(crate) async fn keep_dump(&self) {
        let text = || {
            let shared = self.shared();
            crate::dump::write(shared.registry.satellites()).map_err(|error| error.to_string())
        };
        self.keeper.run(text, self.reporter.as_ref()).await;
    }

    async fn answer(self: &Arc<Self>, call: &Call) -> Result<Value, Fault> {
        let Method::Builtin(builtin) = &call.method else {
            return Err(Fault::unsupported("that"));
        };
        match builtin {
            Builtin::Register => self.register(call).await,
            Builtin::Deregister => self.deregister(call).await,
            Builtin::Relay => self.relay(call),
            Builtin::Properties => {
                let members = self.properties.members(&[], time::now());
                Ok(Value::Struct(members))
            }
            Builtin::MaxSatellites => {
                let most = self.settings.limits.satellites;
                Ok(satellite::count(most as u64))
            }
            Builtin::NumSatellites => {
                let count = self.shared().registry.count();
                Ok(satellite::count(count as u64))
            }
            Builtin::Satellites => {
                let shared = self.shared();
                let ids = shared.registry.satellites().map(|s| s.host_id.clone());
                Ok(Value::Array(ids.map(Value::String).collect()))
            }
            Builtin::SatelliteProps => self.satellite(call, |s| Value::Struct(s.properties(false))),
            Builtin::SatellitePropsRaw => {
                self.satellite(call, |s| Value::Struct(s.properties(true)))
            }
            Builtin::SatelliteCtime => self.satellite(call, |s| Value::Double(s.ctime)),
            // The table answers the others.
            _ => Err(Fault::unsupported("that")),
        }
    }

    fn satellite(
        &self,
        call: &Call,
        about: impl FnOnce(&Satellite) -> Value,
    ) -> Result<Value, Fault> {
        let host_id = call.text("host_id")?;
        self.shared().registry.satellite(host_id).map(about)
    }

    async fn register(self: &Arc<Self>, call: &Call) -> Result<Value, Fault> {
        let registration = Registration::read(call)?;
        let ip = call.client.ip();
        let mut waited = 0;
        let (satellite, replaced) = {
            let mut shared = self.shared();
            let number = || fastrand::u32(NUMBERS);
            let registered = shared
                .registry
                .register(registration, ip, number, time::now())?;
            let satellite = shared.registry.satellite(&registered.host_id)?.clone();
            let replaced = registered.replaced;
            if let Some(before) = &replaced {
                waited = waiting(shared.deliveries.remove(&before.host_id));
                shared.pinger.remove(&before.host_id);
            }
            let delivery = Delivery::start(self, &satellite);
            shared
                .deliveries
                .insert(satellite.host_id.clone(), delivery);
            shared.pinger.add(&satellite.host_id, Instant::now());
            (satellite, replaced)
        };
        self.pinging.notify_one();
        // Before anything is waited for: a caller that goes takes the rest of this with it.
        if let Some(replaced) = &replaced {
            self.reporter.satellite(replaced, State::Replaced);
            self.tell_dropped(&replaced.host_id, waited);
        }
        self.reporter.satellite(&satellite, State::Registered);
        self.reporter.info(&format!(
            "{} ({}) has registered",
            satellite.host_id, satellite.nick
        ));
        self.keeper.keep().await;
        Ok(Value::String(satellite.host_id))
    }

    async fn deregister(&self, call: &Call) -> Result<Value, Fault> {
        let host_id = call.text("host_id")?;
        let satellite = {
            let mut shared = self.shared();
            let satellite = shared.registry.deregister(host_id, call.client.ip())?;
            shared.deliveries.remove(host_id);
            shared.pinger.remove(host_id);
            satellite
        };
        self.reporter.satellite(&satellite, State::Deregistered);
        self.reporter.info(&format!(
            "{} ({}) has deregistered",
            satellite.host_id, satellite.nick
        ));
        self.keeper.keep().await;
        Ok(ok())
    }

    fn relay(&self, call: &Call) -> Result<Value, Fault> {
        let as_registry = |fault: Fault| Fault::registry(fault.reason());
        let host_id = call.text("host_id").map_err(as_registry)?;
        let ip = call.client.ip();
        self.shared().registry.verify(host_id, ip)?;
        let data = call.value("data").map_err(as_registry)?.clone();
        let data = sendable(data, self.settings.allowed, "data")
            .map_err(|error| Fault::new(VALUE_ERROR, error))?;
        let notify = Notify::new(host_id, data)?;
        let size = notify.len();
        if size > MAX_DOCUMENT {
            return Err(Fault::new(
                VALUE_ERROR,
                "the message is larger than 1 MiB as it would be passed on",
            ));
        }
        let message = Message {
            sender: host_id.to_owned(),
            notify,
        };
        let mut shared = self.shared();
        shared.limiter.push(message, size).map_err(|Full| {
            Fault::registry("too many messages wait to be passed on: try again later")
        })?;
        shared.registry.sent(host_id, time::now());
        drop(shared);
        self.queued.notify_one();
        Ok(ok())
    }
}

impl Service for Handle {
    async fn call(&self, call: MethodCall, client: SocketAddr) -> Result<Value, Fault> {
        let relay = &self.0;
        let value = match relay.table.prepare(call, client)? {
            Prepared::Answer(value) => value,
            Prepared::Call(call) => relay.answer(&call).await?,
        };
        // What `test` gives back may be nothing that may be sent.
        sendable(value, relay.settings.allowed, "result")
            .map_err(|error| Fault::new(VALUE_ERROR, error))
    }

    fn page(&self, path: &str) -> Option<Page> {
        let relay = &self.0;
        match path {
            "/" => {
                let members = relay.properties.members(&[], time::now());
                let links = [("/methods", "methods"), ("/satellites", "satellites")];
                Some(Page::new("CO2: relay").table(&members).links(&links))
            }
            "/methods" => Some(page::methods(&relay.table)),
            "/satellites" => {
                let shared = relay.shared();
                let count = format!("satellites: {}", shared.registry.count());
                let page = Page::new("CO2: satellites")
                    .links(&[("/", "system properties")])
                    .text(&count);
                let shown = shared.registry.satellites().take(MAX_SHOWN);
                let page = shown.fold(page, |page, satellite| {
                    let members: Struct = satellite.properties(false);
                    page.heading(&satellite.nick).table(&members)
                });
                Some(page)
            }
            _ => None,
        }
    }

    fn log(&self, line: &str) {
        self.0.reporter.debug(line);
    }

    fn warn(&self, text: &str) {
        self.0.reporter.warn(text);
    }
}

/// The relay as the server has it.
pub(crate) struct Handle(pub(crate) Arc<Relay>);

/// How many messages wait for the satellite of a delivery that ends.
fn waiting(ended: Option<Delivery>) -> usize {
    ended.map_or(0, |delivery| delivery.waiting())
}

fn ok() -> Value {
    Value::String("OK".to_owned())
}
