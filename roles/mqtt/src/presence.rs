//! Whether nodes are there.

use std::time::Duration;

use crate::picture::Peer;

/// For how long a node may be away until that is said, so that a link that is made anew changes nothing.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Whether a node is there, as this one sees it. Times are those since the bridge was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Presence {
    /// When it was there last; none: not in this life.
    last: Option<Duration>,
    /// What speaks for it now.
    signs: Signs,
    /// Since when nothing does.
    away_since: Option<Duration>,
    /// What was said of it last.
    said: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Signs {
    /// Nothing is known.
    #[default]
    None,
    /// A link, or it is this very node.
    Linked,
    /// No link; there is to be none at all times, and nothing has failed since there was one.
    OnDemand,
    /// No link, where there should be one, or the last try failed.
    Away,
}

impl Presence {
    /// This very node.
    pub(crate) fn here(&mut self, now: Duration) {
        (self.signs, self.last) = (Signs::Linked, Some(now));
    }

    /// What this node says of it.
    pub(crate) fn see(&mut self, peer: &Peer, now: Duration) {
        if peer.is_up() {
            return self.here(now);
        }
        if self.signs == Signs::Linked {
            // Until a moment ago.
            self.last = Some(now);
        }
        let failed = peer
            .last_error_seconds
            .and_then(|ago| Duration::try_from_secs_f64(ago).ok());
        let failed = failed.and_then(|ago| now.checked_sub(ago));
        let failed_since = failed
            .zip(self.last)
            .is_some_and(|(failed, last)| failed >= last);
        let idle = matches!(
            &*peer.state,
            "on-demand" | "left-to-peer" | "dialling" | "greeting"
        );
        self.signs = match !peer.wanted && idle && !failed_since {
            true => Signs::OnDemand,
            false => Signs::Away,
        };
    }

    /// It has sent something.
    pub(crate) fn hear(&mut self, now: Duration) {
        self.last = Some(now);
    }

    /// Whether it is there, where that is another answer than before. `idle` is how long a link on demand is kept
    /// without being used.
    pub(crate) fn news(&mut self, now: Duration, idle: Duration) -> Option<bool> {
        let heard_lately = self
            .last
            .is_some_and(|last| now.saturating_sub(last) < idle);
        let there = match self.signs {
            Signs::None => return None,
            Signs::Linked => true,
            Signs::OnDemand => heard_lately,
            Signs::Away => false,
        };
        let answer = if there {
            self.away_since = None;
            true
        } else {
            let since = *self.away_since.get_or_insert(now);
            if now.saturating_sub(since) < GRACE {
                return None;
            }
            false
        };
        (self.said != Some(answer)).then(|| {
            self.said = Some(answer);
            answer
        })
    }

    /// What was said last.
    pub(crate) fn said(&self) -> Option<bool> {
        self.said
    }

    /// When there may be news without anything happening.
    pub(crate) fn due(&self, idle: Duration) -> Option<Duration> {
        match self.signs {
            _ if self.said == Some(false) && self.signs != Signs::OnDemand => None,
            Signs::OnDemand if self.away_since.is_none() => self.last.map(|last| last + idle),
            Signs::OnDemand | Signs::Away if self.said != Some(false) => {
                self.away_since.map(|since| since + GRACE)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    fn peer(state: &str, wanted: bool) -> Peer {
        Peer {
            peer: "a".to_owned(),
            state: state.to_owned(),
            links: Vec::new(),
            wanted,
            other_file: false,
            last_error_seconds: None,
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_link_that_is_made_anew_within_the_grace_is_no_news() {
        let mut presence = Presence::default();
        presence.see(&peer("up", true), at(0));
        assert_eq!(presence.news(at(0), IDLE), Some(true));
        presence.see(&peer("waiting", true), at(10));
        assert_eq!(presence.news(at(10), IDLE), None);
        assert_eq!(presence.due(IDLE), Some(at(15)));
        presence.see(&peer("up", true), at(14));
        assert_eq!(presence.news(at(14), IDLE), None);
        presence.see(&peer("dialling", true), at(20));
        assert_eq!(presence.news(at(20), IDLE), None);
        assert_eq!(presence.news(at(25), IDLE), Some(false));
        assert_eq!(presence.due(IDLE), None);
    }

    #[test]
    fn a_link_on_demand_may_be_idle_for_so_long() {
        let mut presence = Presence::default();
        presence.see(&peer("up", false), at(0));
        presence.news(at(0), IDLE);
        presence.see(&peer("on-demand", false), at(10));
        assert_eq!(presence.news(at(10), IDLE), None);
        presence.hear(at(40));
        assert_eq!(presence.news(at(99), IDLE), None);
        assert_eq!(presence.news(at(100), IDLE), None);
        assert_eq!(presence.news(at(105), IDLE), Some(false));
        presence.hear(at(110));
        assert_eq!(presence.news(at(110), IDLE), Some(true));
    }

    #[test]
    fn a_try_that_failed_since_then_speaks_against_it() {
        let mut presence = Presence::default();
        presence.see(&peer("up", false), at(0));
        presence.news(at(0), IDLE);
        let failed = Peer {
            last_error_seconds: Some(1.0),
            ..peer("on-demand", false)
        };
        presence.see(&failed, at(10));
        assert_eq!(presence.news(at(10), IDLE), None);
        presence.see(&failed, at(20));
        presence.news(at(20), IDLE);
        assert_eq!(presence.news(at(25), IDLE), Some(false));
    }
}
