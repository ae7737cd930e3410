//! What leaves, in which order, and what is kept of it.

use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;

use super::*;
use crate::random::SeededRandom;
use crate::sender_key::{OpeningKey, Suite};
use crate::subject::Token;
use crate::testing::{node, subjects};

const SECOND: Duration = Duration::from_secs(1);

/// What this node sends, and what others can open of it.
struct Sender {
    outgoing: Outgoing,
    session: Session,
    keys: SenderKeys,
    subjects: Subjects,
    random: SeededRandom,
    token: Token,
    number: u64,
}

fn at(seconds: u64) -> Moment {
    Moment::ZERO + SECOND * seconds as u32
}

impl Sender {
    fn new(length: usize, size: usize) -> Self {
        let mut random = SeededRandom::new(1);
        let session = Session::new(&mut random, at(0)).unwrap();
        let keys = SenderKeys::new(session.id(), Suite::Aes256Gcm, &mut random, at(0)).unwrap();
        let subjects = subjects("fleet");
        Self {
            outgoing: Outgoing::new(QueueLimits { length, size }, at(0)),
            session,
            keys,
            token: subjects.node(&node("hub")),
            subjects,
            random,
            number: 0,
        }
    }

    fn push_sized(&mut self, role: &str, channel: &str, padding: usize, now: Moment) {
        let role = RoleName::new(role).unwrap();
        let data = rmp_serde::to_vec(&vec![7u8; padding]).unwrap();
        let message = Message::new(Kind::Event, &role, "t", Some(channel), 0.0, &data).unwrap();
        let (subjects, token) = (&self.subjects, self.token);
        let time = self.session.time(now);
        self.outgoing
            .push(message, SECOND * 10, time, now, |message| {
                subjects.lane_of(message, token)
            });
    }

    fn push(&mut self, role: &str, channel: &str, now: Moment) {
        self.push_sized(role, channel, 1, now);
    }

    fn sealing(&mut self) -> (&mut Outgoing, Sealing<'_>) {
        let sealing = Sealing {
            session: &self.session,
            keys: &mut self.keys,
            subjects: &self.subjects,
            random: &mut self.random,
        };
        (&mut self.outgoing, sealing)
    }

    fn open(&self, (subject, datagram): &(Arc<str>, Bytes)) -> Body {
        let epoch = datagram::Header::read(datagram).unwrap().epoch;
        let key = OpeningKey::new(self.keys.key(epoch).unwrap());
        let signer = self.session.keys();
        datagram::open(datagram, &key, signer, &self.subjects, self.token, subject).unwrap()
    }

    /// Publishes the next datagram, as soon as it is held no longer: its channel, or `part`, and its numbers.
    fn publish(&mut self, now: Moment) -> Option<(String, u64, u64)> {
        let (outgoing, mut sealing) = self.sealing();
        let next = match outgoing.next(&mut sealing, now) {
            Some(next) => next,
            None => outgoing.next(&mut sealing, outgoing.batch_due()?)?,
        };
        self.number += 1;
        self.outgoing.published(self.number);
        Some(match self.open(&next) {
            Body::Messages(batch) => {
                let channel = batch.messages[0].message.channel().unwrap().to_owned();
                (channel, batch.first, batch.last())
            }
            Body::Part(part) => ("part".to_owned(), part.first, part.index),
            Body::End(end) => panic!("{end:?}"),
        })
    }

    /// Makes the next datagram, for which the module has no room.
    fn offer(&mut self, now: Moment) {
        let (outgoing, mut sealing) = self.sealing();
        outgoing.next(&mut sealing, now).unwrap();
    }

    fn publish_all(&mut self, now: Moment) -> Vec<(String, u64, u64)> {
        std::iter::from_fn(|| self.publish(now)).collect()
    }

    fn ends(&mut self, now: Moment) -> Vec<u64> {
        let mut ends = Vec::new();
        loop {
            let (outgoing, mut sealing) = self.sealing();
            let Some(end) = outgoing.next_end(&mut sealing, now) else {
                return ends;
            };
            match self.open(&end) {
                Body::End(end) => ends.push(end.last),
                other => panic!("{other:?}"),
            }
        }
    }

    fn lane(&self, role: &str, channel: &str) -> String {
        self.subjects
            .lane(Kind::Event, "t", role, Some(channel), self.token)
    }
}

fn of(channel: &str, first: u64, last: u64) -> (String, u64, u64) {
    (channel.to_owned(), first, last)
}

#[test]
fn messages_of_a_role_leave_in_order_and_those_of_one_lane_together() {
    let mut sender = Sender::new(100, 1 << 20);
    for (role, channel) in [
        ("one", "a"),
        ("two", "x"),
        ("one", "a"),
        ("two", "x"),
        ("one", "b"),
        ("one", "a"),
        ("two", "x"),
    ] {
        sender.push(role, channel, at(0));
    }
    // `one` has sent in `b` before its third in `a`; what `two` sends has no order among those.
    let expected = [of("a", 1, 2), of("x", 2, 4), of("b", 4, 4), of("a", 3, 3)];
    assert_eq!(sender.publish_all(at(0)), expected);
    assert_eq!(sender.outgoing.lane_count(), 3);
}

#[test]
fn no_more_is_under_way_than_can_be_published_again() {
    let mut sender = Sender::new(4, 1 << 20);
    for _ in 0..3 {
        sender.push("one", "a", at(0));
    }
    assert_eq!(sender.publish_all(at(0)), [of("a", 1, 3)]);
    for _ in 0..4 {
        sender.push("one", "a", at(0));
    }
    assert_eq!(sender.publish_all(at(0)), [of("a", 4, 4)]);
    assert_eq!(sender.publish_all(at(0)), []);
    assert!(sender.outgoing.has_room(10));
    sender.push("one", "a", at(0));
    assert!(!sender.outgoing.has_room(10));
    sender.outgoing.confirmed(1);
    assert_eq!(sender.publish_all(at(0)), [of("a", 5, 7)]);
    assert_eq!(sender.outgoing.counts().dropped_by_limit, 0);
    // One more than there is room for pushes the oldest out.
    for _ in 0..4 {
        sender.push("one", "a", at(0));
    }
    assert_eq!(sender.outgoing.counts().dropped_by_limit, 1);
}

#[test]
fn what_was_not_confirmed_leaves_again_before_what_is_new() {
    let mut sender = Sender::new(100, 1 << 20);
    for channel in ["a", "b", "c"] {
        sender.push("one", channel, at(0));
    }
    let first = sender.publish_all(at(0));
    sender.outgoing.confirmed(1);
    sender.outgoing.down();
    sender.push("one", "d", at(1));
    let again = sender.publish_all(at(1));
    assert_eq!(again[..2], first[1..]);
    assert_eq!(again[2].0, "d");
    let counts = sender.outgoing.counts();
    assert_eq!((counts.sent, counts.sent_again), (4, 2));
    // A confirmation of before says nothing of what was published again.
    sender.outgoing.down();
    sender.outgoing.confirmed(3);
    assert_eq!(sender.publish_all(at(1)).len(), 3);
    // What has no meaning any more does not leave again.
    sender.outgoing.down();
    assert_eq!(sender.publish_all(at(20)), []);
    assert_eq!(sender.outgoing.kept(), Amount::default());
}

#[test]
fn the_end_of_a_lane_is_said_three_times_and_after_a_message_anew() {
    let mut sender = Sender::new(100, 1 << 20);
    sender.push("one", "a", at(0));
    assert_eq!(sender.ends(at(2)), [0u64; 0], "what waits says the same");
    sender.publish_all(at(2));
    let mut said = Vec::new();
    for second in 3..300 {
        for last in sender.ends(at(second)) {
            said.push((second, last));
        }
    }
    assert_eq!(said, [(3, 1), (10, 1), (100, 1)]);
    sender.push("one", "a", at(300));
    sender.publish_all(at(300));
    assert_eq!(sender.ends(at(301)), [2]);
    // Those that could not be said are said once.
    assert_eq!(sender.ends(at(1000)), [2]);
    assert_eq!(sender.ends(at(2000)), [0u64; 0]);
}

#[test]
fn a_message_that_comes_while_a_late_end_is_awaited_has_its_own_ends() {
    let mut sender = Sender::new(100, 1 << 20);
    let mut said = Vec::new();
    for second in 0..200 {
        if [0, 20, 23].contains(&second) {
            sender.push("one", "a", at(second));
            sender.publish_all(at(second));
        }
        said.extend(
            sender
                .ends(at(second))
                .into_iter()
                .map(|last| (second, last)),
        );
    }
    let expected = [(1, 1), (10, 1), (21, 2), (24, 3), (33, 3), (123, 3)];
    assert_eq!(said, expected);
}

#[test]
fn the_end_tells_of_what_was_dropped_last() {
    let mut sender = Sender::new(100, 1 << 20);
    sender.push("one", "a", at(0));
    sender.publish_all(at(0));
    sender.push("one", "a", at(1));
    // It waits for longer than it has a meaning.
    sender.outgoing.tick(at(12));
    assert_eq!(sender.outgoing.counts().dropped_by_age, 1);
    assert_eq!(sender.ends(at(13)), [2]);
    let lane = sender.lane("one", "a");
    let again = sender.outgoing.again(&lane, 2, Some(2), 64);
    assert_eq!((again.lost, again.last), (vec![(2, 2)], 2));
}

#[test]
fn a_lane_that_is_begun_again_repeats_no_number() {
    let mut sender = Sender::new(100, 1 << 20);
    for channel in ["a", "a", "b"] {
        sender.push("one", channel, at(0));
    }
    sender.publish_all(at(0));
    sender.outgoing.tick(at(2 * 3600));
    assert_eq!(sender.outgoing.lane_count(), 0);
    sender.push("one", "a", at(2 * 3600));
    assert_eq!(sender.publish_all(at(2 * 3600)), [of("a", 4, 4)]);
}

#[test]
fn the_lanes_that_are_idle_for_longest_make_room_for_new_ones() {
    let mut sender = Sender::new(1, 1 << 20);
    for lane in 0..lanes::MAX_LANES + 10 {
        sender.push("one", &lane.to_string(), at(lane as u64 / 1000));
    }
    let count = sender.outgoing.lane_count();
    assert!(
        count <= lanes::MAX_LANES && count > lanes::MAX_LANES / 2,
        "{count}"
    );
    let newest = (lanes::MAX_LANES + 9).to_string();
    let published = sender.publish_all(at(20));
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].0, newest);
}

#[test]
fn what_is_kept_is_sent_again_and_what_is_not_is_told() {
    let mut sender = Sender::new(4, 1 << 20);
    for number in 1..=7 {
        sender.push("one", "a", at(0));
        sender.publish_all(at(0));
        sender.outgoing.confirmed(number);
    }
    let (lane, other) = (sender.lane("one", "a"), sender.lane("one", "b"));
    let again = sender.outgoing.again(&lane, 2, Some(5), 64);
    assert_eq!((again.datagrams.len(), again.messages), (2, 2));
    assert_eq!((again.lost, again.last), (vec![(2, 3)], 7));
    // All behind a number.
    let again = sender.outgoing.again(&lane, 6, None, 64);
    assert_eq!(
        (again.datagrams.len(), again.lost, again.last),
        (2, vec![], 7)
    );
    // What was never sent is not lost.
    let again = sender.outgoing.again(&lane, 8, Some(1000), 64);
    assert_eq!(
        (again.datagrams.len(), again.lost, again.last),
        (0, vec![], 7)
    );
    // Of a lane that is not there, nothing is.
    let again = sender.outgoing.again(&other, 3, Some(9), 64);
    assert_eq!((again.lost, again.last), (vec![(3, 9)], 9));
    let again = sender.outgoing.again(&other, 3, None, 64);
    assert_eq!((again.lost, again.last), (vec![], 0));
}

#[test]
fn what_is_about_to_be_published_is_not_lost() {
    let mut sender = Sender::new(100, 16 << 20);
    sender.outgoing.up(20 * 1024);
    let lane = sender.lane("one", "a");
    let told = |sender: &mut Sender, from, to| {
        let again = sender.outgoing.again(&lane, from, to, 64);
        (again.messages, again.lost, again.last, again.through)
    };
    sender.push("one", "a", at(0));
    sender.publish_all(at(0));
    // The module has no room for the next batch.
    sender.push("one", "a", at(1));
    sender.offer(at(1));
    assert_eq!(told(&mut sender, 1, None), (1, vec![], 1, 1));
    assert_eq!(told(&mut sender, 2, Some(17)), (0, vec![], 1, 1));
    assert_eq!(sender.ends(at(3)), [0u64; 0], "what waits says the same");
    // What is dropped before it is lost.
    sender.push("one", "a", at(3));
    sender.outgoing.tick(at(12));
    sender.publish_all(at(12));
    assert_eq!(told(&mut sender, 2, None), (1, vec![(2, 2)], 3, 3));
    // Of a large one, a part was published.
    sender.push_sized("one", "a", 50_000, at(12));
    assert_eq!(sender.publish(at(12)), Some(of("part", 4, 0)));
    assert_eq!(told(&mut sender, 4, None), (0, vec![], 3, 3));
    sender.publish_all(at(12));
    assert_eq!(told(&mut sender, 4, None), (1, vec![], 4, 4));
    assert_eq!(sender.ends(at(14)), [4]);
    // Nothing is kept of the lane any more, and what is asked for waits in the outbox.
    sender.outgoing.tick(at(60));
    sender.push("one", "a", at(60));
    assert_eq!(told(&mut sender, 4, Some(20)), (0, vec![], 0, 3));
    sender.publish_all(at(60));
    assert_eq!(told(&mut sender, 4, Some(20)), (1, vec![(4, 4)], 5, 5));
}

#[test]
fn one_answer_has_a_limit() {
    let mut sender = Sender::new(1000, 16 << 20);
    for _ in 0..30 {
        sender.push_sized("one", "a", 30_000, at(0));
        sender.publish_all(at(0));
    }
    let lane = sender.lane("one", "a");
    let again = sender.outgoing.again(&lane, 1, None, 64);
    let bytes: usize = again.datagrams.iter().map(Bytes::len).sum();
    assert!(
        bytes <= MAX_REPAIR_BYTES && bytes > MAX_REPAIR_BYTES / 2,
        "{bytes}"
    );
    assert_eq!((again.lost, again.last), (vec![], 30));
}

#[test]
fn what_is_larger_than_a_datagram_leaves_in_parts() {
    let mut sender = Sender::new(100, 16 << 20);
    sender.outgoing.up(20 * 1024);
    sender.push("one", "a", at(0));
    sender.push_sized("one", "a", 50_000, at(0));
    sender.push("one", "a", at(0));
    let published = sender.publish_all(at(0));
    let expected = [
        of("a", 1, 1),
        of("part", 2, 0),
        of("part", 2, 1),
        of("part", 2, 2),
        of("a", 3, 3),
    ];
    assert_eq!(published, expected);
    assert_eq!(sender.outgoing.counts().sent, 3);
    let lane = sender.lane("one", "a");
    assert_eq!(
        sender.outgoing.again(&lane, 2, Some(2), 64).datagrams.len(),
        3
    );
}

#[test]
fn what_was_sealed_with_an_earlier_key_is_sent_again_as_it_was() {
    let mut sender = Sender::new(100, 1 << 20);
    sender.push("one", "a", at(0));
    let first = sender.publish_all(at(0));
    sender.keys.renew(&mut sender.random, at(1)).unwrap();
    sender.outgoing.down();
    sender.push("one", "a", at(1));
    let again = sender.publish_all(at(1));
    assert_eq!((&again[0], again[1].1), (&first[0], 2));
}
