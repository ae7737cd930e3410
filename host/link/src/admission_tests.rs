use super::*;

fn at(milliseconds: u64) -> Moment {
    Moment::ZERO + Duration::from_millis(milliseconds)
}

fn from(machine: &str) -> Origin {
    over("tcp", machine)
}

fn over(transport: &str, machine: &str) -> Origin {
    Origin {
        transport: transport.to_owned(),
        machine: machine.to_owned(),
    }
}

/// What is decided now: who exchanges keys, and who leaves.
fn decided(admission: &mut Admission, now: Moment) -> (Vec<CallerId>, Vec<CallerId>) {
    admission.tick(now);
    let (mut exchange, mut leave) = (Vec::new(), Vec::new());
    while let Some(decision) = admission.next_decision() {
        match decision {
            Decision::Exchange(id) => exchange.push(id),
            Decision::Leave(id) => leave.push(id),
        }
    }
    (exchange, leave)
}

/// Strangers come from these machines, so many a second, and go as far as `step`, at once. In the
/// tenth second a node comes from `home`, and needs `pace` for what it has to say at each step.
/// Returns how long it takes until it is linked.
fn time_to_link(
    admission: &mut Admission,
    strangers: &[Origin],
    a_second: u64,
    step: CallerStep,
    home: &Origin,
    pace: Duration,
) -> Option<Duration> {
    let arrival = at(10_000);
    let mut node: Option<(CallerId, CallerStep, Moment)> = None;
    let mut came = 0;
    for millisecond in 0..40_000 {
        let now = at(millisecond);
        while came * 1000 < millisecond * a_second {
            let stranger = &strangers[came as usize % strangers.len()];
            let id = admission.enter(stranger.clone(), now);
            for reached in [CallerStep::Greeted, CallerStep::Waiting] {
                if reached <= step {
                    admission.reach(id, reached, now);
                }
            }
            came += 1;
        }
        if now == arrival {
            node = Some((admission.enter(home.clone(), now), CallerStep::Silent, now));
        }
        let (exchange, leave) = decided(admission, now);
        let Some((id, reached, since)) = &mut node else {
            continue;
        };
        if leave.contains(id) {
            return None;
        }
        if exchange.contains(id) {
            (*reached, *since) = (CallerStep::Exchanging, now);
        }
        if now.since(*since) < pace {
            continue;
        }
        match *reached {
            CallerStep::Silent => *reached = CallerStep::Greeted,
            CallerStep::Greeted => *reached = CallerStep::Waiting,
            CallerStep::Waiting => continue,
            CallerStep::Exchanging => {
                admission.linked(*id, now);
                return Some(now.since(arrival));
            }
        }
        *since = now;
        admission.reach(*id, *reached, now);
    }
    panic!("it was neither linked nor sent away");
}

fn machines(count: usize) -> Vec<Origin> {
    (0..count).map(|number| from(&number.to_string())).collect()
}

const LAN: Duration = Duration::from_millis(20);
const MOBILE: Duration = Duration::from_millis(1000);

#[test]
fn a_node_is_linked_however_many_strangers_say_nothing() {
    for (count, a_second) in [(6, 120), (60, 120), (60, 1000)] {
        let mut admission = Admission::new(AdmissionLimits::default());
        let strangers = machines(count);
        let took = time_to_link(
            &mut admission,
            &strangers,
            a_second,
            CallerStep::Silent,
            &from("node"),
            LAN,
        );
        assert!(
            took.is_some_and(|took| took < LAN * 4),
            "{count} at {a_second}: {took:?}"
        );
        assert!(admission.unproven() <= 256);
    }
}

#[test]
fn a_node_behind_the_same_address_as_a_flood_is_linked_if_it_says_who_it_is() {
    for step in [CallerStep::Silent, CallerStep::Greeted] {
        let mut admission = Admission::new(AdmissionLimits::default());
        let strangers = machines(1);
        let took = time_to_link(&mut admission, &strangers, 1000, step, &strangers[0], LAN);
        assert!(
            took.is_some_and(|took| took < LAN * 4),
            "{step:?}: {took:?}"
        );
    }
}

#[test]
fn a_node_behind_the_same_address_as_a_flood_is_linked_also_beside_half_open_ones_of_others() {
    let mut admission = Admission::new(AdmissionLimits::default());
    // Of each 1120 connections a second 120 come from 60 machines.
    let flood = from("flood");
    let strangers = machines(60).into_iter();
    let mixed: Vec<_> = strangers
        .flat_map(|other| [vec![flood.clone(); 8], vec![other]].concat())
        .collect();
    let took = time_to_link(
        &mut admission,
        &mixed,
        1120,
        CallerStep::Silent,
        &flood,
        LAN,
    );
    assert!(took.is_some_and(|took| took < LAN * 4), "{took:?}");
}

#[test]
fn a_slow_node_is_linked_beside_strangers_of_other_machines() {
    for (step, count) in [
        (CallerStep::Silent, 20),
        (CallerStep::Greeted, 20),
        (CallerStep::Greeted, 60),
        (CallerStep::Waiting, 20),
        (CallerStep::Waiting, 60),
    ] {
        let mut admission = Admission::new(AdmissionLimits::default());
        let strangers = machines(count);
        let took = time_to_link(&mut admission, &strangers, 120, step, &from("node"), MOBILE);
        assert!(took.is_some(), "{step:?} of {count}");
    }
}

#[test]
fn key_exchanges_are_limited_and_machines_take_turns() {
    let mut admission = Admission::new(AdmissionLimits::default());
    let strangers = machines(60);
    let took = time_to_link(
        &mut admission,
        &strangers,
        1000,
        CallerStep::Waiting,
        &from("node"),
        LAN,
    );
    assert!(
        took.is_some_and(|took| took < Duration::from_secs(2)),
        "{took:?}"
    );

    let mut admission = Admission::new(AdmissionLimits::default());
    let mut turns = Vec::new();
    for millisecond in 0..10_000 {
        let id = admission.enter(strangers[0].clone(), at(millisecond));
        admission.reach(id, CallerStep::Waiting, at(millisecond));
        turns.extend(decided(&mut admission, at(millisecond)).0);
    }
    assert!((540..=560).contains(&turns.len()), "{}", turns.len());
}

#[test]
fn a_turn_that_is_due_later_is_waited_for() {
    let mut admission = Admission::new(AdmissionLimits {
        exchanges_per_second: 10,
        exchanges_at_once: 1,
        ..AdmissionLimits::default()
    });
    let callers = [1, 2].map(|_| {
        let id = admission.enter(from("a"), at(1000));
        admission.reach(id, CallerStep::Waiting, at(1000));
        id
    });
    assert_eq!(decided(&mut admission, at(1000)).0, [callers[0]]);
    assert_eq!(admission.timeout(), Some(at(1100)));
    assert_eq!(decided(&mut admission, at(1099)).0, []);
    assert_eq!(decided(&mut admission, at(1100)).0, [callers[1]]);
    assert_eq!(admission.timeout(), None);
}

#[test]
fn a_machine_from_which_a_node_linked_lately_has_places_of_its_own() {
    let stays = |known: bool| {
        let mut admission = Admission::new(AdmissionLimits::default());
        if known {
            let id = admission.enter(from("node"), at(0));
            admission.linked(id, at(0));
        }
        let slow = admission.enter(from("node"), at(1000));
        let mut left = Vec::new();
        // Each from another machine: nothing else tells them from the node.
        for number in 0..1000 {
            let now = at(1001 + number);
            admission.enter(from(&number.to_string()), now);
            left.extend(decided(&mut admission, now).1);
        }
        !left.contains(&slow)
    };
    assert!(stays(true));
    assert!(!stays(false));
}

#[test]
fn the_callers_of_one_transport_leave_places_for_those_of_others() {
    let mut admission = Admission::new(AdmissionLimits::default());
    let tcp: Vec<_> = (0..64)
        .map(|_| admission.enter(from("192.0.2.1"), at(0)))
        .collect();
    let mut left = Vec::new();
    for circuit in 0..1000 {
        let now = at(1 + circuit);
        admission.enter(over("onion", &format!("circuit {circuit}")), now);
        left.extend(decided(&mut admission, now).1);
    }
    assert_eq!(admission.unproven(), 256);
    assert!(tcp.iter().all(|id| !left.contains(id)));
}

#[test]
fn the_places_fit_into_the_files_that_may_be_open() {
    let places = |open_files| AdmissionLimits::within(open_files).places;
    assert_eq!(places(u64::MAX), [256, 128, 64, 128]);
    assert_eq!(places(1152), [256, 128, 64, 128]);
    assert_eq!(places(1024), [227, 113, 56, 113]);
    assert_eq!(places(256), [56, 28, 14, 28]);
    assert_eq!(places(0), [4; STEPS]);
}

#[test]
fn what_is_remembered_of_strangers_and_nodes_is_bounded() {
    let mut admission = Admission::new(AdmissionLimits::default());
    for number in 0..10_000 {
        let now = at(number);
        let id = admission.enter(from(&number.to_string()), now);
        admission.reach(id, CallerStep::Waiting, now);
        decided(&mut admission, now);
        if number % 2 == 0 {
            admission.linked(id, now);
        }
    }
    assert!(admission.known.len() <= MAX_KNOWN);
    assert!(admission.turns.len() <= 101, "{}", admission.turns.len());
    assert!(admission.taken.len() <= admission.unproven());
    let ids: Vec<_> = admission.callers.keys().copied().collect();
    for id in ids {
        admission.leave(id);
    }
    assert!(admission.taken.is_empty());
    assert_eq!(admission.timeout(), None);
}
