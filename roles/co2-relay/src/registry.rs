//! The satellites of a relay, pure: who may do what in whose name, and what has passed.
//!
//! Times are seconds since 1970, as an argument. They are shown, and nothing is decided by them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use kozo_co2::document::{DocumentError, Pass};
use kozo_co2::fault::{TYPE_ERROR, VALUE_ERROR};
use kozo_co2::methods::{Call, address};
use kozo_co2::time::date_time;
use kozo_co2::value::is_legal;
use kozo_co2::{Fault, Struct, Value};

/// The longest nick, and the longest name of a plug-in, in bytes.
const MAX_NAME: usize = 256;

/// How many plug-ins a satellite may have.
const MAX_PLUGINS: usize = 256;

/// The longest password, in bytes.
const MAX_PASS: usize = 1024;

/// The random parts of host ids: nine digits.
pub(crate) const NUMBERS: std::ops::Range<u32> = 100_000_000..1_000_000_000;

/// The satellites that are registered.
#[derive(Debug)]
pub(crate) struct Registry {
    satellites: BTreeMap<String, Satellite>,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many satellites there can be.
    pub(crate) satellites: usize,
    /// After how many failed pings in a row one is dropped; 0: never.
    pub(crate) drop_after: u32,
}

/// A satellite, and what has passed between it and the relay.
#[derive(Debug, Clone)]
pub(crate) struct Satellite {
    pub(crate) host_id: String,
    /// Where it listens: the address that the relay has seen, and the port that it has said.
    pub(crate) address: SocketAddr,
    pub(crate) nick: String,
    pub(crate) plugins: Vec<String>,
    pub(crate) notify_pass: String,
    /// The same, as it is written into messages.
    pub(crate) pass: Pass,
    /// When it registered.
    pub(crate) ctime: f64,
    pub(crate) pings: Pings,
    /// How often it called `relay.relay`, and when it did so last.
    pub(crate) sent: Passed,
    /// How often its `notify` was called, and when that was done last.
    pub(crate) received: Passed,
    /// How many messages it did not get: since its queue was full, and since its `notify` failed.
    pub(crate) missed: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Passed {
    pub(crate) count: u64,
    /// None before the first.
    pub(crate) last: Option<f64>,
}

impl Passed {
    fn note(&mut self, now: f64) {
        self.count += 1;
        self.last = Some(now);
    }
}

/// How a satellite answers pings; times in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Pings {
    count: u64,
    fails: u64,
    fails_in_a_row: u32,
    current: Option<f64>,
    shortest: Option<f64>,
    longest: Option<f64>,
    sum: f64,
}

/// What a satellite says of itself when it registers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Registration {
    pub(crate) port: u16,
    pub(crate) plugins: Vec<String>,
    pub(crate) nick: String,
    pub(crate) notify_pass: String,
}

/// What came of a registration.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) host_id: String,
    /// The satellite that was registered at the same address before.
    pub(crate) replaced: Option<Satellite>,
}

/// What a ping has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is the first one that fails.
    Failing,
    /// It succeeds after one that failed.
    Back,
    /// So many have failed that the satellite is registered no more.
    Lost,
}

impl Registration {
    /// Reads the argument of `relay.register`.
    ///
    /// # Errors
    /// What the caller gets instead of an id.
    pub(crate) fn read(call: &Call) -> Result<Self, Fault> {
        let port = call.integer("port")?;
        let port = u16::try_from(port).ok().filter(|&port| port > 0);
        let port = port.ok_or_else(|| {
            Fault::new(VALUE_ERROR, "'port' has to be a TCP port, from 1 to 65535")
        })?;
        let optional = |key| match call.argument.get(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(Fault::new(
                TYPE_ERROR,
                format_args!("'{key}' has to be a string"),
            )),
        };
        let registration = Self {
            port,
            plugins: call.texts("plugins")?,
            nick: optional("nick")?,
            notify_pass: optional("notify_pass")?,
        };
        registration.check()?;
        Ok(registration)
    }

    fn check(&self) -> Result<(), Fault> {
        let too_long = |what: &str, limit: usize| {
            Err(Fault::new(
                VALUE_ERROR,
                format_args!("{what} is longer than {limit} bytes"),
            ))
        };
        if self.nick.len() > MAX_NAME {
            return too_long("'nick'", MAX_NAME);
        }
        if self.notify_pass.len() > MAX_PASS {
            return too_long("'notify_pass'", MAX_PASS);
        }
        if self.plugins.iter().any(|name| name.len() > MAX_NAME) {
            return too_long("a name in 'plugins'", MAX_NAME);
        }
        if self.plugins.len() > MAX_PLUGINS {
            return Err(Fault::new(
                VALUE_ERROR,
                format_args!("'plugins' has more than {MAX_PLUGINS} names"),
            ));
        }
        Ok(())
    }
}

impl Registry {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            satellites: BTreeMap::new(),
            limits,
        }
    }

    /// Registers a satellite that calls from `ip`, in place of one that was there before. `number` gives the random
    /// parts of ids, of [`NUMBERS`].
    ///
    /// # Errors
    /// There are as many satellites as there can be.
    pub(crate) fn register(
        &mut self,
        registration: Registration,
        ip: IpAddr,
        mut number: impl FnMut() -> u32,
        now: f64,
    ) -> Result<Registered, Fault> {
        let address = SocketAddr::new(ip, registration.port);
        // Who crashed and comes again must not get each message twice, nor take a second place.
        let replaced = self.at(address).cloned();
        if replaced.is_none() && self.satellites.len() >= self.limits.satellites {
            return Err(Fault::registry(format_args!(
                "this relay has {} satellites, as many as it may have: try again later",
                self.satellites.len()
            )));
        }
        let host_id = loop {
            let id = format!("{}@{address}", number());
            if !self.satellites.contains_key(&id) {
                break id;
            }
        };
        let satellite = Satellite::new(host_id.clone(), address, registration, now)?;
        if let Some(before) = &replaced {
            self.satellites.remove(&before.host_id);
        }
        self.satellites.insert(host_id.clone(), satellite);
        Ok(Registered { host_id, replaced })
    }

    /// Puts satellites back that were registered when the relay ended, as many as there can be; how many there are
    /// no places for.
    pub(crate) fn restore(&mut self, satellites: Vec<Satellite>) -> usize {
        let count = satellites.len();
        let mut restored = 0;
        for satellite in satellites.into_iter().take(self.limits.satellites) {
            if self.at(satellite.address).is_none() {
                self.satellites.insert(satellite.host_id.clone(), satellite);
                restored += 1;
            }
        }
        count - restored
    }

    /// Ends the registration of a satellite, for a caller at `ip`.
    ///
    /// # Errors
    /// There is no such satellite (`KeyError`), or it is at another address (`Co2RegistryError`).
    pub(crate) fn deregister(&mut self, host_id: &str, ip: IpAddr) -> Result<Satellite, Fault> {
        self.satellite(host_id)?;
        self.verify(host_id, ip)?;
        self.satellites
            .remove(host_id)
            .ok_or_else(|| unknown(host_id))
    }

    /// Whether a caller at `ip` is who it says it is.
    ///
    /// # Errors
    /// A `Co2RegistryError`.
    pub(crate) fn verify(&self, host_id: &str, ip: IpAddr) -> Result<(), Fault> {
        match self.satellites.get(host_id) {
            None => Err(Fault::registry(format_args!(
                "{} is not registered",
                shown(host_id)
            ))),
            Some(satellite) if satellite.address.ip() != ip => Err(Fault::registry(format_args!(
                "{host_id} is at another address than {ip}, which this call comes from"
            ))),
            Some(_) => Ok(()),
        }
    }

    /// The satellite of an id.
    ///
    /// # Errors
    /// A `KeyError`.
    pub(crate) fn satellite(&self, host_id: &str) -> Result<&Satellite, Fault> {
        self.satellites.get(host_id).ok_or_else(|| unknown(host_id))
    }

    pub(crate) fn satellites(&self) -> impl Iterator<Item = &Satellite> {
        self.satellites.values()
    }

    pub(crate) fn count(&self) -> usize {
        self.satellites.len()
    }

    /// A message of the satellite was taken.
    pub(crate) fn sent(&mut self, host_id: &str, now: f64) {
        if let Some(satellite) = self.satellites.get_mut(host_id) {
            satellite.sent.note(now);
        }
    }

    /// The satellite's `notify` is called.
    pub(crate) fn received(&mut self, host_id: &str, now: f64) {
        if let Some(satellite) = self.satellites.get_mut(host_id) {
            satellite.received.note(now);
        }
    }

    /// The satellite did not get a message.
    pub(crate) fn missed(&mut self, host_id: &str) {
        if let Some(satellite) = self.satellites.get_mut(host_id) {
            satellite.missed += 1;
        }
    }

    /// A ping was answered in so many milliseconds, or was not. What that changes, and for whom.
    pub(crate) fn pinged(
        &mut self,
        host_id: &str,
        time: Option<f64>,
    ) -> Option<(Change, Satellite)> {
        let drop_after = self.limits.drop_after;
        let satellite = self.satellites.get_mut(host_id)?;
        let before = satellite.pings.fails_in_a_row;
        satellite.pings.note(time);
        let fails = satellite.pings.fails_in_a_row;
        if drop_after > 0 && fails >= drop_after {
            let lost = self.satellites.remove(host_id)?;
            return Some((Change::Lost, lost));
        }
        match (before, fails) {
            (0, 1) => Some((Change::Failing, satellite.clone())),
            (1.., 0) => Some((Change::Back, satellite.clone())),
            _ => None,
        }
    }

    fn at(&self, address: SocketAddr) -> Option<&Satellite> {
        self.satellites().find(|other| other.address == address)
    }
}

impl Satellite {
    /// One that has just registered.
    ///
    /// # Errors
    /// Its password cannot be written.
    pub(crate) fn new(
        host_id: String,
        address: SocketAddr,
        registration: Registration,
        now: f64,
    ) -> Result<Self, DocumentError> {
        let Registration {
            nick,
            plugins,
            notify_pass,
            ..
        } = registration;
        Ok(Self {
            nick: match nick.is_empty() {
                true => host_id.clone(),
                false => nick,
            },
            pass: Pass::new(&notify_pass)?,
            host_id,
            address,
            plugins,
            notify_pass,
            ctime: now,
            pings: Pings::default(),
            sent: Passed::default(),
            received: Passed::default(),
            missed: 0,
        })
    }

    /// What is told about it; times are seconds where `raw`.
    pub(crate) fn properties(&self, raw: bool) -> Struct {
        let time = |seconds: f64| match raw {
            true => Value::Double(seconds),
            false => date_time(seconds),
        };
        let last = |passed: &Passed| time(passed.last.unwrap_or(self.ctime));
        // There is no null: before the first ping, all of its times are this.
        let ping = |time: Option<f64>| Value::Double(time.unwrap_or(-1.0));
        let plugins = self.plugins.iter().cloned().map(Value::String).collect();
        let members = [
            ("addr", address(self.address)),
            ("host_id", Value::String(self.host_id.clone())),
            ("nick", Value::String(self.nick.clone())),
            ("plugins", Value::Array(plugins)),
            ("ctime", time(self.ctime)),
            ("ping_current", ping(self.pings.current)),
            ("ping_count", count(self.pings.count)),
            ("ping_min", ping(self.pings.shortest)),
            ("ping_max", ping(self.pings.longest)),
            ("ping_avg", ping(self.pings.average())),
            ("ping_fails", count(self.pings.fails)),
            ("send_count", count(self.sent.count)),
            ("send_time", last(&self.sent)),
            ("recv_count", count(self.received.count)),
            ("recv_time", last(&self.received)),
            ("missed_count", count(self.missed)),
        ];
        members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

impl Pings {
    fn note(&mut self, time: Option<f64>) {
        self.count += 1;
        self.current = time;
        match time {
            None => {
                self.fails += 1;
                self.fails_in_a_row = self.fails_in_a_row.saturating_add(1);
            }
            Some(time) => {
                self.fails_in_a_row = 0;
                self.shortest = Some(self.shortest.map_or(time, |other| other.min(time)));
                self.longest = Some(self.longest.map_or(time, |other| other.max(time)));
                self.sum += time;
            }
        }
    }

    fn average(&self) -> Option<f64> {
        let answered = self.count - self.fails;
        #[allow(clippy::cast_precision_loss, reason = "no relay pings that often")]
        (answered > 0).then(|| self.sum / answered as f64)
    }
}

/// XML-RPC has integers of 32 bits only.
pub(crate) fn count(number: u64) -> Value {
    Value::Integer(i32::try_from(number).unwrap_or(i32::MAX))
}

fn unknown(host_id: &str) -> Fault {
    Fault::missing(&shown(host_id), "no satellite of that id is registered")
}

/// An id that a caller sent, bounded.
fn shown(host_id: &str) -> String {
    let legal = host_id.chars().filter(|&character| is_legal(character));
    legal.take(100).collect()
}

#[cfg(test)]
mod tests;
