//! The clock of another node's session, seen from here.
//!
//! Messages carry the time of their session, in milliseconds of its node's own clock. What this node needs is the
//! *offset*: its own clock minus the session's. Nobody's wall clock is asked, and the engine is not trusted: it can
//! keep things back, so what arrives tells only that the offset is no higher than it looks. An authenticated round
//! trip tells both bounds: the session's time was read after the ask left and before the answer came.

use std::time::Duration;

use kozo_ground::clock::Moment;

/// How long a round trip is trusted to tell the offset: clocks drift.
pub(crate) const SYNC_EVERY: Duration = Duration::from_secs(3600);

/// How long after a round trip another one is asked for at the earliest, when messages look too old.
pub(crate) const SYNC_AT_MOST_EVERY: Duration = Duration::from_secs(60);

/// The highest time of a session that is believed, in milliseconds: some thousand years.
const MAX_SESSION_MS: u64 = 1 << 45;

/// The clock of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionClock {
    /// This node's clock minus the session's, in milliseconds; below zero where the session is older than this
    /// node's clock.
    offset_ms: i64,
    /// When the last round trip ended.
    synced: Moment,
}

impl SessionClock {
    /// What an authenticated round trip tells: asked, and answered now with the session's time.
    pub(crate) fn new(asked: Moment, session_ms: u64, now: Moment) -> Self {
        let mut clock = Self {
            offset_ms: i64::MAX,
            synced: now,
        };
        clock.sync(asked, session_ms, now);
        clock
    }

    /// Another round trip.
    pub(crate) fn sync(&mut self, asked: Moment, session_ms: u64, now: Moment) {
        let session_ms = believed(session_ms);
        let (lowest, highest) = (millis(asked) - session_ms, millis(now) - session_ms);
        self.offset_ms = self.offset_ms.clamp(lowest, highest.max(lowest));
        self.synced = now;
    }

    /// Something authentic that was sent at this time of the session has come.
    pub(crate) fn heard(&mut self, session_ms: u64, now: Moment) {
        self.offset_ms = self.offset_ms.min(millis(now) - believed(session_ms));
    }

    /// How old something is that was sent at this time of the session.
    pub(crate) fn age(&self, session_ms: u64, now: Moment) -> Duration {
        let age = millis(now) - self.offset_ms - believed(session_ms);
        Duration::from_millis(u64::try_from(age).unwrap_or(0))
    }

    /// Whether a time of the session is no earlier than a moment here.
    pub(crate) fn is_after(&self, session_ms: u64, moment: Moment) -> bool {
        believed(session_ms) + self.offset_ms >= millis(moment)
    }

    /// Whether another round trip is due, or, where messages look too old, allowed.
    pub(crate) fn wants_sync(&self, looks_old: bool, now: Moment) -> bool {
        let after = match looks_old {
            true => SYNC_AT_MOST_EVERY,
            false => SYNC_EVERY,
        };
        now.since(self.synced) >= after
    }
}

fn believed(session_ms: u64) -> i64 {
    // The limit keeps it far below what the type holds.
    session_ms.min(MAX_SESSION_MS) as i64
}

fn millis(moment: Moment) -> i64 {
    let millis = moment.since(Moment::ZERO).as_millis();
    millis.min(u128::from(MAX_SESSION_MS)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn an_age_needs_no_common_clock() {
        // The session began a year before this machine did.
        let year = 365 * 24 * 3600 * 1000;
        let mut clock = SessionClock::new(at(1000), year + 1000, at(1010));
        // Between asking and answer: at most so much too young.
        assert_eq!(clock.age(year + 500, at(1010)), Duration::from_millis(500));
        clock.heard(year + 1200, at(1202));
        assert_eq!(clock.age(year + 500, at(1010)), Duration::from_millis(508));
        // What comes late tells nothing.
        clock.heard(year, at(9000));
        assert_eq!(clock.age(year + 500, at(1010)), Duration::from_millis(508));
    }

    #[test]
    fn only_a_round_trip_makes_things_younger() {
        let mut clock = SessionClock::new(at(0), 0, at(0));
        // This clock runs ahead of the other one by a second in a thousand.
        assert_eq!(clock.age(1_000_000, at(1_001_000)), Duration::from_secs(1));
        clock.sync(at(1_000_990), 1_000_000, at(1_001_010));
        assert_eq!(
            clock.age(1_000_000, at(1_001_000)),
            Duration::from_millis(10)
        );
        assert!(clock.is_after(1_000_000, at(1_000_990)));
        assert!(!clock.is_after(1_000_000, at(1_000_991)));
    }

    #[test]
    fn times_that_cannot_be_do_no_harm() {
        let mut clock = SessionClock::new(at(5), u64::MAX, at(9));
        clock.heard(u64::MAX, at(9));
        clock.sync(at(7), 0, at(9));
        assert_eq!(clock.age(u64::MAX, at(9)), Duration::ZERO);
        assert_eq!(clock.age(0, at(9)), Duration::from_millis(2));
    }
}
