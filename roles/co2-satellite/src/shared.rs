//! What the parts of a satellite share: the role's own thread, the network's, and those of the plug-ins.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kozo_abi::RoleHost;
use kozo_co2::methods::{Host, Table};
use kozo_co2::properties::Properties;
use kozo_co2::{Fault, Struct, Value};
use tokio::sync::{Notify, oneshot, watch};

use crate::core::{Calls, Outbox, Pushed};
use crate::options::Settings;
use crate::plugins::Frames;

/// Random bytes of the password that the relay has to show.
const PASS_BYTES: usize = 16;

/// How many methods there may be with those of plug-ins, and how many plug-ins.
const MAX_METHODS: usize = 1000;
const MAX_PLUGINS: usize = 1000;

/// Whoever waits for the result of a call.
pub(crate) type Waiter = oneshot::Sender<Result<Value, Fault>>;

pub(crate) struct Shared {
    pub(crate) host: RoleHost,
    pub(crate) settings: Settings,
    /// What the relay has to show with each `notify`; another one at each start.
    pub(crate) pass: String,
    pub(crate) properties: Properties,
    table: Mutex<Table>,
    /// Titles of the plug-ins that are loaded.
    plugins: Mutex<Vec<String>>,
    /// What is written to the plug-ins' process; none when there are no plug-ins.
    pub(crate) frames: Option<Frames>,
    outbox: Mutex<Outbox>,
    calls: Mutex<Calls<Waiter>>,
    next_call: AtomicU64,
    /// Messages that came.
    pub(crate) received: AtomicU64,
    /// The relay's id for this satellite, to be shown.
    host_id: Mutex<Option<String>>,
    /// Wakes who sends.
    pub(crate) something_to_send: Notify,
    /// Whether the plug-ins are loaded, or there are none.
    pub(crate) loaded: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, host: &RoleHost) -> Result<Self, kozo_abi::Error> {
        let mut table = Table::new(Host::Satellite);
        for method in &settings.methods {
            let help = format!(
                "Answered by a role of Kōzō, which gets the order `{}` on the channel `{}`.",
                method.order, method.channel
            );
            let published = table.publish(&method.name, &help, kozo_co2::methods::signature(&[]));
            published.map_err(|error| format!("`methods`: {error}"))?;
        }
        let mut bytes = [0; PASS_BYTES];
        let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        if filled != PASS_BYTES {
            return Err("the system has no random bytes".into());
        }
        let now = kozo_co2::time::now();
        Ok(Self {
            host: host.clone(),
            pass: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            properties: Properties::new(&settings.maintainer, &settings.maintainer_email, now),
            table: Mutex::new(table),
            plugins: Mutex::default(),
            frames: settings.plugins.is_some().then(Frames::default),
            outbox: Mutex::new(Outbox::new(settings.queue_time)),
            calls: Mutex::default(),
            next_call: AtomicU64::new(0),
            received: AtomicU64::new(0),
            host_id: Mutex::default(),
            something_to_send: Notify::new(),
            loaded: watch::Sender::new(settings.plugins.is_none()),
            settings,
        })
    }

    /// Puts a message of about so many bytes into the queue for the relay.
    pub(crate) fn send(&self, data: Value, size: usize) {
        if self.settings.relay.is_none() {
            self.host
                .warn("a message cannot be sent, for there is no relay: give `relay`");
            return;
        }
        let pushed = lock(&self.outbox).push(data, size, Instant::now());
        if let Pushed::InPlaceOf(count) = pushed {
            let text = "messages for the relay were dropped: more came than it took";
            self.host.warn(&format!("{count} {text}"));
        }
        self.something_to_send.notify_one();
    }

    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// Adds a plug-in's method.
    pub(crate) fn publish(&self, name: &str, help: &str, signature: Value) {
        let mut table = lock(&self.table);
        let published = match table.names().len() < MAX_METHODS {
            true => table
                .publish(name, help, signature)
                .map_err(|error| error.to_string()),
            false => Err(format!(
                "`{name}` is beyond the {MAX_METHODS} that there may be"
            )),
        };
        drop(table);
        if let Err(error) = published {
            self.host
                .warn(&format!("a plug-in's method cannot be called: {error}"));
        }
    }

    /// Takes back the plug-ins and their methods: they come anew.
    pub(crate) fn forget_plugins(&self) {
        let own = |name: &str| {
            self.settings
                .methods
                .iter()
                .any(|method| method.name == name)
        };
        lock(&self.table).withdraw(|name| !own(name));
        lock(&self.plugins).clear();
    }

    pub(crate) fn add_plugin(&self, title: String) {
        let mut plugins = lock(&self.plugins);
        // More are not told of; they work all the same.
        if plugins.len() < MAX_PLUGINS {
            plugins.push(title);
        }
    }

    pub(crate) fn plugins(&self) -> Vec<String> {
        lock(&self.plugins).clone()
    }

    /// Begins a call whose result will come: its id, which no other call of the network has.
    pub(crate) fn begin_call(
        &self,
        prefix: &str,
    ) -> Result<(String, oneshot::Receiver<Result<Value, Fault>>), Fault> {
        let number = self.next_call.fetch_add(1, Ordering::Relaxed);
        // The role's part keeps those of a former life apart; it is as hard to guess as the password.
        let id = format!(
            "{prefix}{}.{number}",
            self.pass.get(..8).unwrap_or_default()
        );
        let (waiter, result) = oneshot::channel();
        match lock(&self.calls).begin(id.clone(), waiter) {
            true => Ok((id, result)),
            false => Err(Fault::new(
                kozo_co2::fault::EXCEPTION,
                "too many calls are under way: try again later",
            )),
        }
    }

    /// Ends a call with its result; false when nobody waits for it.
    pub(crate) fn end_call(&self, id: &str, result: Result<Value, Fault>) -> bool {
        match lock(&self.calls).end(id) {
            Some(waiter) => waiter.send(result).is_ok(),
            None => false,
        }
    }

    /// Gives up a call.
    pub(crate) fn forget_call(&self, id: &str) {
        lock(&self.calls).end(id);
    }

    /// Gives up all calls whose ids begin so.
    pub(crate) fn forget_calls(&self, prefix: &str) {
        lock(&self.calls).end_all(|id| id.starts_with(prefix));
    }

    pub(crate) fn set_host_id(&self, host_id: Option<&str>) {
        *lock(&self.host_id) = host_id.map(str::to_owned);
    }

    /// What the satellite says of itself: for the page.
    pub(crate) fn state(&self) -> Struct {
        let host_id = lock(&self.host_id).clone();
        let outbox = self.outbox();
        let number = |number: u64| Value::String(number.to_string());
        let relay = self.settings.relay.as_ref();
        let members = [
            (
                "host_id",
                Value::String(host_id.unwrap_or_else(|| "not registered".to_owned())),
            ),
            ("nick", Value::String(self.settings.nick.clone())),
            (
                "relay",
                Value::String(relay.map_or_else(|| "none".to_owned(), ToString::to_string)),
            ),
            ("received", number(self.received.load(Ordering::Relaxed))),
            ("sent", number(outbox.sent)),
            ("waiting", number(outbox.len() as u64)),
            ("dropped", number(outbox.dropped)),
        ];
        let members = members.into_iter();
        members
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

/// A lock that outlives a panic: what it guards is in order after every change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
