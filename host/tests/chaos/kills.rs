use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use super::daemon::{Daemon, wait_until};
use super::network::{NAMES, Network};
use super::record::entries;

/// More than any outage of these tests can fill.
const AMPLE: usize = 1_000_000;

/// How often one side is killed.
const KILLS: usize = 5;

/// This machine's monotonic clock in nanoseconds, the one that the sources write down.
fn clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The numbers of the events in a source's record, and when each was sent. A last line that is not
/// whole yet is left out.
fn sent_events(text: &str) -> Vec<(u64, u64)> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let event = |line: &str| {
        let mut fields = line.split(' ').skip(1).map(|field| field.parse().unwrap());
        Some((fields.next()?, fields.next()?))
    };
    whole.lines().filter_map(event).collect()
}

#[test]
fn what_the_survivor_of_a_kill_held_arrives_and_no_process_gets_anything_twice() {
    let Some(mut network) = Network::new(AMPLE) else {
        return;
    };
    let survivor = network.start(0);
    let mut victim = network.start(1);
    [&survivor, &victim]
        .into_iter()
        .for_each(Daemon::wait_for_link);
    network.go();
    let mut random = fastrand::Rng::with_seed(1);
    // When no process was there to get anything.
    let mut away = Vec::new();
    for life in 0..KILLS {
        // What a process had got and not written down when it was killed is gone with it, and is
        // nothing that the survivor held. So it lives until it has written down all of that.
        let held = sent_events(&network.sent(0))
            .last()
            .map_or(0, |event| event.0);
        wait_until("events arrive", || {
            let received = entries(&network.received(1), NAMES[0]);
            received
                .iter()
                .any(|entry| entry.sequence > held + 100)
                .then_some(())
        });
        victim.kill();
        let killed = clock();
        thread::sleep(Duration::from_millis(random.u64(0..1500)));
        away.push((killed, clock()));
        eprintln!("kill {life}");
        victim = network.start(1);
        victim.wait_for_link();
    }
    let start = Instant::now();
    let [sent, _] = network.halt();
    let received = wait_until("the last event arrives", || {
        let entries = entries(&network.received(1), NAMES[0]);
        entries
            .iter()
            .any(|entry| entry.sequence == sent)
            .then_some(entries)
    });
    eprintln!("all there after {:.1?}", start.elapsed());
    let mut highest: HashMap<u64, u64> = HashMap::new();
    for entry in &received {
        let highest = highest.entry(entry.life).or_default();
        assert!(
            entry.sequence > *highest,
            "{entry:?} after {highest}, see {}",
            network.keep().display()
        );
        *highest = entry.sequence;
    }
    assert_eq!(highest.len(), KILLS + 1);
    let arrived: std::collections::HashSet<_> =
        received.iter().map(|entry| entry.sequence).collect();
    for (sequence, when) in sent_events(&network.sent(0)) {
        let held = away.iter().any(|(from, to)| (*from..*to).contains(&when));
        assert!(
            !held || arrived.contains(&sequence),
            "event {sequence} was lost, sent while the peer was away, see {}",
            network.keep().display()
        );
    }
}
