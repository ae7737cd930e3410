//! When to dial a peer, and over what.
//!
//! ```text
//!            wanted                 all candidates failed
//!   idle ─────────────▶ a round ──────────────────────────▶ waiting
//!    ▲                    │  ▲                                 │
//!    │ linked, or not     │  │ the wait is over, the peer      │
//!    │ wanted any more    │  │ or the network is back          │
//!    └────────────────────┘  └─────────────────────────────────┘
//! ```
//!
//! A round tries the candidates, best first. The next one starts when the one before has failed,
//! or has taken [`STAGGER`] without an answer.

use std::time::Duration;

use kozo_backoff::Backoff;
use kozo_ground::clock::Moment;

use super::terms::{AttemptId, Candidate};

/// How long a candidate may try alone before the next one starts beside it.
const STAGGER: Duration = Duration::from_secs(3);

/// The wait after the second round in a row that came to nothing; it doubles up to
/// `connectionRetry`. After the first there is none: whatever ended a link may have been a single
/// reset.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What is wanted at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// No link is wanted.
    Nothing,
    /// Any link is wanted.
    Any,
    /// There is a link; one over a better candidate than this rank would be better.
    Better(u8),
}

impl Want {
    fn wants(self, candidate: &Candidate) -> bool {
        match self {
            Self::Nothing => false,
            Self::Any => true,
            Self::Better(rank) => candidate.rank > rank,
        }
    }
}

#[derive(Debug)]
struct Attempt {
    id: AttemptId,
    candidate: Candidate,
    since: Moment,
}

#[derive(Debug)]
pub(super) struct Dialer {
    /// The ways to the peer, best first.
    candidates: Vec<Candidate>,
    attempts: Vec<Attempt>,
    next_attempt: u64,
    /// The place of the next candidate of this round; none outside of a round.
    next_candidate: Option<usize>,
    /// When the next candidate starts although the last one is still trying.
    stagger_until: Moment,
    /// When the next round may start.
    not_before: Moment,
    backoff: Backoff,
}

impl Dialer {
    pub(super) fn new(ceiling: Duration) -> Self {
        Self {
            candidates: Vec::new(),
            attempts: Vec::new(),
            next_attempt: 1,
            next_candidate: None,
            stagger_until: Moment::ZERO,
            not_before: Moment::ZERO,
            backoff: Backoff::new(FIRST_WAIT, ceiling).at_once_first(),
        }
    }

    /// Sets the candidates, best first.
    pub(super) fn set_candidates(&mut self, candidates: Vec<Candidate>) {
        self.candidates = candidates;
    }

    pub(super) fn candidate(&self, attempt: AttemptId) -> Option<Candidate> {
        self.attempts
            .iter()
            .find(|other| other.id == attempt)
            .map(|attempt| attempt.candidate)
    }

    /// The candidate to dial now, if any.
    pub(super) fn poll(
        &mut self,
        want: Want,
        now: Moment,
        random: &mut fastrand::Rng,
    ) -> Option<(AttemptId, Candidate)> {
        let wanted = self
            .candidates
            .iter()
            .any(|candidate| want.wants(candidate));
        if !wanted {
            self.next_candidate = None;
            return None;
        }
        if self.next_candidate.is_none() {
            if !self.attempts.is_empty() || now < self.not_before {
                return None;
            }
            self.next_candidate = Some(0);
        }
        if !self.attempts.is_empty() && now < self.stagger_until {
            return None;
        }
        let first = self.next_candidate?;
        let mut rest = self.candidates.iter().copied().enumerate().skip(first);
        let Some((place, candidate)) = rest.find(|(_, candidate)| want.wants(candidate)) else {
            if self.attempts.is_empty() {
                self.end_round(now, random);
            }
            return None;
        };
        self.next_candidate = Some(place + 1);
        self.stagger_until = now + STAGGER;
        let id = AttemptId(self.next_attempt);
        self.next_attempt += 1;
        self.attempts.push(Attempt {
            id,
            candidate,
            since: now,
        });
        Some((id, candidate))
    }

    /// When [`poll`](Self::poll) may have something to say that it has not now.
    pub(super) fn timeout(&self, want: Want) -> Option<Moment> {
        let wanted = |from: usize| {
            self.candidates
                .iter()
                .skip(from)
                .any(|candidate| want.wants(candidate))
        };
        match self.next_candidate {
            Some(next) if wanted(next) => Some(self.stagger_until),
            Some(_) => None,
            None if self.attempts.is_empty() && wanted(0) => Some(self.not_before),
            None => None,
        }
    }

    /// The attempt made a link, or did not. Ends the round when it was the last.
    pub(super) fn ended(
        &mut self,
        attempt: AttemptId,
        linked: bool,
        now: Moment,
        random: &mut fastrand::Rng,
    ) {
        self.attempts.retain(|other| other.id != attempt);
        if linked {
            self.next_candidate = None;
            return;
        }
        // The next candidate need not wait for its turn.
        self.stagger_until = now;
        let more = self
            .next_candidate
            .is_some_and(|next| next < self.candidates.len());
        if self.attempts.is_empty() && !more {
            self.end_round(now, random);
        }
    }

    fn end_round(&mut self, now: Moment, random: &mut fastrand::Rng) {
        self.next_candidate = None;
        self.not_before = now + self.backoff.next(random);
    }

    /// Cancels the attempts that would not be better than `rank`, and returns them.
    pub(super) fn cancel(&mut self, rank: u8) -> Vec<AttemptId> {
        let (cancelled, kept) = std::mem::take(&mut self.attempts)
            .into_iter()
            .partition::<Vec<_>, _>(|attempt| attempt.candidate.rank <= rank);
        self.attempts = kept;
        cancelled.into_iter().map(|attempt| attempt.id).collect()
    }

    /// Does not start a round before `moment`.
    pub(super) fn hold(&mut self, moment: Moment) {
        self.not_before = self.not_before.max(moment);
    }

    /// A link was lost that did not stand for long: the next round waits its turn.
    pub(super) fn flapped(&mut self, now: Moment, random: &mut fastrand::Rng) {
        let wait = self.backoff.next(random);
        self.hold(now + wait);
    }

    /// A link stood, or the peer or the network is back: the next round starts at once.
    pub(super) fn reset(&mut self) {
        self.backoff.reset();
        self.not_before = Moment::ZERO;
    }

    /// The attempts that are under way, and since when.
    pub(super) fn attempts(&self) -> impl Iterator<Item = (Candidate, Moment)> + '_ {
        let attempts = self.attempts.iter();
        attempts.map(|attempt| (attempt.candidate, attempt.since))
    }

    /// Whether there is any way to the peer.
    pub(super) fn has_candidates(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// When the next round starts, for people to know.
    pub(super) fn not_before(&self) -> Moment {
        self.not_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: Candidate = Candidate {
        own: 0,
        peer: 0,
        rank: 8,
    };
    const ONION: Candidate = Candidate {
        own: 1,
        peer: 1,
        rank: 4,
    };

    fn at(seconds: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(seconds)
    }

    fn dialer() -> (Dialer, fastrand::Rng) {
        let mut dialer = Dialer::new(Duration::from_secs(60));
        dialer.set_candidates(vec![TCP, ONION]);
        (dialer, fastrand::Rng::with_seed(1))
    }

    #[test]
    fn the_best_candidate_comes_first_and_the_next_one_after_its_failure() {
        let (mut dialer, mut random) = dialer();
        let (tcp, candidate) = dialer.poll(Want::Any, at(0), &mut random).unwrap();
        assert_eq!(candidate, TCP);
        assert_eq!(dialer.poll(Want::Any, at(1), &mut random), None);
        dialer.ended(tcp, false, at(1), &mut random);
        let (onion, candidate) = dialer.poll(Want::Any, at(1), &mut random).unwrap();
        assert_eq!(candidate, ONION);
        dialer.ended(onion, false, at(2), &mut random);
        // The first retry is immediate, the second is not.
        let (tcp, candidate) = dialer.poll(Want::Any, at(2), &mut random).unwrap();
        assert_eq!(candidate, TCP);
        dialer.ended(tcp, false, at(2), &mut random);
        let (onion, _) = dialer.poll(Want::Any, at(2), &mut random).unwrap();
        dialer.ended(onion, false, at(2), &mut random);
        assert_eq!(dialer.poll(Want::Any, at(2), &mut random), None);
        assert!(
            dialer
                .timeout(Want::Any)
                .is_some_and(|timeout| timeout > at(2))
        );
    }

    #[test]
    fn a_candidate_that_does_not_answer_does_not_hold_up_the_next() {
        let (mut dialer, mut random) = dialer();
        dialer.poll(Want::Any, at(0), &mut random).unwrap();
        assert_eq!(dialer.timeout(Want::Any), Some(at(0) + STAGGER));
        let (_, candidate) = dialer
            .poll(Want::Any, at(0) + STAGGER, &mut random)
            .unwrap();
        assert_eq!(candidate, ONION);
        assert_eq!(dialer.timeout(Want::Any), None);
    }

    #[test]
    fn on_a_worse_link_only_better_candidates_are_tried() {
        let (mut dialer, mut random) = dialer();
        let (tcp, candidate) = dialer.poll(Want::Better(4), at(0), &mut random).unwrap();
        assert_eq!(candidate, TCP);
        assert_eq!(dialer.poll(Want::Better(4), at(9), &mut random), None);
        dialer.ended(tcp, true, at(9), &mut random);
        assert_eq!(dialer.poll(Want::Better(8), at(10), &mut random), None);
        assert_eq!(dialer.timeout(Want::Better(8)), None);
    }

    #[test]
    fn a_round_ends_when_what_is_left_of_it_is_not_wanted_any_more() {
        let (mut dialer, mut random) = dialer();
        let (tcp, _) = dialer.poll(Want::Any, at(0), &mut random).unwrap();
        dialer.ended(tcp, false, at(1), &mut random);
        // Meanwhile the peer dialled us over the onion transport.
        assert_eq!(dialer.poll(Want::Better(4), at(1), &mut random), None);
        assert_eq!(dialer.timeout(Want::Better(4)), Some(at(1)));
        assert!(dialer.poll(Want::Better(4), at(1), &mut random).is_some());
    }

    #[test]
    fn a_link_cancels_the_attempts_that_would_not_be_better() {
        let (mut dialer, mut random) = dialer();
        let (tcp, _) = dialer.poll(Want::Any, at(0), &mut random).unwrap();
        let (onion, _) = dialer.poll(Want::Any, at(5), &mut random).unwrap();
        assert_eq!(dialer.cancel(4), [onion]);
        assert_eq!(dialer.cancel(8), [tcp]);
    }
}
