//! Messages that a test hands to a role.

use std::time::Duration;

use kozo_ground::interest::{self, Subject};
use serde::Serialize;

use crate::Kind;

/// A message from another role, being put together for
/// [`StartedRole::deliver`](super::StartedRole::deliver).
#[derive(Debug, Clone)]
#[must_use = "it reaches the role by `StartedRole::deliver`"]
pub struct Incoming {
    pub(super) kind: Kind,
    pub(super) type_name: String,
    pub(super) channel: Option<String>,
    pub(super) node: String,
    pub(super) role: String,
    pub(super) data: Vec<u8>,
    pub(super) age: Duration,
}

impl Incoming {
    /// An event, without channel and data, from `somebody` on the node `elsewhere`.
    pub fn event(type_name: &str) -> Self {
        Self::new(Kind::Event, type_name)
    }

    /// An order; otherwise as [`event`](Self::event).
    pub fn order(type_name: &str) -> Self {
        Self::new(Kind::Order, type_name)
    }

    /// A line for the log.
    pub fn log(text: &str) -> Self {
        Self::new(Kind::Log, "").data(text)
    }

    fn new(kind: Kind, type_name: &str) -> Self {
        Self {
            kind,
            type_name: type_name.to_owned(),
            channel: None,
            node: "elsewhere".to_owned(),
            role: "somebody".to_owned(),
            data: Vec::new(),
            age: Duration::ZERO,
        }
        .data(&())
    }

    /// The sender: a role and its node.
    pub fn from(mut self, role: &str, node: &str) -> Self {
        role.clone_into(&mut self.role);
        node.clone_into(&mut self.node);
        self
    }

    /// The channel.
    pub fn channel(mut self, channel: &str) -> Self {
        self.channel = Some(channel.to_owned());
        self
    }

    /// The data: any value that serde knows.
    ///
    /// # Panics
    /// The value cannot be written as MessagePack.
    pub fn data(mut self, data: &(impl Serialize + ?Sized)) -> Self {
        self.data = rmp_serde::to_vec_named(data)
            .unwrap_or_else(|error| panic!("the test's data cannot be encoded: {error}"));
        self
    }

    /// How long the message was under way. Zero by default.
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// What interests match it by.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            kind: match self.kind {
                Kind::Event => interest::Kind::Event,
                Kind::Order => interest::Kind::Order,
                Kind::Log => interest::Kind::Log,
            },
            type_name: &self.type_name,
            channel: self.channel.as_deref(),
            role: &self.role,
            node: &self.node,
        }
    }

    /// What it takes up in an inbox.
    pub(super) fn size(&self) -> u64 {
        let channel = self.channel.as_ref().map_or(0, String::len);
        let texts = self.type_name.len() + channel + self.node.len() + self.role.len();
        (texts + self.data.len()) as u64
    }
}
