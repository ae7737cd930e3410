//! What happened with one peer's links lately, for people who ask why there is none.

use std::collections::VecDeque;

use kozo_ground::clock::Moment;
use kozo_status::{EventKind, EventStatus};

use super::terms::Occurrence;

/// How many different things are remembered of one peer.
const HISTORY_LENGTH: usize = 16;

/// How much of a reason is remembered, in bytes: some of them are the peer's own words.
const LONGEST_REASON: usize = 512;

/// Something that happened with a peer's links, once or several times in the same way.
#[derive(Debug)]
pub(super) struct PastEvent {
    what: Occurrence,
    /// When this happened for the first time.
    first: Moment,
    /// When this happened for the last time.
    last: Moment,
    times: u64,
}

impl PastEvent {
    /// What happened, as it is seen at `now`.
    pub(super) fn status(&self, now: Moment) -> EventStatus {
        let (what, transport, address, dialled, reason) = match self.what.clone() {
            Occurrence::Up { path, dialled } => {
                let address = Some(path.address);
                (EventKind::Up, path.transport, address, Some(dialled), None)
            }
            Occurrence::Down {
                path,
                reason,
                orderly,
                ..
            } => {
                let what = match orderly {
                    true => EventKind::Closed,
                    false => EventKind::Lost,
                };
                (what, path.transport, Some(path.address), None, Some(reason))
            }
            Occurrence::Refused { path, reason } => {
                let what = EventKind::Refused;
                (what, path.transport, Some(path.address), None, Some(reason))
            }
            Occurrence::DialFailed { transport, reason } => {
                (EventKind::DialFailed, transport, None, None, Some(reason))
            }
        };
        EventStatus {
            what,
            transport,
            address,
            dialled,
            reason,
            first_seconds: now.since(self.first).as_secs_f64(),
            last_seconds: now.since(self.last).as_secs_f64(),
            times: self.times,
        }
    }
}

impl Occurrence {
    /// Whether this is the same failure once more. The address does not matter: of what is
    /// accepted it has another port each time.
    fn repeats(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (
                Self::DialFailed { transport, reason },
                Self::DialFailed {
                    transport: earlier_transport,
                    reason: earlier_reason,
                },
            ) => transport == earlier_transport && reason == earlier_reason,
            (
                Self::Refused { path, reason },
                Self::Refused {
                    path: earlier_path,
                    reason: earlier_reason,
                },
            ) => path.transport == earlier_path.transport && reason == earlier_reason,
            _ => false,
        }
    }

    /// Whether failures before and after this are not to be counted together.
    fn divides(&self) -> bool {
        matches!(self, Self::Up { .. } | Self::Down { .. })
    }

    fn shorten(&mut self) {
        let (Self::Down { reason, .. }
        | Self::Refused { reason, .. }
        | Self::DialFailed { reason, .. }) = self
        else {
            return;
        };
        if reason.len() > LONGEST_REASON {
            reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
            reason.push('…');
        }
    }
}

/// The last events of one peer, oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    events: VecDeque<PastEvent>,
}

impl History {
    pub(super) fn note(&mut self, mut what: Occurrence, now: Moment) {
        what.shorten();
        let since_divide = self
            .events
            .iter()
            .rposition(|event| event.what.divides())
            .map_or(0, |place| place + 1);
        let earlier = (since_divide..self.events.len())
            .find(|&place| what.repeats(&self.events[place].what))
            .and_then(|place| self.events.remove(place));
        let (first, times) = match earlier {
            Some(earlier) => (earlier.first, earlier.times.saturating_add(1)),
            None => (now, 1),
        };
        if self.events.len() >= HISTORY_LENGTH {
            self.events.pop_front();
        }
        self.events.push_back(PastEvent {
            what,
            first,
            last: now,
            times,
        });
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &PastEvent> {
        self.events.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::LinkPath;

    fn at(seconds: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(seconds)
    }

    fn failure(transport: &str, reason: &str) -> Occurrence {
        Occurrence::DialFailed {
            transport: transport.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn up() -> Occurrence {
        Occurrence::Up {
            path: LinkPath {
                transport: "tcp".into(),
                address: "here".into(),
            },
            dialled: true,
        }
    }

    fn times(history: &History) -> Vec<u64> {
        history.events().map(|event| event.times).collect()
    }

    #[test]
    fn the_same_failures_are_counted_also_when_transports_take_turns() {
        let mut history = History::default();
        for second in 0..100 {
            history.note(failure("tcp", "refused"), at(2 * second));
            history.note(failure("onion", "no route"), at(2 * second + 1));
        }
        assert_eq!(times(&history), [100, 100]);
        let last = history.events().last().unwrap();
        assert_eq!((last.first, last.last), (at(1), at(199)));
        history.note(up(), at(200));
        history.note(failure("tcp", "refused"), at(201));
        assert_eq!(times(&history), [100, 100, 1, 1]);
    }

    #[test]
    fn it_is_bounded_in_length_and_in_the_peers_words() {
        let mut history = History::default();
        for number in 0..1000 {
            history.note(failure("tcp", &format!("reason {number}")), at(number));
        }
        assert_eq!(history.events().count(), HISTORY_LENGTH);
        history.note(failure("tcp", &"ö".repeat(1_000_000)), at(1000));
        let Occurrence::DialFailed { reason, .. } = &history.events().last().unwrap().what else {
            panic!("not what was noted");
        };
        assert!(reason.len() <= LONGEST_REASON + '…'.len_utf8());
    }
}
