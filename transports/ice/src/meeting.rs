//! What a node decides about the way to one other node: when it offers, answers, opens a connection, gives up. Pure:
//! told what happened and when, it says what to do, and when to ask again.
//!
//! ```text
//!             dial, or an offer            a way is found
//!   nothing ───────────────────▶ searching ───────────────▶ online ──▶ connections
//!      ▲                           │    ▲                     │
//!      │  nobody uses it           │    └─────────────────────┘
//!      └───────────────────────────┘          it is lost
//! ```

use std::time::{Duration, Instant};

use crate::description::{Description, Kind};

/// How often an offer is repeated while somebody waits for a connection: queries get lost when servers restart.
const OFFER_EVERY: Duration = Duration::from_secs(3);

/// How long a way is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);

/// How many may wait for a connection with one node. The host dials one by one.
const MAX_DIALS: usize = 4;

/// How many descriptions a node may send at once, and one more every so often. A search takes four or so, and goes on
/// with one in three seconds from each side.
const MAX_BURST: u32 = 20;
const ONE_EVERY: Duration = Duration::from_millis(500);

/// Somebody who waits for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DialId(pub(crate) u64);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Begin to search for a way.
    Begin,
    /// Give the way up.
    End,
    /// Tell the other node of this one.
    Tell(Kind),
    /// Take in what the other node said.
    Learn(Description),
    /// Open a connection for somebody.
    Open(DialId),
    /// Tell somebody that there is none.
    Fail(DialId, Why),
}

/// Why there is no connection. What is known beside that, the caller adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Too many wait already.
    Busy,
    /// The XMPP server says that the other node is not connected with it.
    Absent,
    /// This node is not connected with its own one.
    NotConnected,
    /// The other node has not answered.
    NoAnswer,
    /// There is no way, at least not in time.
    NoWay,
    /// There is a way, but the other node does not answer on it.
    Silent,
    /// The search has failed for good.
    Failed,
}

#[derive(Debug)]
pub(crate) struct Meeting {
    search: Option<Search>,
    dials: Vec<Dial>,
    /// Connections over the way, those that are being made as well.
    connections: usize,
    /// Since when nobody has used the way.
    idle_since: Instant,
    allowance: u32,
    allowance_at: Instant,
}

#[derive(Debug, Default)]
struct Search {
    online: bool,
    /// Whether the other node has told of itself.
    heard: bool,
    told_at: Option<Instant>,
    /// Since when a way that was there is not.
    lost_at: Option<Instant>,
}

#[derive(Debug)]
struct Dial {
    id: DialId,
    since: Instant,
    deadline: Instant,
    opened: bool,
}

impl Meeting {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            search: None,
            dials: Vec::new(),
            connections: 0,
            idle_since: now,
            allowance: MAX_BURST,
            allowance_at: now,
        }
    }

    /// Somebody wants a connection before the deadline.
    pub(crate) fn dial(&mut self, id: DialId, deadline: Instant, now: Instant) -> Vec<Action> {
        if self.dials.len() >= MAX_DIALS {
            return vec![Action::Fail(id, Why::Busy)];
        }
        let mut actions = self.begin();
        self.dials.push(Dial {
            id,
            since: now,
            deadline,
            opened: false,
        });
        let online = self.search.as_ref().is_some_and(|search| search.online);
        actions.extend(match online {
            true => self.open(),
            false => self.offer_again(now),
        });
        actions
    }

    fn begin(&mut self) -> Vec<Action> {
        if self.search.is_some() {
            return Vec::new();
        }
        self.search = Some(Search::default());
        vec![Action::Begin]
    }

    fn open(&mut self) -> Vec<Action> {
        let waiting = self.dials.iter_mut().filter(|dial| !dial.opened);
        waiting
            .map(|dial| {
                dial.opened = true;
                Action::Open(dial.id)
            })
            .collect()
    }

    /// Offers, if the last time is long ago and somebody waits.
    fn offer_again(&mut self, now: Instant) -> Vec<Action> {
        match self.next_offer() {
            Some(at) if at <= now => self.tell(Kind::Offer, now),
            _ => Vec::new(),
        }
    }

    fn next_offer(&self) -> Option<Instant> {
        let search = self.search.as_ref()?;
        let dials = self.dials.iter().map(|dial| match search.online {
            // On a way that is there, a connection gets its time first.
            true => dial.since + OFFER_EVERY,
            false => dial.since,
        });
        let lost = search.lost_at.filter(|_| self.connections > 0);
        let wanted = dials.chain(lost).min()?;
        Some(match search.told_at {
            Some(at) => wanted.max(at + OFFER_EVERY),
            None => wanted,
        })
    }

    fn tell(&mut self, kind: Kind, now: Instant) -> Vec<Action> {
        match &mut self.search {
            Some(search) => {
                search.told_at = Some(now);
                vec![Action::Tell(kind)]
            }
            None => Vec::new(),
        }
    }

    /// What this node can tell of itself is complete, or has changed.
    pub(crate) fn candidates_changed(&mut self, now: Instant) -> Vec<Action> {
        let Some(search) = &self.search else {
            return Vec::new();
        };
        let kind = match search.heard {
            true => Kind::Answer,
            false => Kind::Offer,
        };
        self.tell(kind, now)
    }

    /// The other node has told of itself. None if it does so too often.
    pub(crate) fn heard(&mut self, description: Description, now: Instant) -> Option<Vec<Action>> {
        let passed = now.saturating_duration_since(self.allowance_at);
        let gained = passed.as_millis() / ONE_EVERY.as_millis();
        if gained > 0 {
            self.allowance_at = now;
            let gained = u32::try_from(gained).unwrap_or(MAX_BURST);
            self.allowance = self.allowance.saturating_add(gained).min(MAX_BURST);
        }
        self.allowance = self.allowance.checked_sub(1)?;
        if self.search.is_none() {
            if description.kind == Kind::Answer {
                // To what was asked before this search, or never.
                return Some(Vec::new());
            }
            self.idle_since = now;
        }
        let mut actions = self.begin();
        if let Some(search) = &mut self.search {
            search.heard = true;
        }
        let kind = description.kind;
        actions.push(Action::Learn(description));
        if kind == Kind::Offer {
            actions.extend(self.tell(Kind::Answer, now));
        }
        Some(actions)
    }

    /// The XMPP server has given a description back: the other node is not there.
    pub(crate) fn undelivered(&mut self) -> Vec<Action> {
        self.fail_waiting(Why::Absent)
    }

    /// This node can tell others of itself again.
    pub(crate) fn signalling_is_there(&mut self, now: Instant) -> Vec<Action> {
        if let Some(search) = &mut self.search {
            search.told_at = None;
        }
        self.offer_again(now)
    }

    /// This node cannot, and that will not change by itself.
    pub(crate) fn signalling_is_lost(&mut self) -> Vec<Action> {
        self.fail_waiting(Why::NotConnected)
    }

    /// There is a way.
    pub(crate) fn online(&mut self) -> Vec<Action> {
        let Some(search) = &mut self.search else {
            return Vec::new();
        };
        search.online = true;
        search.lost_at = None;
        self.open()
    }

    /// The way is lost.
    pub(crate) fn offline(&mut self, now: Instant) -> Vec<Action> {
        if let Some(search) = &mut self.search {
            search.online = false;
            search.lost_at = Some(now);
        }
        self.offer_again(now)
    }

    /// The search has failed for good.
    pub(crate) fn failed(&mut self) -> Vec<Action> {
        let mut actions = self.fail_waiting(Why::Failed);
        if self.search.take().is_some() {
            actions.push(Action::End);
        }
        actions
    }

    /// Ends the waiting of those for whom no connection is being made.
    fn fail_waiting(&mut self, why: Why) -> Vec<Action> {
        let (waiting, others) = std::mem::take(&mut self.dials)
            .into_iter()
            .partition(|dial| !dial.opened);
        self.dials = others;
        let waiting: Vec<Dial> = waiting;
        waiting
            .into_iter()
            .map(|dial| Action::Fail(dial.id, why))
            .collect()
    }

    /// A connection is being made, by either node.
    pub(crate) fn connection_begins(&mut self) {
        self.connections += 1;
    }

    /// Somebody has got his connection, or it has failed and he was told.
    pub(crate) fn answered(&mut self, id: DialId) {
        self.dials.retain(|dial| dial.id != id);
    }

    /// A connection is no more.
    pub(crate) fn connection_ends(&mut self, now: Instant) {
        self.connections = self.connections.saturating_sub(1);
        self.idle_since = now;
    }

    /// When [`due`](Self::due) has to be called.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let deadlines = self.dials.iter().map(|dial| dial.deadline);
        deadlines
            .chain(self.next_offer())
            .chain(self.idle_end())
            .min()
    }

    fn idle_end(&self) -> Option<Instant> {
        let unused = self.dials.is_empty() && self.connections == 0;
        (unused && self.search.is_some()).then_some(self.idle_since + IDLE)
    }

    pub(crate) fn due(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        let (late, others): (Vec<Dial>, Vec<Dial>) = std::mem::take(&mut self.dials)
            .into_iter()
            .partition(|dial| dial.deadline <= now);
        self.dials = others;
        if !late.is_empty() {
            self.idle_since = now;
        }
        let heard = self.search.as_ref().is_some_and(|search| search.heard);
        actions.extend(late.into_iter().map(|dial| {
            let why = match (dial.opened, heard) {
                (true, _) => Why::Silent,
                (false, true) => Why::NoWay,
                (false, false) => Why::NoAnswer,
            };
            Action::Fail(dial.id, why)
        }));
        actions.extend(self.offer_again(now));
        if self.idle_end().is_some_and(|at| at <= now) {
            self.search = None;
            actions.push(Action::End);
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use kozo_ice::Credentials;

    use super::*;

    const WAIT: Duration = Duration::from_secs(20);
    const ID: DialId = DialId(1);

    fn description(kind: Kind) -> Description {
        Description {
            kind,
            credentials: Credentials::random(),
            candidates: Vec::new(),
        }
    }

    #[test]
    fn who_dials_offers_until_there_is_a_way_and_then_opens() {
        let now = Instant::now();
        let mut meeting = Meeting::new(now);
        let offer = Action::Tell(Kind::Offer);
        assert_eq!(meeting.timeout(), None);
        assert_eq!(
            meeting.dial(ID, now + WAIT, now),
            [Action::Begin, offer.clone()]
        );
        // What is known of the own addresses is told when it is complete.
        assert_eq!(
            meeting.candidates_changed(now),
            std::slice::from_ref(&offer)
        );
        assert_eq!(meeting.timeout(), Some(now + OFFER_EVERY));
        let later = now + OFFER_EVERY;
        assert_eq!(meeting.due(later), [offer]);

        let answer = description(Kind::Answer);
        assert_eq!(
            meeting.heard(answer.clone(), later),
            Some(vec![Action::Learn(answer)])
        );
        assert_eq!(
            meeting.candidates_changed(later),
            [Action::Tell(Kind::Answer)]
        );
        assert_eq!(meeting.online(), [Action::Open(ID)]);
        meeting.connection_begins();
        meeting.answered(ID);
        assert_eq!(meeting.timeout(), None);
        // On a way that is there, the next one opens at once.
        assert_eq!(
            meeting.dial(DialId(2), later + WAIT, later),
            [Action::Open(DialId(2))]
        );
    }

    #[test]
    fn who_is_asked_answers() {
        let now = Instant::now();
        let mut meeting = Meeting::new(now);
        let offer = description(Kind::Offer);
        let expected = vec![
            Action::Begin,
            Action::Learn(offer.clone()),
            Action::Tell(Kind::Answer),
        ];
        assert_eq!(meeting.heard(offer, now), Some(expected));
        assert_eq!(meeting.online(), []);
        // An answer to what nobody has asked begins nothing.
        let mut other = Meeting::new(now);
        assert_eq!(
            other.heard(description(Kind::Answer), now),
            Some(Vec::new())
        );
        assert_eq!(other.timeout(), None);
    }

    #[test]
    fn a_way_that_nobody_uses_is_given_up_and_one_that_is_used_is_not() {
        let now = Instant::now();
        let mut meeting = Meeting::new(now);
        meeting.heard(description(Kind::Offer), now);
        meeting.online();
        assert_eq!(meeting.timeout(), Some(now + IDLE));
        meeting.connection_begins();
        assert_eq!(meeting.due(now + IDLE), []);
        let later = now + IDLE * 2;
        meeting.connection_ends(later);
        assert_eq!(meeting.timeout(), Some(later + IDLE));
        assert_eq!(meeting.due(later + IDLE), [Action::End]);
        assert_eq!(meeting.timeout(), None);
    }

    #[test]
    fn a_way_that_is_lost_under_a_connection_is_asked_for_again() {
        let now = Instant::now();
        let mut meeting = Meeting::new(now);
        meeting.heard(description(Kind::Offer), now);
        meeting.online();
        meeting.connection_begins();
        let lost = now + WAIT;
        assert_eq!(meeting.offline(lost), [Action::Tell(Kind::Offer)]);
        assert_eq!(meeting.due(lost + OFFER_EVERY), [Action::Tell(Kind::Offer)]);
        assert_eq!(meeting.online(), []);
        assert_eq!(meeting.timeout(), None);
    }

    #[test]
    fn why_there_is_no_connection_is_told_apart() {
        let now = Instant::now();
        let dialled = |before: &dyn Fn(&mut Meeting)| {
            let mut meeting = Meeting::new(now);
            meeting.dial(ID, now + WAIT, now);
            before(&mut meeting);
            let actions = meeting.due(now + WAIT);
            actions
                .into_iter()
                .find(|action| matches!(action, Action::Fail(..)))
        };
        let fail = |why| Some(Action::Fail(ID, why));
        assert_eq!(dialled(&|_| {}), fail(Why::NoAnswer));
        let heard = |meeting: &mut Meeting| {
            meeting.heard(description(Kind::Answer), now);
        };
        assert_eq!(dialled(&heard), fail(Why::NoWay));
        let online = |meeting: &mut Meeting| {
            meeting.online();
        };
        assert_eq!(dialled(&online), fail(Why::Silent));

        let mut meeting = Meeting::new(now);
        meeting.dial(ID, now + WAIT, now);
        assert_eq!(meeting.undelivered(), [Action::Fail(ID, Why::Absent)]);
        meeting.dial(ID, now + WAIT, now);
        assert_eq!(
            meeting.signalling_is_lost(),
            [Action::Fail(ID, Why::NotConnected)]
        );
        meeting.dial(ID, now + WAIT, now);
        assert_eq!(
            meeting.failed(),
            [Action::Fail(ID, Why::Failed), Action::End]
        );
        for number in 0..=MAX_DIALS {
            let actions = meeting.dial(DialId(2 + number as u64), now + WAIT, now);
            let busy = actions.contains(&Action::Fail(DialId(2 + number as u64), Why::Busy));
            assert_eq!(busy, number == MAX_DIALS);
        }
    }

    #[test]
    fn a_flood_of_offers_is_bounded() {
        let now = Instant::now();
        let mut meeting = Meeting::new(now);
        let taken = (0..1000).filter(|_| meeting.heard(description(Kind::Offer), now).is_some());
        assert_eq!(taken.count(), MAX_BURST as usize);
        let later = now + ONE_EVERY;
        assert!(meeting.heard(description(Kind::Offer), later).is_some());
        assert!(meeting.heard(description(Kind::Offer), later).is_none());
    }
}
