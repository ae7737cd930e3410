//! How long messages have a meaning.

use std::time::Duration;

use crate::interest::Kind;

/// The longest lives of messages, measured from when they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxAges {
    /// That of events and logs (`messageMaxAge`).
    pub message: Duration,
    /// That of orders (`orderMaxAge`).
    pub order: Duration,
}

impl MaxAges {
    /// That of a message of this kind.
    pub fn of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Order => self.order,
            Kind::Event | Kind::Log => self.message,
        }
    }
}
