use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use kozo_auth::secured::Closed;
use kozo_ground::age::MaxAges;
use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::queue::QueueLimits;
use kozo_link::{Action, Candidate, LinkEnding, LinkPath, PeerSettings};
use kozo_wire::{FrameDecoder, FrameError, SessionId};

use super::*;

const NOW: Moment = Moment::ZERO;

/// How many messages may wait for a peer.
const QUEUE: usize = 10_000;

/// How many bytes they may count together.
const QUEUE_BYTES: usize = 8 << 20;

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
            length: QUEUE,
            size: QUEUE_BYTES,
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
    standing_on(None)
}

fn standing_on(outlet: Option<Arc<dyn Direct>>) -> (Arc<PeerLink>, LinkKey, Arc<Notify>) {
    let link = PeerLink::new(peer("a", "b"));
    let (key, wake) = accepted(&link, outlet);
    greeted(&link, key);
    while written(&link, key) > 0 {}
    is_woken(&wake);
    (link, key, wake)
}

/// A link that stands, and whose writer has written one message and is at work.
fn working() -> (Arc<PeerLink>, LinkKey, Arc<Notify>) {
    let (link, key, wake) = standing();
    link.open().queue(message(9), clock::now());
    assert!(written(&link, key) > 0);
    (link, key, wake)
}

/// A link whose writer has said hello and waits.
fn accepted(link: &PeerLink, outlet: Option<Arc<dyn Direct>>) -> (LinkKey, Arc<Notify>) {
    let key = link.change(NOW, |peer| peer.accepted(path(), NOW)).unwrap();
    let wake = link.add_writer(key, Traffic::default(), None, outlet);
    assert!(written(link, key) > 0);
    assert_eq!(written(link, key), 0);
    (key, wake)
}

/// The peer says hello over a link.
fn greeted(link: &PeerLink, key: LinkKey) {
    FrameDecoder::default()
        .decode(&hello(peer("b", "a")), |frame| {
            link.change(NOW, |peer| peer.received(key, frame, NOW))
                .unwrap();
            Ok::<(), FrameError>(())
        })
        .unwrap();
}

/// A way out that any thread can use, and what went through it, a write each.
#[derive(Default)]
struct Pipe {
    writes: Mutex<Vec<Vec<u8>>>,
    is_full: std::sync::atomic::AtomicBool,
    is_closed: std::sync::atomic::AtomicBool,
}

impl Direct for Pipe {
    fn has_room(&self) -> bool {
        !self.is_full.load(Ordering::Relaxed)
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Closed> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Closed);
        }
        self.writes.lock_anyway().push(bytes.to_vec());
        Ok(())
    }
}

impl Pipe {
    /// The numbers of the messages that went through it, those of each write.
    fn take(&self) -> Vec<Vec<u64>> {
        let writes = std::mem::take(&mut *self.writes.lock_anyway());
        writes.iter().map(|bytes| sequences(bytes)).collect()
    }
}

/// The numbers of the messages in what was written.
fn sequences(bytes: &[u8]) -> Vec<u64> {
    let mut sequences = Vec::new();
    let read = FrameDecoder::default().decode(bytes, |frame| {
        if let kozo_wire::Frame::Message { sequence, .. } = frame {
            sequences.push(sequence);
        }
        Ok::<(), FrameError>(())
    });
    read.unwrap();
    sequences
}

/// A link that stands, whose writer waits, and the way past it.
fn standing_with_pipe() -> (Arc<PeerLink>, LinkKey, Arc<Notify>, Arc<Pipe>) {
    let pipe = Arc::new(Pipe::default());
    let (link, key, wake) = standing_on(Some(pipe.clone()));
    (link, key, wake, pipe)
}

/// Queues messages, and writes them if that falls to this thread; whether it does.
fn send(link: &PeerLink, count: usize, size: u8) -> bool {
    send_at(link, count, size, clock::now())
}

fn send_at(link: &PeerLink, count: usize, size: u8, now: Moment) -> bool {
    let mut sending = link.open();
    for _ in 0..count {
        sending.queue(message(size), now);
    }
    let direct = sending.close();
    let falls = direct.is_some();
    direct.into_iter().for_each(DirectWrite::write);
    falls
}

/// Waits until what is sent next is alone.
fn let_it_rest() {
    let begun = clock::now();
    while clock::now().since(begun) < ALONE {
        std::thread::yield_now();
    }
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

/// Whether the driver was woken since the last look.
fn is_rung(link: &PeerLink) -> bool {
    is_woken(&link.changed)
}

/// What is to be a message.
fn draft_of<'a>(role: &'a RoleName, data: &'a [u8]) -> Draft<'a> {
    Draft {
        kind: Kind::Event,
        role,
        type_name: "tick",
        channel: None,
        timestamp: 1.0,
        data,
    }
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

/// The numbers of the messages that there were to write.
fn written_sequences(link: &PeerLink, key: LinkKey) -> Vec<u64> {
    let mut writer = FrameWriter::default();
    link.output(key, &mut writer);
    sequences(writer.bytes())
}

#[test]
fn what_comes_while_the_writer_works_is_queued_in_order_and_wakes_nobody() {
    let (link, key, wake) = standing();
    let now = clock::now();
    assert!(!link.take(&[message(9)], now), "nobody is at work");
    link.open().queue(message(9), now);
    assert!(is_woken(&wake));
    assert_eq!(written_sequences(&link, key), [1]);
    assert!(link.take(&[message(9), message(9)], now));
    // It comes behind what was taken.
    link.open().queue(message(9), now);
    assert!(link.take(&[message(9)], now));
    assert_eq!(link.look(|peer| peer.status(now).queued.messages), 4);
    assert_eq!(written_sequences(&link, key), [2, 3, 4, 5]);
    assert!(link.take(&[message(9)], now));
    assert_eq!(written_sequences(&link, key), [6]);
    assert!(written_sequences(&link, key).is_empty());
    assert!(!link.take(&[message(9)], now), "the writer waits");
    assert!(!is_woken(&wake));
}

#[test]
fn what_is_to_be_a_message_comes_in_its_place_among_others() {
    let (link, key, wake) = standing();
    let now = clock::now();
    let role = RoleName::new("timer1").unwrap();
    let draft = |data| draft_of(&role, data);
    let made = |data| draft(data).message().unwrap();
    let likeness = Likeness::of(&made(&[0]));
    assert!(!link.take_draft(&draft(&[1]), &likeness, now));
    link.open().queue(made(&[1]), now);
    assert!(is_woken(&wake));
    // The writer was woken, and need not have come yet.
    assert!(link.take_draft(&draft(&[2]), &likeness, now));
    assert!(link.take(&[made(&[3])], now));
    assert!(link.take_draft(&draft(&[4]), &likeness, now));
    link.open().queue(made(&[5]), now);
    assert!(link.take_draft(&draft(&[6]), &likeness, now));
    let mut writer = FrameWriter::default();
    link.output(key, &mut writer);
    let mut data = Vec::new();
    let read = FrameDecoder::default().decode(writer.bytes(), |frame| {
        if let kozo_wire::Frame::Message { message, .. } = frame {
            data.push(message.data()[0]);
        }
        Ok::<(), FrameError>(())
    });
    read.unwrap();
    assert_eq!(data, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn no_more_bytes_are_taken_while_the_writer_works_than_the_queue_has_room_for() {
    let role = RoleName::new("timer1").unwrap();
    let (link, _, _) = working();
    let now = clock::now();
    // Half of what the queue takes, less what is a little longer than one short message.
    let mut long = vec![0xc6];
    let length = (QUEUE_BYTES / 2 - 1024) as u32;
    long.extend(length.to_be_bytes());
    long.resize(5 + length as usize, 0);
    let long = Message::new(Kind::Event, &role, "tick", None, 0.0, &long).unwrap();
    assert!(link.take(std::slice::from_ref(&long), now));
    assert!(link.take(std::slice::from_ref(&long), now));
    assert!(!link.take(std::slice::from_ref(&long), now));
    let draft = draft_of(&role, &[1]);
    let likeness = Likeness::of(&draft.message().unwrap());
    let mut drafts = 0;
    while link.take_draft(&draft, &likeness, now) {
        drafts += 1;
    }
    let status = link.look(|peer| peer.status(now));
    assert_eq!(status.queued.messages, 2 + drafts);
    assert!(drafts > 0 && status.queued.bytes <= QUEUE_BYTES);
    assert!(status.queued.bytes + draft.cost(&likeness) > QUEUE_BYTES);
    assert_eq!(status.outbox.dropped(), 0);
}

#[test]
fn no_more_is_taken_while_the_writer_works_than_the_queue_has_room_for() {
    let role = RoleName::new("timer1").unwrap();
    let (link, key, _) = working();
    let now = clock::now();
    let many = vec![message(9); QUEUE / 2];
    assert!(link.take(&many, now));
    let mut sending = link.open();
    assert!(sending.has_room_for(QUEUE / 2, 0));
    assert!(!sending.has_room_for(QUEUE / 2 + 1, 0));
    for message in &many[1..] {
        sending.queue(message.clone(), now);
    }
    drop(sending);
    assert!(!link.take(&many[..2], now), "one has room");
    assert!(link.take(&many[..1], now));
    assert!(!link.take(&many[..1], now), "the queue is full");
    let full = draft_of(&role, &[1]);
    assert!(!link.take_draft(&full, &Likeness::of(&many[0]), now));
    let status = link.look(|peer| peer.status(now));
    assert_eq!(status.queued.messages, QUEUE);
    assert_eq!(status.outbox.dropped(), 0);
    let left = written_sequences(&link, key).len();
    assert!(link.take(&many[..left], now), "what has left makes room");
    assert!(!link.take(&many[..1], now));
}

#[test]
fn what_was_taken_waits_for_the_next_link_when_this_one_ends() {
    let (link, key, _) = working();
    let now = clock::now();
    assert!(link.take(&[message(9)], now));
    // The driver has nothing to do, and waits.
    link.take_actions(|| false, now);
    is_rung(&link);
    link.change(now, |peer| {
        peer.closed(key, LinkEnding::Fault, "cut", now);
    });
    assert!(is_rung(&link), "for the end of the link, and to dial again");
    assert!(!link.take(&[message(9)], now));
    link.remove_writer(key);
    assert!(!link.take(&[message(9)], now));
    assert_eq!(link.look(|peer| peer.status(now).queued.messages), 1);
}

#[test]
fn a_writer_that_works_on_a_link_which_was_replaced_keeps_nothing_from_the_new_one() {
    let (link, key, _) = standing();
    let (next, wake) = accepted(&link, None);
    let now = clock::now();
    link.open().queue(message(9), now);
    assert_eq!(written_sequences(&link, key), [1]);
    assert!(link.take(&[message(9)], now));
    // The path of the old one takes nothing any more, and so its writer does not come back.
    greeted(&link, next);
    assert!(link.look(|peer| peer.carries(next)));
    assert!(is_woken(&wake));
    assert!(!link.take(&[message(9)], now));
}

#[test]
fn who_sends_what_comes_alone_writes_it_and_wakes_nobody() {
    let (link, key, wake, pipe) = standing_with_pipe();
    for sequence in 1..=3 {
        let_it_rest();
        assert!(send(&link, 1, 9));
        assert!(!is_woken(&wake));
        assert_eq!(pipe.take(), [[sequence]]);
        assert_eq!(written(&link, key), 0);
    }
    // What comes right behind it is the writer's, and all after it until the writer waits again.
    let_it_rest();
    let now = clock::now();
    assert!(send_at(&link, 2, 9, now));
    assert!(!send_at(&link, 1, 9, now));
    assert!(is_woken(&wake));
    pipe.take();
    let_it_rest();
    assert!(!send(&link, 1, 9));
    assert!(!is_woken(&wake) && pipe.take().is_empty());
    assert!(written(&link, key) > 0);
    assert_eq!(written(&link, key), 0);
    let_it_rest();
    assert!(send(&link, 1, 9));
}

#[test]
fn what_comes_while_a_role_s_thread_writes_follows_it() {
    let (link, key, wake, pipe) = standing_with_pipe();
    let_it_rest();
    let mut sending = link.open();
    sending.queue(message(9), clock::now());
    let direct = sending.close().expect("it is alone");
    // Others do not overtake it, nor wake the writer, which could.
    let_it_rest();
    assert!(!send(&link, 2, 9));
    assert!(!is_woken(&wake));
    direct.write();
    assert_eq!(pipe.take(), [[1, 2, 3]]);
    assert!(!is_woken(&wake));
    assert_eq!(written(&link, key), 0);
}

#[test]
fn more_than_one_write_is_the_writer_s_work() {
    let (link, key, wake, pipe) = standing_with_pipe();
    let_it_rest();
    assert!(!send(&link, 200, 200), "too much at once");
    assert!(is_woken(&wake) && pipe.take().is_empty());
    assert!(written(&link, key) > 0);

    let (link, key, wake, pipe) = standing_with_pipe();
    let_it_rest();
    let mut sending = link.open();
    sending.queue(message(9), clock::now());
    let direct = sending.close().expect("it is alone");
    assert!(!send(&link, 200, 200));
    direct.write();
    assert_eq!(pipe.take().len(), 1);
    assert!(is_woken(&wake), "it has to go on");
    assert!(written(&link, key) > 0);
}

#[test]
fn a_path_that_is_full_or_gone_leaves_the_link_to_its_writer() {
    let (link, key, wake, pipe) = standing_with_pipe();
    pipe.is_full.store(true, Ordering::Relaxed);
    let_it_rest();
    assert!(!send(&link, 1, 9));
    assert!(is_woken(&wake));
    assert!(written(&link, key) > 0);
    assert_eq!(written(&link, key), 0);
    pipe.is_full.store(false, Ordering::Relaxed);
    pipe.is_closed.store(true, Ordering::Relaxed);
    let_it_rest();
    assert!(send(&link, 1, 9));
    assert!(is_woken(&wake), "it sees how the link has ended");
    assert_eq!(
        link.look(Peer::unacknowledged),
        2,
        "both are sent again over the next"
    );
}

#[test]
fn a_place_that_was_taken_and_not_used_goes_back_to_the_writer() {
    let (link, key, wake, pipe) = standing_with_pipe();
    let_it_rest();
    let mut sending = link.open();
    sending.queue(message(9), clock::now());
    drop(sending.close());
    assert!(is_woken(&wake) && pipe.take().is_empty());
    assert!(written(&link, key) > 0);
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

/// Many threads send while a writer works, and others look: each thread's messages come in its order, all of them, and
/// never more wait than may.
#[test]
fn nothing_is_lost_or_out_of_order_however_many_send_at_once() {
    const THREADS: u32 = 4;
    const EACH: u32 = 5000;
    let (link, key, _) = standing();
    let role = RoleName::new("timer1").unwrap();
    let data = |thread: u32, number: u32| {
        let mut data = vec![0xc4, 8];
        data.extend(thread.to_be_bytes());
        data.extend(number.to_be_bytes());
        data
    };
    let likeness = Likeness::of(&draft_of(&role, &data(0, 0)).message().unwrap());
    let send = |data: &[u8], way: u32| {
        let now = clock::now();
        let draft = draft_of(&role, data);
        let made = [draft.message().unwrap()];
        match way % 3 {
            0 if link.take_draft(&draft, &likeness, now) => return,
            1 if link.take(&made, now) => return,
            _ => {}
        }
        loop {
            let mut sending = link.open();
            if sending.has_room(made[0].cost()) {
                sending.queue(made[0].clone(), now);
                return;
            }
            drop(sending);
            std::thread::yield_now();
        }
    };
    let mut came = vec![Vec::new(); THREADS as usize];
    let mut last = 0;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (send, data) = (&send, &data);
            scope.spawn(move || {
                (0..EACH).for_each(|number| send(&data(thread, number), thread + number));
            });
        }
        let all = THREADS as usize * EACH as usize;
        let mut decoder = FrameDecoder::default();
        while came.iter().map(Vec::len).sum::<usize>() < all {
            let mut writer = FrameWriter::default();
            link.output(key, &mut writer);
            let read = decoder.decode(writer.bytes(), |frame| {
                if let kozo_wire::Frame::Message {
                    sequence, message, ..
                } = frame
                {
                    assert_eq!(sequence, last + 1);
                    last = sequence;
                    let number = |from: usize| {
                        let bytes = message.data()[from..from + 4].try_into().unwrap();
                        u32::from_be_bytes(bytes)
                    };
                    came[number(2) as usize].push(number(6));
                }
                Ok::<(), FrameError>(())
            });
            read.unwrap();
            let now = clock::now();
            link.change(now, |peer| {
                let frame = kozo_wire::Frame::Acknowledgement { sequence: last };
                peer.received(key, frame, now).unwrap();
            });
            let status = link.look(|peer| peer.status(now));
            assert!(status.queued.messages <= QUEUE && status.queued.bytes <= QUEUE_BYTES);
            assert_eq!(status.outbox.dropped(), 0);
        }
    });
    for came in came {
        assert!(came.into_iter().eq(0..EACH));
    }
}
