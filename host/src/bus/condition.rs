//! How a bus's module is, beside what the bus itself knows: for people.

use std::collections::VecDeque;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::text::status_line;
use kozo_status::{BusDenial, BusStatus};

/// How many refusals of the engine are remembered, so that each is new only once. While there are so many, others are
/// not taken up.
const MAX_DENIALS: usize = 256;

/// How many of them are shown, the last ones.
const MAX_SHOWN: usize = 8;

/// After how long the engine counts as no longer refusing what it has not refused again, where nobody says so. What a node
/// may not subscribe to, its module asks for every half a minute or so; what it publishes most rarely, its announcement,
/// comes every 400 s at least.
const FORGET: Duration = Duration::from_secs(420);

/// How much is kept of a subject that it refuses, in characters.
const MAX_SUBJECT: usize = 128;

/// What a bus's module has said that people want to know.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// What it is about, as it has said last.
    says: Option<String>,
    round_trip: Option<Duration>,
    /// What the engine refuses, the newest at the end.
    denials: VecDeque<Denial>,
    /// Datagrams that were thrown away on the way to the host.
    dropped: u64,
}

#[derive(Debug)]
struct Denial {
    subject: String,
    reason: String,
    last: Moment,
    times: u64,
    /// It was said of the connection that stands, or that is coming about.
    is_present: bool,
}

impl Denial {
    /// Whether it was said lately.
    fn counts(&self, now: Moment) -> bool {
        now.since(self.last) < FORGET
    }
}

impl Condition {
    pub(super) fn set_says(&mut self, text: &str) {
        self.says = status_line(text);
    }

    pub(super) fn set_round_trip(&mut self, time: Duration) {
        self.round_trip = Some(time);
    }

    /// The engine refuses a subject. The result is whether that is new.
    pub(super) fn deny(&mut self, subject: &str, reason: &str, now: Moment) -> bool {
        let subject: String = subject.chars().take(MAX_SUBJECT).collect();
        let reason = status_line(reason).unwrap_or_default();
        self.denials.retain(|denial| denial.counts(now));
        let mut denials = self.denials.iter_mut();
        if let Some(known) =
            denials.find(|denial| denial.subject == subject && denial.reason == reason)
        {
            known.last = now;
            known.times += 1;
            known.is_present = true;
            return false;
        }
        if self.denials.len() == MAX_DENIALS {
            return false;
        }
        self.denials.push_back(Denial {
            subject,
            reason,
            last: now,
            times: 1,
            is_present: true,
        });
        true
    }

    /// The engine refuses a subject no longer. The result is whether it did.
    pub(super) fn allow(&mut self, subject: &str) -> bool {
        let subject: String = subject.chars().take(MAX_SUBJECT).collect();
        let before = self.denials.len();
        self.denials.retain(|denial| denial.subject != subject);
        self.denials.len() < before
    }

    /// The connection is gone: what was refused may be allowed on the next one. If it is not, that is nothing new.
    pub(super) fn disconnected(&mut self) {
        for denial in &mut self.denials {
            denial.is_present = false;
        }
    }

    pub(super) fn dropped(&mut self, count: u64) {
        self.dropped = self.dropped.saturating_add(count);
    }

    /// Adds what is known here.
    pub(super) fn describe(&self, status: &mut BusStatus, now: Moment) {
        status.status.clone_from(&self.says);
        if let Some(time) = self.round_trip {
            status.round_trip_seconds = Some(time.as_secs_f64());
        }
        status.denied = self.denied(now);
        status.dropped_on_the_way = self.dropped;
    }

    /// What the engine refuses as far as is known, the newest at the end.
    fn denied(&self, now: Moment) -> Vec<BusDenial> {
        let denials = self.denials.iter();
        let present = denials.filter(|denial| denial.is_present && denial.counts(now));
        let shown = present.rev().take(MAX_SHOWN).map(|denial| BusDenial {
            subject: denial.subject.clone(),
            reason: denial.reason.clone(),
            last_seconds: now.since(denial.last).as_secs_f64(),
            times: denial.times,
        });
        let mut shown: Vec<_> = shown.collect();
        shown.reverse();
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::ZERO;
    const SOON: Duration = Duration::from_secs(400);

    fn subjects(condition: &Condition, now: Moment) -> Vec<String> {
        let denied = condition.denied(now).into_iter();
        denied.map(|denial| denial.subject).collect()
    }

    #[test]
    fn what_is_refused_again_is_counted_and_not_new() {
        let mut condition = Condition::default();
        assert!(condition.deny("a", "no", NOW));
        assert!(condition.deny("b", "no", NOW));
        assert!(!condition.deny("a", "no", NOW + SOON));
        assert!(condition.deny("a", "never", NOW + SOON));
        assert!(!condition.deny("a", "no", NOW + SOON));
        let first = &condition.denied(NOW + SOON)[0];
        assert_eq!(
            (&*first.subject, first.times, first.last_seconds),
            ("a", 3, 0.0)
        );
        // Whatever is not said again is forgotten, and is new the next time.
        assert_eq!(subjects(&condition, NOW + SOON), ["a", "b", "a"]);
        assert_eq!(subjects(&condition, NOW + FORGET), ["a", "a"]);
        assert!(condition.deny("b", "no", NOW + FORGET));
        assert!(subjects(&condition, NOW + SOON + 2 * FORGET).is_empty());
    }

    #[test]
    fn what_is_taken_back_is_forgotten_at_once() {
        let mut condition = Condition::default();
        condition.deny("a", "no", NOW);
        condition.deny("b", "no", NOW);
        assert!(condition.allow("a"));
        assert!(!condition.allow("a"));
        assert_eq!(subjects(&condition, NOW), ["b"]);
        assert!(condition.deny("a", "no", NOW));
    }

    #[test]
    fn another_connection_may_allow_it_and_if_not_that_is_not_new() {
        let mut condition = Condition::default();
        condition.deny("a", "no", NOW);
        condition.deny("b", "no", NOW);
        condition.disconnected();
        assert!(subjects(&condition, NOW).is_empty());
        assert!(!condition.deny("b", "no", NOW + SOON));
        assert_eq!(subjects(&condition, NOW + SOON), ["b"]);
    }

    #[test]
    fn so_much_is_remembered_and_the_newest_is_shown() {
        let mut condition = Condition::default();
        let name = |number: usize| format!("a.{number}");
        for round in 0..3 {
            for number in 0..2 * MAX_DENIALS {
                let is_new = condition.deny(&name(number), "no", NOW);
                assert_eq!(is_new, round == 0 && number < MAX_DENIALS);
            }
        }
        let newest = MAX_DENIALS - MAX_SHOWN..MAX_DENIALS;
        assert!(subjects(&condition, NOW).into_iter().eq(newest.map(name)));
    }
}
