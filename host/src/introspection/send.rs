//! Messages that people send by hand.

use std::time::Duration;

use kozo_ground::clock;
use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;
use kozo_link::Fate;
use kozo_status::{MessageFate, SentMessage, SentTo, SentToBus};
use kozo_wire::Message;
use serde_json::Value;

use super::Introspection;
use super::refusal::Refusal;
use crate::bus::{BusFate, WatchedOnBus};
use crate::link::WatchedMessage;
use crate::router::Sent;

/// The role that such messages come from.
const SENDER: &str = "cli";

/// How long somebody may wait for acknowledgements.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How often it is looked whether they have come.
const POLL: Duration = Duration::from_millis(10);

/// A message to send.
pub(super) struct Dictation {
    pub(super) kind: Kind,
    pub(super) type_name: String,
    pub(super) channel: Option<String>,
    pub(super) data: Value,
}

impl Introspection {
    /// Sends a message as the role `cli` of this node, and waits so long at most until all nodes that it
    /// goes to have acknowledged it.
    pub(super) async fn send(
        &self,
        dictation: Dictation,
        wait_ms: u64,
    ) -> Result<SentMessage, Refusal> {
        let sender = RoleName::new(SENDER)?;
        if self.router.has_role(&sender) {
            return Err(Refusal::NameTaken {
                node: self.node.clone(),
                name: SENDER,
            });
        }
        let Dictation {
            kind,
            type_name,
            channel,
            data,
        } = dictation;
        let data = kozo_data::from_value(&data).map_err(Refusal::Data)?;
        let channel = channel.as_deref();
        let message = Message::new(
            kind,
            &sender,
            &type_name,
            channel,
            clock::wall(clock::now()).as_secs_f64(),
            data.as_slice(),
        )?;
        tracing::info!(
            target: "control",
            "sends by hand: {} `{type_name}`",
            kind_name(kind),
        );
        let sent = self.router.send_watched(&message);
        let wait = Duration::from_millis(wait_ms).min(LONGEST_WAIT);
        let deadline = clock::now() + wait;
        let waits = |sent: &Sent| {
            let mut nodes = sent.nodes.iter();
            let mut buses = sent.buses.iter();
            nodes.any(|(message, _)| message.fate() == Some(Fate::Waiting))
                || buses.any(|message| message.fate() == BusFate::Waiting)
        };
        while waits(&sent) && clock::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        Ok(SentMessage {
            nodes: sent.nodes.iter().map(told).collect(),
            buses: sent.buses.iter().map(told_of_bus).collect(),
            roles: sent.roles,
        })
    }
}

fn told((message, roles): &(WatchedMessage, Vec<String>)) -> SentTo {
    SentTo {
        node: message.node().clone(),
        roles: roles.clone(),
        fate: match message.fate() {
            Some(Fate::Waiting) => MessageFate::Waiting,
            Some(Fate::Acknowledged) => MessageFate::Acknowledged,
            Some(Fate::Dropped) => MessageFate::Dropped,
            None => MessageFate::Unknown,
        },
    }
}

fn told_of_bus(message: &WatchedOnBus) -> SentToBus {
    SentToBus {
        bus: message.bus().to_owned(),
        fate: match message.fate() {
            BusFate::Waiting => MessageFate::Waiting,
            BusFate::Confirmed => MessageFate::Acknowledged,
            BusFate::Refused => MessageFate::Refused,
            BusFate::Unknown => MessageFate::Unknown,
        },
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => "event",
        Kind::Order => "order",
        Kind::Log => "log",
    }
}
