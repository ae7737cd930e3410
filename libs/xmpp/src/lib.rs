//! An account on an XMPP server: over it programs find each other, and exchange the small texts that a link of
//! their own begins with.
//!
//! ```text
//!            ┌──────────── the account's thread ─────────────┐
//!  Account ──┤ Session: TLS ▶ XML ▶ Login ─done─▶ Online     ├── TCP ── server
//!   events ◀─┤          pure: bytes and times in, bytes out  │
//!            └───────────────────────────────────────────────┘
//! ```
//!
//! The connection is encrypted (STARTTLS) before anything is told, and passwords are proven with SCRAM. Only
//! stanzas that programs need are understood: presence, pings, and `query` elements of one namespace. What is in
//! a stanza is bounded before it is kept: its size, its depth, how many come.

mod account;
mod inbox;
mod jid;
mod login;
mod online;
mod reason;
mod scram;
mod session;
mod settings;
mod tls;
mod xml;

use std::time::Duration;

pub use account::{Account, SendError};
pub use jid::{InvalidJid, Jid};
pub use reason::Reason;
pub use settings::{CLIENT_PORT, Password, Senders, Server, Settings, Trust};

/// What an account tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It is connected, or no longer. In the second case nobody is present any more.
    State(State),
    /// Somebody's session is there. It comes again whenever that session says so again.
    Available {
        /// The session.
        from: Jid,
        /// The text of the presence.
        status: Option<String>,
    },
    /// It has gone.
    Unavailable {
        /// The session.
        from: Jid,
    },
    /// Somebody has sent a query.
    Query {
        /// The session.
        from: Jid,
        /// What is in it.
        fields: Fields,
    },
    /// A query came back.
    Undelivered {
        /// To whom it was sent.
        to: Jid,
        /// The number that it was given.
        id: u64,
        /// Why, as a condition of XMPP's: `service-unavailable` if nobody is there.
        condition: String,
    },
}

/// Whether an account is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It has a session.
    Online {
        /// The session's address.
        jid: Jid,
    },
    /// It has none.
    Offline {
        /// Why.
        reason: Reason,
        /// How long it waits before the next try, counted from the moment when this was told.
        retry_in: Option<Duration>,
    },
}

/// The children of a query, which are texts with names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The text of the first child of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.iter().find(|(key, _)| *key == name);
        found.map(|(_, text)| text)
    }

    /// All names and texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(children: I) -> Self {
        Self(children.into_iter().collect())
    }
}

/// What was left out, since the account began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Events that nobody fetched in time.
    pub dropped_events: u64,
    /// Queries and presences of those whom nobody asked.
    pub strangers: u64,
    /// Stanzas that were too large or too deep.
    pub oversized: u64,
    /// Queries that could not be sent.
    pub refused_sends: u64,
}
