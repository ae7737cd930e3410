//! What a tap is for.

use kozo_ground::interest::{Interest, Kind, Subject};

/// How many kinds of messages there are.
pub(super) const KINDS: usize = 3;

/// Kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kinds(u8);

impl Kinds {
    const ALL: Self = Self((1 << KINDS) - 1);

    pub(super) fn of(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }

    /// Those of which this is the number.
    pub(super) fn from_number(number: u8) -> Self {
        Self(number)
    }

    /// A number for them.
    pub(super) fn number(self) -> u8 {
        self.0
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn contain(self, kind: Kind) -> bool {
        self.0 & Self::of(kind).0 != 0
    }
}

/// What a tap is for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Nothing of other kinds.
    kinds: Kinds,
    /// What else it has to fit, one of these; none: nothing else.
    fitting: Option<Vec<Interest>>,
}

impl Wanted {
    /// What one of the interests fits; without interests, everything.
    pub(super) fn new(interests: Vec<Interest>) -> Self {
        let of = |interest: &Interest| interest.kind.map_or(Kinds::ALL, Kinds::of);
        let kinds = match interests.is_empty() {
            true => Kinds::ALL,
            false => interests.iter().map(of).fold(Kinds::default(), Kinds::and),
        };
        let has_only_kind = |interest: &Interest| {
            *interest
                == Interest {
                    kind: interest.kind,
                    ..Interest::default()
                }
        };
        Self {
            kinds,
            fitting: (!interests.iter().all(has_only_kind)).then_some(interests),
        }
    }

    /// The kinds without which nothing is wanted.
    pub(super) fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Whether everything of these kinds is wanted.
    pub(super) fn is_by_kind_alone(&self) -> bool {
        self.fitting.is_none()
    }

    /// Whether a message of this kind, with this subject, is wanted.
    pub(super) fn matches<'a>(&self, kind: Kind, subject: impl FnOnce() -> Subject<'a>) -> bool {
        self.kinds.contain(kind)
            && self.fitting.as_ref().is_none_or(|interests| {
                let subject = subject();
                interests.iter().any(|interest| interest.matches(&subject))
            })
    }
}

#[cfg(test)]
mod tests {
    use kozo_ground::interest::Pattern;

    use super::*;

    const TICK: Subject<'static> = Subject {
        kind: Kind::Event,
        type_name: "tick",
        channel: None,
        role: "timer",
        node: "clock",
    };

    fn of(kind: Option<Kind>, type_name: Option<&str>) -> Interest {
        Interest {
            kind,
            type_name: type_name.map(|name| vec![Pattern::new(name)]),
            ..Interest::default()
        }
    }

    #[test]
    fn what_kinds_decide_alone_asks_for_no_subject() {
        let no_subject = || -> Subject<'static> { panic!("it looks at the subject") };
        for (interests, events, orders) in [
            (vec![], true, true),
            (vec![of(None, None)], true, true),
            (vec![of(Some(Kind::Event), None)], true, false),
            (
                vec![of(Some(Kind::Event), None), of(Some(Kind::Order), None)],
                true,
                true,
            ),
        ] {
            let wanted = Wanted::new(interests);
            assert!(wanted.is_by_kind_alone());
            assert_eq!(wanted.matches(Kind::Event, no_subject), events);
            assert_eq!(wanted.matches(Kind::Order, no_subject), orders);
        }
        let orders = Wanted::new(vec![of(Some(Kind::Order), Some("tick"))]);
        assert!(!orders.is_by_kind_alone());
        assert!(!orders.matches(Kind::Event, no_subject));
    }

    #[test]
    fn what_is_wanted_fits_one_of_the_interests() {
        let wanted = Wanted::new(vec![
            of(Some(Kind::Order), None),
            of(Some(Kind::Event), Some("t*")),
        ]);
        let matches = |subject: Subject<'static>| wanted.matches(subject.kind, || subject);
        assert!(matches(TICK));
        assert!(!matches(Subject {
            type_name: "motion",
            ..TICK
        }));
        assert!(matches(Subject {
            kind: Kind::Order,
            type_name: "motion",
            ..TICK
        }));
        assert!(!matches(Subject {
            kind: Kind::Log,
            ..TICK
        }));
    }
}
