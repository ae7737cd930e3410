//! How old a message is when it comes to a role, and when it has no meaning any more.

use std::time::Duration;

use kozo_ground::age::MaxAges;
use kozo_ground::clock::Moment;
use kozo_ground::interest::Kind;

/// A message's times on this node's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// When it came to this node, or was sent here.
    pub arrived: Moment,
    /// How long it had been under way then.
    pub age: Duration,
    /// From when on it has no meaning any more.
    pub expires: Moment,
}

impl Lifetime {
    /// The times of a message of this kind that a role of this node sends at `now`.
    pub fn of_own(kind: Kind, ages: &MaxAges, now: Moment) -> Self {
        Self {
            arrived: now,
            age: Duration::ZERO,
            expires: now + ages.of(kind),
        }
    }

    /// The times of a message of this kind that came over a link at `now` and has a meaning for
    /// `remaining` longer. What is missing of the longest life of such a message is its age: clocks
    /// of two machines cannot be compared.
    pub fn of_received(kind: Kind, remaining: Duration, ages: &MaxAges, now: Moment) -> Self {
        Self {
            arrived: now,
            age: ages.of(kind).saturating_sub(remaining),
            expires: now + remaining,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGES: MaxAges = MaxAges {
        message: Duration::from_secs(600),
        order: Duration::from_secs(10),
    };

    fn at(seconds: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn what_a_role_here_sends_is_new_and_lives_as_long_as_its_kind_does() {
        for (kind, expires) in [(Kind::Event, 700), (Kind::Log, 700), (Kind::Order, 110)] {
            let lifetime = Lifetime::of_own(kind, &AGES, at(100));
            assert_eq!(lifetime.arrived, at(100), "{kind:?}");
            assert_eq!(lifetime.age, Duration::ZERO, "{kind:?}");
            assert_eq!(lifetime.expires, at(expires), "{kind:?}");
        }
    }

    #[test]
    fn what_a_peer_sent_is_as_old_as_is_missing_of_its_life() {
        let remaining = Duration::from_secs(7);
        let order = Lifetime::of_received(Kind::Order, remaining, &AGES, at(100));
        assert_eq!(order.arrived, at(100));
        assert_eq!(order.age, Duration::from_secs(3));
        assert_eq!(order.expires, at(107));
        let event = Lifetime::of_received(Kind::Event, remaining, &AGES, at(100));
        assert_eq!(event.age, Duration::from_secs(593));
        assert_eq!(event.expires, at(107));
    }

    #[test]
    fn what_lives_longer_than_it_may_here_is_new() {
        let long = Duration::from_secs(60);
        let order = Lifetime::of_received(Kind::Order, long, &AGES, at(0));
        assert_eq!(order.age, Duration::ZERO);
    }
}
