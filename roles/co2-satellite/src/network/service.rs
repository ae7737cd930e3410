//! What the satellite answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kozo_co2::document::{MethodCall, NOTIFY_PASS};
use kozo_co2::fault::{EXCEPTION, VALUE_ERROR};
use kozo_co2::http::Service;
use kozo_co2::methods::{Builtin, Call, Method, Prepared};
use kozo_co2::page::{self, Page};
use kozo_co2::value::sendable;
use kozo_co2::{Fault, Struct, Value};
use tokio::sync::{oneshot, watch};

use crate::core::notify_event;
use crate::plugins::CALLS;
use crate::shared::Shared;

/// The path of the page of methods.
const METHODS: &str = "/methods";

/// What ids of calls to Kōzō's roles begin with.
const OF_ROLES: &str = "role.";

/// Answers for the satellite.
pub(super) struct Satellite {
    shared: Arc<Shared>,
    /// Changes with each message of the relay's.
    heard: watch::Sender<()>,
}

impl Satellite {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let heard = watch::Sender::new(());
        Self { shared, heard }
    }

    pub(super) fn heard(&self) -> watch::Receiver<()> {
        self.heard.subscribe()
    }

    /// A message of another satellite.
    fn notify(&self, mut call: Call) -> Result<Value, Fault> {
        let shared = &self.shared;
        let shown = match call.argument.remove(NOTIFY_PASS) {
            Some(Value::String(pass)) => pass,
            _ => String::new(),
        };
        if !is_same(shown.as_bytes(), shared.pass.as_bytes()) {
            shared.host.warn(&format!(
                "somebody at {} calls `notify` without the password, which only the relay has",
                call.client
            ));
            return Err(Fault::registry(
                "wrong notify_pass: only the relay may call notify",
            ));
        }
        let host_id = call.text("host_id")?;
        let event = notify_event(host_id, call.value("data")?)
            .map_err(|error| Fault::new(VALUE_ERROR, error))?;
        self.heard.send_replace(());
        shared.received.fetch_add(1, Ordering::Relaxed);
        shared.host.debug(&kozo_co2::log::notify(
            kozo_co2::time::now(),
            &call.argument,
        ));
        let sent = shared
            .host
            .event("notify")
            .channel(&shared.settings.channel)
            .send_bytes(&event);
        if let Err(error) = sent {
            shared.host.warn(&format!(
                "a message of {host_id} cannot become an event: {error}"
            ));
        }
        if let Some(frames) = &shared.frames {
            frames.receive(call.argument, &shared.host);
        }
        Ok(Value::String("OK".to_owned()))
    }

    /// A method of a role or of a plug-in.
    async fn call_published(&self, name: String, argument: Struct) -> Result<Value, Fault> {
        let shared = &self.shared;
        let method = shared
            .settings
            .methods
            .iter()
            .find(|method| method.name == name);
        let Some(method) = method else {
            let frames = shared
                .frames
                .as_ref()
                .ok_or_else(|| Fault::unsupported(&name))?;
            let (id, result) = shared.begin_call(CALLS)?;
            if !frames.call(&id, &name, argument) {
                shared.forget_call(&id);
                return Err(process_has_ended(&name));
            }
            return self.wait(&id, &name, result).await;
        };
        let order = shared.host.order(&method.order).channel(&method.channel);
        let (id, result) = shared.begin_call(OF_ROLES)?;
        let data = Value::Struct(Struct::from([
            ("call".to_owned(), Value::String(id.clone())),
            ("argument".to_owned(), Value::Struct(argument)),
        ]));
        let sent = kozo_co2::messagepack::to_messagepack(&data)
            .map_err(|error| error.to_string())
            .and_then(|data| order.send_bytes(&data).map_err(|error| error.to_string()));
        if let Err(error) = sent {
            shared.forget_call(&id);
            return Err(Fault::new(EXCEPTION, error));
        }
        if !shared.settings.answers {
            shared.forget_call(&id);
            return Ok(Value::String("OK".to_owned()));
        }
        self.wait(&id, &name, result).await
    }

    async fn wait(
        &self,
        id: &str,
        name: &str,
        result: oneshot::Receiver<Result<Value, Fault>>,
    ) -> Result<Value, Fault> {
        // Also when the caller goes away meanwhile, which drops this.
        let _call = Forget(&self.shared, id);
        let limit = self.shared.settings.answer_time;
        match tokio::time::timeout(limit, result).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(process_has_ended(name)),
            Err(_) => Err(Fault::new(
                EXCEPTION,
                format_args!("{name}: nobody answered within {} s", limit.as_secs_f64()),
            )),
        }
    }
}

fn process_has_ended(name: &str) -> Fault {
    Fault::new(
        EXCEPTION,
        format_args!("{name}: the plug-ins' process has ended, and is started again"),
    )
}

/// Gives up a call when it is dropped.
struct Forget<'a>(&'a Shared, &'a str);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.forget_call(self.1);
    }
}

impl Service for Satellite {
    async fn call(&self, call: MethodCall, client: SocketAddr) -> Result<Value, Fault> {
        let prepared = self.shared.table().prepare(call, client)?;
        match prepared {
            // What `test` gives back may be nothing that may be sent.
            Prepared::Answer(value) => sendable(value, self.shared.settings.allowed, "result")
                .map_err(|error| Fault::new(VALUE_ERROR, error)),
            Prepared::Call(call) => match call.method {
                Method::Builtin(Builtin::Notify) => self.notify(call),
                Method::Builtin(Builtin::Properties) => Ok(Value::Struct(self.properties())),
                Method::Published(name) => self.call_published(name, call.argument).await,
                Method::Builtin(_) => Err(Fault::unsupported("this one")),
            },
        }
    }

    fn page(&self, path: &str) -> Option<Page> {
        match path {
            "/" => Some(
                Page::new(&format!("CO2 satellite {}", self.shared.settings.nick))
                    .links(&[(METHODS, "methods")])
                    .table(&self.shared.state())
                    .heading("system properties")
                    .table(&self.properties()),
            ),
            METHODS => Some(page::methods(&self.shared.table())),
            _ => None,
        }
    }

    fn log(&self, line: &str) {
        self.shared.host.debug(line);
    }

    fn warn(&self, text: &str) {
        self.shared.host.warn(text);
    }
}

impl Satellite {
    fn properties(&self) -> Struct {
        let plugins = self.shared.plugins();
        self.shared
            .properties
            .members(&plugins, kozo_co2::time::now())
    }
}

/// Compares in a time that tells nothing about where they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}
