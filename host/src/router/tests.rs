use std::thread;

use kozo_ground::interest::{Interest, Interests, Kind, Pattern};
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::queue::QueueLimits;
use kozo_link::{Peer, PeerSettings};
use kozo_router::{Crowd, OrderSources, SenderPattern};
use kozo_wire::{Frame, FrameDecoder, FrameError, FrameWriter, SessionId};

use super::*;
use crate::bus::{self, BusFate};
use crate::config::InboxLimits;
use crate::link::PeerLink;

const AGES: MaxAges = MaxAges {
    message: Duration::from_secs(600),
    order: Duration::from_secs(10),
};

/// How many messages wait for a peer at most.
const LENGTH: usize = 3;

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

fn message(kind: Kind, sender: &str, type_name: &str) -> Message {
    Message::new(kind, &role(sender), type_name, None, 0.0, &[0xc0]).unwrap()
}

fn of_type(type_name: &str) -> Interest {
    Interest {
        type_name: Some(vec![Pattern::new(type_name)]),
        ..Interest::default()
    }
}

fn known(type_name: &str) -> Interests {
    Interests::Known(vec![of_type(type_name)])
}

fn hello(type_name: &str) -> Vec<RoleInterests> {
    vec![RoleInterests {
        role: "far".to_owned(),
        interests: vec![of_type(type_name)],
    }]
}

/// The peer `name` of the node `clock`.
fn peer(name: &str, outgoing: ConnectPolicy) -> Arc<PeerLink> {
    let settings = PeerSettings {
        own: node("clock"),
        peer: node(name),
        session: SessionId(1),
        outgoing,
        incoming: ConnectPolicy::Constant,
        heartbeat: Duration::from_secs(60),
        peer_heartbeat: Duration::from_secs(60),
        connection_retry: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(60),
        queue: QueueLimits {
            length: LENGTH,
            size: 1 << 20,
        },
        max_ages: AGES,
        max_read: 64 * 1024,
        buses: Vec::new(),
        config_digest: vec![],
        seed: 1,
    };
    PeerLink::new(Peer::new(settings, vec![], clock::now()))
}

fn queued(link: &PeerLink) -> usize {
    link.look(Peer::unacknowledged)
}

fn inbox() -> Arc<Inbox> {
    Inbox::new(InboxLimits {
        length: 100,
        size: 1 << 20,
    })
}

fn local(name: &str, interests: Interests, orders: &[&str]) -> LocalRole {
    let patterns = orders
        .iter()
        .map(|text| SenderPattern::parse(text).unwrap());
    LocalRole {
        name: role(name),
        interests,
        accept_orders_from: OrderSources::Listed(patterns.collect()),
    }
}

fn router(
    roles: Vec<(LocalRole, Arc<Inbox>)>,
    peers: Vec<(Arc<PeerLink>, Vec<Interests>)>,
) -> Router {
    let links = peers.into_iter().map(|(link, wanted)| {
        let names = (0..).map(|number| format!("role{number}"));
        Destination::Link(link, names.zip(wanted).collect())
    });
    router_to(roles, links.collect())
}

fn router_to(roles: Vec<(LocalRole, Arc<Inbox>)>, destinations: Vec<Destination>) -> Router {
    Router::new(node("clock"), roles, destinations, AGES, Arc::default())
}

fn send(router: &Router, message: &Message, wait: Duration) -> bool {
    router.send(&role("timer1"), std::slice::from_ref(message), wait) == 1
}

fn types(incoming: &[IncomingMessage]) -> Vec<&str> {
    let messages = incoming.iter().map(|incoming| &incoming.message);
    messages.map(Message::type_name).collect()
}

#[test]
fn what_a_role_sends_goes_to_the_peers_and_the_roles_that_want_it() {
    let (scribe, attic) = (
        peer("scribe", ConnectPolicy::Constant),
        peer("attic", ConnectPolicy::OnDemand),
    );
    let (ticks, tocks) = (inbox(), inbox());
    let router = router(
        vec![
            (local("cuckoo", known("tick"), &[]), Arc::clone(&ticks)),
            (local("bell", known("tock"), &[]), Arc::clone(&tocks)),
        ],
        vec![
            (Arc::clone(&scribe), vec![known("tock")]),
            (Arc::clone(&attic), vec![known("tick")]),
        ],
    );
    for wait in [Duration::ZERO, Duration::from_secs(60)] {
        assert!(send(&router, &message(Kind::Event, "timer1", "tick"), wait));
    }
    assert_eq!((queued(&scribe), queued(&attic)), (0, 2));
    let got = ticks.take_all(clock::now());
    assert_eq!(types(&got), ["tick", "tick"]);
    for incoming in &got {
        assert_eq!(incoming.sender, node("clock"));
        assert_eq!(incoming.expires, incoming.arrived + AGES.message);
    }
    assert_eq!(tocks.status().received, 0);
}

#[test]
fn messages_that_are_sent_at_once_go_each_its_own_way_and_in_order() {
    let scribe = peer("scribe", ConnectPolicy::Constant);
    let (ticks, all) = (inbox(), inbox());
    let router = router(
        vec![
            (local("cuckoo", known("tick"), &[]), Arc::clone(&ticks)),
            (local("bell", known("t*"), &[]), Arc::clone(&all)),
        ],
        vec![(Arc::clone(&scribe), vec![known("tock")])],
    );
    let tick = message(Kind::Event, "timer1", "tick");
    let tock = message(Kind::Event, "timer1", "tock");
    let sent = [&tick, &tick, &tock, &tick].map(Clone::clone);
    let timer = role("timer1");
    for wait in [Duration::ZERO, Duration::from_secs(60)] {
        assert_eq!(router.send(&timer, &sent, wait), 4);
        assert_eq!(types(&ticks.take_all(clock::now())), ["tick"; 3]);
        let expected = ["tick", "tick", "tock", "tick"];
        assert_eq!(types(&all.take_all(clock::now())), expected);
    }
    assert_eq!(queued(&scribe), 2);
    // There is room for one more. What finds none, and all behind it, goes to nobody: not to roles here, either.
    let many: Vec<_> = std::iter::repeat_n(tock, 3 * LENGTH)
        .chain([tick])
        .collect();
    let taken = router.send(&timer, &many, Duration::from_millis(1));
    assert_eq!(taken, LENGTH - 2);
    assert_eq!(all.status().received, 8 + taken as u64);
    assert_eq!(ticks.status().received, 6);
}

#[test]
fn refused_orders_that_are_sent_at_once_count_each() {
    let inbox = inbox();
    let router = router(
        vec![(
            local("bell", known("ring"), &["scribe"]),
            Arc::clone(&inbox),
        )],
        vec![],
    );
    let rings = [
        message(Kind::Order, "timer1", "ring"),
        message(Kind::Order, "timer1", "ring"),
    ];
    assert_eq!(router.send(&role("timer1"), &rings, Duration::ZERO), 2);
    assert_eq!((router.orders_refused(), inbox.status().received), (2, 0));
}

#[test]
fn a_role_that_wants_few_of_many_that_came_together_does_not_hold_the_others() {
    let (few, all) = (inbox(), inbox());
    let router = router(
        vec![
            (local("bell", known("tock"), &[]), Arc::clone(&few)),
            (local("cuckoo", known("t*"), &[]), Arc::clone(&all)),
        ],
        vec![],
    );
    let mut writer = FrameWriter::default();
    for sequence in 1..=50 {
        let type_name = if sequence == 7 { "tock" } else { "tick" };
        let message = message(Kind::Event, "timer1", type_name);
        writer.message(sequence, AGES.message, &message);
    }
    let mut deliveries = Vec::new();
    let read = FrameDecoder::default().decode(&writer.take(), |frame| {
        if let Frame::Message {
            message, remaining, ..
        } = frame
        {
            deliveries.push(Delivery { message, remaining });
        }
        Ok::<(), FrameError>(())
    });
    read.unwrap();
    let now = clock::now();
    router.deliver(&node("scribe"), deliveries.clone(), now);
    for (inbox, count) in [(few, 1), (all, 50)] {
        let got = inbox.take_all(now);
        assert_eq!(got.len(), count);
        let messages = got.iter().map(|incoming| &incoming.message);
        assert!(Message::are_most_of_what_they_hold(messages));
    }
    let tock = deliveries
        .iter()
        .filter(|one| one.message.type_name() == "tock");
    assert!(!Message::are_most_of_what_they_hold(
        tock.map(|one| &one.message)
    ));
}

#[test]
fn what_a_hello_says_counts_from_then_on() {
    let scribe = peer("scribe", ConnectPolicy::Constant);
    let router = router(
        vec![],
        vec![(Arc::clone(&scribe), vec![Interests::Unknown])],
    );
    let tick = message(Kind::Event, "timer1", "tick");
    send(&router, &tick, Duration::ZERO);
    assert_eq!(queued(&scribe), 1);
    router.learn(&node("scribe"), hello("tock"));
    router.learn(&node("stranger"), hello("tick"));
    send(&router, &tick, Duration::ZERO);
    assert_eq!(queued(&scribe), 1);
    router.learn(&node("scribe"), hello("tick"));
    send(&router, &tick, Duration::ZERO);
    assert_eq!(queued(&scribe), 2);
}

#[test]
fn where_messages_go_is_found_for_each_kind_of_them_and_each_router() {
    let ring = peer("ring", ConnectPolicy::Constant);
    let other = peer("other", ConnectPolicy::Constant);
    let heard = inbox();
    let bell = vec![(local("bell", known("d*"), &[]), Arc::clone(&heard))];
    let first = router(bell, vec![(Arc::clone(&ring), vec![known("a*")])]);
    let second = router(vec![], vec![(Arc::clone(&other), vec![known("b*")])]);
    // More kinds than are remembered, for each router, one after the other, and each again.
    let kinds = ["a1", "b1", "c1", "d1", "a2", "b2", "c2", "d2"];
    for type_name in kinds.repeat(3) {
        let of_timer = message(Kind::Event, "timer1", type_name);
        let of_bell = message(Kind::Log, "bell", "");
        let refused = message(Kind::Order, "timer1", type_name);
        for message in [of_timer, of_bell, refused] {
            for router in [&first, &second] {
                assert!(send(router, &message, Duration::ZERO));
            }
        }
    }
    let queued = |link: &PeerLink| link.look(|peer| peer.status(clock::now()).outbox.dropped());
    // Events and orders of two kinds each, three times; `LENGTH` of them are left.
    let dropped = 12 - LENGTH as u64;
    assert_eq!((queued(&ring), queued(&other)), (dropped, dropped));
    let heard = heard.take_all(clock::now());
    assert_eq!(types(&heard), ["d1", "d2"].repeat(3));
    assert_eq!((first.orders_refused(), second.orders_refused()), (6, 0));
}

#[test]
fn only_what_goes_nowhere_but_to_one_outlet_is_taken_as_it_is() {
    let name = role("timer1");
    let draft = |type_name| Draft {
        kind: Kind::Event,
        role: &name,
        type_name,
        channel: None,
        timestamp: 0.0,
        data: &[0xc0],
    };
    let link = peer("scribe", ConnectPolicy::Constant);
    let other = peer("attic", ConnectPolicy::Constant);
    let heard = inbox();
    let router = router(
        vec![(local("bell", known("b*"), &[]), Arc::clone(&heard))],
        vec![
            (Arc::clone(&link), vec![Interests::Unknown]),
            (other, vec![known("c*")]),
        ],
    );
    let taken_by_scribe = |type_name| {
        router.with_lone_outlet(&draft(type_name), |outlet, likeness| {
            assert!(draft(type_name).is_like(likeness));
            outlet.leads_to(&node("scribe"))
        })
    };
    let send = |type_name| {
        let made = draft(type_name).message().unwrap();
        assert!(send(&router, &made, Duration::ZERO));
    };
    for type_name in ["away", "bell", "car"] {
        assert_eq!(taken_by_scribe(type_name), None, "its like is not known");
        send(type_name);
        assert!(
            !router.take(&draft(type_name), clock::now()),
            "nobody works"
        );
    }
    assert_eq!(taken_by_scribe("away"), Some(true));
    assert_eq!(taken_by_scribe("bell"), None, "a role here wants it");
    assert_eq!(taken_by_scribe("car"), None, "another node wants it");
    let tap = router.taps.open(vec![], || ()).unwrap();
    assert_eq!(taken_by_scribe("away"), None, "somebody watches");
    drop(tap);
    assert_eq!(taken_by_scribe("away"), Some(true));
    router.learn(&node("attic"), hello("a*"));
    assert_eq!(taken_by_scribe("away"), None, "what was known may be wrong");
    for type_name in ["away", "car"] {
        send(type_name);
    }
    assert_eq!(taken_by_scribe("away"), None, "another node wants it now");
    assert_eq!(taken_by_scribe("car"), Some(true));
}

#[test]
fn what_a_peer_sends_comes_in_its_order_and_with_its_age() {
    let inbox = inbox();
    let router = router(
        vec![(
            local("cuckoo", known("t*"), &["scribe"]),
            Arc::clone(&inbox),
        )],
        vec![],
    );
    let now = Moment::ZERO + Duration::from_secs(1000);
    let delivery = |kind, sender, type_name| Delivery {
        message: message(kind, sender, type_name),
        remaining: Duration::from_secs(7),
    };
    let first = [
        delivery(Kind::Event, "timer1", "t1"),
        delivery(Kind::Event, "timer2", "t2"),
        delivery(Kind::Event, "timer1", "unwanted"),
        delivery(Kind::Order, "timer1", "t3"),
    ];
    router.deliver(&node("scribe"), first.into(), now);
    router.deliver(
        &node("attic"),
        vec![delivery(Kind::Event, "timer1", "t4")],
        now,
    );
    router.deliver(
        &node("scribe"),
        vec![delivery(Kind::Event, "timer1", "t5")],
        now,
    );
    let got = inbox.take_all(now);
    assert_eq!(types(&got), ["t1", "t2", "t3", "t4", "t5"]);
    assert_eq!(got[0].age, Duration::from_secs(593));
    assert_eq!(got[2].age, Duration::from_secs(3));
    assert_eq!(got[2].expires, now + Duration::from_secs(7));
    assert_eq!(got[2].sender, node("scribe"));
    assert_eq!(got[3].sender, node("attic"));
}

#[test]
fn refused_orders_reach_nobody_and_are_counted_for_each_role() {
    let inboxes = [inbox(), inbox()];
    let router = router(
        vec![
            (local("cuckoo", known("ring"), &[]), Arc::clone(&inboxes[0])),
            (
                local("bell", known("ring"), &["scribe"]),
                Arc::clone(&inboxes[1]),
            ),
        ],
        vec![],
    );
    let ring = message(Kind::Order, "timer1", "ring");
    send(&router, &ring, Duration::ZERO);
    assert_eq!(router.orders_refused(), 2);
    let delivery = Delivery {
        message: ring,
        remaining: Duration::from_secs(1),
    };
    router.deliver(&node("scribe"), vec![delivery], clock::now());
    assert_eq!(router.orders_refused(), 3);
    assert_eq!(inboxes[0].status().received, 0);
    assert_eq!(inboxes[1].status().received, 1);
}

#[test]
fn a_paced_message_for_which_one_peer_has_no_room_in_time_goes_to_nobody() {
    let (scribe, attic) = (
        peer("scribe", ConnectPolicy::Constant),
        peer("attic", ConnectPolicy::Constant),
    );
    let inbox = inbox();
    let router = router(
        vec![(local("cuckoo", known("tick"), &[]), Arc::clone(&inbox))],
        vec![
            (Arc::clone(&scribe), vec![known("tick")]),
            (Arc::clone(&attic), vec![Interests::Unknown]),
        ],
    );
    for _ in 0..LENGTH {
        send(
            &router,
            &message(Kind::Event, "timer1", "other"),
            Duration::ZERO,
        );
    }
    let tick = message(Kind::Event, "timer1", "tick");
    assert!(!send(&router, &tick, Duration::from_millis(1)));
    assert_eq!((queued(&scribe), queued(&attic)), (0, LENGTH));
    assert_eq!(inbox.status().received, 0);
}

#[test]
fn a_paced_message_goes_as_soon_as_there_is_room() {
    let scribe = peer("scribe", ConnectPolicy::Constant);
    let router = router(
        vec![],
        vec![(Arc::clone(&scribe), vec![Interests::Unknown])],
    );
    let tick = message(Kind::Event, "timer1", "tick");
    for _ in 0..LENGTH {
        send(&router, &tick, Duration::ZERO);
    }
    thread::scope(|scope| {
        let paced = scope.spawn(|| send(&router, &tick, Duration::from_secs(60)));
        // What has become too old leaves the queue.
        let later = clock::now() + AGES.message;
        scribe.change(later, |peer| {
            peer.tick(later);
            assert!(peer.is_idle());
        });
        while !paced.is_finished() {
            // Meanwhile the peer may say what it wants.
            router.learn(&node("scribe"), hello("tick"));
            Arrivals::room(&router);
            thread::yield_now();
        }
        assert!(paced.join().unwrap());
    });
}

/// A bus whose thread has not begun, and so takes nothing.
fn silent_bus() -> Arc<BusOutlet> {
    let limits = QueueLimits {
        length: LENGTH,
        size: 1 << 20,
    };
    bus::outlet_of_nobody("fleet", limits)
}

#[test]
fn a_message_goes_to_a_bus_once_however_many_want_it_there() {
    let (scribe, bus) = (peer("scribe", ConnectPolicy::Constant), silent_bus());
    let (tick, tock) = (known("tick"), known("t*"));
    let router = router_to(
        vec![],
        vec![
            Destination::Link(
                Arc::clone(&scribe),
                vec![("role0".to_owned(), known("tick"))],
            ),
            Destination::Bus(
                Arc::clone(&bus),
                Arc::new(Crowd::new([&tick, &tock, &tick])),
            ),
        ],
    );
    let waiting = || (queued(&scribe), bus.amount().0);
    let mut tap = router.taps.open(vec![], || ()).unwrap();
    send(
        &router,
        &message(Kind::Event, "timer1", "tick"),
        Duration::ZERO,
    );
    assert_eq!(waiting(), (1, 1));
    send(
        &router,
        &message(Kind::Event, "timer1", "tock"),
        Duration::from_secs(1),
    );
    assert_eq!(waiting(), (1, 2));
    send(
        &router,
        &message(Kind::Event, "timer1", "ring"),
        Duration::ZERO,
    );
    assert_eq!(waiting(), (1, 2));
    let seen = watched(&mut tap);
    let fleet = || vec!["fleet".to_owned()];
    assert_eq!(seen, [(1, fleet()), (0, fleet()), (0, vec![])]);
}

#[test]
fn what_a_bus_brought_is_seen_to_have_come_over_it() {
    let (bus, inbox) = (silent_bus(), inbox());
    let roles = vec![(local("cuckoo", known("tick"), &[]), Arc::clone(&inbox))];
    let router = router_to(roles, vec![]);
    let mut tap = router.taps.open(vec![], || ()).unwrap();
    let delivery = kozo_bus::Delivery {
        from: node("scribe"),
        message: message(Kind::Event, "timer1", "tick"),
        age: Duration::from_secs(2),
        remaining: Duration::from_secs(7),
    };
    let before = clock::now();
    router.brought(vec![delivery], &bus);
    let got = inbox.take_all(before);
    assert_eq!(
        (&got[0].sender, got[0].age),
        (&node("scribe"), Duration::from_secs(2))
    );
    assert_eq!(got[0].expires, got[0].arrived + Duration::from_secs(7));
    assert_eq!(watched(&mut tap), [(0, vec!["fleet".to_owned()])]);
}

/// To how many nodes, and over which buses, what passed went.
fn watched(tap: &mut kozo_tap::Tap) -> Vec<(usize, Vec<String>)> {
    let passed = tap.take(100).messages.into_iter();
    let ways = passed.map(|passing| {
        let buses = passing.buses.iter().map(|name| name.to_string());
        (passing.nodes, buses.collect())
    });
    ways.collect()
}

#[test]
fn a_paced_message_for_which_a_bus_has_no_room_in_time_goes_to_nobody() {
    let (scribe, bus) = (peer("scribe", ConnectPolicy::Constant), silent_bus());
    let router = router_to(
        vec![],
        vec![
            Destination::Link(
                Arc::clone(&scribe),
                vec![("role0".to_owned(), known("tick"))],
            ),
            Destination::Bus(
                Arc::clone(&bus),
                Arc::new(Crowd::new([&Interests::Unknown])),
            ),
        ],
    );
    let tick = message(Kind::Event, "timer1", "tick");
    let behind = |messages| kozo_status::Amount {
        messages,
        bytes: messages * tick.cost(),
    };
    assert!(!bus.note_behind(behind(LENGTH)));
    assert!(!send(&router, &tick, Duration::from_millis(1)));
    assert_eq!((queued(&scribe), bus.amount().0), (0, 0));
    assert!(bus.note_behind(behind(0)));
    for _ in 0..LENGTH {
        assert!(send(&router, &tick, Duration::from_millis(1)));
    }
    assert!(!send(&router, &tick, Duration::from_millis(1)));
    assert_eq!(
        (queued(&scribe), bus.amount()),
        (LENGTH, (LENGTH, LENGTH * tick.cost(), 0))
    );
    // Who does not wait pushes the oldest out, and that is counted.
    assert!(send(&router, &tick, Duration::ZERO));
    assert_eq!(bus.amount(), (LENGTH, LENGTH * tick.cost(), 1));
}

#[test]
fn what_is_sent_by_hand_over_a_bus_is_watched_until_the_engine_has_it() {
    let bus = silent_bus();
    let everything = Arc::new(Crowd::new([&Interests::Unknown]));
    let router = router_to(vec![], vec![Destination::Bus(Arc::clone(&bus), everything)]);
    let tick = message(Kind::Event, "timer1", "tick");
    send(&router, &tick, Duration::ZERO);
    let first = router.send_watched(&tick).buses.remove(0);
    assert_eq!((first.bus(), first.fate()), ("fleet", BusFate::Waiting));
    let second = router.send_watched(&tick).buses.remove(0);
    bus.note_settled(2, 0, 0);
    assert_eq!(
        (first.fate(), second.fate()),
        (BusFate::Confirmed, BusFate::Waiting)
    );
    bus.note_settled(3, 0, 1);
    assert_eq!(second.fate(), BusFate::Refused);
    bus.note_settled(3, 1, 1);
    assert_eq!(second.fate(), BusFate::Unknown);
    drop((first, second));
    assert!(!bus.is_watched());
}
