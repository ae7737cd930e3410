//! How it stands with the engine, and what is to be published besides messages.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock::Moment;

use super::terms::EngineLimits;

/// How many letters (asks, answers, announcements, repairs) wait to be published, at most.
pub(crate) const MAX_LETTERS: usize = 2048;

/// How many bytes of them wait, at most.
pub(crate) const MAX_LETTER_BYTES: usize = 8 * 1024 * 1024;

/// How long the module is left alone when it had no room.
const FULL_FOR: Duration = Duration::from_millis(5);

/// How it stands with the engine.
#[derive(Debug)]
pub(crate) struct Engine {
    /// What it can do, while it is reached.
    pub(crate) limits: Option<EngineLimits>,
    /// Since when it is so.
    pub(crate) since: Moment,
    pub(crate) times_up: u64,
    /// Why it was lost the last time.
    pub(crate) error: Option<String>,
    pub(crate) round_trip: Option<Duration>,
    /// What the module says of what it is about.
    pub(crate) text: Option<String>,
    /// Until when nothing is published, since the module had no room.
    hold: Option<Moment>,
}

impl Engine {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            limits: None,
            since: now,
            times_up: 0,
            error: None,
            round_trip: None,
            text: None,
            hold: None,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.limits.is_some()
    }

    pub(crate) fn up(&mut self, limits: EngineLimits, now: Moment) {
        self.limits = Some(limits);
        self.since = now;
        self.times_up += 1;
        self.hold = None;
    }

    pub(crate) fn down(&mut self, reason: &str, now: Moment) {
        if self.is_up() || self.error.as_deref() != Some(reason) {
            self.error = Some(reason.to_owned());
        }
        if self.limits.take().is_some() {
            self.since = now;
        }
        self.round_trip = None;
        self.hold = None;
    }

    /// Whether datagrams may be published now.
    pub(crate) fn takes(&self, now: Moment) -> bool {
        self.is_up() && self.hold.is_none_or(|until| until <= now)
    }

    /// The module had no room.
    pub(crate) fn is_full(&mut self, now: Moment) {
        self.hold = Some(now + FULL_FOR);
    }

    /// The module has room again.
    pub(crate) fn has_room(&mut self) {
        self.hold = None;
    }

    /// When there is room again, as far as is known.
    pub(crate) fn held_until(&self) -> Option<Moment> {
        self.hold.filter(|_| self.is_up())
    }
}

/// Something to publish that is no message: the engine may lose it, and nobody publishes it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) reply: Option<String>,
    pub(crate) data: Bytes,
}

/// What is to be published besides messages, bounded.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    letters: VecDeque<Letter>,
    bytes: usize,
    /// How many were taken ever.
    taken: u64,
}

/// There is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl Letters {
    /// Adds one.
    pub(crate) fn push(&mut self, letter: Letter) -> Result<(), NoRoom> {
        let length = letter.data.len();
        let is_full = self.letters.len() >= MAX_LETTERS || self.bytes + length > MAX_LETTER_BYTES;
        if is_full && !self.letters.is_empty() {
            return Err(NoRoom);
        }
        self.bytes += length;
        self.letters.push_back(letter);
        Ok(())
    }

    /// The next one.
    pub(crate) fn front(&self) -> Option<&Letter> {
        self.letters.front()
    }

    /// Takes the next one.
    pub(crate) fn pop(&mut self) -> Option<Letter> {
        let letter = self.letters.pop_front()?;
        self.bytes -= letter.data.len();
        self.taken += 1;
        if self.letters.is_empty() {
            self.letters.shrink_to(KEPT_PLACES);
        }
        Some(letter)
    }

    /// Whether so many wait that what makes more of them had better wait as well.
    pub(crate) fn are_many(&self) -> bool {
        self.letters.len() >= MAX_LETTERS / 2 || self.bytes >= MAX_LETTER_BYTES / 2
    }

    /// How many were taken ever.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// How many will have been taken when all that wait are.
    pub(crate) fn taken_then(&self) -> u64 {
        self.taken + self.letters.len() as u64
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all: the engine is lost, and what they answer will be asked again.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            taken: self.taken_then(),
            ..Self::default()
        };
    }
}

/// How many places are kept when nothing waits.
const KEPT_PLACES: usize = 64;
