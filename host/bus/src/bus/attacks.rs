//! What whoever reaches the engine can write without any key, or repeat, and what must not come of it.

use kozo_ground::interest::Kind;

use super::tests::{bus, limits, message, numbers, run};
use super::*;
use crate::ask::Ask;
use crate::random::SeededRandom;
use crate::session::SessionId;
use crate::testing::{File, node};

const SECOND: Duration = Duration::from_secs(1);

pub(super) type Carried = (String, Option<String>, Bytes);

/// Two nodes that have heard each other, their file, and the time.
pub(super) fn acquainted() -> ([Bus; 2], File, Moment) {
    let file = File::default();
    let mut now = Moment::ZERO + SECOND * 1000;
    let mut buses = [bus(&file, "a", 1, now), bus(&file, "b", 2, now)];
    for bus in &mut buses {
        bus.up(limits(), now);
    }
    for bus in &mut buses {
        bus.send(message(Kind::Event, 0), SECOND * 600, now);
    }
    run(&mut buses, &mut now, SECOND);
    assert_eq!(buses.each_mut().map(numbers), [[0], [0]]);
    (buses, file, now)
}

/// What a node publishes now.
pub(super) fn published(bus: &mut Bus, now: Moment) -> Vec<Carried> {
    let mut published = Vec::new();
    // What others ask is worked off some at a time.
    loop {
        let waiting = bus.waiting.len();
        bus.tick(now);
        if bus.waiting.len() == waiting {
            break;
        }
    }
    while let Some(output) = bus.output(now) {
        if let Output::Publish {
            subject,
            reply,
            data,
        } = output
        {
            bus.published(Published::Accepted(1), now);
            published.push((subject, reply, data));
        }
    }
    published
}

pub(super) fn give(bus: &mut Bus, (subject, reply, data): &Carried, now: Moment) {
    bus.received(subject, reply.as_deref(), data, now);
}

pub(super) fn refused(bus: &Bus, reason: Refusal) -> u64 {
    bus.refused.get(&reason).copied().unwrap_or(0)
}

/// Of two messages of `a`, `b` gets the second one alone.
pub(super) fn lose_the_first_of_two(a: &mut Bus, b: &mut Bus, now: &mut Moment) {
    for number in [1, 2] {
        *now = *now + Duration::from_millis(1);
        a.send(message(Kind::Event, number), SECOND * 600, *now);
        let datagrams = published(a, *now);
        assert_eq!(datagrams.len(), 1);
        if number == 2 {
            give(b, &datagrams[0], *now);
        }
    }
}

#[test]
fn a_repair_that_somebody_recorded_is_not_made_again() {
    let ([mut a, mut b], _, mut now) = acquainted();
    lose_the_first_of_two(&mut a, &mut b, &mut now);
    let mut asks = Vec::new();
    while asks.is_empty() {
        now = now + Duration::from_millis(10);
        asks = published(&mut b, now);
        asks.retain(|(_, reply, _)| reply.is_some());
    }
    give(&mut a, &asks[0], now);
    let answered = published(&mut a, now);
    assert_eq!(answered.len(), 2, "the datagram, and that this is all");
    for _ in 0..100 {
        now = now + Duration::from_millis(1);
        give(&mut a, &asks[0], now);
        assert_eq!(published(&mut a, now), []);
    }
    assert_eq!(refused(&a, Refusal::Repeated), 100);
    // Under another reply subject it is none at all.
    let elsewhere = a
        .subjects
        .answer(a.subjects.node(&node("a")), Nonce([9; 16]));
    give(
        &mut a,
        &(asks[0].0.clone(), Some(elsewhere), asks[0].2.clone()),
        now,
    );
    assert_eq!(published(&mut a, now), []);
    answered.iter().for_each(|one| give(&mut b, one, now));
    assert_eq!(numbers(&mut b), [1, 2]);
}

#[test]
fn asks_in_anothers_name_use_up_nothing_of_what_it_may_ask() {
    let ([mut a, mut b], _, mut now) = acquainted();
    let random = &mut SeededRandom::new(99);
    let forger = Session::new(random, now).unwrap();
    let subjects = a.subjects.clone();
    let veil = a.veil.clone();
    for number in 0..3000 {
        let pen = crate::letter::Pen {
            session: &forger,
            subjects: &subjects,
            veil: &veil,
        };
        let nonce = Nonce::new(number, [0; 8]);
        let forged = pen
            .ask(&node("a"), nonce, None, &Ask::Ping, random)
            .unwrap();
        let to = subjects.ask(subjects.node(&node("a")));
        let reply = subjects.answer(subjects.node(&node("b")), nonce);
        give(&mut a, &(to, Some(reply), forged.into()), now);
    }
    // That it is not known is said a few times only.
    assert!(published(&mut a, now).len() < 100);
    assert!(refused(&a, Refusal::TooMany) > 2500);
    let ping = b.ping(&node("a"), now).unwrap();
    let mut buses = [a, b];
    run(&mut buses, &mut now, SECOND);
    let mut happened = std::iter::from_fn(|| buses[1].happened());
    let is_pong = |happened| matches!(happened, Happened::Pong { ping: of, .. } if of == ping);
    assert!(happened.any(is_pong));
}

#[test]
fn headers_with_epochs_that_never_were_keep_nobody_from_being_heard() {
    let ([mut a, mut b], file, mut now) = acquainted();
    let lane = a.subjects.lane_of(&message(Kind::Event, 0), a.token);
    let fake = |epoch: u32, session: SessionId| {
        let mut data = vec![1, 1];
        data.extend_from_slice(&session.0);
        data.extend_from_slice(&epoch.to_be_bytes());
        data.resize(200, 7);
        (lane.clone(), None, Bytes::from(data))
    };
    let session = a.session.id();
    // To a node that has the key, and to one that has just begun.
    let mut c = bus(&file, "c", 3, now);
    c.up(limits(), now);
    for epoch in 100..300 {
        give(&mut b, &fake(epoch, session), now);
        give(&mut c, &fake(epoch, session), now);
    }
    a.rekey(now).unwrap();
    let mut buses = [a, b, c];
    for number in 1..5 {
        buses[0].send(message(Kind::Event, number), SECOND * 600, now);
        run(&mut buses, &mut now, SECOND * 10);
    }
    let [_, mut b, mut c] = buses;
    assert_eq!(numbers(&mut b), [1, 2, 3, 4]);
    // What had no room to wait is older than the first that it heard.
    assert_eq!(numbers(&mut c), [2, 3, 4]);
    for bus in [&b, &c] {
        assert!(refused(bus, Refusal::UnknownEpoch) > 0);
    }
}

#[test]
fn a_node_that_the_policies_are_against_gets_no_key_and_is_not_heard() {
    let file = File::default();
    let mut now = Moment::ZERO + SECOND * 1000;
    let mut buses = ["a", "b", "c"].map(|name| bus(&file, name, name.as_bytes()[0], now));
    file.refuse("b");
    for bus in &mut buses {
        bus.up(limits(), now);
        bus.send(message(Kind::Event, 7), SECOND * 600, now);
    }
    run(&mut buses, &mut now, SECOND * 5);
    // Its own view of the file, in which only itself is refused, is of no use to it.
    assert_eq!(buses.each_mut().map(|bus| numbers(bus).len()), [1, 0, 1]);
    assert!(refused(&buses[0], Refusal::NotAllowed) > 0);
    let happened = std::iter::from_fn(|| buses[1].happened());
    let reasons = happened.filter_map(|happened| match happened {
        Happened::NoKey { reason, .. } => Some(reason),
        _ => None,
    });
    let expected = "its network file does not let the two nodes talk over this bus";
    assert_eq!(reasons.collect::<Vec<_>>(), [expected, expected]);
}

#[test]
fn a_node_with_a_key_that_the_others_do_not_have_gets_no_key_and_is_not_heard() {
    let file = File::default();
    let mut now = Moment::ZERO + SECOND * 1000;
    let other = File::default();
    // The same two nodes, but in the file of one of them it has another key.
    file.add("b", 50);
    other.add("a", 1);
    let mut buses = [bus(&file, "a", 1, now), bus(&other, "b", 2, now)];
    for bus in &mut buses {
        bus.up(limits(), now);
        bus.send(message(Kind::Event, 7), SECOND * 600, now);
    }
    run(&mut buses, &mut now, SECOND * 5);
    assert_eq!(buses.each_mut().map(|bus| numbers(bus).len()), [0, 0]);
    assert!(refused(&buses[0], Refusal::ForeignKey) > 0);
    let happened = std::iter::from_fn(|| buses[1].happened());
    let told = happened.filter(|happened| matches!(happened, Happened::NoKey { .. }));
    let reason = "its network file has another key for this node, or no such node";
    let expected = Happened::NoKey {
        node: node("a"),
        reason: reason.to_owned(),
    };
    assert_eq!(told.collect::<Vec<_>>(), [expected]);
    assert_eq!(why_not(&buses[0], "b", now), Some(FOREIGN_KEY.to_owned()));
}

const FOREIGN_KEY: &str =
    "its session is announced with a key that the network file does not have for its node";

fn why_not(bus: &Bus, other: &str, now: Moment) -> Option<String> {
    bus.view_of(&node(other), now).why_not
}

#[test]
fn of_a_node_that_comes_back_with_another_key_it_is_told_until_it_is_heard_again() {
    let file = File::default();
    let mut now = Moment::ZERO + SECOND * 1000;
    let mut buses = [bus(&file, "a", 1, now), bus(&file, "b", 2, now)];
    let begin = |buses: &mut [Bus; 2], now: &mut Moment| {
        for bus in &mut *buses {
            bus.up(limits(), *now);
            bus.send(message(Kind::Event, 7), SECOND * 600, *now);
        }
        run(buses, now, SECOND * 5);
    };
    begin(&mut buses, &mut now);
    assert_eq!(why_not(&buses[0], "b", now), None);
    let other = File::default();
    other.add("a", 1);
    let [a, b] = buses;
    let mut buses = [a, bus(&other, "b", 50, now)];
    begin(&mut buses, &mut now);
    assert_eq!(why_not(&buses[0], "b", now), Some(FOREIGN_KEY.to_owned()));
    let [a, _] = buses;
    let mut buses = [a, b];
    begin(&mut buses, &mut now);
    assert_eq!(why_not(&buses[0], "b", now), None);
}

#[test]
fn a_node_that_lost_its_counter_is_heard_again() {
    let file = File::default();
    let mut now = Moment::ZERO + SECOND * 1000;
    let mut buses = [bus(&file, "a", 1, now), bus(&file, "b", 2, now)];
    buses[0].settings.counter = 57;
    buses[0].announce_anew().unwrap();
    for bus in &mut buses {
        bus.up(limits(), now);
    }
    buses[0].send(message(Kind::Event, 1), SECOND * 600, now);
    run(&mut buses, &mut now, SECOND * 2);
    assert_eq!(numbers(&mut buses[1]), [1]);
    // It is installed anew, and begins at 1.
    buses[0] = bus(&file, "a", 1, now);
    buses[0].session = Session::new(&mut SeededRandom::new(77), now).unwrap();
    let (id, random) = (buses[0].session.id(), &mut SeededRandom::new(78));
    buses[0].sender_keys = SenderKeys::new(id, Suite::Aes256Gcm, random, now).unwrap();
    buses[0].announce_anew().unwrap();
    buses[0].up(limits(), now);
    for number in 2..6 {
        buses[0].send(message(Kind::Event, number), SECOND * 600, now);
        run(&mut buses, &mut now, SECOND * 20);
    }
    assert_eq!(buses[0].settings.counter, 58);
    let happened = std::iter::from_fn(|| buses[0].happened());
    let mut counters = happened.filter(|happened| matches!(happened, Happened::Counter { .. }));
    assert_eq!(counters.next(), Some(Happened::Counter { counter: 58 }));
    let heard = numbers(&mut buses[1]);
    assert!(heard.ends_with(&[5]), "{heard:?}");
    // And nothing changes once more.
    run(&mut buses, &mut now, SECOND * 120);
    assert_eq!(buses[0].settings.counter, 58);
}

#[test]
fn what_is_refused_takes_the_place_of_nothing_else_that_happened() {
    let ([mut a, _], _, now) = acquainted();
    while a.happened().is_some() {}
    let ping = a.ping(&node("b"), now).unwrap();
    let subject = a.subjects.ask(a.subjects.node(&node("b")));
    a.nobody(&subject, now);
    for number in 0..10_000u32 {
        let subject =
            ["kozo.fleet.nothing", &a.subjects.here(a.token)][number as usize % 2].to_owned();
        give(&mut a, &(subject, None, Bytes::new()), now);
    }
    let happened: Vec<_> = std::iter::from_fn(|| a.happened()).collect();
    assert!(happened.len() <= MAX_HAPPENED);
    let is_told =
        |happened: &Happened| matches!(happened, Happened::NoPong { ping: of, .. } if *of == ping);
    assert!(happened.iter().any(is_told));
    assert_eq!(a.refused.values().sum::<u64>(), 10_000);
}

#[test]
fn an_engine_that_carries_too_little_is_not_used_and_people_are_told_why() {
    let file = File::default();
    let now = Moment::ZERO + SECOND * 1000;
    let mut a = bus(&file, "a", 1, now);
    let mut small = limits();
    small.max_datagram = MIN_DATAGRAM_LEN - 1;
    a.up(small, now);
    assert!(!a.engine.is_up());
    let Some(Happened::Down { reason }) = a.happened() else {
        panic!("nothing was told");
    };
    assert!(
        reason.contains("20479 bytes at most") && reason.contains("20480 are"),
        "{reason}"
    );
}

#[test]
fn what_was_heard_in_a_lane_that_is_forgotten_since_is_not_heard_again() {
    let ([mut a, mut b], _, mut now) = acquainted();
    let hours = |count: u32| SECOND * 3600 * count;
    let tock = |number: u64| {
        let role = kozo_ground::names::RoleName::new("timer").unwrap();
        let data = rmp_serde::to_vec(&number).unwrap();
        Message::new(Kind::Event, &role, "tock", None, 0.0, &data).unwrap()
    };
    // A lane that was begun since the other one hears, so that all of it is for that one.
    now = now + SECOND;
    a.send(tock(1), hours(24), now);
    let before = published(&mut a, now);
    before.iter().for_each(|one| give(&mut b, one, now));
    assert_eq!(numbers(&mut b), [1]);
    now = now + SECOND * 2;
    let end: Vec<_> = published(&mut a, now);
    for _ in 0..20 {
        now = now + SECOND * 600;
        published(&mut a, now);
        published(&mut b, now);
    }
    assert_eq!(b.status(now).lanes_in, 0, "forgotten");
    for one in before.iter().chain(&end) {
        give(&mut b, one, now);
    }
    assert!(numbers(&mut b).is_empty());
    assert_eq!(b.status(now).lanes_in, 0, "so nothing of it is asked for");
    // The lane goes on.
    a.send(tock(2), hours(24), now);
    let after = published(&mut a, now);
    after.iter().for_each(|one| give(&mut b, one, now));
    assert_eq!(numbers(&mut b), [2]);
}

/// Datagrams that came together are verified together. One that a member has written in the name of another, whose
/// sender key it has, is dropped, and no other.
#[test]
fn a_forged_datagram_among_many_is_dropped_alone() {
    let file = File::default();
    let mut now = Moment::ZERO + SECOND * 1000;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut buses: Vec<Bus> = names
        .iter()
        .zip(1..)
        .map(|(name, seed)| bus(&file, name, seed, now))
        .collect();
    for bus in &mut buses {
        bus.up(limits(), now);
    }
    for bus in &mut buses {
        bus.send(message(Kind::Event, 0), SECOND * 600, now);
    }
    run(&mut buses, &mut now, SECOND);
    buses.iter_mut().for_each(|bus| drop(numbers(bus)));
    let mut hears = buses.pop().unwrap();
    for forged in [None, Some(0), Some(3), Some(buses.len() * 2 - 1)] {
        let mut came = Vec::new();
        for number in [1, 2] {
            for bus in &mut buses {
                now = now + Duration::from_millis(1);
                bus.send(message(Kind::Event, number), SECOND * 600, now);
                came.extend(published(bus, now));
            }
        }
        assert_eq!(came.len(), buses.len() * 2);
        let refusals = refused(&hears, Refusal::Signature);
        if let Some(place) = forged {
            let victim = place % buses.len();
            let forger = Session::new(&mut SeededRandom::new(99), now).unwrap();
            let Bus {
                sender_keys,
                subjects,
                ..
            } = &mut buses[victim];
            let lane = came[place].0.clone();
            let data = crate::datagram::seal(&forger, sender_keys, subjects, &lane, b"body");
            came.insert(place, (lane, None, data.unwrap().into()));
        }
        let all = came.iter().map(|(subject, _, data)| (&**subject, &**data));
        hears.received_many(all, now);
        let mut heard = numbers(&mut hears);
        heard.sort_unstable();
        assert_eq!(heard, [[1; 7], [2; 7]].concat());
        let refused = refused(&hears, Refusal::Signature) - refusals;
        assert_eq!(refused, u64::from(forged.is_some()));
    }
}
