//! What the simulation asks of this floor, and what is easier to see without it.

use kozo_ground::interest::Kind;
use kozo_ground::names::{BusName, RoleName};
use kozo_wire::Message;

use super::repair::{MAX_REPAIRS, TRY_FOR, WAIT};
use super::*;
use crate::session::SessionTime;
use crate::subject::SubjectKey;

impl Incoming {
    /// How many datagrams of lanes were opened.
    pub(crate) fn opened(&self) -> u64 {
        let counts = self.sources.iter().map(|source| source.counts);
        counts.map(|counts| counts.datagrams_received).sum()
    }

    /// Whether all that is kept is counted, and within its limits.
    pub(crate) fn assert_bounded(&self) {
        let waiting = self.lanes.values().map(InLane::waiting);
        let counted = waiting.fold(Amount::default(), |sum, amount| Amount {
            messages: sum.messages + amount.messages,
            bytes: sum.bytes + amount.bytes,
        });
        assert_eq!(counted, self.waiting);
        assert!(counted.bytes <= MAX_WAITING_BYTES);
        assert!(self.parts.bytes() <= parts::MAX_PART_BYTES);
        let asked = |lane: &&InLane| lane.repair.as_ref().is_some_and(|one| one.asked.is_some());
        let repairing = self.lanes.values().filter(asked).count();
        assert_eq!(repairing, self.repairs.under_way());
        assert!(repairing <= MAX_REPAIRS);
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A receiver, told of what others sent without any cryptography.
struct Receiver {
    incoming: Incoming,
    subjects: Subjects,
    wanted: Vec<Interest>,
    now: Moment,
}

impl Receiver {
    fn new() -> Self {
        let now = Moment::ZERO + SECOND * 1000;
        let mut incoming = Incoming::new(1, now);
        incoming.up(now);
        Self {
            incoming,
            subjects: Subjects::new(BusName::new("fleet").unwrap(), &SubjectKey::public()),
            wanted: vec![Interest {
                kind: Some(Kind::Event),
                ..Interest::default()
            }],
            now,
        }
    }

    /// A node whose session began when this node began to hear it.
    fn source(&mut self, name: &str) -> SourceId {
        let node = NodeName::new(name).unwrap();
        let token = self.subjects.node(&node);
        let clock = SessionClock::new(self.now, 0, self.now);
        self.incoming.add_source(node, token, clock, self.now)
    }

    fn came(&mut self, source: SourceId, kind: Kind, first: u64, count: u64) {
        self.batch(source, kind, (1, 0), first, count, false);
    }

    fn batch(
        &mut self,
        source: SourceId,
        kind: Kind,
        begin: (u64, u64),
        first: u64,
        count: u64,
        was_asked: bool,
    ) {
        let role = RoleName::new("role").unwrap();
        let message = |number: u64| {
            let data = rmp_serde::to_vec(&number).unwrap();
            Message::new(kind, &role, "t", None, 0.0, &data).unwrap()
        };
        let messages: Vec<Sent> = (first..first + count)
            .map(|number| Sent {
                at: SessionTime(begin.1),
                lifetime: SECOND * 100,
                message: message(number),
            })
            .collect();
        let subject = self.lane(source, kind);
        let begin = LaneBegin {
            number: begin.0,
            time: SessionTime(begin.1),
        };
        let body = Body::Messages(Batch {
            begin,
            first,
            messages,
        });
        self.tell(source, &subject, body, was_asked);
    }

    fn end(&mut self, source: SourceId, kind: Kind, last: u64) {
        let begin = LaneBegin {
            number: 1,
            time: SessionTime(0),
        };
        let subject = self.lane(source, kind);
        self.tell(source, &subject, Body::End(End { begin, last }), false);
    }

    fn tell(&mut self, source: SourceId, subject: &str, body: Body, was_asked: bool) {
        let reading = Reading {
            subjects: &self.subjects,
            wanted: &self.wanted,
        };
        self.incoming
            .received(source, subject, body, was_asked, reading, self.now)
            .unwrap();
    }

    fn lane(&self, source: SourceId, kind: Kind) -> String {
        let token = self.incoming.source(source).token;
        self.subjects.lane(kind, "t", "role", None, token)
    }

    fn numbers(&mut self) -> Vec<u64> {
        let deliveries = self.incoming.deliveries().into_iter();
        deliveries
            .map(|one| rmp_serde::from_slice(one.message.data()).unwrap())
            .collect()
    }

    /// Lets time pass, and says what is asked for in it.
    fn asks(&mut self, span: Duration) -> Vec<(u64, Option<u64>)> {
        let until = self.now + span;
        let mut asks = Vec::new();
        while self.now < until {
            self.now = self.now + Duration::from_millis(10);
            let due = self.incoming.due_repairs(self.now);
            asks.extend(due.into_iter().map(|ask| (ask.from, ask.to)));
            self.incoming.tick(self.now);
            self.incoming.assert_bounded();
        }
        asks
    }
}

#[test]
fn what_is_missing_is_asked_for_and_what_is_behind_it_waits() {
    let mut here = Receiver::new();
    let source = here.source("hub");
    here.came(source, Kind::Event, 1, 2);
    here.came(source, Kind::Event, 5, 2);
    assert_eq!(here.numbers(), [1, 2]);
    assert_eq!(here.asks(Duration::from_millis(300)), [(3, Some(4))]);
    here.batch(source, Kind::Event, (1, 0), 3, 2, true);
    assert_eq!(here.numbers(), [3, 4, 5, 6]);
    assert_eq!(here.asks(SECOND * 10), []);
    // What came again is nothing.
    here.came(source, Kind::Event, 5, 2);
    assert_eq!(here.numbers(), [0u64; 0]);
    let counts = here.incoming.counts();
    assert_eq!(
        (counts.received, counts.repaired, counts.repeated),
        (6, 2, 2)
    );
    assert_eq!(counts.missed, 0);
}

#[test]
fn what_overtook_others_is_not_asked_for() {
    let mut here = Receiver::new();
    let source = here.source("hub");
    for first in [1, 3, 2, 6, 5, 4] {
        here.came(source, Kind::Event, first, 1);
    }
    assert_eq!(here.numbers(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(here.asks(SECOND * 10), []);
}

#[test]
fn the_end_of_a_lane_that_nobody_wants_asks_for_nothing() {
    let mut here = Receiver::new();
    let source = here.source("hub");
    here.came(source, Kind::Log, 1, 1);
    here.end(source, Kind::Log, 9);
    assert_eq!(here.asks(SECOND * 100), []);
    assert_eq!(here.incoming.counts().missed, 0);
}

#[test]
fn a_lane_that_ends_while_it_is_asked_for_keeps_no_place_of_others() {
    let mut here = Receiver::new();
    let source = here.source("hub");
    here.came(source, Kind::Event, 1, 1);
    here.incoming.up(here.now);
    let mut moments = (0..1000).map(|_| here.asks(Duration::from_millis(10)));
    let asked = moments.find(|asks| !asks.is_empty());
    assert_eq!(asked, Some(vec![(2, None)]));
    assert_eq!(here.incoming.source(source).repairs.under_way(), 1);
    here.incoming.session_over(source, here.now);
    here.incoming.assert_bounded();
    assert_eq!(here.incoming.source(source).repairs.under_way(), 0);
}

#[test]
fn what_does_not_come_is_missed_exactly() {
    let mut here = Receiver::new();
    let source = here.source("hub");
    here.came(source, Kind::Event, 1, 1);
    here.came(source, Kind::Event, 4, 1);
    let asks = here.asks(SECOND * 10);
    assert_eq!(asks, [(2, Some(3)); TRY_FOR.len()]);
    assert_eq!(here.numbers(), [1, 4]);
    assert_eq!(here.incoming.counts().missed, 2);
    assert_eq!(here.incoming.missed(), [(NodeName::new("hub").unwrap(), 2)]);
    // The sender says so itself; what it says of other numbers waits for its turn.
    here.came(source, Kind::Event, 9, 1);
    here.asks(Duration::from_millis(300));
    let subject = here.lane(source, Kind::Event);
    let key = here.incoming.key(source, &subject);
    here.incoming.lost(key, 7, 8, here.now);
    assert_eq!(here.numbers(), [0u64; 0]);
    here.incoming.lost(key, 5, 6, here.now);
    assert_eq!(here.numbers(), [9]);
    assert_eq!(here.incoming.counts().missed, 6);
    here.incoming.answered(key, 5, (8, 9), SECOND, here.now);
    assert_eq!(here.asks(SECOND * 10), []);
}

#[test]
fn the_end_of_a_lane_tells_what_is_missing_at_it() {
    let mut here = Receiver::new();
    let source = here.source("hub");
    here.came(source, Kind::Event, 1, 1);
    here.end(source, Kind::Event, 1);
    assert_eq!(here.asks(SECOND), []);
    here.end(source, Kind::Event, 3);
    assert_eq!(here.asks(Duration::from_millis(300)), [(2, Some(3))]);
    // Of a lane of which nothing came that began after this node did.
    let other = here.source("other");
    here.end(other, Kind::Event, 2);
    let asks = here.asks(Duration::from_millis(300));
    assert!(asks.contains(&(1, Some(2))), "{asks:?}");
}

#[test]
fn a_lane_that_began_earlier_is_heard_from_the_present_on() {
    let mut here = Receiver::new();
    let source = here.source("hub");
    // Its session is older than what this node has subscribed to.
    here.now = here.now + SECOND * 50;
    here.incoming.subscribed = Some(here.now - SECOND * 10);
    here.came(source, Kind::Event, 100, 2);
    assert_eq!(here.numbers(), [100, 101]);
    assert_eq!(here.asks(SECOND), []);
    // One that was begun since then is asked for from its beginning on.
    let other = here.source("other");
    here.batch(other, Kind::Event, (7, 1000), 9, 1, false);
    assert_eq!(here.asks(Duration::from_millis(300)), [(7, Some(8))]);
    // One that its sender has forgotten and begun again misses nothing in between.
    here.batch(source, Kind::Event, (500, 1000), 500, 1, false);
    assert_eq!(here.numbers(), [500]);
    assert_eq!(here.incoming.counts().missed, 0);
}

#[test]
fn after_a_cut_every_lane_is_asked_for_once_and_goes_on_meanwhile() {
    let mut here = Receiver::new();
    let sources = ["a", "b", "c"].map(|name| here.source(name));
    for source in sources {
        here.came(source, Kind::Event, 1, 1);
    }
    here.came(sources[0], Kind::Order, 1, 1);
    assert_eq!(here.numbers().len(), 3);
    here.incoming.up(here.now);
    // What comes meanwhile is delivered; what it shows to be missing is asked for with the rest.
    here.came(sources[0], Kind::Event, 2, 1);
    here.came(sources[1], Kind::Event, 4, 1);
    assert_eq!(here.numbers(), [2]);
    let mut asks = here.asks(SECOND * 2 + WAIT + Duration::from_millis(50));
    asks.sort_unstable();
    let answered = |here: &mut Receiver, source: usize, from, last| {
        let subject = here.lane(sources[source], Kind::Event);
        let key = here.incoming.key(sources[source], &subject);
        let took = Duration::from_millis(1);
        here.incoming
            .answered(key, from, (last, last), took, here.now);
    };
    // Each for all that there is, at first.
    let open = asks.iter().filter(|(_, to)| to.is_none());
    assert_eq!(open.count(), 3, "{asks:?}");
    answered(&mut here, 0, 3, 2);
    here.batch(sources[1], Kind::Event, (1, 0), 2, 2, true);
    answered(&mut here, 1, 2, 4);
    answered(&mut here, 2, 2, 1);
    assert_eq!(here.numbers(), [2, 3, 4]);
    assert_eq!(here.asks(SECOND * 10), []);
    assert_eq!(here.incoming.counts().missed, 0);
}

#[test]
fn many_holes_are_asked_for_at_once_and_no_more_than_is_allowed() {
    let mut here = Receiver::new();
    let source = here.source("hub");
    here.came(source, Kind::Event, 1, 1);
    for first in (3..200).step_by(2) {
        here.came(source, Kind::Event, first, 1);
    }
    let asks = here.asks(Duration::from_millis(300));
    assert_eq!(asks, [(2, Some(198))]);

    let mut here = Receiver::new();
    for node in 0..2 * MAX_REPAIRS {
        let source = here.source(&format!("n{node}"));
        here.came(source, Kind::Event, 1, 1);
        here.came(source, Kind::Event, 3, 1);
    }
    let asks = here.asks(Duration::from_millis(290));
    assert_eq!(asks.len(), MAX_REPAIRS);
}

#[test]
fn ten_thousand_senders_take_little_memory() {
    let size = size_of::<InLane>() + size_of::<LaneKey>();
    let subject = 5 + 5 + 2 + 2 + 4 * 13;
    // The table of lanes is half empty at worst, and each lane stands in its node's list once.
    assert!(2 * size + 16 + subject + 2 * 8 <= 400, "{size}");
    let mut here = Receiver::new();
    for node in 0..10_000 {
        let source = here.source(&format!("node{node}"));
        here.came(source, Kind::Event, 1, 1);
    }
    assert_eq!(here.incoming.lane_count(), 10_000);
    assert_eq!(here.numbers().len(), 10_000);
    assert_eq!(here.incoming.waiting(), Amount::default());
}
