//! What the numbers come to.

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_status::NetworkStatus;
use std::time::Duration;

use super::super::model::{Model, Overview, Rates, sum};
use super::network;

fn status_mut<'n>(network: &'n mut NetworkStatus, node: &str) -> &'n mut kozo_status::NodeStatus {
    let mut nodes = network.nodes.iter_mut();
    let report = nodes.find(|report| report.node.as_str() == node).unwrap();
    report.status.as_mut().unwrap()
}

#[test]
fn rates_are_differences_over_the_time_that_the_node_measured() {
    let overview = Overview::new(&network(14), Some(&network(10)));
    let [clock, lamp, scribe] = &overview.nodes[..] else {
        panic!("{overview:?}");
    };
    assert_eq!(clock.rates.sent_per_second, Some(10.0));
    assert_eq!(clock.rates.bytes_sent_per_second, Some(1000.0));
    assert_eq!(clock.rates.received_per_second, Some(0.0));
    assert_eq!(scribe.rates.received_per_second, Some(10.0));
    assert_eq!(scribe.round_trip_seconds, Some(0.0012));
    assert_eq!(lamp.rates, Rates::default());
    assert_eq!(
        (lamp.answers, lamp.unreachable_seconds),
        (false, Some(61.0))
    );
    assert_eq!(
        (scribe.roles, scribe.roles_running, scribe.linked),
        (1, 0, 1)
    );
    let writer = &overview.roles[1];
    assert_eq!(writer.role.as_str(), "writer");
    assert_eq!(writer.received_per_second, Some(10.0));
    assert_eq!(writer.taken_per_second, Some(4.0));
    assert_eq!((writer.waiting, writer.dropped), (84, 5));
}

#[test]
fn a_pair_is_one_line_with_what_waits_on_both_sides() {
    let overview = Overview::new(&network(14), Some(&network(10)));
    let pairs: Vec<_> = overview
        .links
        .iter()
        .map(|link| {
            (
                link.node.as_str(),
                link.peer.as_str(),
                link.queued,
                link.dropped,
            )
        })
        .collect();
    assert_eq!(pairs, [("clock", "lamp", 3, 2), ("clock", "scribe", 6, 4)]);
    assert_eq!(overview.links[1].rates.sent_per_second, Some(10.0));
    // Where one of them does not answer, the other one tells.
    let mut alone = network(14);
    alone.nodes[0].status = None;
    let overview = Overview::new(&alone, None);
    let pairs: Vec<_> = overview
        .links
        .iter()
        .map(|link| (link.node.as_str(), link.peer.as_str()))
        .collect();
    assert_eq!(pairs, [("scribe", "clock")]);
}

#[test]
fn there_are_no_rates_without_two_counts_of_one_daemon() {
    let unknown = |now: &NetworkStatus, before: &NetworkStatus| {
        let overview = Overview::new(now, Some(before));
        assert_eq!(overview.nodes[0].rates, Rates::default());
        assert_eq!(overview.roles[0].received_per_second, None);
    };
    assert_eq!(
        Overview::new(&network(14), None).nodes[0].rates,
        Rates::default()
    );
    // The same answer again, an older one, and one of another process.
    unknown(&network(14), &network(14));
    unknown(&network(10), &network(14));
    let mut other = network(14);
    status_mut(&mut other, "clock").pid = 8;
    unknown(&other, &network(10));
}

#[test]
fn a_node_may_tell_any_numbers() {
    let mut lies = network(14);
    let status = status_mut(&mut lies, "scribe");
    status.running_seconds = f64::MAX;
    let peer = &mut status.peers[0];
    (peer.outbox.dropped_by_age, peer.outbox.dropped_by_limit) = (u64::MAX, u64::MAX);
    (peer.outbox.sent, peer.queued.messages) = (u64::MAX, usize::MAX);
    peer.next_dial_seconds = Some(-1e300);
    let role = &mut status.roles[0];
    role.inbox.dropped_by_age = u64::MAX;
    role.inbox.received = 0;
    let overview = Overview::new(&lies, Some(&network(10)));
    assert_eq!(overview.nodes[2].dropped, u64::MAX);
    assert_eq!(overview.links[1].queued, usize::MAX);
    // Counts do not shrink.
    assert_eq!(overview.roles[1].received_per_second, None);
    // It names itself as its own peer.
    let mut twice = network(14);
    status_mut(&mut twice, "scribe").peers[0].peer = NodeName::new("scribe").unwrap();
    Overview::new(&twice, Some(&lies));
}

#[test]
fn rates_add_up_as_far_as_they_are_known() {
    let some = Rates {
        sent_per_second: Some(1.5),
        ..Rates::default()
    };
    let all = sum([some, Rates::default(), some].into_iter());
    assert_eq!(all.sent_per_second, Some(3.0));
    assert_eq!(all.received_per_second, None);
}

#[test]
fn a_daemon_that_is_gone_is_remembered_and_found_again() {
    let at = |seconds| Moment::ZERO + Duration::from_secs(seconds);
    let mut model = Model::default();
    model.see(network(10));
    model.lost("connection refused".to_owned(), at(1));
    model.lost("still refused".to_owned(), at(2));
    let gone = model.gone().unwrap();
    assert_eq!((gone.since, gone.reason.as_str()), (at(1), "still refused"));
    assert!(model.overview().is_some(), "what was seen last stays");
    model.see(network(12));
    assert_eq!((model.gone(), model.was_restarted()), (None, false));
    let mut restarted = network(1);
    status_mut(&mut restarted, "clock").pid = 8;
    model.lost("refused".to_owned(), at(3));
    model.see(restarted);
    assert_eq!((model.gone(), model.was_restarted()), (None, true));
    let clock = &model.overview().unwrap().nodes[0];
    assert_eq!(clock.rates, Rates::default());
}
