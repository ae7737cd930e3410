use std::sync::mpsc;
use std::thread;

use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;

use super::*;
use crate::roles::tests::{DEADLINE, LONG, eventually, holds_in_time};

const LIMITS: InboxLimits = InboxLimits {
    length: 4,
    size: 1024 * 1024,
};

fn incoming(number: u8, expires: Moment) -> IncomingMessage {
    let role = RoleName::new("timer1").unwrap();
    IncomingMessage {
        sender: NodeName::new("clock").unwrap(),
        message: Message::new(Kind::Order, &role, "tick", None, 0.0, &[number]).unwrap(),
        arrived: clock::now(),
        age: Duration::ZERO,
        expires,
    }
}

fn fresh(number: u8) -> IncomingMessage {
    incoming(number, clock::now() + LONG)
}

fn number(received: ReceiveOutcome<IncomingMessage>) -> u8 {
    match received {
        ReceiveOutcome::Taken(incoming) => incoming.message.data()[0],
        other => panic!("no message but {other:?}"),
    }
}

fn take(reader: &InboxReader) -> u8 {
    number(reader.receive(Duration::ZERO))
}

/// Whatever happened, every message is accounted for.
fn check_counts(inbox: &Inbox) -> InboxStatus {
    let status = inbox.status();
    let dropped = status.dropped_by_limit + status.dropped_by_age + status.dropped_by_stop;
    assert_eq!(
        status.received,
        status.waiting as u64 + status.taken + dropped
    );
    status
}

fn wait_for_receivers(inbox: &Inbox, count: usize) {
    eventually(|| inbox.lock().receivers == count);
}

#[test]
fn messages_are_taken_in_order_and_the_oldest_make_room() {
    let inbox = Inbox::new(LIMITS);
    let reader = inbox.reader();
    for number in 1..=7 {
        inbox.push(fresh(number));
    }
    assert_eq!(check_counts(&inbox).dropped_by_limit, 3);
    for expected in 4..=7 {
        assert_eq!(take(&reader), expected);
    }
    assert_eq!(reader.receive(Duration::ZERO), ReceiveOutcome::Timeout);
    let status = check_counts(&inbox);
    assert_eq!((status.received, status.taken, status.bytes), (7, 4, 0));
}

#[test]
fn what_is_pushed_at_once_counts_as_if_pushed_one_by_one() {
    let [single, batch] = [Inbox::new(LIMITS), Inbox::new(LIMITS)];
    let readers = [single.reader(), batch.reader()];
    (1..=7).for_each(|number| single.push(fresh(number)));
    batch.push_all([1, 2, 3, 4, 5, 6, 7].map(fresh));
    batch.push_all([]);
    assert_eq!(check_counts(&batch), check_counts(&single));
    for expected in 4..=7 {
        assert_eq!(readers.each_ref().map(take), [expected; 2]);
    }
    batch.request(|requests| requests.stop = true);
    batch.push_all([1, 2, 3].map(fresh));
    assert_eq!(check_counts(&batch).dropped_by_stop, 3);
}

#[test]
fn lower_limits_apply_to_what_waits() {
    let inbox = Inbox::new(LIMITS);
    let reader = inbox.reader();
    for number in 1..=4 {
        inbox.push(fresh(number));
    }
    let limits = InboxLimits { length: 1, size: 0 };
    inbox.set_limits(limits);
    let status = check_counts(&inbox);
    assert_eq!((status.length_limit, status.size_limit), (1, 0));
    assert_eq!(status.dropped_by_limit, 3);
    assert_eq!(take(&reader), 4);
}

#[test]
fn an_order_that_is_too_old_is_dropped_and_counted() {
    let inbox = Inbox::new(LIMITS);
    let reader = inbox.reader();
    inbox.push(incoming(1, Moment::ZERO));
    inbox.push(incoming(2, clock::now()));
    inbox.push(fresh(3));
    assert_eq!(take(&reader), 3);
    inbox.push(incoming(4, Moment::ZERO));
    assert_eq!(reader.receive(Duration::ZERO), ReceiveOutcome::Timeout);
    assert_eq!(check_counts(&inbox).dropped_by_age, 3);
}

/// Lets so many threads wait, and returns what they got when `act` was done: for much longer than
/// a test takes, so that only a wake-up brings them anything.
fn woken<const N: usize>(inbox: &Arc<Inbox>, act: impl FnOnce()) -> [Option<u8>; N] {
    let reader = inbox.reader();
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..N {
            let sender = sender.clone();
            let reader = &reader;
            scope.spawn(move || drop(sender.send(reader.receive(LONG))));
        }
        wait_for_receivers(inbox, N);
        act();
        let mut woken = std::array::from_fn(|_| results.recv_timeout(DEADLINE).ok().map(number));
        // Whoever was not woken.
        inbox.request(|requests| requests.stop = true);
        woken.sort();
        woken
    })
}

#[test]
fn a_thread_that_waits_is_woken_by_a_message() {
    let inbox = Inbox::new(LIMITS);
    assert_eq!(woken(&inbox, || inbox.push(fresh(1))), [Some(1)]);
}

#[test]
fn a_burst_wakes_every_thread_that_waits() {
    let inbox = Inbox::new(LIMITS);
    let burst = || {
        // None of them gets hold of the lock in between.
        let mut state = inbox.lock();
        for number in 1..=3 {
            state.queue.push(fresh(number));
        }
        drop(state);
        inbox.arrived.notify_one();
    };
    assert_eq!(woken(&inbox, burst), [Some(1), Some(2), Some(3)]);
}

#[test]
fn no_wake_up_is_lost_among_many_threads() {
    const EACH: usize = 5_000;
    const THREADS: usize = 3;
    let inbox = Inbox::new(InboxLimits {
        length: usize::MAX,
        size: usize::MAX,
    });
    let reader = inbox.reader();
    thread::scope(|scope| {
        let takers: [_; THREADS] = std::array::from_fn(|_| {
            scope.spawn(|| {
                let mut taken = 0;
                while let ReceiveOutcome::Taken(_) = reader.receive(LONG) {
                    taken += 1;
                }
                taken
            })
        });
        let pushers: [_; THREADS] = std::array::from_fn(|_| {
            scope.spawn(|| {
                for _ in 0..EACH {
                    inbox.push(fresh(0));
                }
            })
        });
        for pusher in pushers {
            pusher.join().unwrap();
        }
        let all_taken = holds_in_time(|| {
            let state = inbox.lock();
            state.queue.is_empty() && state.receivers == THREADS
        });
        inbox.request(|requests| requests.stop = true);
        let taken: usize = takers.map(|taker| taker.join().unwrap()).iter().sum();
        assert!(all_taken, "only {taken} messages were taken");
        assert_eq!(taken, EACH * THREADS);
    });
    check_counts(&inbox);
}

#[test]
fn a_stop_ends_waits_but_leaves_what_is_there_to_be_taken() {
    let inbox = Inbox::new(LIMITS);
    let reader = inbox.reader();
    thread::scope(|scope| {
        let receiving = scope.spawn(|| reader.receive(DEADLINE));
        let sleeping = scope.spawn(|| reader.sleep(DEADLINE));
        wait_for_receivers(&inbox, 1);
        inbox.request(|requests| requests.stop = true);
        assert_eq!(receiving.join().unwrap(), ReceiveOutcome::Interrupted);
        assert!(!sleeping.join().unwrap());
    });
    let inbox = Inbox::new(LIMITS);
    let reader = inbox.reader();
    inbox.push(fresh(1));
    inbox.push(fresh(2));
    assert!(!reader.stopping());
    inbox.request(|requests| requests.stop = true);
    assert!(reader.stopping());
    inbox.push(fresh(3));
    assert_eq!(reader.receive(DEADLINE), ReceiveOutcome::Interrupted);
    inbox.request(|requests| requests.reopen = true);
    assert_eq!(take(&reader), 1);
    inbox.clear();
    let status = check_counts(&inbox);
    assert_eq!((status.waiting, status.dropped_by_stop), (0, 2));
}

#[test]
fn a_request_to_reopen_interrupts_only_the_thread_that_can_do_it() {
    let inbox = Inbox::new(LIMITS);
    let reader = inbox.reader();
    inbox.push(fresh(1));
    inbox.request(|requests| requests.reopen = true);
    assert_eq!(reader.receive(Duration::ZERO), ReceiveOutcome::Interrupted);
    assert!(!reader.sleep(DEADLINE));
    assert!(!reader.stopping());
    thread::scope(|scope| {
        assert_eq!(scope.spawn(|| take(&reader)).join().unwrap(), 1);
    });
    inbox.reopened();
    assert!(reader.sleep(Duration::ZERO));
    assert_eq!(reader.receive(Duration::ZERO), ReceiveOutcome::Timeout);
}

#[test]
fn a_retired_reader_takes_nothing_from_the_next_one() {
    let inbox = Inbox::new(LIMITS);
    let old = inbox.reader();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| old.receive(DEADLINE));
        wait_for_receivers(&inbox, 1);
        let new = inbox.reader();
        assert_eq!(waiting.join().unwrap(), ReceiveOutcome::Interrupted);
        inbox.push(fresh(1));
        assert!(old.stopping() && !old.sleep(DEADLINE));
        assert_eq!(old.receive(Duration::ZERO), ReceiveOutcome::Interrupted);
        assert_eq!(take(&new), 1);
    });
}

#[test]
fn a_sleep_is_not_disturbed_by_messages() {
    let inbox = Inbox::new(LIMITS);
    let reader = inbox.reader();
    thread::scope(|scope| {
        let pusher = scope.spawn(|| (0..4).for_each(|number| inbox.push(fresh(number))));
        assert!(reader.sleep(Duration::from_millis(5)));
        pusher.join().unwrap();
    });
    assert_eq!(inbox.status().waiting, 4);
}

#[test]
fn only_messages_and_real_waits_count_as_activity() {
    let inbox = Inbox::new(LIMITS);
    let reader = inbox.reader();
    reader.receive(Duration::ZERO);
    reader.receive(Duration::from_nanos(1));
    reader.sleep(Duration::from_nanos(1));
    assert_eq!(inbox.activity(), 0);
    inbox.push(fresh(1));
    take(&reader);
    assert_eq!(inbox.activity(), 1);
    reader.sleep(SHORTEST_WAIT);
    assert!(inbox.activity() > 1);
}

#[test]
fn all_waits_of_a_life_end_with_its_process_and_those_of_the_next_one_do_not() {
    let inbox = Inbox::new(LIMITS);
    let old = inbox.reader();
    inbox.push(fresh(1));
    thread::scope(|scope| {
        let stopping = scope.spawn(|| old.wait_until_stopping());
        let sleeping = scope.spawn(|| old.sleep(DEADLINE));
        old.lose();
        stopping.join().unwrap();
        assert!(!sleeping.join().unwrap());
    });
    inbox.pause(clock::now() + DEADLINE, PauseUntil::TimeOrReopen);
    assert!(inbox.requests().lost);
    // What waits is for the next life, not for a process that is no more.
    assert_eq!(old.receive(Duration::ZERO), ReceiveOutcome::Interrupted);

    inbox.retire_readers();
    assert!(!inbox.requests().any());
    let new = inbox.reader();
    old.lose();
    assert!(!new.stopping());
    assert_eq!(take(&new), 1);
}

#[test]
fn who_waits_for_a_stop_is_woken_by_it() {
    let inbox = Inbox::new(LIMITS);
    for restart in [true, false] {
        let reader = inbox.reader();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| reader.wait_until_stopping());
            inbox.request(|requests| {
                requests.restart = restart;
                requests.stop = !restart;
            });
            waiting.join().unwrap();
        });
    }
}

#[test]
fn several_are_taken_at_once_as_many_as_are_asked_for_and_none_that_is_too_old() {
    let inbox = Inbox::new(LIMITS);
    let reader = inbox.reader();
    let numbers = |most| match reader.receive_many(Duration::ZERO, most) {
        ReceiveOutcome::Taken(all) => all
            .iter()
            .map(|incoming| incoming.message.data()[0])
            .collect(),
        ReceiveOutcome::Timeout | ReceiveOutcome::Interrupted => Vec::new(),
    };
    inbox.push(fresh(1));
    inbox.push(incoming(2, clock::now()));
    inbox.push(fresh(3));
    inbox.push(fresh(4));
    assert_eq!(numbers(2), [1, 3]);
    assert_eq!(numbers(usize::MAX), [4]);
    assert!(numbers(2).is_empty());
    assert_eq!(check_counts(&inbox).dropped_by_age, 1);
}

#[test]
fn what_is_taken_at_once_is_bounded_in_bytes_but_one_message_comes_whatever_its_size() {
    let inbox = Inbox::new(InboxLimits {
        length: 9,
        size: 1 << 30,
    });
    let reader = inbox.reader();
    let large = |length: usize| {
        let role = RoleName::new("timer1").unwrap();
        let mut data = vec![0xc6];
        data.extend(u32::try_from(length).unwrap().to_be_bytes());
        data.resize(5 + length, 0);
        let message = Message::new(Kind::Event, &role, "tick", None, 0.0, &data).unwrap();
        inbox.push(IncomingMessage {
            message,
            ..fresh(0)
        });
    };
    for length in [10, MAX_TAKEN_BYTES / 2, MAX_TAKEN_BYTES, 10, 10] {
        large(length);
    }
    for expected in [2, 1, 2] {
        match reader.receive_many(Duration::ZERO, 9) {
            ReceiveOutcome::Taken(all) => assert_eq!(all.len(), expected),
            other => panic!("{other:?}"),
        }
    }
    check_counts(&inbox);
}
