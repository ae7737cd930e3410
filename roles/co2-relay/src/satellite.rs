//! One satellite, pure: what it says of itself, what has passed between it and the relay, and what is told about it.

use std::net::SocketAddr;

use kozo_co2::document::{DocumentError, Pass};
use kozo_co2::fault::{TYPE_ERROR, VALUE_ERROR};
use kozo_co2::methods::{Call, address};
use kozo_co2::time::date_time;
use kozo_co2::{Fault, Struct, Value};

/// The longest nick, and the longest name of a plug-in, in bytes.
const MAX_NAME: usize = 256;

/// How many plug-ins a satellite may have.
const MAX_PLUGINS: usize = 256;

/// The longest password, in bytes.
const MAX_PASS: usize = 1024;

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
    pub(crate) fn note(&mut self, now: f64) {
        self.count += 1;
        self.last = Some(now);
    }
}

/// How a satellite answers pings; times in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Pings {
    count: u64,
    fails: u64,
    pub(crate) fails_in_a_row: u32,
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
    pub(crate) fn note(&mut self, time: Option<f64>) {
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
