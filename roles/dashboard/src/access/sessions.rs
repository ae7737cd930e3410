//! Who has logged in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many bytes a session's secret has.
pub(super) const SESSION_BYTES: usize = 32;

/// How many sessions there are at once. The one that was used the longest time ago makes room.
const MAX_SESSIONS: usize = 64;

/// After how long without use a session ends.
const IDLE: Duration = Duration::from_secs(12 * 60 * 60);

/// After how long a session ends in any case.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The sessions, by what only a digest is kept of.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Vec<u8>, Session>);

#[derive(Debug)]
struct Session {
    began: Instant,
    used: Instant,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) > IDLE
            || now.saturating_duration_since(self.began) > LONGEST
    }
}

impl Sessions {
    /// Begins one with this digest.
    pub(super) fn begin(&mut self, digest: Vec<u8>, now: Instant) {
        self.0.retain(|_, session| !session.is_over(now));
        if self.0.len() >= MAX_SESSIONS {
            let oldest = self.0.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(digest, _)| digest.clone()) {
                self.0.remove(&oldest);
            }
        }
        let session = Session {
            began: now,
            used: now,
        };
        self.0.insert(digest, session);
    }

    /// Whether there is one; it counts as used.
    pub(super) fn has(&mut self, digest: &[u8], now: Instant) -> bool {
        match self.0.get_mut(digest) {
            Some(session) if !session.is_over(now) => {
                session.used = now;
                true
            }
            _ => false,
        }
    }

    /// Ends one.
    pub(super) fn end(&mut self, digest: &[u8]) {
        self.0.remove(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_while_it_is_used_but_not_for_ever() {
        let start = Instant::now();
        let mut sessions = Sessions::default();
        sessions.begin(vec![1], start);
        assert!(!sessions.has(&[2], start));
        let mut now = start;
        while now + IDLE < start + LONGEST {
            now += IDLE;
            assert!(sessions.has(&[1], now));
        }
        assert!(!sessions.has(&[1], start + LONGEST + Duration::from_secs(1)));
        sessions.begin(vec![3], start);
        assert!(!sessions.has(&[3], start + IDLE + Duration::from_secs(1)));
        sessions.begin(vec![4], start);
        sessions.end(&[4]);
        assert!(!sessions.has(&[4], start));
    }

    #[test]
    fn there_are_so_many_and_the_one_that_is_least_used_makes_room() {
        let start = Instant::now();
        let mut sessions = Sessions::default();
        for number in 0..=MAX_SESSIONS {
            let now = start + Duration::from_secs(number as u64);
            sessions.begin(vec![number as u8], now);
        }
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
        assert!(!sessions.has(&[0], start) && sessions.has(&[1], start));
    }
}
