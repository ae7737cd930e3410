use kozo_ground::interest::Kind;
use kozo_ground::names::BusName;

use super::*;
use crate::subject::{Nonce, SubjectKey};

const NOW: Moment = Moment::ZERO;

fn subjects() -> Subjects {
    Subjects::new(BusName::new("fleet").unwrap(), &SubjectKey::public())
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn token(text: &str) -> Token {
    subjects().node(&name(text))
}

fn lane(type_name: &str, node: &str) -> String {
    subjects().lane(Kind::Event, type_name, "role", None, token(node))
}

/// All lanes of events with this type.
fn of_type(type_name: &str) -> String {
    let lane = lane(type_name, "x");
    let tokens: Vec<_> = lane.split('.').collect();
    format!("kozo.fleet.m.e.{}.*.*.*", tokens[4])
}

const ALL: &str = "kozo.fleet.m.*.*.*.*.*";

fn limits() -> EngineLimits {
    EngineLimits {
        max_datagram: 1000,
        no_responders: true,
        server: "a server".to_owned(),
    }
}

/// The gateway `hub` of `a` and `b`, both linked, with an engine.
fn relay() -> Relay {
    let mut relay = Relay::new(subjects(), &name("hub"), [name("a"), name("b")]);
    relay.up(limits());
    for node in ["a", "b"] {
        relay.linked(&name(node), true);
        assert_eq!(relay.news(), Some((name(node), RelayNews::Up(limits()))));
    }
    relay
}

fn publishing(number: u64, subject: String) -> Publishing {
    Publishing {
        number,
        subject,
        reply: None,
        data: Bytes::from_static(b"sealed"),
    }
}

/// What the engine is told of subscriptions: `+` and `-`, and the pattern.
fn told(relay: &mut Relay) -> Vec<String> {
    let mut told = Vec::new();
    while let Some((pattern, on)) = relay.to_tell.pop_front() {
        told.push(format!("{}{pattern}", if on { '+' } else { '-' }));
    }
    told
}

fn fits(relay: &Relay, subject: &str) -> (bool, Vec<String>) {
    let Fits { own, neighbours } = relay.fits(subject);
    (own, neighbours.iter().map(NodeName::to_string).collect())
}

#[test]
fn a_neighbour_may_publish_as_itself_and_ask_and_answer_and_nothing_else() {
    let mut relay = relay();
    let subjects = subjects();
    let nonce = Nonce([1; 16]);
    let allowed = [
        lane("tick", "a"),
        subjects.here(token("a")),
        subjects.ask(token("z")),
        subjects.answer(token("z"), nonce),
    ];
    for (number, subject) in allowed.iter().enumerate() {
        relay.publish(&name("a"), publishing(number as u64, subject.clone()));
        let output = relay.output(NOW);
        let expected = publishing(number as u64, subject.clone());
        assert_eq!(output, Some(RelayOutput::Publish(expected)), "{subject}");
        relay.published(Published::Accepted(number as u64), NOW);
    }
    let forbidden = [
        lane("tick", "b"),
        lane("tick", "hub"),
        subjects.here(token("b")),
        "kozo.other.ask.b3yldh5oioxt".to_owned(),
        "kozo.fleet.m.>".to_owned(),
        "$SYS.REQ".to_owned(),
    ];
    for subject in forbidden {
        relay.publish(&name("a"), publishing(9, subject.clone()));
        assert_eq!(relay.output(NOW), None, "{subject}");
    }
    // Nor may answers go to anybody else.
    let mut ask = publishing(9, subjects.ask(token("z")));
    ask.reply = Some(subjects.answer(token("b"), nonce));
    relay.publish(&name("a"), ask.clone());
    assert_eq!(relay.output(NOW), None);
    ask.reply = Some(subjects.answer(token("a"), nonce));
    relay.publish(&name("a"), ask);
    assert!(relay.output(NOW).is_some());
    // Who is behind another gateway, or none, may nothing.
    relay.publish(&name("c"), publishing(9, lane("tick", "c")));
    assert_eq!(relay.counts().refused, 8);
}

#[test]
fn a_neighbour_may_subscribe_to_lanes_and_to_what_is_for_it() {
    let mut relay = relay();
    let subjects = subjects();
    let a = token("a");
    for pattern in [
        subjects.ask(a),
        subjects.answers(a),
        subjects.here(a),
        subjects.here(token("z")),
        of_type("tick"),
        "kozo.fleet.m.>".to_owned(),
    ] {
        relay.subscribe(&name("a"), &pattern, true);
    }
    assert_eq!(relay.counts().refused, 0);
    for pattern in [
        &subjects.ask(token("b")),
        &subjects.answers(token("hub")),
        "kozo.fleet.here.*",
        "kozo.fleet.ask.*",
        "kozo.fleet.re.>",
        "kozo.fleet.>",
        "kozo.other.m.>",
        "kozo.fleet.m.e.*.*.*",
        "kozo.fleet.m.x.*.*.*.*",
        "kozo.fleet.m.e.tick.*.*.*",
        "kozo.fleet.m.e.*.*.*.>",
        ">",
        "",
    ] {
        relay.subscribe(&name("a"), pattern, true);
    }
    assert_eq!(relay.counts().refused, 13);
    // Nobody makes it keep more than the limit.
    for number in 0..2 * MAX_NEIGHBOUR_PATTERNS {
        relay.subscribe(&name("b"), &of_type(&number.to_string()), true);
    }
    let place = relay.place(&name("b")).unwrap();
    assert_eq!(
        relay.subscribers[place].patterns.len(),
        MAX_NEIGHBOUR_PATTERNS
    );
}

#[test]
fn the_engine_is_told_each_pattern_once_and_none_that_another_holds() {
    let mut relay = relay();
    let (tick, tock) = (of_type("tick"), of_type("tock"));
    relay.subscribe_own(&tick, true);
    relay.subscribe(&name("a"), &tick, true);
    relay.subscribe(&name("a"), &tock, true);
    assert_eq!(told(&mut relay), [format!("+{tick}"), format!("+{tock}")]);
    relay.subscribe(&name("b"), "kozo.fleet.m.>", true);
    let mut all = told(&mut relay);
    all[1..].sort();
    assert_eq!(
        all,
        [format!("+{ALL}"), format!("-{tick}"), format!("-{tock}")]
    );
    relay.subscribe_own(&tick, false);
    assert_eq!(told(&mut relay), [""; 0]);
    // The link with who wanted all is lost: what others want of it stays.
    relay.linked(&name("b"), false);
    let mut rest = told(&mut relay);
    assert_eq!(rest.pop(), Some(format!("-{ALL}")));
    rest.sort();
    let mut expected = [format!("+{tick}"), format!("+{tock}")];
    expected.sort();
    assert_eq!(rest, expected);
    relay.linked(&name("a"), true);
    let mut gone = told(&mut relay);
    gone.sort();
    let mut expected = [format!("-{tick}"), format!("-{tock}")];
    expected.sort();
    assert_eq!(gone, expected);
    assert!(relay.wanted.all.is_empty() && relay.told.all.is_empty());
    assert_eq!(relay.told.masks.iter().sum::<usize>(), 0);
}

#[test]
fn a_datagram_goes_once_to_each_that_wants_it_and_never_from_one_link_to_another() {
    let mut relay = relay();
    let subjects = subjects();
    relay.subscribe_own(&of_type("tick"), true);
    relay.subscribe(&name("a"), &of_type("tick"), true);
    relay.subscribe(&name("a"), "kozo.fleet.m.>", true);
    relay.subscribe(&name("b"), &of_type("tock"), true);
    for node in ["a", "b"] {
        relay.subscribe(&name(node), &subjects.ask(token(node)), true);
        relay.subscribe(&name(node), &subjects.answers(token(node)), true);
    }
    let a = || vec!["a".to_owned()];
    assert_eq!(fits(&relay, &lane("tick", "z")), (true, a()));
    assert_eq!(fits(&relay, &lane("other", "z")), (false, a()));
    let both = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(fits(&relay, &lane("tock", "z")), (false, both));
    assert_eq!(fits(&relay, &lane("tock", "b")), (false, vec![]));
    assert_eq!(fits(&relay, &lane("tock", "hub")), (false, vec![]));
    assert_eq!(fits(&relay, &subjects.ask(token("a"))), (false, a()));
    let answer = subjects.answer(token("a"), Nonce([1; 16]));
    assert_eq!(fits(&relay, &answer), (false, a()));
    assert_eq!(fits(&relay, &subjects.ask(token("z"))), (false, vec![]));
    assert_eq!(fits(&relay, "nothing.of.this"), (true, vec![]));
}

#[test]
fn neighbours_take_turns_and_each_hears_of_its_own_numbers() {
    let mut relay = relay();
    for number in 100..102 {
        relay.publish(&name("a"), publishing(number, lane("tick", "a")));
    }
    relay.publish(&name("b"), publishing(7, lane("tick", "b")));
    assert!(!relay.takes(&name("a")));
    let mut order = Vec::new();
    let mut module = 50;
    while let Some(RelayOutput::Publish(next)) = relay.output(NOW) {
        order.push(next.number);
        module += 1;
        relay.published(Published::Accepted(module), NOW);
    }
    assert_eq!(order, [100, 7, 101]);
    assert!(relay.takes(&name("a")));
    relay.confirmed(52);
    assert_eq!(relay.news(), Some((name("a"), RelayNews::Confirmed(100))));
    assert_eq!(relay.news(), Some((name("b"), RelayNews::Confirmed(7))));
    relay.confirmed(53);
    assert_eq!(relay.news(), Some((name("a"), RelayNews::Confirmed(101))));
    assert_eq!(relay.news(), None);
    assert_eq!(relay.counts().published, 3);
}

#[test]
fn a_module_without_room_is_left_alone_for_a_moment() {
    let mut relay = relay();
    relay.publish(&name("a"), publishing(1, lane("tick", "a")));
    assert!(relay.output(NOW).is_some());
    relay.published(Published::Full, NOW);
    assert_eq!(relay.output(NOW), None);
    let later = relay.timeout().unwrap();
    assert!(relay.output(later).is_some());
    relay.published(Published::Accepted(1), later);
    assert_eq!(relay.timeout(), None);
}

#[test]
fn what_was_under_way_when_the_engine_was_lost_is_never_confirmed() {
    let mut relay = relay();
    relay.publish(&name("a"), publishing(1, lane("tick", "a")));
    relay.output(NOW);
    relay.published(Published::Accepted(1), NOW);
    relay.publish(&name("a"), publishing(2, lane("tick", "a")));
    relay.down("the server is gone");
    relay.publish(&name("a"), publishing(3, lane("tick", "a")));
    let down = || RelayNews::Down("the server is gone".to_owned());
    assert_eq!(relay.news(), Some((name("a"), down())));
    assert_eq!(relay.news(), Some((name("b"), down())));
    assert_eq!(relay.output(NOW), None);
    relay.down("the server is gone");
    assert_eq!(relay.news(), None);
    relay.up(limits());
    relay.confirmed(9);
    assert_eq!(relay.news(), Some((name("a"), RelayNews::Up(limits()))));
    assert_eq!(relay.news(), Some((name("b"), RelayNews::Up(limits()))));
    assert_eq!(relay.news(), None);
    assert_eq!(relay.output(NOW), None);
}

#[test]
fn who_asked_where_nobody_listens_hears_it() {
    let mut relay = relay();
    let ask = subjects().ask(token("z"));
    relay.publish(&name("a"), publishing(1, ask.clone()));
    relay.output(NOW);
    relay.published(Published::Accepted(1), NOW);
    relay.nobody(&ask);
    assert_eq!(relay.news(), Some((name("a"), RelayNews::Nobody(ask))));
    assert_eq!(relay.news(), None);
}

#[test]
fn what_is_longer_than_the_engine_takes_is_dropped_and_so_is_what_has_no_room() {
    let mut relay = relay();
    let mut long = publishing(1, lane("tick", "a"));
    long.data = vec![0; 1001].into();
    relay.publish(&name("a"), long);
    assert_eq!(relay.output(NOW), None);
    for number in 0..2 * MAX_NEIGHBOUR_DATAGRAMS as u64 {
        relay.publish(&name("a"), publishing(number, lane("tick", "a")));
    }
    let most = MAX_NEIGHBOUR_DATAGRAMS as u64;
    let mut expected = RelayCounts {
        dropped_by_length: 1,
        dropped_by_limit: most,
        ..RelayCounts::default()
    };
    assert_eq!(relay.counts(), expected);
    // What waits goes with the engine, and what comes before that is back has nowhere to go.
    relay.down("cut");
    relay.publish(&name("a"), publishing(1, lane("tick", "a")));
    expected.dropped_by_engine = most + 1;
    assert_eq!(relay.counts(), expected);
    // What waits goes with its link as well, since the neighbour publishes it over the next one.
    relay.up(limits());
    relay.publish(&name("a"), publishing(1, lane("tick", "a")));
    relay.linked(&name("a"), false);
    relay.handed_on(false);
    expected.dropped_by_link = 2;
    assert_eq!(relay.counts(), expected);
}
