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
        let head = message.head();
        Self {
            head,
            bytes: message.body()[..head.len()].into(),
        }
    }

    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// The start of the body of each.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the message is one of these.
    pub fn fits(&self, message: &Message) -> bool {
        message.body().starts_with(&self.bytes)
    }
}
