//! What a peer carries for buses, and for whom, with its other end written by hand.

use std::time::Duration;

use kozo_wire::{
    BUS, Frame, FrameDecoder, FrameError, FrameWriter, Hello, LinkId, PROTOCOL, SessionId,
};

use super::*;
use crate::LinkPath;
use crate::carriage::CarriedDatagram;
use crate::peer::small::small_peer;

const NOW: Moment = Moment::ZERO;

/// The node `hub`, through which `house` reaches the bus `fleet`.
fn hub() -> Peer {
    let mut hub = small_peer("hub", "house", 1, Duration::from_secs(10), NOW);
    hub.settings.buses = vec!["fleet".to_owned()];
    hub
}

/// A link over which the hello of `house` has come, with these features.
fn linked(hub: &mut Peer, id: u64, features: &[&str]) -> LinkKey {
    let path = LinkPath {
        transport: "tcp".into(),
        address: format!("house:{id}"),
    };
    let key = hub.accepted(path, NOW).unwrap();
    let hello = Hello {
        protocol: PROTOCOL,
        node: "house".into(),
        agent: "by hand".into(),
        features: features.iter().map(|text| (*text).to_owned()).collect(),
        session: SessionId(2),
        link: Some(LinkId(id)),
        rank: 8,
        alive: vec![LinkId(1), LinkId(2)],
        heartbeat: 10_000,
        base: 1,
        seen: None,
        config: vec![].into(),
        interests: vec![],
    };
    hub.received(key, Frame::Hello(Box::new(hello)), NOW)
        .unwrap();
    key
}

/// The frames for buses that it writes.
fn written(hub: &mut Peer, key: LinkKey) -> Vec<BusFrame> {
    let mut writer = FrameWriter::default();
    hub.output(key, &mut writer, NOW);
    let mut frames = Vec::new();
    let mut decoder = FrameDecoder::default();
    let read = decoder.decode(&writer.take(), |frame| {
        if let Frame::Bus(frame) = frame {
            frames.push(frame);
        }
        Ok::<(), FrameError>(())
    });
    read.unwrap();
    frames
}

fn subscription(bus: &str) -> Frame {
    Frame::Bus(BusFrame::Subscription {
        bus: bus.to_owned(),
        pattern: "kozo.fleet.m.>".to_owned(),
        on: true,
    })
}

#[test]
fn the_link_that_carries_messages_carries_for_buses_and_what_waits_is_lost_with_it() {
    let mut hub = hub();
    assert_eq!(hub.bus_way(), BusWay::None);
    let first = linked(&mut hub, 1, &[BUS]);
    assert_eq!(hub.bus_way(), BusWay::Over(first));
    assert!(hub.take_bus_news() && !hub.take_bus_news());
    hub.received(first, subscription("fleet"), NOW).unwrap();
    assert!(hub.take_bus_news());
    assert_eq!(hub.take_carried(first, "fleet", 9).len(), 1);
    hub.hand_over(first, "fleet", Carried::Confirmed(1))
        .unwrap();
    assert_eq!(written(&mut hub, first).len(), 2);
    let second = linked(&mut hub, 2, &[BUS]);
    assert_eq!(hub.bus_way(), BusWay::Over(second));
    assert!(hub.take_bus_news());
    for key in [second, first] {
        hub.closed(key, crate::LinkEnding::Fault, "gone", NOW);
    }
    assert!(hub.take_bus_news());
    let lost = hub.hand_over(second, "fleet", Carried::Confirmed(1));
    assert_eq!(lost, Err(NotCarried::NoLink));
    assert_eq!(hub.bus_way(), BusWay::None);
}

#[test]
fn a_version_that_knows_nothing_of_it_is_sent_nothing() {
    let mut hub = hub();
    let key = linked(&mut hub, 1, &["questions"]);
    assert_eq!(hub.bus_way(), BusWay::Unable);
    let datagram = Carried::Datagram(CarriedDatagram {
        number: 1,
        subject: "kozo.fleet.ask.a".to_owned(),
        reply: None,
        data: vec![1; 10].into(),
    });
    assert_eq!(
        hub.hand_over(key, "fleet", datagram),
        Err(NotCarried::NoLink)
    );
    assert_eq!(written(&mut hub, key), []);
}

#[test]
fn who_is_not_behind_it_by_the_file_is_told_once_and_refused_each_time() {
    let mut hub = hub();
    let key = linked(&mut hub, 1, &[BUS]);
    written(&mut hub, key);
    hub.take_bus_news();
    for _ in 0..3 {
        hub.received(key, subscription("other"), NOW).unwrap();
    }
    assert_eq!(hub.bus_frames_refused(), 3);
    assert!(!hub.take_bus_news());
    assert_eq!(hub.take_carried(key, "other", 9), []);
    let states: Vec<_> = written(&mut hub, key)
        .into_iter()
        .filter(|frame| matches!(frame, BusFrame::State { .. }))
        .collect();
    let [BusFrame::State { bus, up, text, .. }] = &states[..] else {
        panic!("{states:?}");
    };
    assert_eq!((bus.as_str(), *up), ("other", false));
    assert!(text.contains("house reaches the bus through it"), "{text}");
    let is_notice =
        |action: &Action| *action == Action::Notice(Notice::BusRefused("other".to_owned()));
    let actions: Vec<_> = std::iter::from_fn(|| hub.next_action()).collect();
    assert_eq!(actions.iter().filter(|action| is_notice(action)).count(), 1);
    // A state is answered by nobody, so two such nodes do not talk for ever.
    let state = Frame::Bus(states[0].clone());
    hub.received(key, state, NOW).unwrap();
    assert!(
        !written(&mut hub, key)
            .iter()
            .any(|frame| matches!(frame, BusFrame::State { .. }))
    );
}
