//! How a bus's module is, beside what the bus itself knows: for people.

use std::collections::VecDeque;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::text::status_line;
use kozo_status::{BusDenial, BusStatus};

/// How many subjects that the engine refuses are remembered, the last ones.
const MAX_DENIALS: usize = 8;

/// How much is kept of a subject that it refuses, in characters.
const MAX_SUBJECT: usize = 128;

/// What a bus's module has said that people want to know.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// What it is about, as it has said last.
    says: Option<String>,
    round_trip: Option<Duration>,
    /// What the engine refuses, the last at the end.
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
        let mut denials = self.denials.iter_mut();
        if let Some(known) = denials.find(|denial| denial.subject == subject) {
            known.last = now;
            known.times += 1;
            let is_new = known.reason != reason;
            known.reason = reason;
            return is_new;
        }
        if self.denials.len() == MAX_DENIALS {
            self.denials.pop_front();
        }
        self.denials.push_back(Denial {
            subject,
            reason,
            last: now,
            times: 1,
        });
        true
    }

    /// What was refused may be allowed on a new connection.
    pub(super) fn connected(&mut self) {
        self.denials.clear();
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
        let denials = self.denials.iter().map(|denial| BusDenial {
            subject: denial.subject.clone(),
            reason: denial.reason.clone(),
            last_seconds: now.since(denial.last).as_secs_f64(),
            times: denial.times,
        });
        status.denied = denials.collect();
        status.dropped_on_the_way = self.dropped;
    }
}
