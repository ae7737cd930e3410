use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use kozo_ground::age::MaxAges;
use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::queue::QueueLimits;
use kozo_link::{Action, Candidate, LinkPath, PeerSettings};
use kozo_wire::{FrameDecoder, FrameError, SessionId};

use super::*;

const NOW: Moment = Moment::ZERO;

/// The node `own`, as it knows `peer`.
fn peer(own: &str, peer: &str) -> Peer {
    let settings = PeerSettings {
        own: NodeName::new(own).unwrap(),
        peer: NodeName::new(peer).unwrap(),
        session: SessionId(1),
        outgoing: ConnectPolicy::Constant,
        incoming: ConnectPolicy::Constant,
        heartbeat: Duration::from_secs(3600),
        peer_heartbeat: Duration::from_secs(3600),
        connection_retry: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(60),
        queue: QueueLimits {
            length: 10_000,
            size: 1 << 30,
        },
        max_ages: MaxAges {
            message: Duration::from_secs(1 << 30),
            order: Duration::from_secs(1 << 30),
        },
        max_read: 64 * 1024,
        buses: Vec::new(),
        config_digest: vec![],
        seed: 1,
    };
    Peer::new(settings, vec![], NOW)
}

fn path() -> LinkPath {
    LinkPath {
        transport: "tcp".into(),
        address: "127.0.0.1:1".into(),
    }
}

/// The hello of a node that has dialled.
fn hello(mut dialler: Peer) -> bytes::Bytes {
    dialler.set_candidates(vec![Candidate {
        own: 0,
        peer: 0,
        rank: 1,
    }]);
    dialler.tick(NOW + Duration::from_secs(1));
    let Some(Action::Dial(attempt, _)) = dialler.next_action() else {
        panic!("it does not dial");
    };
    let key = dialler.linked(attempt, path(), NOW).unwrap();
    let mut writer = FrameWriter::default();
    dialler.output(key, &mut writer, NOW);
    writer.take()
}

/// A link that stands, and whose writer has written all there is and waits.
fn standing() -> (Arc<PeerLink>, LinkKey, Arc<Notify>) {
    let link = PeerLink::new(peer("a", "b"));
    let key = link.change(NOW, |peer| peer.accepted(path(), NOW)).unwrap();
    FrameDecoder::default()
        .decode(&hello(peer("b", "a")), |frame| {
            link.change(NOW, |peer| peer.received(key, frame, NOW))
                .unwrap();
            Ok::<(), FrameError>(())
        })
        .unwrap();
    let wake = link.add_writer(key, Traffic::default(), None);
    assert!(written(&link, key) > 0);
    assert_eq!(written(&link, key), 0);
    (link, key, wake)
}

/// How many bytes there were to write.
fn written(link: &PeerLink, key: LinkKey) -> usize {
    let mut writer = FrameWriter::default();
    link.output(key, &mut writer);
    writer.len()
}

/// Whether the writer was woken since the last look.
fn is_woken(wake: &Notify) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(wake.notified()).poll(&mut context).is_ready()
}

fn message(size: u8) -> Message {
    let role = RoleName::new("timer1").unwrap();
    let mut data = vec![0xc4, size];
    data.resize(2 + usize::from(size), 7);
    Message::new(Kind::Event, &role, "tick", None, 0.0, &data).unwrap()
}

#[test]
fn a_writer_that_waits_is_woken_once_for_a_burst_and_again_when_it_waits_again() {
    let (link, key, wake) = standing();
    assert!(!is_woken(&wake));
    for burst in 1..=2 {
        link.open().queue(message(9), clock::now());
        assert!(is_woken(&wake), "burst {burst}");
        link.open().queue(message(9), clock::now());
        assert!(!is_woken(&wake), "burst {burst}: it works already");
        assert!(written(&link, key) > 0);
        link.open().queue(message(9), clock::now());
        assert!(!is_woken(&wake), "burst {burst}: it looks again by itself");
        assert!(written(&link, key) > 0);
        assert_eq!(written(&link, key), 0);
    }
}

#[test]
fn whoever_has_a_queue_to_itself_sees_whether_there_is_room() {
    let full = PeerLink::new(peer("a", "c"));
    let now = clock::now();
    let cost = message(9).cost();
    let mut queued = 0;
    let mut sending = full.open();
    while sending.has_room(cost) {
        sending.queue(message(9), now);
        queued += 1;
    }
    drop(sending);
    let status = full.look(|peer| peer.status(Moment::ZERO));
    assert_eq!(status.queued.messages, queued);
    assert_eq!(status.outbox.dropped(), 0);
}
