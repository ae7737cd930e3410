//! Receivers behind which there are many nodes, such as a bus.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;

use kozo_ground::interest::{Interest, Interests, Kind, Subject};
use kozo_ground::lock::LockAnyway;

/// Up to how many interests are looked at for each message, since that costs no more than to remember.
const FEW: usize = 8;

/// For how many kinds of messages it is remembered whether anybody wants them. What comes above forgets all.
const MAX_REMEMBERED: usize = 1024;

/// What many nodes want to hear of together, as far as the file tells. Those that want the same are looked at
/// once, however many they are.
#[derive(Debug)]
pub struct Crowd {
    /// Somebody may want anything.
    everything: bool,
    /// All that is wanted, each once.
    interests: Vec<Interest>,
    remembered: Remembered,
}

/// What was found out about messages that are alike in all that counts.
#[derive(Debug, Default)]
struct Remembered {
    hasher: RandomState,
    found: Mutex<HashMap<u64, (Lane, bool)>>,
}

/// What counts of a message, but for the node that sends it, which is always this one.
#[derive(Debug)]
struct Lane {
    kind: Kind,
    type_name: Box<str>,
    channel: Option<Box<str>>,
    role: Box<str>,
}

impl Crowd {
    /// What roles with these interests want together.
    pub fn new<'a>(roles: impl IntoIterator<Item = &'a Interests>) -> Self {
        let mut crowd = Self {
            everything: false,
            interests: Vec::new(),
            remembered: Remembered::default(),
        };
        let mut known = std::collections::HashSet::new();
        for interests in roles {
            match interests {
                Interests::Unknown => crowd.everything = true,
                Interests::Known(list) => {
                    let new = list.iter().filter(|interest| known.insert(*interest));
                    crowd.interests.extend(new.cloned());
                }
            }
        }
        crowd
    }

    /// Whether anybody may want a message with this subject, which is one of this node.
    pub fn wants(&self, subject: &Subject<'_>) -> bool {
        self.everything
            || match self.interests.len() {
                0..=FEW => self.look(subject),
                _ => self.remembered.get(subject, || self.look(subject)),
            }
    }

    fn look(&self, subject: &Subject<'_>) -> bool {
        let mut interests = self.interests.iter();
        interests.any(|interest| interest.matches(subject))
    }
}

impl Remembered {
    fn get(&self, subject: &Subject<'_>, look: impl FnOnce() -> bool) -> bool {
        let Subject {
            kind,
            type_name,
            channel,
            role,
            ..
        } = *subject;
        let key = self.hasher.hash_one((kind, type_name, channel, role));
        let mut found = self.found.lock_anyway();
        if let Some((lane, wanted)) = found.get(&key)
            && lane.is_of(subject)
        {
            return *wanted;
        }
        let wanted = look();
        if found.len() >= MAX_REMEMBERED {
            found.clear();
        }
        let lane = Lane {
            kind,
            type_name: type_name.into(),
            channel: channel.map(Into::into),
            role: role.into(),
        };
        found.insert(key, (lane, wanted));
        wanted
    }
}

impl Lane {
    fn is_of(&self, subject: &Subject<'_>) -> bool {
        self.kind == subject.kind
            && *self.type_name == *subject.type_name
            && self.channel.as_deref() == subject.channel
            && *self.role == *subject.role
    }
}

#[cfg(test)]
mod tests {
    use kozo_ground::interest::Pattern;

    use super::*;

    fn of_type(type_name: &str) -> Interest {
        Interest {
            type_name: Some(vec![Pattern::new(type_name)]),
            ..Interest::default()
        }
    }

    fn known(types: &[&str]) -> Interests {
        Interests::Known(types.iter().map(|name| of_type(name)).collect())
    }

    fn event(type_name: &str) -> Subject<'_> {
        Subject {
            kind: Kind::Event,
            type_name,
            channel: None,
            role: "timer1",
            node: "clock",
        }
    }

    #[test]
    fn those_who_want_the_same_are_looked_at_once() {
        let alike = known(&["tick", "tock"]);
        let other = known(&["tock", "t*"]);
        let roles = std::iter::repeat_n(&alike, 10_000).chain([&other]);
        let crowd = Crowd::new(roles);
        assert_eq!(crowd.interests.len(), 3);
        assert!(crowd.wants(&event("tuck")));
        assert!(!crowd.wants(&event("ring")));
    }

    #[test]
    fn one_whose_module_is_not_known_may_want_anything() {
        let (tick, nothing) = (known(&["tick"]), Interests::Known(vec![]));
        assert!(!Crowd::new([&tick, &nothing]).wants(&event("ring")));
        assert!(Crowd::new([&tick, &Interests::Unknown]).wants(&event("ring")));
        assert!(!Crowd::new([]).wants(&event("tick")));
    }

    #[test]
    fn what_is_remembered_is_what_would_be_found_and_no_more_than_there_is_room_for() {
        let types: Vec<_> = (0..100)
            .map(|number| format!("even{}", number * 2))
            .collect();
        let types: Vec<_> = types.iter().map(String::as_str).collect();
        let crowd = Crowd::new([&known(&types)]);
        for _ in 0..2 {
            for number in 0..MAX_REMEMBERED * 2 {
                let name = format!("even{number}");
                let subject = event(&name);
                assert_eq!(crowd.wants(&subject), crowd.look(&subject), "{name}");
                assert!(crowd.remembered.found.lock_anyway().len() <= MAX_REMEMBERED);
            }
        }
    }

    #[test]
    fn all_that_counts_of_a_message_is_told_apart() {
        let mut wanted: Vec<_> = (0..20).map(|number| of_type(&number.to_string())).collect();
        wanted.push(Interest {
            kind: Some(Kind::Event),
            channel: Some(vec![Pattern::new("hall")]),
            role: Some(vec![Pattern::new("timer1")]),
            ..of_type("tick")
        });
        let crowd = Crowd::new([&Interests::Known(wanted)]);
        let fits = Subject {
            channel: Some("hall"),
            ..event("tick")
        };
        for _ in 0..2 {
            assert!(crowd.wants(&fits));
            let others = [
                event("tick"),
                Subject {
                    kind: Kind::Log,
                    ..fits
                },
                Subject {
                    type_name: "tock",
                    ..fits
                },
                Subject {
                    role: "timer2",
                    ..fits
                },
                Subject {
                    channel: Some(""),
                    ..fits
                },
            ];
            for other in others {
                assert!(!crowd.wants(&other), "{other:?}");
            }
        }
    }
}
