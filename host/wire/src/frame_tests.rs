use super::*;
use crate::{LinkId, MAX_INTERESTS, PROTOCOL, RoleInterests, SessionId};
use kozo_ground::interest::{Interest, Kind, Pattern};
use kozo_ground::names::RoleName;

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        node: "clock".into(),
        agent: "kozo 0.1.0".into(),
        features: vec![],
        session: SessionId(7),
        link: Some(LinkId(8)),
        rank: 8,
        alive: vec![LinkId(3)],
        heartbeat: 10_000,
        base: 1,
        seen: Some((SessionId(9), 4)),
        config: vec![1, 2].into(),
        interests: vec![RoleInterests {
            role: "cuckoo".into(),
            interests: vec![Interest {
                kind: Some(Kind::Event),
                type_name: Some(vec![Pattern::new("tick")]),
                ..Interest::default()
            }],
        }],
    }
}

fn message() -> Message {
    let role = RoleName::new("timer1").unwrap();
    Message::new(Kind::Event, &role, "tick", None, 2.0, b"\xa5Ping!").unwrap()
}

fn twins() -> TwinsFrame {
    TwinsFrame {
        stays: true,
        places: ["192.0.2.1:5".into(), "circuit 7".into()],
    }
}

fn question() -> QuestionFrame {
    QuestionFrame {
        number: 3,
        question: Bytes::from_static(b"status?"),
    }
}

fn answer() -> AnswerFrame {
    AnswerFrame {
        number: 300,
        more: true,
        part: Bytes::from_static(&[0xc0; 40]),
    }
}

fn decode_in_chunks(bytes: &[u8], chunk: usize) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = FrameDecoder::default();
    let mut frames = Vec::new();
    for chunk in bytes.chunks(chunk) {
        decoder.decode(chunk, |frame| {
            frames.push(frame);
            Ok::<(), FrameError>(())
        })?;
    }
    assert_eq!(decoder.pending(), None);
    Ok(frames)
}

#[test]
fn frames_are_read_back_however_they_are_cut() {
    let mut writer = FrameWriter::default();
    writer.hello(&hello());
    writer.heartbeat(123_456_789, 5);
    writer.echo(42);
    writer.message(6, Duration::from_millis(1500), &message());
    writer.acknowledgement(300);
    writer.bye("the node stops");
    writer.twins(&twins());
    writer.question(&question());
    writer.answer(&answer());
    let bytes = writer.take();
    let expected = vec![
        Frame::Hello(Box::new(hello())),
        Frame::Heartbeat {
            clock: 123_456_789,
            floor: 5,
        },
        Frame::Echo { clock: 42 },
        Frame::Message {
            sequence: 6,
            remaining: Duration::from_millis(1500),
            message: message(),
        },
        Frame::Acknowledgement { sequence: 300 },
        Frame::Bye {
            reason: "the node stops".into(),
        },
        Frame::Twins(twins()),
        Frame::Question(question()),
        Frame::Answer(answer()),
    ];
    for chunk in [1, 2, 3, 7, 64, bytes.len()] {
        assert_eq!(decode_in_chunks(&bytes, chunk).unwrap(), expected);
    }
}

#[test]
fn a_peer_decides_how_long_an_address_is_only_up_to_a_limit() {
    let mut writer = FrameWriter::default();
    writer.hello(&hello());
    let long = [0xda, 0xff, 0xff].into_iter().chain([b'x'; 0xffff]);
    let body: Vec<u8> = [0x94, 7, 0xc2]
        .into_iter()
        .chain(long)
        .chain([0xa0])
        .collect();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let bytes = [&writer.take()[..], &length, &body].concat();
    let frames = decode_in_chunks(&bytes, bytes.len()).unwrap();
    let Frame::Twins(TwinsFrame { places, .. }) = &frames[1] else {
        panic!("{frames:?}");
    };
    assert_eq!(places.each_ref().map(String::len), [MAX_PLACE_LEN, 0]);
}

/// The bytes are the protocol: a change here breaks every peer.
#[test]
fn the_encoding_is_pinned() {
    let mut writer = FrameWriter::default();
    writer.heartbeat(1000, 5);
    writer.message(6, Duration::from_millis(300), &message());
    writer.acknowledgement(6);
    let expected = [
        &b"\x00\x00\x00\x06\x93\x02\xcd\x03\xe8\x05"[..],
        b"\x00\x00\x00\x23\x99\x04\x06\xcd\x01\x2c",
        b"\x00\xa6timer1\xa4tick\xc0\xcb\x40\x00\x00\x00\x00\x00\x00\x00\xa5Ping!",
        b"\x00\x00\x00\x03\x92\x05\x06",
    ]
    .concat();
    assert_eq!(writer.take(), expected);
}

#[test]
fn an_overlong_frame_is_refused_before_it_is_read() {
    let announce = |length: usize| {
        let bytes = u32::try_from(length).unwrap().to_be_bytes();
        FrameDecoder::default().decode(&bytes, |_| Ok::<(), FrameError>(()))
    };
    assert_eq!(announce(MAX_HELLO_LEN), Ok(()));
    let error = announce(MAX_HELLO_LEN + 1).unwrap_err();
    assert_eq!(
        error,
        FrameError::TooLong {
            length: MAX_HELLO_LEN + 1,
            limit: MAX_HELLO_LEN
        }
    );
}

#[test]
fn what_later_versions_add_is_skipped() {
    let unknown = b"\x00\x00\x00\x04\x93\x63\x01\x02";
    assert_eq!(
        decode_in_chunks(unknown, 8).unwrap(),
        [Frame::Unknown { number: 99 }]
    );
    let far = b"\x00\x00\x00\x04\x91\xcd\x01\x00";
    assert_eq!(
        decode_in_chunks(far, 8).unwrap(),
        [Frame::Unknown { number: 256 }]
    );
    let longer_echo = b"\x00\x00\x00\x04\x93\x03\x01\x02";
    assert_eq!(
        decode_in_chunks(longer_echo, 8).unwrap(),
        [Frame::Echo { clock: 1 }]
    );
}

/// A message's frame with so many elements, of a kind, and with these bytes behind its data.
fn message_frame(elements: u8, kind: &[u8], behind: &[u8]) -> Vec<u8> {
    let head = [0x90 | elements, 4, 6, 100];
    let tail = b"\xa6timer1\xa4tick\xc0\xcb\x40\x00\x00\x00\x00\x00\x00\x00\xa5Ping!";
    let body = [&head[..], kind, tail, behind].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[..], &body].concat()
}

#[test]
fn what_stands_behind_a_message_is_skipped_and_no_part_of_it() {
    let longer = message_frame(11, &[0], b"\x05\x81\xa1a\xc0");
    let plain = Frame::Message {
        sequence: 6,
        remaining: Duration::from_millis(100),
        message: message(),
    };
    assert_eq!(decode_in_chunks(&longer, 7).unwrap(), [plain]);
    // But the array has to have the elements.
    for frame in [message_frame(9, &[0], b"\x05"), message_frame(8, &[0], b"")] {
        assert!(decode_in_chunks(&frame, 7).is_err(), "{frame:x?}");
    }
}

#[test]
fn a_message_of_a_later_kind_is_passed_over_if_it_is_whole() {
    for kind in [&[3][..], &[0xcd, 0x01, 0x00]] {
        for (elements, behind) in [(9, &b""[..]), (10, b"\xc0")] {
            let frame = message_frame(elements, kind, behind);
            let length = 28 + kind.len() + behind.len();
            let sequence = 6;
            assert_eq!(
                decode_in_chunks(&frame, 7).unwrap(),
                [Frame::UnknownMessage { sequence, length }]
            );
        }
        let cut = message_frame(10, kind, b"");
        let error = decode_in_chunks(&cut, 7).unwrap_err();
        assert!(error.to_string().contains("unknown kind"), "{error}");
    }
}

#[test]
fn an_interest_of_a_later_kind_harms_no_other_one() {
    let mut hello = hello();
    let known = hello.interests[0].interests[0].clone();
    hello.interests[0].interests.push(Interest::default());
    let mut writer = FrameWriter::default();
    writer.hello(&hello);
    let text = b"\xa4kind\xa5event";
    let later = b"\xa4kind\xa5rumor";
    let bytes = writer.take().to_vec();
    let at = bytes.windows(text.len()).position(|it| it == text).unwrap();
    let mut changed = bytes;
    changed[at..at + later.len()].copy_from_slice(later);
    let [Frame::Hello(read)] = &decode_in_chunks(&changed, 64).unwrap()[..] else {
        panic!("it is no hello");
    };
    assert_eq!(read.interests[0].interests, [Interest::default()]);
    assert_ne!(known, Interest::default());
}

#[test]
fn malformed_frames_are_refused() {
    for (bytes, error) in [
        (&b"\x00\x00\x00\x00"[..], FrameError::NotAFrame),
        (b"\x00\x00\x00\x01\x90", FrameError::NotAFrame),
        (b"\x00\x00\x00\x02\x91\xc0", FrameError::NotAFrame),
        (
            b"\x00\x00\x00\x02\x91\x02",
            FrameError::Malformed("a heartbeat"),
        ),
        (
            b"\x00\x00\x00\x03\x92\x05\xff",
            FrameError::Malformed("an acknowledgement"),
        ),
    ] {
        assert_eq!(decode_in_chunks(bytes, 16), Err(error));
    }
    let error = decode_in_chunks(b"\x00\x00\x00\x03\x92\x01\x80", 16).unwrap_err();
    assert!(matches!(error, FrameError::Hello(_)), "{error}");
}

#[test]
fn a_hello_that_nests_deeply_is_refused() {
    let mut map = hello().encode();
    assert_eq!(map[0] & 0xf0, 0x80, "fewer than 15 keys");
    map[0] += 1;
    map.extend_from_slice(b"\xa5later");
    map.resize(map.len() + 3000, 0x91);
    map.push(0xc0);
    let refused = Hello::parse(&map).unwrap_err();
    assert!(refused.contains("nests deeper"), "{refused}");
}

#[test]
fn a_hello_with_too_many_interests_is_refused() {
    let mut hello = hello();
    hello.interests[0].interests = vec![Interest::default(); MAX_INTERESTS + 1];
    let mut writer = FrameWriter::default();
    writer.hello(&hello);
    let error = decode_in_chunks(&writer.take(), 1 << 20).unwrap_err();
    assert!(error.to_string().contains("4097 interests"), "{error}");
}

/// Inputs that once were of interest: each names what is special about it.
#[test]
fn known_bad_inputs_are_refused() {
    for (bytes, what) in [
        (&b"\xff\xff\xff\xff"[..], "the longest length"),
        (b"\x00\x00\x00\x00", "no body"),
        (b"\x00\x00\x00\x01\x90", "no number"),
        (b"\x00\x00\x00\x02\x91\xff", "a negative number"),
        (
            b"\x00\x00\x00\x05\xdd\xff\xff\xff\xff",
            "4 billion elements",
        ),
        (
            b"\x00\x00\x00\x07\x92\x01\xdf\xff\xff\xff\xff",
            "a map of 4 billion",
        ),
        (
            b"\x00\x00\x00\x07\x92\x06\xdb\xff\xff\xff\xff",
            "a bye of 4 GiB",
        ),
        (
            b"\x00\x00\x00\x04\x92\x06\xa1\xff",
            "a bye that is no UTF-8",
        ),
    ] {
        assert!(decode_in_chunks(bytes, bytes.len()).is_err(), "{what}");
    }
}

#[test]
fn questions_and_answers_have_limits() {
    let decoded = |write: &dyn Fn(&mut FrameWriter)| {
        let mut writer = FrameWriter::default();
        writer.hello(&hello());
        write(&mut writer);
        decode_in_chunks(&writer.take(), usize::MAX)
    };
    let question = |length: usize| QuestionFrame {
        number: 0,
        question: vec![1; length].into(),
    };
    let answer = |length: usize| AnswerFrame {
        number: 0,
        more: false,
        part: vec![1; length].into(),
    };
    assert!(decoded(&|writer| writer.question(&question(MAX_QUESTION_LEN))).is_ok());
    assert!(decoded(&|writer| writer.answer(&answer(MAX_ANSWER_PART_LEN))).is_ok());
    assert_eq!(
        decoded(&|writer| writer.question(&question(MAX_QUESTION_LEN + 1))),
        Err(FrameError::Malformed("a question"))
    );
    assert_eq!(
        decoded(&|writer| writer.answer(&answer(MAX_ANSWER_PART_LEN + 1))),
        Err(FrameError::Malformed("an answer"))
    );
    // A length that goes beyond the frame.
    let lying = b"\x00\x00\x00\x09\x93\x08\x01\xc6\xff\xff\xff\xff\x01";
    assert_eq!(
        decode_in_chunks(lying, lying.len()),
        Err(FrameError::Malformed("a question"))
    );
}

#[test]
fn messages_that_come_together_share_what_they_lie_in_and_are_each_as_if_alone() {
    let role = RoleName::new("timer1").unwrap();
    let new = |kind, type_name, channel, data: &[u8]| {
        Message::new(kind, &role, type_name, channel, 2.0, data).unwrap()
    };
    let messages = [
        new(Kind::Event, "tick", None, b"\x01"),
        new(Kind::Event, "tick", None, b"\xa5Ping!"),
        new(Kind::Event, "tick", Some("hall"), b"\x02"),
        new(Kind::Event, "tick2", None, b"\x03"),
        new(Kind::Order, "tick", None, b"\x04"),
        new(Kind::Order, "tick", None, b"\x05"),
    ];
    let mut writer = FrameWriter::default();
    writer.heartbeat(1, 1);
    writer.hello(&hello());
    for (message, sequence) in messages.iter().zip(1..) {
        writer.message(sequence, Duration::from_secs(1), message);
        writer.answer(&answer());
    }
    writer.message(
        9,
        Duration::from_secs(1),
        &new(Kind::Log, "", None, b"\x06"),
    );
    let bytes = writer.take();
    let cut = bytes.len() - 1;
    for chunk in [1, 5, cut, bytes.len()] {
        let frames = decode_in_chunks(&bytes, chunk).unwrap();
        let read: Vec<_> = frames
            .into_iter()
            .filter_map(|frame| match frame {
                Frame::Message { message, .. } => Some(message),
                _ => None,
            })
            .collect();
        assert_eq!(read[..6], messages);
        assert_eq!(read[6].data(), b"\x06");
        // The rest of what they lie in is no part of any.
        assert!(
            read.iter()
                .all(|message| Message::parse(message.body()).as_ref() == Ok(message))
        );
        if chunk == bytes.len() {
            assert!(!Message::are_most_of_what_they_hold(&read[..1]));
        }
    }
}

#[test]
fn what_messages_share_has_a_limit_and_a_long_one_shares_nothing() {
    let role = RoleName::new("timer1").unwrap();
    let long = [&[0xc6, 0x00, 0x01, 0x00, 0x00][..], &[7; 0x1_0000]].concat();
    let new = |data: &[u8]| Message::new(Kind::Event, &role, "tick", None, 2.0, data).unwrap();
    let mut writer = FrameWriter::default();
    for sequence in 1..=2000 {
        let message = if sequence == 1000 {
            new(&long)
        } else {
            new(b"\x01")
        };
        writer.message(sequence, Duration::from_secs(1), &message);
    }
    let bytes = writer.take();
    let frames = decode_in_chunks(&bytes, bytes.len()).unwrap();
    let read: Vec<_> = frames
        .into_iter()
        .map(|frame| match frame {
            Frame::Message { message, .. } => message,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(read.len(), 2000);
    for some in [&read[..999], &read[999..1000], &read[1000..]] {
        assert!(Message::are_most_of_what_they_hold(some));
    }
    // Of the short ones, there are several rows.
    assert!(!Message::are_most_of_what_they_hold(&read[..1]));
    assert!(Message::are_most_of_what_they_hold(&read[500..999]));
}
