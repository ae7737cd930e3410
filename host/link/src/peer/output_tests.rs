//! What is written over which link, by a peer whose other end is written by hand.

use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;
use kozo_wire::{
    Frame, FrameDecoder, FrameError, FrameWriter, Hello, LinkId, Message, PROTOCOL, SessionId,
};

use super::*;
use crate::LinkPath;
use crate::peer::small::small_peer;

const NOW: Moment = Moment::ZERO;

/// The node `scribe`, which `clock` dials.
fn scribe() -> Peer {
    small_peer("scribe", "clock", 1, Duration::from_secs(10), NOW)
}

/// A link over which the hello of `clock` has come.
fn linked(scribe: &mut Peer, id: u64) -> LinkKey {
    let path = LinkPath {
        transport: "tcp".into(),
        address: format!("clock:{id}"),
    };
    let key = scribe.accepted(path, NOW).unwrap();
    let hello = Hello {
        protocol: PROTOCOL,
        node: "clock".into(),
        agent: "by hand".into(),
        features: vec![],
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
    let hello = Frame::Hello(Box::new(hello));
    scribe.received(key, hello, NOW).unwrap();
    key
}

fn receives(scribe: &mut Peer, key: LinkKey, sequence: u64) {
    let role = RoleName::new("timer").unwrap();
    // MessagePack of the number 7.
    let message = Message::new(Kind::Event, &role, "tick", None, 0.0, &[7]).unwrap();
    let frame = Frame::Message {
        sequence,
        remaining: Duration::from_secs(60),
        message,
    };
    scribe.received(key, frame, NOW).unwrap();
}

/// What `scribe` acknowledges over a link at this moment.
fn acknowledged(scribe: &mut Peer, key: LinkKey, now: Moment) -> Option<u64> {
    let mut writer = FrameWriter::default();
    scribe.output(key, &mut writer, now);
    let mut acknowledged = None;
    let note = |frame| {
        if let Frame::Acknowledgement { sequence } = frame {
            acknowledged = Some(sequence);
        }
        Ok::<(), FrameError>(())
    };
    FrameDecoder::default()
        .decode(&writer.take(), note)
        .unwrap();
    acknowledged
}

#[test]
fn what_was_acknowledged_over_a_link_that_ends_is_acknowledged_over_the_one_that_stays() {
    let mut scribe = scribe();
    let stays = linked(&mut scribe, 1);
    let ends = linked(&mut scribe, 2);
    let later = NOW + Duration::from_secs(1);
    // `clock` has chosen the first link and sends over that, before its word of it has come.
    receives(&mut scribe, ends, 1);
    receives(&mut scribe, stays, 1);
    assert_eq!(acknowledged(&mut scribe, ends, later), Some(1));
    let bye = Frame::Bye {
        reason: "another link replaces it".into(),
    };
    scribe.received(ends, bye, later).unwrap();
    // Nothing more may come before `clock` knows.
    assert!(scribe.wants_output(stays, later));
    assert_eq!(acknowledged(&mut scribe, stays, later), Some(1));
}
