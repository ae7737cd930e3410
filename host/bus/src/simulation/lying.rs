//! A member that lies: its node is in the file and its keys are right, and it sends what no daemon would. It may harm
//! its own lanes, and nobody else's.

use super::*;
use crate::datagram::{Batch, Body, End, LaneBegin, Part, Sent};
use crate::session::SessionTime;

fn sent(channel: &str, number: u64) -> Sent {
    let role = RoleName::new("role").unwrap();
    let data = rmp_serde::to_vec(&(2usize, 1u64, LIES, number, Vec::<u8>::new())).unwrap();
    Sent {
        at: SessionTime(number % 7 * (u64::MAX / 8)),
        lifetime: Duration::from_millis(u64::MAX),
        message: Message::new(Kind::Event, &role, "lie", Some(channel), 0.0, &data).unwrap(),
    }
}

impl World {
    /// Node 2 seals and signs something, which everybody gets who has subscribed to that subject.
    fn lie(&mut self, subject: &str, body: &[u8]) {
        let liar = self.nodes[2].bus.as_mut().unwrap();
        let data = liar.forge(subject, body);
        for to in 0..2 {
            let now = self.clock(to);
            let bus = self.nodes[to].bus.as_mut().unwrap();
            bus.received(subject, None, &data, now);
            // What it claims was never sent by a role of the simulation: it is not looked at.
            bus.deliveries();
            bus.assert_bounded(now);
        }
    }

    fn lie_of(&self, channel: &str) -> String {
        let subjects = self.nodes[2].bus.as_ref().unwrap().subjects();
        let token = subjects.node(&node("node2"));
        subjects.lane(Kind::Event, "lie", "role", Some(channel), token)
    }

    fn honest_lines(&mut self) {
        for round in 0..20 {
            self.send(round % 2, 1, 50);
            self.run(MILLI * 20);
        }
    }

    fn assert_honest_lines(&self, rounds: u64) {
        let all: Vec<u64> = (1..=10 * rounds).collect();
        assert_eq!(self.got(0, 1, 1), all);
        assert_eq!(self.got(1, 0, 1), all);
    }
}

fn world_with_a_liar() -> World {
    let mut world = World::new(7, 3);
    world.start_all();
    // Everybody has its key.
    world.send(2, 0, 10);
    world.honest_lines();
    world.run(SECOND);
    world
}

#[test]
fn numbers_that_cannot_be_harm_nobody_else() {
    let mut world = world_with_a_liar();
    let begin = |number| LaneBegin {
        number,
        time: SessionTime(number),
    };
    let numbers = [1, 5, u64::MAX - 3, 1 << 63, 7, u64::MAX - 2, 2];
    for (place, first) in numbers.into_iter().enumerate() {
        let subject = world.lie_of("numbers");
        let messages = vec![sent("numbers", first), sent("numbers", first)];
        let from = [1, first][place % 2];
        let batch = Batch {
            begin: begin(from),
            first,
            messages,
        };
        world.lie(&subject, &batch.encode());
        let end = Body::End(End {
            begin: begin(first),
            last: u64::MAX - 1,
        });
        world.lie(&subject, &end.encode());
        let part = Body::Part(Part {
            first,
            messages: 1,
            index: 0,
            count: 1024,
            total: 16 << 20,
            bytes: vec![0; (16 << 20) / 1024],
        });
        world.lie(&subject, &part.encode());
        world.run(SECOND * 3);
        world.honest_lines();
    }
    world.run(SECOND * 30);
    world.assert_honest_lines(8);
}

#[test]
fn a_member_can_neither_be_another_node_nor_in_another_lane() {
    let mut world = world_with_a_liar();
    let begin = LaneBegin {
        number: 1,
        time: SessionTime(0),
    };
    let batch = Batch {
        begin,
        first: 1,
        messages: vec![sent("right", 1)],
    };
    let wrong = world.lie_of("wrong");
    world.lie(&wrong, &batch.encode());
    let subjects = world.nodes[2].bus.as_ref().unwrap().subjects().clone();
    let token = subjects.node(&node("node0"));
    let other = subjects.lane(Kind::Event, "lie", "role", Some("right"), token);
    world.lie(&other, &batch.encode());
    let status = world.nodes[1].bus.as_ref().unwrap().status(world.clock(1));
    assert!(
        status.refused.iter().any(|one| one.reason == "lane"),
        "{:?}",
        status.refused
    );
    world.honest_lines();
    world.run(SECOND * 30);
    world.assert_honest_lines(2);
    assert_eq!(
        world.nodes[1]
            .bus
            .as_ref()
            .unwrap()
            .status(world.clock(1))
            .incoming
            .received,
        21
    );
}

#[test]
fn lanes_without_number_and_holes_without_end_fill_no_memory() {
    let mut world = world_with_a_liar();
    let begin = LaneBegin {
        number: 1,
        time: SessionTime(u64::MAX / 4),
    };
    for lane in 0..600u64 {
        let channel = format!("many{lane}");
        let subject = world.lie_of(&channel);
        for first in [3, 9] {
            let messages = (0..500)
                .map(|number| sent(&channel, first + number))
                .collect();
            let batch = Batch {
                begin,
                first: first * 1000,
                messages,
            };
            world.lie(&subject, &batch.encode());
        }
    }
    let status = world.nodes[1].bus.as_ref().unwrap().status(world.clock(1));
    assert!(status.waiting.bytes > 1 << 20, "{:?}", status.waiting);
    world.honest_lines();
    world.run(SECOND * 30);
    world.assert_honest_lines(2);
}

#[test]
fn two_daemons_with_one_key_are_told_of_and_one_of_them_is_heard() {
    let mut world = World::new(9, 3);
    world.start_all();
    world.run(SECOND);
    // Another daemon with the key of node 0, and its counter.
    world.disconnect(2);
    world.nodes[2].name = "node0".to_owned();
    world.nodes[2].life = world.nodes[0].life - 1;
    world.start(2);
    world.run(SECOND * 5);
    let twins = |index: usize| {
        let happened = world.nodes[index].happened.iter();
        happened
            .filter(|one| matches!(one, Happened::Twins { .. }))
            .count()
    };
    assert!(twins(0) > 0 && twins(2) > 0);
    let status = world.nodes[0].bus.as_ref().unwrap().status(world.clock(0));
    assert!(status.twin_seconds.is_some());
}
