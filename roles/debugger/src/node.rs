//! What the console asks of the node that it runs on.

use std::time::Duration;

use kozo_abi::{Kind, RoleHost};
use serde_json::Value;

/// How long an answer may take: a role that is restarted has 8 seconds to be there again.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A message to send.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sending {
    pub(crate) kind: Kind,
    pub(crate) type_name: String,
    pub(crate) channel: Option<String>,
    pub(crate) data: Value,
}

/// The node.
pub(crate) trait Node: Send + Sync {
    /// The node's name.
    fn name(&self) -> &str;

    /// This role's name.
    fn role(&self) -> &str;

    /// Asks the node something, and waits for the answer.
    ///
    /// # Errors
    /// Why there is none, for people.
    fn ask(&self, question: &Value) -> Result<Value, String>;

    /// Sends a message as this role.
    ///
    /// # Errors
    /// Why it cannot be sent.
    fn send(&self, message: &Sending) -> Result<(), String>;

    /// Notes what somebody does here.
    fn note(&self, text: &str);
}

/// The node, by way of the interface.
pub(crate) struct HostNode {
    host: RoleHost,
    log: bool,
}

impl HostNode {
    pub(crate) fn new(host: RoleHost, log: bool) -> Self {
        Self { host, log }
    }
}

impl Node for HostNode {
    fn name(&self) -> &str {
        self.host.node()
    }

    fn role(&self) -> &str {
        self.host.name()
    }

    fn ask(&self, question: &Value) -> Result<Value, String> {
        let answer = self.host.ask(question, ANSWER_LIMIT);
        answer.map_err(|error| error.to_string())
    }

    fn send(&self, message: &Sending) -> Result<(), String> {
        let Sending {
            kind,
            type_name,
            channel,
            data,
        } = message;
        let outgoing = match kind {
            Kind::Event => self.host.event(type_name),
            Kind::Order => self.host.order(type_name),
            Kind::Log => {
                let text = data.as_str().ok_or("a log has one text as its data")?;
                return self.host.send_log(text).map_err(|error| error.to_string());
            }
        };
        let outgoing = match channel {
            Some(channel) => outgoing.channel(channel),
            None => outgoing,
        };
        outgoing.send(data).map_err(|error| error.to_string())
    }

    fn note(&self, text: &str) {
        self.host.info(text);
        if self.log {
            // A log that cannot be sent is no reason not to go on.
            let _ = self.host.send_log(text);
        }
    }
}
