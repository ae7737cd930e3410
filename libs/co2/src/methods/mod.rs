//! The methods that relay and satellite have, under all their names.

mod call;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::document::{MethodCall, NOTIFY_PASS};
use crate::fault::{Fault, TYPE_ERROR};
use crate::value::{Struct, Value};

use call::mistyped;
use rows::{ROWS, Row, Takes};

pub use call::{Call, Method};

/// The first words of names that plug-ins cannot have.
pub const RESERVED: [&str; 5] = ["sys", "system", "co2", "relay", "web"];

/// The key of every argument that holds the caller's address, which the host that is called puts there.
pub const CLIENT_ADDRESS: &str = "client_address";

/// The key that names a method.
const METHOD_NAME: &str = "method_name";

/// How much of an unknown method's name a fault repeats, in characters.
const MAX_SHOWN_NAME: usize = 100;

/// Which kind of host has methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The one in the middle.
    Relay,
    /// One of those around it.
    Satellite,
}

/// A method of CO2's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table of rows says what each does")]
pub enum Builtin {
    Ping,
    Test,
    MethodNames,
    MethodHelp,
    MethodSignature,
    Properties,
    CallMethod,
    Register,
    Deregister,
    Relay,
    MaxSatellites,
    NumSatellites,
    Satellites,
    SatelliteProps,
    SatelliteCtime,
    SatellitePropsRaw,
    Notify,
}

impl Builtin {
    /// Whether a satellite, or the relay, does it as itself. Who calls through `call_method` is nobody.
    fn needs_identity(self) -> bool {
        matches!(
            self,
            Self::Notify | Self::Register | Self::Deregister | Self::Relay
        )
    }
}

/// What becomes of a call that a table has looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Prepared {
    /// The table has the answer.
    Answer(Value),
    /// The host has to answer.
    Call(Call),
}

/// The methods of a host.
#[derive(Debug, Clone)]
pub struct Table {
    host: Host,
    published: BTreeMap<String, Published>,
}

#[derive(Debug, Clone)]
struct Published {
    help: String,
    signature: Value,
}

/// Why a method cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The name's first word is one of [`RESERVED`], or the whole is a method of CO2's.
    #[error("the name `{0}` is one of CO2's own: choose another")]
    Reserved(String),
    /// The name is already there.
    #[error("there is a method `{0}` already")]
    Taken(String),
    /// Nobody could call it by that name.
    #[error("`{0}` is no name of a method: take letters, digits, `_` and dots")]
    Malformed(String),
}

impl Table {
    /// The methods that every host of a kind has.
    pub fn new(host: Host) -> Self {
        Self {
            host,
            published: BTreeMap::new(),
        }
    }

    /// Adds a method of the host's own: a plug-in's, say. The signature is what `system.methodSignature` answers,
    /// such as [`signature`] makes.
    ///
    /// # Errors
    /// The name is taken, reserved, or none.
    pub fn publish(
        &mut self,
        name: &str,
        help: &str,
        signature: Value,
    ) -> Result<(), PublishError> {
        let first = name.split('.').next().unwrap_or_default();
        let is_name = |word: &str| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_alphanumeric() || "_-".contains(c))
        };
        if !name.split('.').all(is_name) {
            return Err(PublishError::Malformed(name.escape_debug().to_string()));
        }
        if RESERVED.contains(&first) || ROWS.iter().any(|row| row.names.contains(&name)) {
            return Err(PublishError::Reserved(name.to_owned()));
        }
        if self.published.contains_key(name) {
            return Err(PublishError::Taken(name.to_owned()));
        }
        let help = help.to_owned();
        self.published
            .insert(name.to_owned(), Published { help, signature });
        Ok(())
    }

    /// Takes back what was published, and fits the test.
    pub fn withdraw(&mut self, fits: impl Fn(&str) -> bool) {
        self.published.retain(|name, _| !fits(name));
    }

    /// The names of all methods, sorted.
    pub fn names(&self) -> Vec<String> {
        let own = self.published.keys().cloned();
        let rows = self.rows().flat_map(|row| row.names);
        let mut names: Vec<String> = rows.map(|&name| name.to_owned()).chain(own).collect();
        names.sort();
        names
    }

    /// What a method does, in words.
    pub fn help(&self, name: &str) -> Option<String> {
        match self.row(name) {
            Some(row) => Some(row.help.to_owned()),
            None => Some(self.published.get(name)?.help.clone()),
        }
    }

    /// What a method is called with.
    pub fn signature(&self, name: &str) -> Option<Value> {
        match self.row(name).map(|row| row.takes) {
            Some(Takes::Anything) => Some(signature(&[])),
            Some(Takes::Name) => Some(signature(&[(METHOD_NAME, "string: the method's name")])),
            Some(Takes::Keys(keys)) => Some(signature(keys)),
            None => Some(self.published.get(name)?.signature.clone()),
        }
    }

    /// Looks at a call: whether there is the method, and whether its arguments are what it takes. Puts the caller's
    /// address into the argument, and answers what needs nothing of the host.
    ///
    /// # Errors
    /// What the caller gets instead.
    pub fn prepare(&self, call: MethodCall, client: SocketAddr) -> Result<Prepared, Fault> {
        let MethodCall { method, arguments } = call;
        let (found, row) = self.find(&method)?;
        let count = arguments.len();
        let mut arguments = arguments.into_iter();
        let argument = match (arguments.next(), arguments.next()) {
            (argument, None) => argument,
            _ => {
                return Err(Fault::new(
                    TYPE_ERROR,
                    format_args!("{method}() takes one argument, a struct ({count} given)"),
                ));
            }
        };
        let argument = match (argument, row.map(|row| row.takes)) {
            (None, Some(Takes::Name)) => Err(format!(
                "{method}() takes one argument, the name of a method (none given)"
            )),
            // What is missing in it is said by its key.
            (None, _) => Ok(Struct::new()),
            (Some(Value::Struct(members)), _) => Ok(members),
            (Some(name @ Value::String(_)), Some(Takes::Name)) => {
                Ok(Struct::from([(METHOD_NAME.to_owned(), name)]))
            }
            (Some(other), _) => Err(format!(
                "{method}() takes one argument, a struct (given: {})",
                crate::log::python(&other)
            )),
        };
        let argument = argument.map_err(|text| Fault::new(TYPE_ERROR, text))?;
        self.settle(found, argument, client)
    }

    /// The method of a name.
    fn find(&self, name: &str) -> Result<(Method, Option<&'static Row>), Fault> {
        if let Some(row) = self.row(name) {
            return Ok((Method::Builtin(row.builtin), Some(row)));
        }
        if self.published.contains_key(name) {
            return Ok((Method::Published(name.to_owned()), None));
        }
        let shown: String = name.chars().take(MAX_SHOWN_NAME).collect();
        Err(Fault::unsupported(&shown))
    }

    fn settle(
        &self,
        method: Method,
        mut argument: Struct,
        client: SocketAddr,
    ) -> Result<Prepared, Fault> {
        if method == Method::Builtin(Builtin::CallMethod) {
            return self.on_nobodys_behalf(argument, client);
        }
        argument.insert(CLIENT_ADDRESS.to_owned(), address(client));
        let call = Call {
            method,
            argument,
            client,
        };
        let answer = match &call.method {
            Method::Builtin(Builtin::Ping) => Value::String("OK".to_owned()),
            Method::Builtin(Builtin::Test) => Value::Struct(call.argument),
            Method::Builtin(Builtin::MethodNames) => {
                Value::Array(self.names().into_iter().map(Value::String).collect())
            }
            Method::Builtin(Builtin::MethodHelp) => {
                let name = call.text(METHOD_NAME)?;
                let help = self.help(name);
                Value::String(help.ok_or_else(|| self.unknown(name))?)
            }
            Method::Builtin(Builtin::MethodSignature) => {
                let name = call.text(METHOD_NAME)?;
                self.signature(name).ok_or_else(|| self.unknown(name))?
            }
            _ => return Ok(Prepared::Call(call)),
        };
        Ok(Prepared::Answer(answer))
    }

    /// `call_method`: what makes a caller somebody is taken away.
    fn on_nobodys_behalf(
        &self,
        mut argument: Struct,
        client: SocketAddr,
    ) -> Result<Prepared, Fault> {
        let name = match argument.remove(METHOD_NAME) {
            Some(Value::String(name)) => name,
            Some(_) => return Err(mistyped(METHOD_NAME, "a string")),
            None => return Err(Fault::missing(METHOD_NAME, "the struct has no such key")),
        };
        let (method, row) = self.find(&name)?;
        if let Method::Builtin(builtin) = method
            && (builtin.needs_identity() || builtin == Builtin::CallMethod)
        {
            return Err(Fault::registry(format_args!(
                "{name} cannot be called through call_method: call it by itself"
            )));
        }
        // The id of a satellite that is asked about is no claim to be it.
        let asks_about = matches!(row.map(|row| row.takes), Some(Takes::Keys(_)));
        if !asks_about {
            argument.remove("host_id");
        }
        argument.remove(NOTIFY_PASS);
        if matches!(row.map(|row| row.takes), Some(Takes::Name)) {
            // Its own name was in the same key.
            let asked = argument.remove("name").unwrap_or(Value::String(name));
            argument.insert(METHOD_NAME.to_owned(), asked);
        }
        self.settle(method, argument, client)
    }

    fn unknown(&self, name: &str) -> Fault {
        match self.find(name) {
            Err(fault) => fault,
            Ok(_) => Fault::unsupported(name),
        }
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row> + use<> {
        let host = self.host;
        ROWS.iter()
            .filter(move |row| row.host.is_none_or(|of| of == host))
    }

    fn row(&self, name: &str) -> Option<&'static Row> {
        self.rows().find(|row| row.names.contains(&name))
    }
}

/// What `system.methodSignature` answers of a method whose argument has these keys: their names, and what they are.
pub fn signature(keys: &[(&str, &str)]) -> Value {
    let text = |text: &str| Value::String(text.to_owned());
    let names = keys.iter().map(|(name, _)| text(name)).collect();
    let described = keys
        .iter()
        .map(|(name, what)| ((*name).to_owned(), text(what)));
    Value::Struct(Struct::from([
        ("args".to_owned(), Value::Array(names)),
        ("args_d".to_owned(), Value::Struct(described.collect())),
        ("args_v".to_owned(), Value::Array(Vec::new())),
        ("args_kw".to_owned(), Value::Array(Vec::new())),
    ]))
}

/// An address as it stands in arguments: the text of the IP address, and the port.
pub fn address(address: SocketAddr) -> Value {
    Value::Array(vec![
        Value::String(address.ip().to_string()),
        Value::Integer(address.port().into()),
    ])
}
