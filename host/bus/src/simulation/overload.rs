//! Nodes that get more than they can look at: that costs time, and nothing else.

use std::collections::VecDeque;

use super::*;
use crate::subject::is_of_lane;

/// How many times longer it takes to open a datagram than to see from outside that it need not be.
const OPENING: u32 = 20;

/// What waits to be looked at, as the host's mailbox has it: so much, and what is of no lane comes first.
#[derive(Debug)]
pub(super) struct Inbox {
    /// How long a datagram takes that is opened.
    pub(super) each: Duration,
    pub(super) room: usize,
    of_lanes: VecDeque<Carried>,
    others: VecDeque<Carried>,
    is_busy: bool,
    pub(super) dropped: u64,
}

impl Inbox {
    fn new(each: Duration, room: usize) -> Self {
        Self {
            each,
            room,
            of_lanes: VecDeque::new(),
            others: VecDeque::new(),
            is_busy: false,
            dropped: 0,
        }
    }
}

impl World {
    /// A datagram waits to be looked at, if there is room.
    pub(super) fn post(&mut self, to: usize, carried: &Carried) {
        let Some(inbox) = &mut self.nodes[to].inbox else {
            return;
        };
        let of_lane = is_of_lane(&carried.subject);
        let all = inbox.of_lanes.len() + inbox.others.len();
        if all >= inbox.room || (of_lane && inbox.of_lanes.len() >= inbox.room / 4 * 3) {
            inbox.dropped += 1;
            return;
        }
        match of_lane {
            true => inbox.of_lanes.push_back(carried.clone()),
            false => inbox.others.push_back(carried.clone()),
        }
        if !inbox.is_busy {
            inbox.is_busy = true;
            self.at(Duration::ZERO, Event::Work(to));
        }
    }

    pub(super) fn work(&mut self, index: usize) {
        let Some(inbox) = &mut self.nodes[index].inbox else {
            return;
        };
        let next = inbox.others.pop_front();
        let Some(carried) = next.or_else(|| inbox.of_lanes.pop_front()) else {
            inbox.is_busy = false;
            return;
        };
        let each = inbox.each;
        let opened = self.opened(index);
        self.look_at(index, &carried);
        let costs = match self.opened(index) > opened || !is_of_lane(&carried.subject) {
            true => each,
            false => each / OPENING,
        };
        self.at(costs, Event::Work(index));
    }

    /// How many datagrams of lanes a node has opened.
    fn opened(&self, index: usize) -> u64 {
        self.nodes[index].bus.as_ref().map_or(0, Bus::opened)
    }

    fn status(&self, index: usize) -> kozo_status::BusStatus {
        let bus = self.nodes[index].bus.as_ref().expect("it runs");
        bus.status(self.clock(index))
    }

    /// Lets nodes send for so long, as many messages each a hundredth of a second.
    fn load(&mut self, from: &[usize], lanes: u8, messages: usize, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            for &from in from {
                for _ in 0..messages {
                    let lane = self.random.u8(0..lanes);
                    self.send(from, lane, 50);
                    self.run(MILLI.mul_f64(10.0 / (messages * 2) as f64));
                }
            }
        }
    }

    /// How many messages of others a node has, delivered or waiting for those before them.
    fn messages(&self, to: usize) -> u64 {
        let status = self.status(to);
        status.incoming.received + status.waiting.messages as u64
    }
}

/// Nothing is missed, and what is sent again is in proportion to what had to be.
fn assert_calm(world: &World, to: usize, from: &[usize]) {
    assert_eq!(world.assert_complete(), 0);
    let here = world.status(to);
    assert!(here.incoming.repaired > 0, "it has to be behind");
    let again: u64 = from
        .iter()
        .map(|from| world.status(*from).outgoing.repairs_sent)
        .sum();
    let repaired = here.incoming.repaired;
    assert!(again <= 2 * repaired, "{again} for {repaired}");
    assert!(here.refused.is_empty(), "{:?}", here.refused);
}

#[test]
fn who_cannot_keep_up_gets_everything_later() {
    for_seeds(1, |seed| {
        let mut world = World::new(seed, 3);
        world.start_all();
        for from in [0, 1] {
            world.send(from, 0, 10);
        }
        world.run(SECOND);
        // Two hundred datagrams a second can be opened, and some thousand come.
        world.nodes[2].inbox = Some(Inbox::new(MILLI * 5, 200));
        let mut before = world.messages(2);
        for _ in 0..4 {
            world.load(&[0, 1], 1, 10, SECOND);
            // Under load it does as much as it can: it does not spend itself on what comes to nothing.
            let now = world.messages(2);
            assert!(now - before >= 100, "{before} then {now}");
            before = now;
        }
        world.run(SECOND * 200);
        assert!(world.nodes[2].inbox.as_ref().unwrap().dropped > 0);
        assert_calm(&world, 2, &[0, 1]);
        // It has caught up: what is new comes at once.
        let before = world.messages(2);
        world.send(0, 0, 10);
        world.run(SECOND);
        assert_eq!(world.messages(2), before + 1);
    });
}

#[test]
fn who_is_slow_and_cut_off_gets_everything_later() {
    for_seeds(1, |seed| {
        let mut world = World::new(seed, 2);
        world.start_all();
        world.send(0, 0, 10);
        world.run(SECOND);
        world.nodes[1].inbox = Some(Inbox::new(MILLI * 5, 50));
        for _ in 0..3 {
            world.load(&[0], 2, 10, SECOND);
            world.cut(1, SECOND);
            world.load(&[0], 2, 10, SECOND);
            world.cut(0, SECOND);
        }
        world.run(SECOND * 200);
        assert_calm(&world, 1, &[0]);
    });
}

#[test]
fn a_sender_that_answers_late_is_waited_for() {
    for_seeds(2, |seed| {
        let mut world = World::new(seed, 2);
        world.start_all();
        world.send(0, 0, 10);
        world.run(SECOND);
        // It looks at an ask eight seconds after it came, later than all tries take; and it sends on meanwhile.
        world.nodes[0].inbox = Some(Inbox::new(SECOND * 8, 50));
        let other = Carried {
            subject: "kozo.fleet.other".to_owned(),
            reply: None,
            data: bytes::Bytes::new(),
        };
        world.post(0, &other);
        for number in 0..100 {
            world.weather.lost = if number < 10 { 300 } else { 0 };
            world.send(0, 0, 10);
            world.run(MILLI * 500);
        }
        world.run(SECOND * 400);
        assert_eq!(world.assert_complete(), 0);
        assert!(world.status(1).refused.is_empty());
    });
}
