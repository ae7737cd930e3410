//! An engine that is against its nodes: it keeps what it carried, and gives it out again as it likes; it claims to be
//! nodes whose keys it does not have, and answers for them.

use bytes::Bytes;

use super::engine::{Carried, fits};
use super::*;
use crate::{Output, Published};

/// Somebody without the key of the node that it claims to be.
pub(super) struct Stranger {
    bus: Bus,
    number: u64,
}

impl World {
    /// The engine itself claims to be this node, with a key of its own.
    pub(super) fn stranger(&mut self, index: usize) -> Stranger {
        let other = File::default();
        let count = self.nodes.len();
        // It knows everybody's public keys, and its own instead of one of them.
        for place in (0..count).filter(|place| *place != index) {
            let name = &self.nodes[place].name;
            other.add(name, name.bytes().fold(1u8, u8::wrapping_add));
        }
        let name = self.nodes[index].name.clone();
        let keys = Arc::new(other.add(&name, 200));
        let settings = BusSettings {
            own: node(&name),
            members: Arc::new(other.members("fleet")),
            counter: 1000,
            ..self.settings(index)
        };
        let random = Box::new(SeededRandom::new(self.random.u64(..)));
        let now = Moment::ZERO + SECOND * 5000;
        let mut bus = Bus::new(settings, keys, random, now).unwrap();
        bus.up(self.limits(), now);
        Stranger { bus, number: 0 }
    }

    /// A stranger hears all that was carried of late, answers what it was asked in another's name, and sends messages of
    /// its own.
    pub(super) fn let_act(&mut self, stranger: &mut Stranger, heard: &[Carried]) {
        let now = Moment::ZERO + SECOND * 5000 + self.now;
        let bus = &mut stranger.bus;
        for carried in heard {
            if bus
                .patterns()
                .iter()
                .any(|pattern| fits(pattern, &carried.subject))
            {
                bus.received(
                    &carried.subject,
                    carried.reply.as_deref(),
                    &carried.data,
                    now,
                );
            }
        }
        let role = RoleName::new("role").unwrap();
        let message = Message::new(Kind::Event, &role, "t", Some("c0"), 0.0, b"\xa6forged");
        bus.send(message.unwrap(), SECOND * 60, now);
        bus.tick(now);
        while let Some(output) = bus.output(now) {
            if let Output::Publish {
                subject,
                reply,
                data,
            } = output
            {
                stranger.number += 1;
                bus.published(Published::Accepted(stranger.number), now);
                bus.confirmed(stranger.number);
                let carried = Carried {
                    subject,
                    reply,
                    data,
                };
                self.distribute(usize::MAX, &carried);
            }
        }
        bus.deliveries();
    }

    /// Gives a node all of this, whether it has subscribed to it or not.
    fn repeat(&mut self, to: usize, all: &[Carried]) {
        for carried in all {
            self.arrive(to, carried);
            self.run(MILLI * 5);
        }
    }

    /// Gives out something that was carried before, as it was or not.
    pub(super) fn molest(&mut self) {
        let Some(one) = self.random.choice(&self.carried).cloned() else {
            return;
        };
        let Some(other) = self.random.choice(&self.carried).cloned() else {
            return;
        };
        let mut carried = one;
        let mut changed = carried.data.to_vec();
        match self.random.u8(0..6) {
            0 | 1 => {}
            2 => carried.subject = other.subject,
            3 => carried.reply = other.reply,
            4 => {
                let place = self.random.usize(0..changed.len());
                changed[place] ^= 1 << self.random.u8(0..8);
            }
            _ => match self.random.bool() {
                true => changed.truncate(self.random.usize(0..changed.len())),
                false => changed.extend_from_slice(&other.data),
            },
        }
        carried.data = Bytes::from(changed);
        if self.random.bool() {
            self.distribute(usize::MAX, &carried);
        } else {
            // To somebody who has not subscribed to it.
            let to = self.random.usize(0..self.nodes.len());
            let connection = self.nodes[to].connection;
            let event = Event::Arrive {
                to,
                connection,
                carried,
            };
            self.at(MILLI, event);
        }
    }
}

#[test]
fn a_hostile_engine_neither_forges_nor_repeats_anything() {
    for_seeds(2, |seed| {
        let mut world = World::new(seed, 3);
        world.keeps = true;
        world.start_all();
        let mut strangers = [world.stranger(0), world.stranger(1)];
        let mut seen = 0;
        for round in 0..150 {
            let from = world.random.usize(0..3);
            world.send(from, round % 3, 20);
            world.run(MILLI * 50);
            for _ in 0..3 {
                world.molest();
            }
            if round % 5 == 0 {
                let heard = world.carried[seen..].to_vec();
                seen = world.carried.len();
                for stranger in &mut strangers {
                    world.let_act(stranger, &heard);
                }
            }
        }
        world.run(SECOND * 150);
        assert_eq!(world.assert_complete(), 0);
        for node in &world.nodes {
            let status = node.bus.as_ref().unwrap().status(world.clock(0));
            assert!(status.refused_total() > 20, "{:?}", status.refused);
            assert_eq!(status.twin_seconds, None);
        }
    });
}

#[test]
fn what_a_node_said_yesterday_is_not_heard_once_it_began_anew() {
    for_seeds(2, |seed| {
        let mut world = World::new(seed, 2);
        world.keeps = true;
        world.start_all();
        for _ in 0..20 {
            world.send(0, 0, 20);
            world.send(1, 0, 20);
            world.run(MILLI * 50);
        }
        world.run(SECOND);
        let yesterday = world.carried.clone();
        world.kill(0, SECOND);
        world.run(SECOND * 3);
        world.send(0, 0, 20);
        world.run(SECOND);
        assert_eq!(world.got(1, 0, 0), [1]);
        world.repeat(1, &yesterday);
        world.send(0, 0, 20);
        world.run(SECOND * 5);
        assert_eq!(world.got(1, 0, 0), [1, 2]);
        // Not even one that has never heard the node can be made to hear yesterday's.
        world.kill(1, SECOND);
        world.kill(0, SECOND * 1000);
        world.run(SECOND * 2);
        world.repeat(1, &yesterday);
        world.run(SECOND * 60);
        assert!(world.nodes[1].got.is_empty());
    });
}

#[test]
fn a_flood_of_datagrams_that_nobody_can_open_fills_no_memory() {
    let mut world = World::new(1, 2);
    world.start_all();
    world.send(0, 0, 10);
    world.run(SECOND);
    let bus = world.nodes[0].bus.as_ref().unwrap();
    let subjects = bus.subjects().clone();
    let token = subjects.node(&node("node0"));
    let asks = world.asks;
    for _ in 0..20_000 {
        let channel = world.random.u64(..).to_string();
        let subject = subjects.lane(Kind::Event, "t", "role", Some(&channel), token);
        // The header of a session that does not exist.
        let mut data = vec![1, 1];
        data.extend(std::iter::repeat_with(|| world.random.u8(..)).take(1000));
        let now = world.clock(1);
        let bus = world.nodes[1].bus.as_mut().unwrap();
        bus.received(&subject, None, &data, now);
    }
    world.drive(1);
    let waiting = world.nodes[1]
        .bus
        .as_ref()
        .unwrap()
        .status(world.clock(1))
        .waiting;
    assert!(waiting.bytes > 1 << 20, "{waiting:?}");
    world.run(SECOND * 60);
    // It asks seldom, whatever comes.
    assert!(world.asks - asks < 10, "{}", world.asks - asks);
    world.send(0, 0, 10);
    world.run(SECOND * 120);
    assert_eq!(world.got(1, 0, 0), [1, 2]);
    let waiting = world.nodes[1]
        .bus
        .as_ref()
        .unwrap()
        .status(world.clock(1))
        .waiting;
    assert_eq!(waiting.bytes, 0);
}

#[test]
fn what_the_engine_keeps_back_grows_old() {
    for_seeds(2, |seed| {
        let mut world = World::new(seed, 2);
        world.lifetime = SECOND * 30;
        world.start_all();
        world.send(0, 0, 10);
        world.run(SECOND * 200);
        world.weather.delay = SECOND * 40;
        for _ in 0..5 {
            world.send(0, 0, 10);
            world.run(SECOND);
        }
        // What asked for them on a shorter way would get them in time.
        world.run(SECOND * 100);
        world.weather.delay = MILLI;
        world.run(SECOND * 200);
        assert_eq!(world.got(1, 0, 0), [1]);
        assert_eq!(world.assert_complete(), 5);
        world.send(0, 0, 10);
        world.run(SECOND);
        assert_eq!(world.got(1, 0, 0), [1, 7]);
    });
}
