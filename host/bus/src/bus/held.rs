//! Datagrams whose key is being asked for.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_status::Amount;

use crate::sender_key::Epoch;
use crate::session::SessionId;

/// How many datagrams of one session wait for a key, at most.
pub(crate) const MAX_DATAGRAMS_OF_A_SESSION: usize = 64;

/// How many bytes of them, at most.
pub(crate) const MAX_BYTES_OF_A_SESSION: usize = 256 * 1024;

/// How many bytes of all sessions wait, at most.
pub(crate) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// How many sessions have something that waits, at most: the engine can name as many as it likes.
pub(crate) const MAX_SESSIONS: usize = 16_384;

/// How long something waits at most.
const HELD_FOR: Duration = Duration::from_secs(60);

/// What a datagram takes besides its bytes and its subject.
const OVERHEAD: usize = 64;

/// A datagram that waits.
#[derive(Debug)]
pub(crate) struct HeldDatagram {
    pub(crate) epoch: Epoch,
    pub(crate) subject: String,
    pub(crate) data: Vec<u8>,
}

impl HeldDatagram {
    fn cost(&self) -> usize {
        OVERHEAD + self.subject.len() + self.data.len()
    }
}

/// What waits for keys, by session. None is trusted: what the engine made up waits as well, for a while.
#[derive(Debug, Default)]
pub(crate) struct Held {
    sessions: HashMap<(NodeName, SessionId), OfSession>,
    amount: Amount,
}

#[derive(Debug)]
struct OfSession {
    datagrams: VecDeque<HeldDatagram>,
    bytes: usize,
    since: Moment,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl Held {
    /// Keeps a datagram.
    pub(crate) fn add(
        &mut self,
        node: &NodeName,
        session: SessionId,
        datagram: HeldDatagram,
        now: Moment,
    ) -> Result<(), NoRoom> {
        let cost = datagram.cost();
        let key = (node.clone(), session);
        if self.sessions.len() >= MAX_SESSIONS && !self.sessions.contains_key(&key) {
            return Err(NoRoom);
        }
        if self.amount.bytes + cost > MAX_BYTES {
            return Err(NoRoom);
        }
        let of_session = self.sessions.entry(key).or_insert_with(|| OfSession {
            datagrams: VecDeque::new(),
            bytes: 0,
            since: now,
        });
        if of_session.datagrams.len() >= MAX_DATAGRAMS_OF_A_SESSION
            || of_session.bytes + cost > MAX_BYTES_OF_A_SESSION
        {
            return Err(NoRoom);
        }
        of_session.bytes += cost;
        of_session.datagrams.push_back(datagram);
        self.amount.bytes += cost;
        self.amount.messages += 1;
        Ok(())
    }

    /// Takes what waits for a session.
    pub(crate) fn take(&mut self, node: &NodeName, session: SessionId) -> VecDeque<HeldDatagram> {
        let Some(of_session) = self.sessions.remove(&(node.clone(), session)) else {
            return VecDeque::new();
        };
        self.amount.bytes -= of_session.bytes;
        self.amount.messages -= of_session.datagrams.len();
        of_session.datagrams
    }

    /// Whether anything waits for a session.
    pub(crate) fn has(&self, node: &NodeName, session: SessionId) -> bool {
        self.sessions.contains_key(&(node.clone(), session))
    }

    /// Drops what has waited for too long, and returns how many datagrams that were.
    pub(crate) fn expire(&mut self, now: Moment) -> usize {
        let before = self.amount.messages;
        let amount = &mut self.amount;
        self.sessions.retain(|_, of_session| {
            let stays = now.since(of_session.since) < HELD_FOR;
            if !stays {
                amount.bytes -= of_session.bytes;
                amount.messages -= of_session.datagrams.len();
            }
            stays
        });
        before - self.amount.messages
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// How many datagrams wait, and their bytes.
    pub(crate) fn amount(&self) -> Amount {
        self.amount
    }
}
