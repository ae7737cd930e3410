use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kozo_ground::interest::{Interest, Pattern};
use kozo_ground::names::RoleName;

use super::*;

fn passing(type_name: &str, length: usize) -> Passing {
    let role = RoleName::new("timer").unwrap();
    // A MessagePack binary of 32-bit length.
    let mut data = vec![0xc6];
    data.extend_from_slice(&(length as u32).to_be_bytes());
    data.resize(data.len() + length, 7);
    Passing {
        sender: NodeName::new("clock").unwrap(),
        message: Message::new(Kind::Event, &role, type_name, None, 0.0, &data).unwrap(),
        age: Duration::ZERO,
        passed: Moment::ZERO,
        roles: 1,
        nodes: 0,
        buses: vec![],
    }
}

/// A message that counts how often it is put together.
struct Counted<'a>(&'a Passing, &'a AtomicUsize);

impl PassesBy for Counted<'_> {
    fn kind(&self) -> Kind {
        self.0.message.kind()
    }

    fn subject(&self) -> Subject<'_> {
        self.0.message.subject(self.0.sender.as_str())
    }

    fn passing(&self) -> Passing {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.clone()
    }
}

fn pass(taps: &Taps, passing: Passing) {
    taps.pass([Counted(&passing, &AtomicUsize::new(0))]);
}

fn of_kind(kind: Kind) -> Interest {
    Interest {
        kind: Some(kind),
        ..Interest::default()
    }
}

fn of_type(pattern: &str) -> Interest {
    Interest {
        type_name: Some(vec![Pattern::new(pattern)]),
        ..Interest::default()
    }
}

fn types(batch: &Batch) -> Vec<&str> {
    let messages = batch.messages.iter();
    messages
        .map(|passing| passing.message.type_name())
        .collect()
}

#[test]
fn a_tap_takes_what_it_is_for() {
    let taps = Arc::new(Taps::default());
    assert!(!taps.are_open());
    let rung = Arc::new(AtomicUsize::new(0));
    let bell = Arc::clone(&rung);
    let ring = move || _ = bell.fetch_add(1, Ordering::Relaxed);
    let some = taps.open(vec![of_type("t*")], ring).unwrap();
    let all = taps.open(vec![], || ()).unwrap();
    assert!(taps.are_open());
    for name in ["tick", "tock", "motion"] {
        pass(&taps, passing(name, 5));
    }
    assert_eq!(types(&some.take(1)), ["tick"]);
    assert_eq!(types(&some.take(9)), ["tock"]);
    assert_eq!(types(&all.take(9)), ["tick", "tock", "motion"]);
    assert_eq!(rung.load(Ordering::Relaxed), 1);
    drop((some, all));
    assert!(!taps.are_open());
}

#[test]
fn what_nobody_takes_is_counted_and_not_kept() {
    let taps = Arc::new(Taps::default());
    let tap = taps.open(vec![], || ()).unwrap();
    for _ in 0..3 * TAP_MESSAGES {
        pass(&taps, passing("tick", 5));
    }
    let batch = tap.take(usize::MAX);
    assert_eq!(batch.messages.len(), TAP_MESSAGES);
    assert_eq!(batch.left_out, 2 * TAP_MESSAGES as u64);
    // One that is too large is left out, and those behind it are not.
    pass(&taps, passing("large", TAP_BYTES));
    pass(&taps, passing("tick", 5));
    let batch = tap.take(usize::MAX);
    assert_eq!((types(&batch), batch.left_out), (vec!["tick"], 1));
    // Bytes fill it as messages do.
    for _ in 0..10 {
        pass(&taps, passing("half", TAP_BYTES / 3));
    }
    let batch = tap.take(usize::MAX);
    assert_eq!((batch.messages.len(), batch.left_out), (2, 8));
    pass(&taps, passing("tick", 5));
    assert_eq!(types(&tap.take(9)), ["tick"]);
}

#[test]
fn whoever_waits_is_rung_for_what_comes() {
    let taps = Arc::new(Taps::default());
    let (bell, rung) = std::sync::mpsc::channel();
    let tap = taps.open(vec![], move || bell.send(()).unwrap()).unwrap();
    assert_eq!(tap.take(9), Batch::default());
    let passer = Arc::clone(&taps);
    let thread = std::thread::spawn(move || pass(&passer, passing("tick", 5)));
    rung.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(types(&tap.take(9)), ["tick"]);
    thread.join().unwrap();
}

#[test]
fn there_are_only_so_many_taps() {
    let taps = Arc::new(Taps::default());
    let open: Vec<Tap> = (0..MAX_TAPS)
        .map(|_| taps.open(vec![], || ()).unwrap())
        .collect();
    assert!(taps.open(vec![], || ()).is_err());
    drop(open);
    assert!(taps.open(vec![], || ()).is_ok());
}

#[test]
fn what_a_full_tap_is_for_is_counted_and_not_put_together() {
    let orders = Interest {
        kind: Some(Kind::Order),
        ..of_type("*")
    };
    let cases = [
        (vec![], 100),
        (vec![of_kind(Kind::Event)], 100),
        (vec![of_kind(Kind::Order), of_kind(Kind::Event)], 100),
        (vec![of_type("t*")], 100),
        (vec![of_type("t*"), orders.clone()], 100),
        (vec![of_type("motion")], 0),
        (vec![of_kind(Kind::Order)], 0),
        (vec![orders], 0),
    ];
    for (interests, left_out) in cases {
        let taps = Arc::new(Taps::default());
        let tick = passing("tick", 5);
        let put_together = AtomicUsize::new(0);
        // What passed before is nobody's.
        let _other = taps.open(vec![], || ()).unwrap();
        taps.pass((0..7).map(|_| Counted(&tick, &put_together)));
        let tap = taps.open(interests.clone(), || ()).unwrap();
        taps.pass((0..TAP_MESSAGES).map(|_| Counted(&tick, &put_together)));
        put_together.store(0, Ordering::Relaxed);
        taps.pass((0..60).map(|_| Counted(&tick, &put_together)));
        taps.pass((0..40).map(|_| Counted(&tick, &put_together)));
        assert_eq!(put_together.load(Ordering::Relaxed), 0, "{interests:?}");
        let batch = tap.take(10);
        assert_eq!(batch.left_out, left_out, "{interests:?}");
        // There is room again, for as many as were taken.
        let taken = batch.messages.len();
        taps.pass((0..20).map(|_| Counted(&tick, &put_together)));
        assert_eq!(put_together.load(Ordering::Relaxed), taken, "{interests:?}");
        let rest = tap.take(usize::MAX);
        let expected = match left_out {
            0 => (0, 0),
            _ => (TAP_MESSAGES, 10),
        };
        assert_eq!(
            (rest.messages.len(), rest.left_out),
            expected,
            "{interests:?}"
        );
    }
}

#[test]
fn a_full_tap_hides_nothing_from_another_one() {
    let taps = Arc::new(Taps::default());
    let full = taps.open(vec![], || ()).unwrap();
    let tick = passing("tick", 5);
    let count = AtomicUsize::new(0);
    taps.pass((0..2 * TAP_MESSAGES).map(|_| Counted(&tick, &count)));
    let young = taps.open(vec![of_kind(Kind::Event)], || ()).unwrap();
    taps.pass([Counted(&tick, &count)]);
    let batch = young.take(9);
    assert_eq!((types(&batch), batch.left_out), (vec!["tick"], 0));
    drop(full);
    pass(&taps, passing("tock", 5));
    assert_eq!(types(&young.take(9)), ["tock"]);
}

#[test]
fn all_that_pass_are_taken_or_counted_however_many_threads_there_are() {
    const EACH: usize = 20_000;
    for interests in [vec![], vec![of_type("t*")]] {
        let taps = Arc::new(Taps::default());
        let tap = taps.open(interests, || ()).unwrap();
        let mut seen = 0;
        std::thread::scope(|scope| {
            let passers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let tick = passing("tick", 5);
                        for _ in 0..EACH / 4 {
                            let count = AtomicUsize::new(0);
                            taps.pass((0..4).map(|_| Counted(&tick, &count)));
                        }
                    })
                })
                .collect();
            while !passers.iter().all(|passer| passer.is_finished()) {
                let batch = tap.take(100);
                seen += batch.messages.len() as u64 + batch.left_out;
                std::thread::yield_now();
            }
        });
        let batch = tap.take(usize::MAX);
        seen += batch.messages.len() as u64 + batch.left_out;
        assert_eq!(seen, 3 * EACH as u64);
    }
}
