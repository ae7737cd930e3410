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
        let known = entries(&network.received(1), NAMES[0]).len();
        wait_until("events arrive", || {
            (entries(&network.received(1), NAMES[0]).len() > known + 100).then_some(())
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
    for line in network.sent(0).lines() {
        let fields: Vec<u64> = line
            .split(' ')
            .map(|field| field.parse().unwrap())
            .collect();
        let (sequence, when) = (fields[1], fields[2]);
        let held = away.iter().any(|(from, to)| (*from..*to).contains(&when));
        assert!(
            !held || arrived.contains(&sequence),
            "event {sequence} was lost, sent while the peer was away, see {}",
            network.keep().display()
        );
    }
}
