use kozo_wire::{Frame, FrameDecoder, FrameError};

use super::*;

const NOW: Moment = Moment::ZERO;
const BUS: &str = "fleet";

fn datagram(number: u64, length: usize) -> Carried {
    Carried::Datagram(CarriedDatagram {
        number,
        subject: "kozo.fleet.ask.a".to_owned(),
        reply: None,
        data: (0..length).map(|place| place as u8).collect(),
    })
}

/// What `from` writes at once, in frames.
fn written(from: &mut Carriage) -> Vec<BusFrame> {
    let mut writer = FrameWriter::default();
    from.output(&mut writer, NOW);
    let mut frames = Vec::new();
    FrameDecoder::default()
        .decode(&writer.take(), |frame| {
            let Frame::Bus(frame) = frame else {
                panic!("{frame:?}");
            };
            frames.push(frame);
            Ok::<(), FrameError>(())
        })
        .unwrap();
    frames
}

/// Takes what both have to write to the other, until neither has any.
fn settle(one: &mut Carriage, other: &mut Carriage) {
    while one.has_output() || other.has_output() {
        for frame in written(one) {
            let came = other.frame(frame, |bus| bus == BUS, NOW);
            assert!(matches!(came, Came::Nothing | Came::News), "{came:?}");
        }
        for frame in written(other) {
            let came = one.frame(frame, |bus| bus == BUS, NOW);
            assert!(matches!(came, Came::Nothing | Came::News), "{came:?}");
        }
    }
}

#[test]
fn everything_arrives_in_order_and_datagrams_in_parts() {
    let (mut here, mut there) = (Carriage::default(), Carriage::default());
    let all = vec![
        Carried::Subscription {
            pattern: "kozo.fleet.m.>".to_owned(),
            on: true,
        },
        datagram(1, 0),
        datagram(2, MAX_BUS_DATAGRAM_LEN),
        Carried::State(CarriedState {
            engine: Some(CarriedLimits {
                max_datagram: 1000,
                no_responders: true,
            }),
            text: "a server".to_owned(),
        }),
        datagram(3, MAX_BUS_PART_LEN + 1),
        Carried::Confirmed(7),
        Carried::Nobody("kozo.fleet.ask.b".to_owned()),
    ];
    for carried in &all {
        here.hand_over(BUS, carried.clone()).unwrap();
    }
    settle(&mut here, &mut there);
    assert_eq!(there.take(BUS, 3), all[..3]);
    assert_eq!(there.take(BUS, usize::MAX), all[3..]);
    assert_eq!(there.arrived_cost, 0);
    assert_eq!(there.take("other", 9), []);
}

#[test]
fn little_is_written_at_a_time_and_no_more_than_the_path_takes_is_under_way() {
    let mut here = Carriage::default();
    for number in 0..8 {
        here.hand_over(BUS, datagram(number, MAX_BUS_DATAGRAM_LEN))
            .unwrap();
    }
    let mut under_way = 0;
    while here.has_output() {
        let frames = written(&mut here);
        let cost: usize = frames.iter().map(BusFrame::cost).sum();
        assert!(cost <= CHUNK + MAX_BUS_PART_LEN + 2 * BUS_FRAME_COST);
        under_way += cost;
    }
    // What a path is trusted with of which nothing is known.
    assert!(under_way < 64 * 1024, "{under_way}");
}

#[test]
fn who_takes_nothing_is_sent_no_more_and_goes_on_once_it_does() {
    let (mut here, mut there) = (Carriage::default(), Carriage::default());
    let (mut next, mut expected) = (0, 0);
    for _ in 0..50 {
        while here.hand_over(BUS, datagram(next, 40_000)).is_ok() {
            next += 1;
        }
        assert!(here.waiting_bytes <= MAX_WAITING_DATAGRAM_BYTES);
        settle(&mut here, &mut there);
        assert!(there.arrived_cost <= MAX_ARRIVED);
        for carried in there.take(BUS, 20) {
            let Carried::Datagram(datagram) = carried else {
                panic!("{carried:?}");
            };
            assert_eq!(datagram.number, expected);
            expected += 1;
        }
    }
    assert!(expected > 500, "{expected}");
}

#[test]
fn who_was_refused_hears_when_there_is_room() {
    let (mut here, mut there) = (Carriage::default(), Carriage::default());
    while here.hand_over(BUS, datagram(1, 100_000)).is_ok() {}
    let mut has_room = false;
    for _ in 0..10_000 {
        let mut writer = FrameWriter::default();
        has_room |= here.output(&mut writer, NOW);
        let mut decoder = FrameDecoder::default();
        let read = decoder.decode(&writer.take(), |frame| {
            if let Frame::Bus(frame) = frame {
                there.frame(frame, |_| true, NOW);
            }
            Ok::<(), FrameError>(())
        });
        read.unwrap();
        there.take(BUS, usize::MAX);
        for frame in written(&mut there) {
            here.frame(frame, |_| true, NOW);
        }
    }
    assert!(has_room);
    assert!(here.waiting.is_empty());
}

#[test]
fn what_is_not_wanted_or_too_much_is_dropped_and_what_makes_no_sense_breaks_the_protocol() {
    let mut here = Carriage::default();
    let begin = |length: usize, part: usize| BusFrame::Datagram {
        bus: BUS.to_owned(),
        number: 1,
        subject: String::new(),
        reply: None,
        length,
        part: vec![0; part].into(),
    };
    let part = |length: usize| BusFrame::Part {
        part: vec![0; length].into(),
    };
    let foreign = |bus: &str| bus != BUS;
    assert_eq!(here.frame(begin(10, 5), foreign, NOW), Came::Dropped);
    assert_eq!(here.frame(part(5), foreign, NOW), Came::Nothing);
    assert!(here.arrived.is_empty());
    assert!(matches!(
        here.frame(part(1), |_| true, NOW),
        Came::Violation(_)
    ));
    assert_eq!(here.frame(begin(10, 5), |_| true, NOW), Came::Nothing);
    assert!(matches!(
        here.frame(part(6), |_| true, NOW),
        Came::Violation(_)
    ));
    assert!(matches!(
        here.frame(begin(1, 1), |_| true, NOW),
        Came::Violation(_)
    ));
    // Whoever does not keep to what may be under way fills no memory.
    let mut here = Carriage::default();
    let mut dropped = 0;
    for _ in 0..100_000 {
        dropped += usize::from(here.frame(begin(1000, 1000), |_| true, NOW) == Came::Dropped);
    }
    assert!(dropped > 0);
    assert!(here.arrived_cost <= MAX_ARRIVED);
    // It acknowledges none of that which it has no room for.
    assert_eq!(written(&mut here), []);
    // A receipt for more than was sent is for what was.
    here.frame(BusFrame::Taken { total: u64::MAX }, |_| true, NOW);
    assert_eq!(here.in_flight_cost, 0);
}
