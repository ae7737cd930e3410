use super::daemon::{Daemon, wait_until};
use super::faults::Faults;
use super::network::{NAMES, Network};
use super::record::{Entry, Verdict, entries, judge};

/// More than any outage of these tests can fill.
const AMPLE: usize = 1_000_000;

/// What a node is sent in 50 ms or so.
const SHORT: usize = 25;

/// Starts both nodes and lets them send once there is a link.
fn start(network: &Network) -> [Daemon; 2] {
    let daemons = [network.start(0), network.start(1)];
    daemons.iter().for_each(Daemon::wait_for_link);
    network.go();
    daemons
}

/// Waits until a node has the last one of so many events, and gives all it has.
fn collect(network: &Network, end: usize, count: u64) -> Vec<Entry> {
    let other = NAMES[1 - end];
    wait_until(&format!("event {count} of {other} arrives"), || {
        let entries = entries(&network.received(end), other);
        let last = entries.last().map_or(0, |entry| entry.sequence);
        (last >= count).then_some(entries)
    })
}

#[test]
fn within_the_bounds_no_fault_loses_repeats_or_reorders_anything() {
    bear_faults("");
}

#[test]
fn within_the_bounds_ssh_alone_bears_the_same() {
    bear_faults("sshOnly: yes\n");
}

/// Lets two nodes send to each other through all kinds of faults; `options` are lines of the file.
fn bear_faults(options: &str) {
    let Some(mut network) = Network::with(AMPLE, options) else {
        return;
    };
    let daemons = start(&network);
    let mut faults = Faults::new();
    for _ in 0..faults.count {
        faults.one(&network.namespaces, &daemons).unwrap();
    }
    let sent = network.halt();
    eprintln!(
        "{} faults, {} of them to a link that stood, {} links, {sent:?} events",
        faults.count,
        faults.hits,
        daemons[0].links()
    );
    for end in [0, 1] {
        let count = sent[1 - end];
        let verdict = judge(&collect(&network, end, count), count);
        if verdict != Verdict::default() {
            panic!(
                "{}: {verdict:?} of {count}, see {}",
                NAMES[end],
                network.keep().display()
            );
        }
        assert_eq!(daemons[end].missed(), 0);
    }
    assert!(
        faults.hits * 2 > faults.count,
        "only {} faults hit a link",
        faults.hits
    );
    // Resets alone are half of the faults, and none of them leaves a link.
    assert!(daemons[0].links() * 4 > faults.count, "links survived");
}

#[test]
fn beyond_the_bounds_the_receiver_knows_exactly_how_many_it_missed() {
    let Some(mut network) = Network::new(SHORT) else {
        return;
    };
    let daemons = start(&network);
    for _ in 0..3 {
        for end in [0, 1] {
            let count = || entries(&network.received(end), NAMES[1 - end]).len();
            let before = count();
            wait_until("events arrive", || (count() > before).then_some(()));
        }
        network.namespaces.set_cable(0, false).unwrap();
        // Until then, much may be on its way; from then on, all that is sent waits in a queue.
        for daemon in &daemons {
            wait_until("the link is given up", || {
                (!daemon.is_linked()).then_some(())
            });
        }
        for end in [0, 1] {
            let count = || network.sent(end).lines().count();
            let before = count();
            wait_until("more is sent than a queue holds", || {
                (count() > before + 2 * SHORT).then_some(())
            });
        }
        network.namespaces.set_cable(0, true).unwrap();
    }
    for daemon in &daemons {
        wait_until("events arrive after the outage", || {
            (daemon.missed() > 0).then_some(())
        });
    }
    let sent = network.halt();
    for end in [0, 1] {
        let count = sent[1 - end];
        let verdict = judge(&collect(&network, end, count), count);
        // The last of them may be told of later, when there were many.
        let missed = wait_until("the log tells of all that were missed", || {
            Some(daemons[end].missed()).filter(|missed| *missed >= verdict.lost)
        });
        if verdict.lost != missed || verdict.repeated_or_reordered > 0 || missed == 0 {
            panic!(
                "{}: {verdict:?} of {count}, and it knows of {missed}, see {}",
                NAMES[end],
                network.keep().display()
            );
        }
    }
}
