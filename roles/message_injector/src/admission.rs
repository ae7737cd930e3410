//! Who keeps a place when places are scarce, and who has had one for too long.

use std::time::{Duration, Instant};

/// How many clients are served at a time.
pub(crate) const MAX_CONNECTIONS: usize = 16;

/// How long a client may say nothing before it is let go.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(600);

/// How long a client that has sent a message keeps its place against others, though it says
/// nothing.
const GRACE: Duration = Duration::from_secs(10);

/// How a client has behaved so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// When it came, or said its last line. Single bytes do not count: they could go on for ever.
    last_line: Instant,
    /// Whether a message of it was sent.
    has_sent: bool,
}

impl Standing {
    /// The standing of a client that has come now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            last_line: now,
            has_sent: false,
        }
    }

    /// It has said a line.
    pub(crate) fn heard(&mut self, was_sent: bool, now: Instant) {
        self.last_line = now;
        self.has_sent |= was_sent;
    }

    /// When it is let go, unless it says something.
    pub(crate) fn ends(&self) -> Instant {
        self.last_line + IDLE_LIMIT
    }

    fn gives_way(&self, now: Instant) -> bool {
        !self.has_sent || now.saturating_duration_since(self.last_line) >= GRACE
    }
}

/// Whether one more client has a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// There is room.
    Free,
    /// The client at this index has to go for it.
    InPlaceOf(usize),
    /// All that are here are at work.
    Full,
}

/// Decides about one more client. Those who have never sent a message go first, then those who have
/// been silent for some time; of several the one that has been silent for longest.
pub(crate) fn admit<'a>(
    present: impl IntoIterator<Item = &'a Standing>,
    now: Instant,
) -> Admission {
    let present: Vec<_> = present.into_iter().enumerate().collect();
    if present.len() < MAX_CONNECTIONS {
        return Admission::Free;
    }
    let idle = present
        .iter()
        .filter(|(_, standing)| standing.gives_way(now));
    match idle.min_by_key(|(_, standing)| (standing.has_sent, standing.last_line)) {
        Some((index, _)) => Admission::InPlaceOf(*index),
        None => Admission::Full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn whoever_has_sent_nothing_goes_first_and_then_whoever_was_silent_for_longest() {
        let start = Instant::now();
        let now = start + seconds(100);
        let mut present: Vec<_> = (0..MAX_CONNECTIONS as u64)
            .map(|at| Standing {
                last_line: start + seconds(at),
                has_sent: true,
            })
            .collect();
        assert_eq!(admit(&present[1..], now), Admission::Free);
        assert_eq!(admit(&present, now), Admission::InPlaceOf(0));
        present[0].heard(true, now);
        assert_eq!(admit(&present, now), Admission::InPlaceOf(1));
        present[7] = Standing::new(now);
        present[9] = Standing::new(now - seconds(1));
        assert_eq!(admit(&present, now), Admission::InPlaceOf(9));
    }

    #[test]
    fn those_at_work_keep_their_places() {
        let start = Instant::now();
        let mut working = Standing::new(start);
        working.heard(true, start + seconds(5));
        let present = [working; MAX_CONNECTIONS];
        assert_eq!(admit(&present, start + seconds(14)), Admission::Full);
        assert_eq!(
            admit(&present, start + seconds(15)),
            Admission::InPlaceOf(0)
        );
    }

    #[test]
    fn a_line_that_was_no_message_makes_nobody_a_sender() {
        let start = Instant::now();
        let mut standing = Standing::new(start);
        standing.heard(false, start + seconds(20));
        assert!(standing.gives_way(start + seconds(20)));
        assert_eq!(standing.ends(), start + seconds(20) + IDLE_LIMIT);
    }
}
