//! Two nodes on an engine that works, and what people see of them.

use kozo_ground::age::MaxAges;
use kozo_ground::interest::{Interest, Kind};
use kozo_ground::names::{BusName, ModuleName, RoleName};
use kozo_ground::queue::QueueLimits;
use kozo_status::{BusNodeState, BusState};

use super::attacks::{Carried, acquainted, give, lose_the_first_of_two, published};
use super::*;
use crate::random::SeededRandom;
use crate::session::SessionId;
use crate::subject::SubjectKey;
use crate::testing::{File, node};

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn bus(file: &File, name: &str, seed: u8, now: Moment) -> Bus {
    later_run(file, name, seed, 1, now)
}

/// A node in its run of this number.
pub(super) fn later_run(file: &File, name: &str, seed: u8, counter: u64, now: Moment) -> Bus {
    let keys = Arc::new(file.add(name, seed));
    let settings = BusSettings {
        name: BusName::new("fleet").unwrap(),
        module: ModuleName::new("nats").unwrap(),
        own: node(name),
        members: Arc::new(file.members("fleet")),
        size: 10,
        expected: Vec::new(),
        wanted: vec![Interest {
            kind: Some(Kind::Event),
            ..Interest::default()
        }],
        queue: QueueLimits {
            length: 128,
            size: 1 << 20,
        },
        max_ages: MaxAges {
            message: SECOND * 3600,
            order: SECOND * 30,
        },
        digest: [7; 32],
        agent: "kozo 0.1.0".to_owned(),
        subject_key: SubjectKey::public(),
        counter,
    };
    let random = Box::new(SeededRandom::new(u64::from(seed) + 1000 * (counter - 1)));
    Bus::new(settings, keys, random, now).unwrap()
}

pub(super) fn message(kind: Kind, number: u64) -> Message {
    let role = RoleName::new("timer").unwrap();
    let data = rmp_serde::to_vec(&number).unwrap();
    Message::new(kind, &role, "tick", None, 0.0, &data).unwrap()
}

pub(super) fn limits() -> EngineLimits {
    EngineLimits {
        max_datagram: 1 << 20,
        no_responders: true,
        server: "here".to_owned(),
    }
}

/// Carries everything between all buses at once, until nothing moves.
fn carry(buses: &mut [Bus], now: Moment) {
    let mut number = 0;
    loop {
        let mut moved = Vec::new();
        for bus in buses.iter_mut() {
            bus.tick(now);
            while let Some(output) = bus.output(now) {
                if let Output::Publish {
                    subject,
                    reply,
                    data,
                } = output
                {
                    number += 1;
                    bus.published(Published::Accepted(number), now);
                    bus.confirmed(number);
                    moved.push((subject, reply, data));
                }
            }
        }
        if moved.is_empty() {
            return;
        }
        for (subject, reply, data) in moved {
            for bus in buses.iter_mut() {
                let wants = |pattern: &String| {
                    let mut tokens = subject.split('.');
                    pattern.split('.').all(|token| match token {
                        ">" => tokens.by_ref().count() > 0,
                        "*" => tokens.next().is_some(),
                        token => tokens.next() == Some(token),
                    }) && tokens.next().is_none()
                };
                if bus.patterns.iter().any(wants) {
                    bus.received(&subject, reply.as_deref(), &data, now);
                }
            }
        }
    }
}

pub(super) fn run(buses: &mut [Bus], now: &mut Moment, span: Duration) {
    let until = *now + span;
    while *now < until {
        carry(buses, *now);
        *now = *now + Duration::from_millis(10);
    }
}

pub(super) fn numbers(bus: &mut Bus) -> Vec<u64> {
    let deliveries = bus.deliveries().into_iter();
    let numbers = deliveries.map(|one| rmp_serde::from_slice(one.message.data()).unwrap());
    numbers.collect()
}

#[test]
fn messages_of_one_node_reach_the_other_in_order() {
    let file = File::default();
    let mut now = Moment::ZERO + SECOND * 1000;
    let mut buses = [bus(&file, "a", 1, now), bus(&file, "b", 2, now)];
    for bus in &mut buses {
        bus.up(limits(), now);
    }
    for number in 0..10 {
        buses[0].send(message(Kind::Event, number), SECOND * 60, now);
    }
    run(&mut buses, &mut now, SECOND);
    assert_eq!(numbers(&mut buses[1]), (0..10).collect::<Vec<_>>());
    buses[0].send(message(Kind::Event, 10), SECOND * 60, now);
    run(&mut buses, &mut now, SECOND);
    assert_eq!(numbers(&mut buses[1]), [10]);

    let status = buses[0].status(now);
    assert_eq!((status.state, status.lanes_out), (BusState::Up, 1));
    assert_eq!(status.outgoing.sent, 11);
    assert_eq!(
        (status.refused_total(), status.unconfirmed.messages),
        (0, 0)
    );
    let status = buses[1].status(now);
    assert_eq!(status.incoming.received, 11);
    assert_eq!((status.lanes_in, status.nodes_heard), (1, 1));
    let view = buses[1].view_of(&node("a"), now);
    assert_eq!(view.state, BusNodeState::Heard);
    assert_eq!(view.agent.as_deref(), Some("kozo 0.1.0"));
    assert!(buses[0].view_of(&node("b"), now).reads_seconds.is_some());
    let view = buses[0].view_of(&node("nobody"), now);
    assert_eq!(view.state, BusNodeState::Never);
}

#[test]
fn a_node_answers_a_ping_and_one_that_is_not_connected_does_not() {
    let file = File::default();
    let mut now = Moment::ZERO + SECOND * 1000;
    let mut buses = [bus(&file, "a", 1, now), bus(&file, "b", 2, now)];
    assert_eq!(buses[0].ping(&node("b"), now), Err(Unasked::Down));
    for bus in &mut buses {
        bus.up(limits(), now);
    }
    let pings = ["b", "b", "c"].map(|name| buses[0].ping(&node(name), now));
    assert_eq!(pings[2], Err(Unasked::NotAMember));
    run(&mut buses, &mut now, SECOND);
    let mut pongs = Vec::new();
    while let Some(happened) = buses[0].happened() {
        if let Happened::Pong { ping, .. } = happened {
            pongs.push(Ok(ping));
        }
    }
    assert_eq!(pongs, pings[..2]);

    let mut alone = [bus(&file, "c", 3, now)];
    alone[0].up(limits(), now);
    let lost = alone[0].ping(&node("a"), now).unwrap();
    let told = alone[0].ping(&node("b"), now).unwrap();
    let subject = alone[0].subjects.ask(alone[0].subjects.node(&node("b")));
    alone[0].nobody(&subject, now);
    run(&mut alone, &mut now, SECOND * 3);
    let happened = std::iter::from_fn(|| alone[0].happened());
    let reasons: Vec<_> = happened
        .filter_map(|happened| match happened {
            Happened::NoPong { ping, reason, .. } => Some((ping, reason)),
            _ => None,
        })
        .collect();
    let absent = "the engine says that it is not connected".to_owned();
    assert_eq!(
        reasons,
        [(told, absent), (lost, asks::NO_ANSWER.to_owned())]
    );
}

/// A node that is to hear `a`, and has asked it three times for its key ahead of need; the time now, and `a`, which is not
/// connected yet.
fn expecting() -> (Bus, Bus, Moment) {
    let file = File::default();
    let mut now = Moment::ZERO + SECOND * 1000;
    let (a, mut b) = (bus(&file, "a", 1, now), bus(&file, "b", 2, now));
    b.settings.expected = vec![node("a")];
    b.up(limits(), now);
    assert_eq!(asks(&mut b, &mut now, SECOND * 25), 3);
    (a, b, now)
}

/// How many asks a node publishes, none of which is answered.
fn asks(bus: &mut Bus, now: &mut Moment, span: Duration) -> usize {
    let (until, mut asks) = (*now + span, 0);
    while *now < until {
        let published = published(bus, *now);
        asks += published
            .iter()
            .filter(|(_, reply, _)| reply.is_some())
            .count();
        *now = *now + Duration::from_millis(100);
    }
    asks
}

#[test]
fn a_key_that_is_needed_has_all_its_tries_whatever_was_asked_ahead() {
    let (mut a, mut b, mut now) = expecting();
    a.up(limits(), now);
    a.send(message(Kind::Event, 1), SECOND * 600, now);
    let datagrams = published(&mut a, now);
    let lane = |(subject, ..): &&Carried| subject.contains(".m.");
    give(&mut b, datagrams.iter().find(lane).unwrap(), now);
    assert_eq!(asks(&mut b, &mut now, SECOND), 1);
    // Two a minute on the whole, so the others take longer than they would by themselves.
    assert_eq!(asks(&mut b, &mut now, SECOND * 150), 3);
    let is_no_key = |happened| matches!(happened, Happened::NoKey { .. });
    asks(&mut b, &mut now, SECOND * 60);
    assert!(std::iter::from_fn(|| b.happened()).any(is_no_key));
}

#[test]
fn who_announces_itself_is_asked_for_its_key_although_it_was_asked_in_vain() {
    let (mut a, mut b, mut now) = expecting();
    a.up(limits(), now);
    let announcement = published(&mut a, now).remove(0);
    give(&mut b, &announcement, now);
    // That it is repeated puts nothing off.
    let mut asked = 0;
    for _ in 0..20 {
        asked += asks(&mut b, &mut now, Duration::from_millis(100));
        if asked == 0 {
            give(&mut b, &announcement, now);
        }
    }
    assert_eq!(asked, 1);
    // While the ask is under way it does not ask twice, and soon after it asks again.
    give(&mut b, &announcement, now);
    assert_eq!(asks(&mut b, &mut now, SECOND), 0);
    let mut buses = [a, b];
    run(&mut buses, &mut now, SECOND * 35);
    let (session, epoch) = (buses[0].session.id(), buses[0].sender_keys.epoch());
    assert!(buses[1].has_key(&node("a"), session, epoch));
}

#[test]
fn a_node_that_began_anew_answers_for_no_lane_of_the_run_before() {
    let ([mut a, mut b], file, mut now) = acquainted();
    // `b` lacks one of the first run, whose end it does not live to hear of.
    lose_the_first_of_two(&mut a, &mut b, &mut now);
    a = later_run(&file, "a", 1, 2, now);
    a.up(limits(), now);
    // Its announcement gets lost.
    published(&mut a, now);
    let missed = |b: &Bus, now| b.view_of(&node("a"), now).incoming.missed;
    let mut answers = 0;
    while !b.is_present(&node("a"), a.session.id()) || answers < 2 {
        now = now + Duration::from_millis(10);
        published(&mut b, now)
            .iter()
            .for_each(|one| give(&mut a, one, now));
        for one in published(&mut a, now) {
            answers += 1;
            give(&mut b, &one, now);
        }
        assert!(
            answers <= 2,
            "to introduce itself, and what there is of the lane"
        );
    }
    let first = b.nodes[&node("a")].session;
    assert_ne!(first, Some(a.session.id()));
    assert_eq!((missed(&b, now), numbers(&mut b)), (0, vec![]));
    // Its key is asked for at once, and with that the lane of the first run is over.
    let mut buses = [a, b];
    run(&mut buses, &mut now, SECOND);
    let [a, mut b] = buses;
    assert_eq!(b.nodes[&node("a")].session, Some(a.session.id()));
    assert_eq!((missed(&b, now), numbers(&mut b)), (1, vec![2]));
}

/// `cargo test --release -p kozo-bus messages_a_second -- --ignored --nocapture` prints what one processor does, the
/// cryptography included.
#[test]
#[ignore = "measures"]
fn messages_a_second() {
    for batch in [1, 16, 128, 1024] {
        let file = File::default();
        let mut now = Moment::ZERO + SECOND * 1000;
        let mut buses = [bus(&file, "a", 1, now), bus(&file, "b", 2, now)];
        for bus in &mut buses {
            bus.settings.queue.length = 2048;
            bus.outgoing = Outgoing::new(bus.settings.queue, now);
            bus.up(limits(), now);
        }
        buses[0].send(message(Kind::Event, 0), SECOND * 60, now);
        run(&mut buses, &mut now, SECOND);
        let role = RoleName::new("timer").unwrap();
        let data = rmp_serde::to_vec(&vec![7u8; 60]).unwrap();
        let message = Message::new(Kind::Event, &role, "tick", None, 0.0, &data).unwrap();
        let (mut sending, mut receiving, mut got) = (Duration::ZERO, Duration::ZERO, 0);
        let (mut number, rounds) = (1_000_000, 200_000 / (batch + 20));
        for _ in 0..rounds {
            let begin = std::time::Instant::now();
            for _ in 0..batch {
                buses[0].send(message.clone(), SECOND * 60, now);
            }
            let mut datagrams = Vec::new();
            while let Some(output) = buses[0].output(now) {
                number += 1;
                buses[0].published(Published::Accepted(number), now);
                buses[0].confirmed(number);
                if let Output::Publish { subject, data, .. } = output {
                    datagrams.push((subject, data));
                }
            }
            let sent = std::time::Instant::now();
            for (subject, data) in datagrams {
                buses[1].received(&subject, None, &data, now);
            }
            got += buses[1].deliveries().len();
            sending += sent - begin;
            receiving += sent.elapsed();
        }
        assert!(got >= rounds * batch);
        let rate = |span: Duration| got as f64 / span.as_secs_f64();
        let (sent, received) = (rate(sending), rate(receiving));
        println!("batches of {batch}: {sent:.0} sent, {received:.0} received a second");
    }
}

impl Bus {
    /// A datagram that this node's session has sealed and signed, whatever is in it: what a member can do that lies.
    pub(crate) fn forge(&mut self, subject: &str, body: &[u8]) -> Bytes {
        let (session, keys) = (&self.session, &mut self.sender_keys);
        let sealed = crate::datagram::seal(session, keys, &self.subjects, subject, body);
        sealed.unwrap().into()
    }

    /// An ask for this node's key that it makes whether it needs one or not: its subject, its reply subject, itself.
    pub(crate) fn flood(&mut self, node: &NodeName) -> (String, String, Bytes) {
        self.next_ask += 1;
        let nonce = Nonce::new(self.next_ask, [0; 8]);
        let ask = crate::ask::Ask::Key {
            session: SessionId([0; 16]),
            epoch: 1,
        };
        let announcement = Some(&self.announcement);
        let data = pen!(self).ask(node, nonce, announcement, &ask, &mut *self.random);
        let to = self.subjects.ask(self.subjects.node(node));
        let reply = self.subjects.answer(self.token, nonce);
        (to, reply, data.unwrap().into())
    }

    /// An ask to this node of a session that is nobody's.
    pub(crate) fn forged_ask(&mut self, forger: &Session, nonce: Nonce) -> Bytes {
        let pen = crate::letter::Pen {
            session: forger,
            subjects: &self.subjects,
            veil: &self.veil,
        };
        let (own, ask) = (&self.settings.own, crate::ask::Ask::Ping);
        let data = pen.ask(own, nonce, None, &ask, &mut *self.random);
        data.unwrap().into()
    }

    /// A new sender key, as if the one before were a day old.
    pub(crate) fn begin_epoch(&mut self, now: Moment) {
        self.rekey(now).unwrap();
    }

    /// How many datagrams of lanes were opened.
    pub(crate) fn opened(&self) -> u64 {
        self.incoming.opened()
    }

    pub(crate) fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    pub(crate) fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Whether everything that has a limit is within it.
    pub(crate) fn assert_bounded(&self, now: Moment) {
        let status = self.status(now);
        let queue = self.settings.queue;
        for amount in [status.queued, status.kept] {
            assert!(amount.messages <= queue.length.max(1), "{amount:?}");
            // One message, or batch, may be larger by itself.
            assert!(
                amount.bytes <= queue.size || amount.messages <= 1,
                "{amount:?}"
            );
        }
        assert!(self.letters.bytes() <= engine::MAX_LETTER_BYTES);
        assert!(self.held.amount().bytes <= held::MAX_BYTES);
        assert!(self.asked.len() <= asks::MAX_ASKED);
        assert!(self.happened.len() <= MAX_HAPPENED);
        let (most, most_bytes) = waiting::MAX_WAITING;
        assert!(self.waiting.len() <= most && self.waiting.bytes() <= most_bytes);
        assert!(status.lanes_in <= crate::incoming::MAX_LANES);
        self.questions.assert_bounded();
        self.incoming.assert_bounded();
    }
}
