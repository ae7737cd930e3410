use proptest::prelude::*;

use super::*;
use crate::interest::{Interest, Kind, Pattern};
use crate::names::RoleName;
use crate::wire::{LinkId, MAX_INTERESTS, PROTOCOL, RoleInterests, SessionId};

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
    ];
    for chunk in [1, 2, 3, 7, 64, bytes.len()] {
        assert_eq!(decode_in_chunks(&bytes, chunk).unwrap(), expected);
    }
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
    let longer_echo = b"\x00\x00\x00\x04\x93\x03\x01\x02";
    assert_eq!(
        decode_in_chunks(longer_echo, 8).unwrap(),
        [Frame::Echo { clock: 1 }]
    );
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
fn a_hello_with_too_many_interests_is_refused() {
    let mut hello = hello();
    hello.interests[0].interests = vec![Interest::default(); MAX_INTERESTS + 1];
    let mut writer = FrameWriter::default();
    writer.hello(&hello);
    let error = decode_in_chunks(&writer.take(), 1 << 20).unwrap_err();
    assert!(error.to_string().contains("4097 interests"), "{error}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, chunk in 1_usize..64) {
        let mut decoder = FrameDecoder::default();
        for chunk in bytes.chunks(chunk) {
            if decoder.decode(chunk, |_| Ok::<(), FrameError>(())).is_err() {
                break;
            }
        }
    }

    #[test]
    fn arbitrary_frame_bodies_never_panic(body: Vec<u8>, number in 0_u8..8) {
        let mut bytes = vec![0x99, number];
        bytes.extend(body);
        let _ = Frame::parse(&bytes);
    }
}
