//! Messages that somebody sends from the page.

use std::fmt;

use kozo_abi::RoleHost;
use serde::Deserialize;
use serde_json::Value;

/// A message to send. A log is written by roles, not by people.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sending {
    kind: SentKind,
    #[serde(rename = "type")]
    type_name: String,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    data: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SentKind {
    Event,
    Order,
}

impl Sending {
    /// Sends it as this role, so that `acceptOrdersFrom` holds.
    ///
    /// # Errors
    /// Why it cannot be sent, for people.
    pub(crate) fn send(&self, host: &RoleHost) -> Result<(), String> {
        if self.type_name.is_empty() {
            return Err("a message has a type: give one".to_owned());
        }
        let outgoing = match self.kind {
            SentKind::Event => host.event(&self.type_name),
            SentKind::Order => host.order(&self.type_name),
        };
        let outgoing = match &self.channel {
            Some(channel) => outgoing.channel(channel),
            None => outgoing,
        };
        outgoing.send(&self.data).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SentKind::Event => "an event",
            SentKind::Order => "an order",
        };
        write!(f, "{kind} {:?}", self.type_name)?;
        match &self.channel {
            Some(channel) => write!(f, " on the channel {channel:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_events_and_orders_are_sent() {
        let order = json!({"kind": "order", "type": "pulse\n", "channel": "door", "data": [1]});
        let order: Sending = serde_json::from_value(order).unwrap();
        assert_eq!(
            order.to_string(),
            "an order \"pulse\\n\" on the channel \"door\""
        );
        for wrong in [
            json!({"kind": "log", "type": "a"}),
            json!({"kind": "order"}),
            json!({"kind": "order", "type": "a", "node": "b"}),
        ] {
            assert!(serde_json::from_value::<Sending>(wrong).is_err());
        }
    }
}
