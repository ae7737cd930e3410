//! Thousands that hear one sender, and all need its key at once. What each thing costs the sender is given, so that it is
//! seen how long they wait.

use std::collections::{HashMap, VecDeque};

use super::*;
use crate::Output;
use crate::Published;
use crate::subject::{Address, Nonce, Token};

use super::engine::fits;

/// How long it takes to get from one node to another.
const WAY: Duration = Duration::from_millis(1);

/// How long the sender works for an answer with a key: a slow processor.
const ANSWERING: Duration = Duration::from_micros(500);

/// How long the steps of time are.
const STEP: Duration = Duration::from_millis(2);

/// A datagram, and when it arrives.
type OnItsWay = (Moment, Carried);

/// One sender, and all others.
struct Crowd {
    world: World,
    now: Moment,
    began: Moment,
    sender: Bus,
    listeners: Vec<Bus>,
    places: HashMap<Token, usize>,
    to_sender: VecDeque<OnItsWay>,
    to_listeners: VecDeque<(usize, OnItsWay)>,
    /// Until when the sender works.
    busy_until: Moment,
    /// How many have which message of it, and since when all have.
    have: HashMap<u64, (usize, Duration)>,
}

fn begin(
    world: &World,
    name: &str,
    seed: u64,
    now: Moment,
    change: impl FnOnce(&mut BusSettings),
) -> Bus {
    let keys = Arc::new(world.file.add(name, seed as u8));
    let mut settings = world.settings_of(name);
    change(&mut settings);
    let random = Box::new(SeededRandom::new(seed));
    let mut bus = Bus::new(settings, keys, random, now).unwrap();
    bus.up(world.limits(), now);
    bus
}

impl Crowd {
    /// Listeners that know nothing of the sender before it sends.
    fn new(count: usize) -> Self {
        Self::with(count, &[])
    }

    /// Listeners that expect these nodes to send.
    fn with(count: usize, expected: &[&str]) -> Self {
        let world = World::new(1, 0);
        let now = Moment::ZERO + SECOND * 1000;
        let sender = begin(&world, "sender", 0, now, |_| {});
        let listener = |number: usize| {
            let expected: Vec<_> = expected.iter().map(|name| node(name)).collect();
            let name = format!("node{number}");
            begin(&world, &name, number as u64 + 1, now, |settings| {
                // Most of the others of a large network hear somebody else.
                settings.size = 3 * count;
                settings.expected = expected;
            })
        };
        let listeners = (0..count).map(listener).collect();
        let mut crowd = Self {
            world,
            now,
            began: now,
            places: HashMap::new(),
            sender,
            listeners,
            to_sender: VecDeque::new(),
            to_listeners: VecDeque::new(),
            busy_until: now,
            have: HashMap::new(),
        };
        crowd.find_places();
        crowd
    }

    fn find_places(&mut self) {
        let token = |bus: &Bus| bus.subjects().node(&bus.settings().own);
        let places = self.listeners.iter().enumerate();
        self.places = places.map(|(place, bus)| (token(bus), place)).collect();
    }

    /// The sender's role sends a message to all.
    fn broadcast(&mut self, number: u64) {
        let role = RoleName::new("role").unwrap();
        let data = rmp_serde::to_vec(&number).unwrap();
        let message = Message::new(Kind::Event, &role, "t", None, 0.0, &data).unwrap();
        self.sender.send(message, SECOND * 600, self.now);
        self.began = self.now;
    }

    /// Lets time pass until all have a message, for `limit` at most, and says how long that took.
    fn run_until_all_have(&mut self, number: u64, limit: Duration) -> Duration {
        let until = self.now + limit;
        while self.now < until {
            self.step(|_| {});
            if let Some((count, since)) = self.have.get(&number)
                && *count == self.listeners.len()
            {
                return *since;
            }
        }
        panic!("{:?} of message {number}", self.have.get(&number));
    }

    /// A step of time. `meddle` may do something with the sender as well.
    fn step(&mut self, meddle: impl FnOnce(&mut Self)) {
        self.now = self.now + STEP;
        let now = self.now;
        while let Some((arrives, _)) = self.to_sender.front()
            && *arrives <= now
            && let Some((_, carried)) = self.to_sender.pop_front()
        {
            self.sender.received(
                &carried.subject,
                carried.reply.as_deref(),
                &carried.data,
                now,
            );
        }
        meddle(self);
        if self.busy_until <= now {
            self.sender.tick(now);
            let answers = self.publish_of_sender();
            self.busy_until = now + ANSWERING * answers;
            self.sender.assert_bounded(now);
        }
        while let Some((_, (arrives, _))) = self.to_listeners.front()
            && *arrives <= now
            && let Some((place, (_, carried))) = self.to_listeners.pop_front()
        {
            let listener = &mut self.listeners[place];
            listener.received(&carried.subject, None, &carried.data, now);
        }
        for place in 0..self.listeners.len() {
            self.drive(place);
        }
    }

    /// Takes what the sender publishes, and says how many answers were among it.
    fn publish_of_sender(&mut self) -> u32 {
        let (now, mut answers) = (self.now, 0);
        while let Some(output) = self.sender.output(now) {
            let Output::Publish { subject, data, .. } = output else {
                continue;
            };
            self.sender.published(Published::Accepted(1), now);
            self.sender.confirmed(1);
            let address = self.sender.subjects().read(&subject);
            let carried = Carried {
                subject,
                reply: None,
                data,
            };
            match address {
                Some(Address::Answer(token, _)) => {
                    answers += 1;
                    if let Some(place) = self.places.get(&token) {
                        self.to_listeners.push_back((*place, (now + WAY, carried)));
                    }
                }
                Some(Address::Lane(_) | Address::Here(_)) => {
                    for (place, listener) in self.listeners.iter().enumerate() {
                        let mut patterns = listener.patterns().iter();
                        if patterns.any(|pattern| fits(pattern, &carried.subject)) {
                            let on_its_way = (now + WAY, carried.clone());
                            self.to_listeners.push_back((place, on_its_way));
                        }
                    }
                }
                _ => {}
            }
        }
        answers
    }

    fn drive(&mut self, place: usize) {
        let (now, listener) = (self.now, &mut self.listeners[place]);
        if listener.timeout().is_some_and(|due| due <= now) {
            listener.tick(now);
        }
        while let Some(output) = listener.output(now) {
            let Output::Publish {
                subject,
                reply,
                data,
            } = output
            else {
                continue;
            };
            listener.published(Published::Accepted(1), now);
            if reply.is_some() {
                let carried = Carried {
                    subject,
                    reply,
                    data,
                };
                self.to_sender.push_back((now + WAY, carried));
            }
        }
        for delivery in listener.deliveries() {
            let number = rmp_serde::from_slice(delivery.message.data()).unwrap();
            let (count, since) = self.have.entry(number).or_default();
            *count += 1;
            *since = now.since(self.began);
        }
    }

    fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            self.step(|_| {});
        }
    }

    /// The sender's daemon is started again, the `run`th time.
    fn restart_sender(&mut self, run: u64) {
        self.sender = begin(&self.world, "sender", run * 256, self.now, |settings| {
            settings.counter = run + 1;
        });
        self.to_sender.clear();
    }

    fn asks_of_all(&self) -> u64 {
        let asks = self.listeners.iter();
        asks.map(|bus| bus.status(self.now).outgoing.asks_sent)
            .sum()
    }
}

#[test]
fn the_first_message_of_a_sender_reaches_thousands_as_fast_as_it_can_give_its_key() {
    let mut crowd = Crowd::new(2000);
    crowd.step(|_| {});
    crowd.broadcast(1);
    let took = crowd.run_until_all_have(1, SECOND * 60);
    // As many answers as there are listeners, one after the other, and hardly anything else.
    assert!(took < ANSWERING * 2000 * 3 / 2, "{took:?}");
    assert!(crowd.asks_of_all() < 2700, "{}", crowd.asks_of_all());
    let refused = crowd.sender.status(crowd.now).refused;
    assert!(refused.is_empty(), "{refused:?}");
    // The next one finds all keys there.
    crowd.broadcast(2);
    let took = crowd.run_until_all_have(2, SECOND);
    assert!(took < MILLI * 20, "{took:?}");
}

#[test]
fn a_sender_goes_on_sending_while_thousands_ask_it_for_its_key() {
    let mut crowd = Crowd::new(1000);
    // One has the key before.
    let rest = crowd.listeners.split_off(1);
    crowd.broadcast(1);
    crowd.run_until_all_have(1, SECOND);
    crowd.listeners.extend(rest);
    crowd.broadcast(2);
    for _ in 0..60 {
        crowd.step(|_| {});
    }
    // All ask now.
    let before = crowd.have[&2].0;
    assert!(before < 500, "{before}");
    crowd.broadcast(3);
    for _ in 0..10 {
        crowd.step(|_| {});
    }
    assert!(crowd.have.get(&3).is_some_and(|(count, _)| *count >= 1));
    crowd.run_until_all_have(3, SECOND * 5);
}

#[test]
fn one_member_that_asks_without_end_starves_nobody() {
    let mut crowd = Crowd::new(500);
    // One that is in the file asks ten thousand times a second.
    let mut flooder = crowd.listeners.swap_remove(0);
    crowd.find_places();
    let sender = node("sender");
    let mut flood = |crowd: &mut Crowd| {
        for _ in 0..20 {
            let (subject, reply, data) = flooder.flood(&sender);
            let now = crowd.now;
            crowd.sender.received(&subject, Some(&reply), &data, now);
        }
    };
    for _ in 0..1000 {
        crowd.step(&mut flood);
    }
    let answered = crowd.sender.status(crowd.now).outgoing.asks_answered;
    assert!(answered < 150, "{answered} in {:?}", STEP * 1000);
    crowd.broadcast(1);
    for _ in 0..250 {
        crowd.step(&mut flood);
    }
    let (count, since) = crowd.have[&1];
    assert_eq!(count, crowd.listeners.len());
    assert!(since < ANSWERING * 500 * 2, "{since:?}");
    let refused = crowd.sender.status(crowd.now).refused;
    let too_many = refused.iter().find(|one| one.reason == "too-many");
    assert!(
        too_many.is_some_and(|one| one.count > 20_000),
        "{refused:?}"
    );
}

#[test]
fn asks_in_the_name_of_others_fill_no_memory_and_do_not_keep_all_from_being_answered() {
    let mut crowd = Crowd::new(200);
    crowd.step(|_| {});
    crowd.broadcast(1);
    let forger = crate::session::Session::new(&mut SeededRandom::new(99), crowd.now).unwrap();
    let tokens: Vec<Token> = crowd.places.keys().copied().collect();
    let mut number = 0;
    for _ in 0..2500 {
        crowd.step(|crowd| {
            for _ in 0..4 {
                number += 1;
                let nonce = Nonce::new(number, [0; 8]);
                let token = tokens[number as usize % tokens.len()];
                let forged = crowd.sender.forged_ask(&forger, nonce);
                let subjects = crowd.sender.subjects();
                let to = subjects.ask(subjects.node(&node("sender")));
                let reply = subjects.answer(token, nonce);
                crowd.sender.received(&to, Some(&reply), &forged, crowd.now);
            }
        });
    }
    let (count, _) = crowd.have[&1];
    assert!(count > 190, "{count}");
}

#[test]
fn who_is_expected_to_send_is_asked_for_its_key_before_it_does_and_without_haste() {
    let mut crowd = Crowd::with(500, &["sender"]);
    // A second and a half is what they take their time for.
    for _ in 0..5 {
        let before = crowd.sender.status(crowd.now).outgoing.asks_answered;
        crowd.run(MILLI * 300);
        let answered = crowd.sender.status(crowd.now).outgoing.asks_answered - before;
        assert!((60..140).contains(&answered), "{answered}");
    }
    crowd.run(MILLI * 100);
    let reaches_all_at_once = |crowd: &mut Crowd, number| {
        let asks = crowd.asks_of_all();
        crowd.broadcast(number);
        let took = crowd.run_until_all_have(number, SECOND);
        assert!(took < MILLI * 20, "{took:?}");
        assert_eq!(crowd.asks_of_all(), asks);
    };
    reaches_all_at_once(&mut crowd, 1);
    assert_eq!(crowd.asks_of_all(), 500);
    // So it is with another epoch, and with another run: it announces both.
    let now = crowd.now;
    crowd.sender.begin_epoch(now);
    crowd.run(SECOND * 2);
    reaches_all_at_once(&mut crowd, 2);
    crowd.restart_sender(1);
    crowd.run(SECOND * 2);
    reaches_all_at_once(&mut crowd, 3);
    // Who needs a key before that does not wait for it.
    crowd.restart_sender(2);
    crowd.broadcast(4);
    let took = crowd.run_until_all_have(4, SECOND * 10);
    assert!(took < ANSWERING * 500 * 3 / 2, "{took:?}");
    let refused = crowd.sender.status(crowd.now).refused;
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn who_is_expected_and_is_not_there_costs_three_asks() {
    let mut crowd = Crowd::with(20, &["sender"]);
    crowd.now = crowd.now + STEP;
    // Nothing that is sent to it arrives.
    for _ in 0..100 {
        crowd.step(|crowd| crowd.sender.down("away", crowd.now));
        crowd.now = crowd.now + SECOND;
    }
    assert_eq!(crowd.asks_of_all(), 60);
    let told = crowd.listeners.iter_mut().filter_map(|bus| {
        let mut happened = std::iter::from_fn(|| bus.happened());
        happened.find(|happened| matches!(happened, Happened::NoKey { .. }))
    });
    assert_eq!(told.count(), 0);
    // It says so when it comes.
    crowd.restart_sender(1);
    crowd.run(SECOND * 2);
    crowd.broadcast(1);
    crowd.run_until_all_have(1, MILLI * 20);
}
