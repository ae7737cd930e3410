//! An engine that is somebody's else: it hears all, and says what it likes.

use std::time::Duration;

use kozo_testnet::Nats;

use super::daemons::{Fleet, Plan, newest_server};
use super::engine::{Client, Datagram};
use super::record::Verdict;

/// How many datagrams a flood has.
const FLOOD: usize = 50_000;

/// The most that a daemon's memory may become of all that, in bytes.
const MAX_MEMORY: usize = 128 << 20;

#[test]
#[ignore = "it needs NATS servers: make test-fleet"]
fn what_an_engine_repeats_changes_swaps_and_makes_up_reaches_no_role() {
    let Some(program) = newest_server() else {
        return;
    };
    let server = Nats::start(&program, "");
    let fleet = Fleet::new(&Plan {
        nodes: &["a", "b"],
        bus: format!("servers: ['{}']", server.url()),
        queue: 1_000_000,
        interval: 0.002,
        max_age: 86_400,
    });
    let daemons = fleet.start_all();
    let mut engine = Client::connect(server.port(), "");
    engine.subscribe("kozo.>");
    engine.flush();
    for node in ["a", "b"] {
        fleet.go(node);
    }
    fleet.wait_for_event("b", "a", 200);
    fleet.wait_for_event("a", "b", 200);
    let mut random = fastrand::Rng::with_seed(7);
    let mut heard: Vec<Datagram> = engine.flush().1;
    let lanes: Vec<String> = heard
        .iter()
        .map(|datagram| datagram.subject.clone())
        .filter(|subject| subject.starts_with("kozo.fleet.m."))
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    assert!(lanes.len() >= 2, "{lanes:?}");
    for round in 0..20 {
        let mut batch = heard.clone();
        random.shuffle(&mut batch);
        batch.truncate(400);
        for datagram in &mut batch {
            match random.u8(0..6) {
                // Again, as it was, and perhaps much later.
                0 => {}
                // In another lane.
                1 => random
                    .choice(&lanes)
                    .unwrap()
                    .clone_into(&mut datagram.subject),
                // Changed.
                2 => {
                    let place = random.usize(0..datagram.data.len().max(1));
                    if let Some(byte) = datagram.data.get_mut(place) {
                        *byte ^= 1 << random.u8(0..8);
                    }
                }
                // Cut.
                3 => datagram
                    .data
                    .truncate(random.usize(0..=datagram.data.len())),
                // Made up.
                4 => datagram
                    .data
                    .iter_mut()
                    .for_each(|byte| *byte = random.u8(..)),
                // Longer.
                _ => datagram.data.extend([random.u8(..); 16]),
            }
            engine.publish(&datagram.subject, datagram.reply.as_deref(), &datagram.data);
        }
        heard.extend(engine.flush().1);
        heard.truncate(20_000);
        if round % 5 == 4 {
            fleet.wait_for_event("b", "a", fleet.sent("a"));
        }
    }
    // A flood on all that both listen to.
    let asks: Vec<_> = heard
        .iter()
        .filter(|datagram| datagram.subject.starts_with("kozo.fleet.ask."))
        .cloned()
        .collect();
    for number in 0..FLOOD {
        let (subject, data) = match asks.get(number % (2 * asks.len().max(1))) {
            Some(ask) => (ask.subject.as_str(), ask.data.clone()),
            None => (lanes[number % lanes.len()].as_str(), vec![1; 300]),
        };
        engine.publish(subject, Some("kozo.fleet.re.nobody.x"), &data);
        if number % 1000 == 0 {
            engine.flush();
        }
    }
    engine.flush();
    for (from, to) in [("a", "b"), ("b", "a")] {
        let sent = fleet.halt(from);
        fleet.wait_for_event(to, from, sent);
        let verdict = fleet.verdict(to, from, sent);
        let bus = fleet.bus(to).unwrap();
        assert_eq!(verdict, Verdict::default(), "{from} to {to}: {bus:#}");
        let refused = bus["refused"].as_array().unwrap();
        assert!(!refused.is_empty(), "what was refused is counted: {bus:#}");
    }
    for daemon in &daemons {
        let peak = daemon.peak_memory();
        assert!(peak < MAX_MEMORY, "{peak} bytes");
    }
}

#[test]
#[ignore = "it needs NATS servers: make test-fleet"]
fn whoever_runs_the_engine_reads_nothing_of_what_is_said() {
    let Some(program) = newest_server() else {
        return;
    };
    let server = Nats::start(&program, "");
    let fleet = Fleet::new(&Plan {
        nodes: &["anna", "bert"],
        bus: format!("servers: ['{}']", server.url()),
        queue: 1000,
        interval: 0.01,
        max_age: 86_400,
    });
    let mut engine = Client::connect(server.port(), "");
    engine.subscribe(">");
    engine.flush();
    let _daemons = fleet.start_all();
    fleet.go("anna");
    fleet.wait_for_event("bert", "anna", 100);
    let mut all = Vec::new();
    while let Some(datagram) = engine.next(Duration::from_secs(1)) {
        all.extend_from_slice(datagram.subject.as_bytes());
        all.extend_from_slice(&datagram.data);
        if all.len() > 1 << 20 || fleet.last_received("bert", "anna") > 300 {
            break;
        }
    }
    assert!(all.len() > 10_000, "{} bytes", all.len());
    for text in ["anna", "bert", "numbered", "source", "sink"] {
        let found = all
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        assert!(!found, "`{text}` can be read by whoever runs the engine");
    }
}
