//! Whether the relay knows this satellite.
//!
//! ```text
//!            due             the relay answers
//!   away ──────────▶ asking ───────────────────▶ registered ─┐
//!    ▲ ▲               │                           │   │     │ nothing heard for a while:
//!    │ └── back-off ───┘                           │   └─────┘ asks whether it still is
//!    └──────────── the relay does not know it ─────┘
//! ```
//! A relay that cannot be reached does not end a registration: it may come back with all of them.

use std::time::{Duration, Instant};

use kozo_backoff::Backoff;

/// The first wait after a failure, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// After how long without a message of the relay's it is asked whether it still knows the satellite.
const QUIET: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Register.
    Register,
    /// Ask the relay whether it knows this id.
    Check(String),
    /// Send what there is to send as this id, or wait until then.
    Send(String, Instant),
    /// Wait.
    Wait(Instant),
}

#[derive(Debug)]
enum State {
    Away { until: Instant },
    Registered { host_id: String, heard: Instant },
}

/// The registration with a relay.
#[derive(Debug)]
pub(crate) struct Registration {
    state: State,
    /// Calls are not tried before that.
    paused: Option<Instant>,
    backoff: Backoff,
    random: fastrand::Rng,
}

impl Registration {
    /// None yet.
    pub(crate) fn new(now: Instant, random: fastrand::Rng) -> Self {
        Self {
            state: State::Away { until: now },
            paused: None,
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            random,
        }
    }

    /// What is to be done now.
    pub(crate) fn step(&self, now: Instant) -> Step {
        match (&self.state, self.paused) {
            (_, Some(until)) if until > now => Step::Wait(until),
            (State::Away { until }, _) if *until > now => Step::Wait(*until),
            (State::Away { .. }, _) => Step::Register,
            (State::Registered { host_id, heard }, _) => match *heard + QUIET {
                due if due > now => Step::Send(host_id.clone(), due),
                _ => Step::Check(host_id.clone()),
            },
        }
    }

    /// The relay has given an id.
    pub(crate) fn registered(&mut self, host_id: &str, now: Instant) {
        let host_id = host_id.to_owned();
        self.state = State::Registered {
            host_id,
            heard: now,
        };
        self.reached();
    }

    /// The relay has given a sign that it knows this satellite.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let State::Registered { heard, .. } = &mut self.state {
            *heard = now;
        }
        self.reached();
    }

    /// The relay cannot be reached, or does not register the satellite; how long to wait before the next try.
    pub(crate) fn failed(&mut self, now: Instant) -> Duration {
        let wait = self.backoff.next(&mut self.random);
        self.paused = Some(now + wait);
        wait
    }

    /// The relay does not know the id: it registers the satellite again at once.
    pub(crate) fn unknown(&mut self, now: Instant) {
        self.state = State::Away { until: now };
    }

    /// The id, while there is one.
    pub(crate) fn host_id(&self) -> Option<&str> {
        match &self.state {
            State::Registered { host_id, .. } => Some(host_id),
            State::Away { .. } => None,
        }
    }

    fn reached(&mut self) {
        self.paused = None;
        self.backoff.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_is_away_is_tried_again_at_longer_and_longer_intervals() {
        let mut now = Instant::now();
        let mut registration = Registration::new(now, fastrand::Rng::with_seed(1));
        let mut last = Duration::ZERO;
        for _ in 0..10 {
            assert_eq!(registration.step(now), Step::Register);
            let wait = registration.failed(now);
            assert!(wait <= LONGEST_WAIT && wait >= last / 2);
            assert_eq!(registration.step(now), Step::Wait(now + wait));
            now += wait;
            last = wait;
        }
        assert!(last >= LONGEST_WAIT / 2);
        registration.registered("1@a:2", now);
        assert_eq!(
            registration.step(now),
            Step::Send("1@a:2".to_owned(), now + QUIET)
        );
        assert!(registration.failed(now) <= FIRST_WAIT);
    }

    #[test]
    fn a_quiet_relay_is_asked_and_one_that_forgot_is_told_again() {
        let mut now = Instant::now();
        let mut registration = Registration::new(now, fastrand::Rng::with_seed(1));
        registration.registered("1@a:2", now);
        now += QUIET;
        assert_eq!(registration.step(now), Step::Check("1@a:2".to_owned()));
        registration.heard(now);
        assert!(matches!(registration.step(now), Step::Send(..)));
        registration.unknown(now);
        assert_eq!(registration.host_id(), None);
        assert_eq!(registration.step(now), Step::Register);
    }

    #[test]
    fn a_relay_that_is_away_for_a_while_does_not_end_the_registration() {
        let now = Instant::now();
        let mut registration = Registration::new(now, fastrand::Rng::with_seed(1));
        registration.registered("1@a:2", now);
        let wait = registration.failed(now);
        assert_eq!(registration.step(now), Step::Wait(now + wait));
        assert!(matches!(registration.step(now + wait), Step::Send(id, _) if id == "1@a:2"));
    }
}
