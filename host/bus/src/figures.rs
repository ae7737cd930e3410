//! What seals and signatures cost; docs/bus.md has the figures.
//!
//! `cargo test --release -p kozo-bus figures -- --ignored --nocapture` prints them.

use std::time::{Duration, Instant};
use std::{fs, hint::black_box};

use kozo_ground::clock::Moment;
use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;
use kozo_wire::Message;

use crate::ask::SealedKey;
use crate::datagram::{Batch, LaneBegin, Sent, open, seal};
use crate::random::SystemRandom;
use crate::sender_key::{OpeningKey, SenderKeys, Suite};
use crate::session::{Session, SessionTime};
use crate::testing::{node, subjects};

/// For how long each is measured, and how often; the shortest counts, which other work disturbs least.
const RUN_FOR: Duration = Duration::from_millis(200);
const RUNS: usize = 10;

/// How much of a processor this thread has had. Other work on the machine takes none of that, though it makes it worth
/// less.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = text.split(' ').next().unwrap().parse();
    Duration::from_nanos(nanoseconds.unwrap())
}

/// How many microseconds one call takes.
fn microseconds(mut call: impl FnMut()) -> f64 {
    let run = |_| {
        let (began, had, mut calls) = (Instant::now(), processor_time(), 0u32);
        while began.elapsed() < RUN_FOR {
            call();
            calls += 1;
        }
        (processor_time() - had).as_secs_f64() * 1e6 / f64::from(calls)
    };
    (0..RUNS).map(run).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "measures"]
fn figures() {
    let random = &mut SystemRandom::new();
    let subjects = subjects("fleet");
    let token = subjects.node(&node("hub"));
    let session = Session::new(random, Moment::ZERO).unwrap();
    let role = RoleName::new("timer1").unwrap();
    let data = [&[0xc4, 62][..], &[7; 62]].concat();
    let message = Message::new(Kind::Event, &role, "tick", None, 1.5, &data).unwrap();
    let lane = subjects.lane_of(&message, token);
    let sent = Sent {
        at: SessionTime(5),
        lifetime: Duration::from_secs(60),
        message,
    };
    println!("| cipher | messages | bytes | encode, sign, seal | open, verify, read |");
    for suite in [Suite::Aes256Gcm, Suite::ChaCha20Poly1305] {
        let mut keys = SenderKeys::new(session.id(), suite, random, Moment::ZERO).unwrap();
        let opening = OpeningKey::new(keys.key(1).unwrap());
        for count in [1, 16, 64, 256] {
            let begin = LaneBegin {
                number: 1,
                time: SessionTime(0),
            };
            let batch = Batch {
                begin,
                first: 1,
                messages: vec![sent.clone(); count],
            };
            let mut datagram = Vec::new();
            let out = microseconds(|| {
                let body = batch.encode();
                datagram = seal(&session, &mut keys, &subjects, &lane, &body).unwrap();
            });
            let signer = session.keys();
            let back = microseconds(|| {
                let opened = open(&datagram, &opening, signer, &subjects, token, &lane);
                black_box(opened).unwrap();
            });
            let per = count as f64;
            println!(
                "| {suite:?} | {count} | {} | {out:.1} µs, {:.2} each | {back:.1} µs, {:.2} each |",
                datagram.len(),
                out / per,
                back / per
            );
        }
        let mut changed = seal(&session, &mut keys, &subjects, &lane, &[2; 100]).unwrap();
        changed[50] ^= 1;
        let stranger = microseconds(|| {
            let opened = open(&changed, &opening, session.keys(), &subjects, token, &lane);
            black_box(opened).unwrap_err();
        });
        println!("| {suite:?} | a stranger's, of 200 bytes | | | {stranger:.1} µs |");
    }
    let keys = SenderKeys::new(session.id(), Suite::Aes256Gcm, random, Moment::ZERO).unwrap();
    let asker = Session::new(random, Moment::ZERO).unwrap();
    let key = keys.key(1).unwrap();
    let own = (&session, SessionTime(0));
    let to = ((asker.id(), asker.keys()), Duration::ZERO);
    let mut sealed = SealedKey::seal(key, 1, own, to, &subjects, random).unwrap();
    let wrap = microseconds(|| {
        sealed = SealedKey::seal(key, 1, own, to, &subjects, random).unwrap();
    });
    let unwrap = microseconds(|| {
        black_box(sealed.open(&asker, session.id(), &subjects)).unwrap();
    });
    println!("a sender key: sealed in {wrap:.0} µs, opened in {unwrap:.0} µs");
    let began = microseconds(|| {
        black_box(Session::new(random, Moment::ZERO)).unwrap();
    });
    println!("a session: {began:.0} µs");
}
