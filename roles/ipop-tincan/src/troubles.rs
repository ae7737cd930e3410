//! Why links do not come up: told once, and again when it is for another reason.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use kozo_ice::Reason;
use kozo_ipop::Uid;

use crate::core::MAX_PEERS;

/// How long a link may take before it is told why it is not there.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many reasons are told of a link.
const MAX_REASONS: usize = 3;

/// The links that are not up, and what was told of them.
#[derive(Debug, Default)]
pub(crate) struct Troubles(HashMap<Uid, Trouble>);

#[derive(Debug)]
struct Trouble {
    since: Instant,
    /// The kinds alone: what is in a reason, such as how often something was tried, changes all the time.
    told: Vec<Discriminant<Reason>>,
}

impl Troubles {
    /// A link is not up, for these reasons as far as they are known. What is to be told of it, if that is new. Links that
    /// controllers make anew meanwhile count as the same.
    pub(crate) fn is_not_up(
        &mut self,
        now: Instant,
        uid: Uid,
        reasons: &[Reason],
    ) -> Option<String> {
        if self.0.len() >= MAX_PEERS && !self.0.contains_key(&uid) {
            // It is told once more of some.
            self.0.clear();
        }
        let trouble = self.0.entry(uid).or_insert_with(|| Trouble {
            since: now,
            told: Vec::new(),
        });
        let kinds: Vec<_> = reasons.iter().map(discriminant).collect();
        let is_late = now.saturating_duration_since(trouble.since) >= PATIENCE;
        if !is_late || kinds.is_empty() || kinds == trouble.told {
            return None;
        }
        trouble.told = kinds;
        let reasons = reasons.iter().take(MAX_REASONS).map(Reason::to_string);
        let reasons = reasons.collect::<Vec<_>>().join("; ");
        Some(format!("there is no link with {uid} yet: {reasons}"))
    }

    /// A link is up.
    pub(crate) fn is_up(&mut self, uid: &Uid) {
        self.0.remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(number: u32) -> Uid {
        Uid::of_ip4(number.into())
    }

    #[test]
    fn it_is_told_after_a_while_and_once_for_each_reason() {
        let (mut troubles, start) = (Troubles::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let failed = |pairs| [Reason::ChecksFailed { pairs }];
        assert_eq!(troubles.is_not_up(at(0), uid(1), &failed(1)), None);
        assert_eq!(troubles.is_not_up(at(9), uid(1), &failed(2)), None);
        assert_eq!(troubles.is_not_up(at(10), uid(1), &[]), None);
        let told = troubles.is_not_up(at(11), uid(1), &failed(3)).unwrap();
        let begin = format!("there is no link with {} yet: none of the 3 pairs", uid(1));
        assert!(told.starts_with(&begin), "{told}");
        assert_eq!(troubles.is_not_up(at(12), uid(1), &failed(4)), None);
        let other = [Reason::NoAddress, Reason::Closed];
        let told = troubles.is_not_up(at(13), uid(1), &other).unwrap();
        assert!(
            told.ends_with("; the peer has closed the link")
                && told.contains("there is no network"),
            "{told}"
        );
        assert_eq!(troubles.is_not_up(at(14), uid(1), &other), None);
        troubles.is_up(&uid(1));
        assert_eq!(troubles.is_not_up(at(15), uid(1), &other), None);
        assert!(troubles.is_not_up(at(25), uid(1), &other).is_some());
    }

    #[test]
    fn only_so_many_are_remembered() {
        let (mut troubles, now) = (Troubles::default(), Instant::now());
        for number in 0..3 * MAX_PEERS as u32 {
            troubles.is_not_up(now, uid(number), &[]);
        }
        assert!(troubles.0.len() <= MAX_PEERS);
    }
}
