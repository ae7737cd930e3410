//! What messages that are alike have in common, kept once.

use super::head::Head;
use super::message::Message;

/// What is the same in messages that are alike: kind, role, type and channel.
#[derive(Debug, Clone)]
pub struct Likeness {
    head: Head,
    bytes: Box<[u8]>,
}

impl Likeness {
    /// That of a message.
    pub fn of(message: &Message) -> Self {
        Self::new(message.head(), message.body())
    }

    /// That of the message whose body starts with this head.
    pub(crate) fn new(head: Head, body: &[u8]) -> Self {
        Self {
            head,
            bytes: body[..head.len()].into(),
        }
    }

    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// The start of the body of each.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a body starts with the head.
    pub(crate) fn begins(&self, body: &[u8]) -> bool {
        body.starts_with(&self.bytes)
    }

    /// Whether the message is one of these.
    pub fn fits(&self, message: &Message) -> bool {
        self.begins(message.body())
    }
}
