//! docs/protocol.md, sentence by sentence and byte by byte. Each test names what it proves, and those
//! sentences have to stand on the page.

use std::collections::HashMap;
use std::path::Path;

use kozo_ground::interest::Kind;
use kozo_wire::{Frame, FrameWriter, Hello, QuestionFrame, SessionId};
use serde_json::{Value, json};

use super::guest::Guest;
use super::injector::Injector;
use super::process::{Process, wait_until};
use super::scene::Scene;

/// The sentence is on the page, however its lines are broken.
#[track_caller]
fn proves(sentence: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = words(&std::fs::read_to_string(file).unwrap());
    assert!(
        page.contains(&words(sentence)),
        "not on the page: {sentence}"
    );
}

/// A frame: its length, and an array in MessagePack.
fn frame(elements: &Value) -> Vec<u8> {
    let body = rmp_serde::to_vec(elements).unwrap();
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_be_bytes()[..], &body].concat()
}

fn event(sequence: u64, kind: u64, more: &[Value]) -> Vec<u8> {
    let mut elements = vec![json!(4), json!(sequence), json!(60_000), json!(kind)];
    elements.extend([
        json!("bell"),
        json!("ring"),
        json!(null),
        json!(0.5),
        json!("text"),
    ]);
    elements.extend_from_slice(more);
    frame(&Value::Array(elements))
}

/// A node that logs what comes, and a client of its own.
struct House {
    scene: Scene,
    clock: Process,
    injector: Injector,
}

impl House {
    fn new() -> Self {
        let mut scene = Scene::new(&["clock", "guest"]);
        let port = Injector::on(&mut scene, "clock");
        let file = scene.folder().join("clock.log");
        scene.role("clock", "logger", &format!("{{file: {}}}", file.display()));
        let clock = scene.start("clock");
        Self {
            scene,
            clock,
            injector: Injector::connect(port),
        }
    }

    /// Authenticated; the hello of the daemon has come.
    fn guest(&self) -> (Guest, Hello) {
        let mut guest = Guest::connect(&self.scene, "guest", "clock").unwrap();
        let said = guest.wait_for("a hello", |frame| matches!(frame, Frame::Hello(_)));
        let Frame::Hello(hello) = said else {
            unreachable!("it was waited for");
        };
        (guest, *hello)
    }

    /// With a hello whose map has these changes; a null takes a key out.
    fn greet(&self, changes: &Value) -> Guest {
        let (mut guest, _) = self.guest();
        guest.send(&frame(&json!([1, hello(changes)])));
        guest
    }

    /// The link ends, without a bye, and the log says why.
    #[track_caller]
    fn is_refused(&mut self, guest: &mut Guest, reason: &str) {
        let frames = guest.wait_for_end();
        let byes = frames.iter().filter(|it| matches!(it, Frame::Bye { .. }));
        assert_eq!(byes.count(), 0, "{reason}");
        self.clock.wait_for(reason, |line| {
            line["target"] == "link"
                && line["fields"]["peer"] == "guest"
                && line.to_string().contains(reason)
        });
    }
}

fn hello(changes: &Value) -> Value {
    let mut hello = json!({
        "protocol": 1, "node": "guest", "session": fastrand::u64(..), "link": fastrand::u64(..),
        "heartbeat": 3_600_000, "base": 1,
    });
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(hello.as_object_mut().unwrap().remove(key)),
            value => hello[key] = value.clone(),
        }
    }
    hello
}

/// The link stands, and all that was sent before has been taken.
#[track_caller]
fn stands(guest: &mut Guest) {
    let clock = fastrand::u64(..);
    guest.say(|frames| frames.heartbeat(clock, 0));
    guest.wait_for("an echo", |frame| *frame == Frame::Echo { clock });
}

/// The link ends in order, and the daemon knows.
fn leaves(mut guest: Guest) {
    guest.send(&frame(&json!([6, "all is said"])));
    guest.wait_for_end();
}

#[track_caller]
fn is_acknowledged(guest: &mut Guest, sequence: u64) {
    guest.wait_for("an acknowledgement", |frame| {
        *frame == Frame::Acknowledgement { sequence }
    });
}

fn message_of(frame: Frame) -> (u64, String) {
    match frame {
        Frame::Message {
            sequence, message, ..
        } => (sequence, message.type_name().to_owned()),
        other => panic!("{other:?} is no message"),
    }
}

fn next_message(guest: &mut Guest) -> (u64, String) {
    message_of(guest.wait_for("a message", |it| matches!(it, Frame::Message { .. })))
}

#[test]
fn what_later_versions_add_is_skipped() {
    proves("the frame's number, an unsigned integer of any size");
    proves(
        "Elements after those listed here are to be skipped, and so are frames with other numbers",
    );
    proves("how it is cut into SSH packets means nothing");
    let house = House::new();
    let (mut guest, _) = house.guest();
    // One byte at a time, up to here.
    for byte in frame(&json!([1, hello(&json!({})), {"more": 1}, null])) {
        guest.send(&[byte]);
    }
    stands(&mut guest);
    for number in [
        0_u64,
        17,
        99,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        1 << 32,
        u64::MAX,
    ] {
        guest.send(&frame(&json!([number])));
        guest.send(&frame(&json!([number, "one", {"two": [3]}])));
    }
    stands(&mut guest);
    guest.send(&frame(&json!([2, 77, 0, "more", {"and": "more"}])));
    guest.wait_for("an echo", |frame| *frame == Frame::Echo { clock: 77 });
    guest.send(&frame(&json!([3, 1, 2])));
    guest.send(&frame(&json!([5, 0, [], 0.5])));
    guest.send(&event(1, 0, &[json!("more")]));
    is_acknowledged(&mut guest, 1);
    guest.send(&event(2, 0, &[json!({"a": [1, 2]}), json!(null), json!(3)]));
    is_acknowledged(&mut guest, 2);
    stands(&mut guest);
}

/// The answer to a question, put together of its parts.
fn answer_to(guest: &mut Guest, question: &Value) -> Value {
    answers_to(guest, 1, question).remove(0)
}

/// The answers to a question that is asked so many times at once.
fn answers_to(guest: &mut Guest, times: u64, question: &Value) -> Vec<Value> {
    let mut writer = FrameWriter::default();
    for number in 0..times {
        writer.question(&QuestionFrame {
            number,
            question: rmp_serde::to_vec(question).unwrap().into(),
        });
    }
    guest.send(&writer.take());
    let (mut open, mut whole) = (HashMap::<u64, Vec<u8>>::new(), Vec::new());
    while whole.len() < times as usize {
        let part = guest.wait_for("an answer", |frame| matches!(frame, Frame::Answer(_)));
        let Frame::Answer(frame) = part else {
            unreachable!()
        };
        let answer = open.entry(frame.number).or_default();
        answer.extend_from_slice(&frame.part);
        if !frame.more {
            whole.push(rmp_serde::from_slice(answer).unwrap());
        }
    }
    whole
}

#[test]
fn questions_are_answered_and_belong_to_their_link() {
    proves("A node whose hello has the feature `questions` answers what a peer asks of it.");
    let mut house = House::new();
    let (mut guest, greeting) = house.guest();
    assert!(greeting.features.contains(&"questions".to_owned()));
    guest.send(&frame(&json!([1, hello(&json!({}))])));
    stands(&mut guest);
    let status = answer_to(&mut guest, &json!({"request": "status"}));
    assert_eq!(status["answer"]["node"], "clock");
    // It tells guests no more than `introspection` says, and steers nothing for them.
    for request in ["why", "restart-role", "open-tap", "network", "dance"] {
        let question = json!({"request": request, "peer": "scribe", "role": "timer1"});
        let refused = answer_to(&mut guest, &question);
        assert!(refused["error"].is_string(), "{request}: {refused}");
    }
    let nonsense = answer_to(&mut guest, &json!([1, 2]));
    assert!(nonsense["error"].is_string(), "{nonsense}");
    proves("Of questions other than `echo` a peer may ask 40 at once, and");
    // So many at a time that they are too many however slow the machine is.
    let refused = wait_until("a question is refused", || {
        let mut answers = answers_to(&mut guest, 16, &json!({"request": "status"})).into_iter();
        answers.find_map(|answer| answer["error"].as_str().map(str::to_owned))
    });
    assert!(refused.contains("20 questions a second"), "{refused}");
    let echo = json!({"request": "echo", "payload": []});
    let echo = answer_to(&mut guest, &echo);
    assert!(echo["answer"].is_number(), "{echo}");
    // A question whose parts are of the wrong types is no question.
    guest.send(&frame(&json!([8, "one", "two"])));
    house.is_refused(&mut guest, "a question frame is malformed");
}

#[test]
fn what_is_skipped_behind_a_message_is_no_part_of_it() {
    let mut house = House::new();
    let mut guest = house.greet(&json!({}));
    let elements = json!([
        4,
        1,
        60_000,
        2,
        "bell",
        "",
        null,
        0.5,
        "what it says",
        "what is behind"
    ]);
    guest.send(&frame(&elements));
    let line = house.clock.wait_for_text("role", "what it says");
    assert!(!line.to_string().contains("what is behind"), "{line}");
}

#[test]
fn who_breaks_the_protocol_is_cut_off_without_a_bye() {
    proves("An element that is missing or of another type breaks the protocol.");
    proves("is cut off: the channel is closed without a bye, and why is in the log");
    let mut house = House::new();
    for (bytes, reason) in [
        (
            frame(&json!([])),
            "not an array that starts with its number",
        ),
        (
            frame(&json!([-1])),
            "not an array that starts with its number",
        ),
        (
            frame(&json!(["two", 1])),
            "not an array that starts with its number",
        ),
        (
            frame(&json!({"2": 1})),
            "not an array that starts with its number",
        ),
        (frame(&json!([2, 1])), "a heartbeat frame is malformed"),
        (frame(&json!([2, 1, -1])), "a heartbeat frame is malformed"),
        (frame(&json!([3])), "an echo frame is malformed"),
        (
            frame(&json!([5, "1"])),
            "an acknowledgement frame is malformed",
        ),
        (frame(&json!([6])), "a bye frame is malformed"),
        (frame(&json!([4, 1, 1])), "the message's kind is missing"),
        (
            frame(&json!([4, 1, 1, 0, "bell", "ring", null, 0.5])),
            "the data is not one MessagePack value",
        ),
        (
            frame(&json!([4, 1, 1, 0, "bell", "ring", null, 5, "text"])),
            "the message's timestamp is missing or of the wrong type",
        ),
        (
            frame(&json!([4, 1, 1, 0, "a bell", "ring", null, 0.5, 0])),
            "the sending role's name is not a name",
        ),
        (
            frame(&json!([4, 1, 1, 0, "bell", "r".repeat(256), null, 0.5, 0])),
            "the type has 256 bytes, and 255 are the limit",
        ),
        (
            frame(&json!([
                4,
                1,
                1,
                0,
                "bell",
                "ring",
                "c".repeat(256),
                0.5,
                0
            ])),
            "the channel has 256 bytes, and 255 are the limit",
        ),
    ] {
        let mut guest = house.greet(&json!({}));
        guest.send(&bytes);
        house.is_refused(&mut guest, reason);
    }
}

#[test]
fn what_a_hello_has_to_hold_and_what_it_may() {
    proves("everything else may be left out");
    proves("Keys that are not listed here are skipped.");
    proves("A peer that says something else is refused.");
    let mut house = House::new();
    let mut guest = house.greet(&json!({}));
    stands(&mut guest);
    let later = json!({"features": ["later", "much later"], "weather": {"rain": [1, 2]}});
    leaves(guest);
    let mut guest = house.greet(&later);
    stands(&mut guest);
    leaves(guest);
    for key in ["protocol", "node", "session", "heartbeat", "base"] {
        let mut guest = house.greet(&json!({ key: null }));
        house.is_refused(&mut guest, &format!("missing field `{key}`"));
    }
    for (changes, reason) in [
        (json!({"link": null}), "who dials has to name the link"),
        (
            json!({"protocol": 2}),
            "it speaks version 2 of the protocol",
        ),
        (json!({"node": "clock"}), "in its hello"),
    ] {
        let mut guest = house.greet(&changes);
        house.is_refused(&mut guest, reason);
    }
}

#[test]
fn each_side_greets_at_once_and_first() {
    proves("Each side sends one hello, at once, without waiting for the other's.");
    proves("No other frame may come before it, except a bye.");
    proves("No answer to it is expected.");
    let mut house = House::new();
    for first in [json!([2, 1, 0]), json!([5, 1]), json!([300])] {
        // The daemon's has come by then.
        let (mut guest, said) = house.guest();
        assert_eq!((said.protocol, said.node.as_str()), (1, "clock"));
        assert_eq!((said.link, said.base), (None, 1));
        guest.send(&frame(&first));
        house.is_refused(&mut guest, "a frame came before the hello");
    }
    let (mut guest, _) = house.guest();
    guest.send(&frame(&json!([6, "not now"])));
    let frames = guest.wait_for_end();
    assert_eq!(frames, []);
    house
        .clock
        .wait_for_text("link", "the peer closed it: not now");
    let mut guest = house.greet(&json!({}));
    guest.send(&frame(&json!([1, hello(&json!({}))])));
    house.is_refused(&mut guest, "a second hello came");
}

#[test]
fn an_interest_fits_what_its_keys_say() {
    proves("A key that is left out fits everything.");
    proves("An interest of a kind that is not known fits nothing, and harms none of the others");
    proves("a key that is not known is skipped");
    let mut house = House::new();
    let wanted = json!([{"role": "bells", "interests": [
        {"kind": "rumour"},
        {"kind": "rumour", "type": ["bong"]},
        {"kind": "event", "type": ["ding", "d*g"], "weather": ["rain"]},
        {"kind": "order", "role": ["mess*"], "node": ["clock"], "channel": ["", "hall"]},
    ]}]);
    let mut guest = house.greet(&json!({"interests": wanted}));
    stands(&mut guest);
    for line in [
        "('event', 'bong', 1)",
        "('event', 'ding', 1)",
        "('event', 'dong', 1)",
        "('log', 'ding')",
        "('order', 'any', 1)",
    ] {
        house.injector.send(line);
    }
    let got = [(); 3].map(|()| next_message(&mut guest));
    let expected = [(1, "ding"), (2, "dong"), (3, "any")];
    assert_eq!(
        got,
        expected.map(|(number, name)| (number, name.to_owned()))
    );
}

#[test]
fn what_only_a_hello_names_gets_what_is_sent_from_then_on() {
    proves("what was sent before is neither queued for it, nor counted as missed");
    proves("What a hello said holds until the next one, also while there is no link.");
    let mut house = House::new();
    house.injector.send("('event', 'early', 1)");
    let wanted = json!([{"role": "bells", "interests": [{"kind": "event"}]}]);
    let session = fastrand::u64(..);
    let (mut guest, said) = house.guest();
    assert_eq!(said.base, 1);
    guest.send(&frame(&json!([
        1,
        hello(&json!({"interests": wanted, "session": session}))
    ])));
    stands(&mut guest);
    house.injector.send("('event', 'first', 1)");
    assert_eq!(next_message(&mut guest), (1, "first".to_owned()));
    guest.send(&frame(&json!([5, 1])));
    stands(&mut guest);
    guest.send(&frame(&json!([6, "for a while"])));
    guest.wait_for_end();
    house.injector.send("('event', 'second', 1)");
    let (mut guest, said) = house.guest();
    assert_eq!((said.base, said.seen), (2, Some((SessionId(session), 0))));
    guest.send(&frame(&json!([1, hello(&json!({"session": session}))])));
    assert_eq!(next_message(&mut guest), (2, "second".to_owned()));
}

#[test]
fn what_was_in_flight_is_sent_again_from_behind_what_was_seen() {
    proves(
        "What was in flight when a link ended is sent again over the next one, from behind the `seen`",
    );
    let mut house = House::new();
    let wanted = json!([{"role": "bells", "interests": [{"kind": "event"}]}]);
    let mut guest = house.greet(&json!({"interests": wanted}));
    stands(&mut guest);
    for name in ["one", "two", "three"] {
        house.injector.send(&format!("('event', '{name}', 1)"));
        assert_eq!(next_message(&mut guest).1, name);
    }
    drop(guest);
    let (mut guest, said) = house.guest();
    assert_eq!(said.base, 1);
    let seen = json!([said.session.0, 2]);
    guest.send(&frame(&json!([1, hello(&json!({"seen": seen}))])));
    assert_eq!(next_message(&mut guest), (3, "three".to_owned()));
}

#[test]
fn messages_come_once_in_order_and_are_acknowledged() {
    proves(
        "so a number that never comes is a message that was dropped: the receiver counts it as missed",
    );
    proves("What is not higher than the highest number seen came before, and is ignored.");
    proves("In a sender's new session the receiver starts at the hello's `base`.");
    proves(
        "The *floor* says that every message up to that number was sent before this heartbeat, or will never be.",
    );
    let mut house = House::new();
    let session = fastrand::u64(..);
    let mut guest = house.greet(&json!({"session": session, "base": 5}));
    guest.send_message(5, Kind::Log, "", "five");
    is_acknowledged(&mut guest, 5);
    house.clock.wait_for_text("role", "five");
    guest.send_message(5, Kind::Log, "", "five again");
    guest.send_message(4, Kind::Log, "", "four");
    guest.send_message(8, Kind::Log, "", "eight");
    is_acknowledged(&mut guest, 8);
    house.clock.wait_for_text("role", "eight");
    let missed = |house: &mut House, count: u64| {
        house.clock.wait_for("missed messages", |line| {
            line["message"]
                .as_str()
                .is_some_and(|m| m.contains("missed messages"))
                && line["fields"]["count"] == count
        });
    };
    // Six and seven.
    let missed_before = house.clock.count("missed messages");
    assert_eq!(missed_before, 1);
    guest.send(&frame(&json!([2, 1, 11])));
    missed(&mut house, 3);
    guest.send(&frame(&json!([6, "bye"])));
    guest.wait_for_end();
    // The same session goes on where it was, another one begins anew.
    let mut guest = house.greet(&json!({"session": session, "base": 1}));
    guest.send_message(11, Kind::Log, "", "eleven");
    guest.send_message(12, Kind::Log, "", "twelve");
    is_acknowledged(&mut guest, 12);
    let mut guest = house.greet(&json!({"base": 3}));
    guest.send_message(3, Kind::Log, "", "three");
    is_acknowledged(&mut guest, 3);
    house.clock.wait_for_text("role", "three");
    for text in ["five again", "four", "eleven"] {
        assert!(!house.clock.has_said(text), "{text}");
    }
}

#[test]
fn a_message_of_a_later_kind_counts_as_seen_and_goes_to_no_role() {
    proves("a message of another kind counts as seen, and goes to no role");
    let mut house = House::new();
    let mut guest = house.greet(&json!({}));
    for (sequence, kind) in [(1, 3), (2, 255), (3, 256), (4, u64::MAX)] {
        guest.send(&event(sequence, kind, &[]));
        is_acknowledged(&mut guest, sequence);
    }
    guest.send(&event(5, 3, &[json!("more")]));
    guest.send_message(6, Kind::Log, "", "all the same");
    house.clock.wait_for_text("role", "all the same");
    assert!(!house.clock.has_said("missed messages"));
}

#[test]
fn data_nests_so_deep_and_no_deeper() {
    proves("At most 16 MiB, nested 64 deep at most.");
    let mut house = House::new();
    let nested = |depth: usize| {
        let head = b"\x99\x04\x01\xcd\xff\xff\x00\xa4bell\xa4ring\xc0\xcb\0\0\0\0\0\0\0\0";
        let body = [&head[..], &vec![0x91; depth], b"\xc0"].concat();
        let length = u32::try_from(body.len()).unwrap();
        [&length.to_be_bytes()[..], &body].concat()
    };
    let mut guest = house.greet(&json!({}));
    guest.send(&nested(64));
    is_acknowledged(&mut guest, 1);
    let mut guest = house.greet(&json!({}));
    guest.send(&nested(65));
    house.is_refused(&mut guest, "nests deeper than 64 levels");
}

#[test]
fn long_frames_are_refused_by_their_length_alone() {
    proves("A hello has 256 KiB at most, any other frame 16 MiB and a little.");
    let mut house = House::new();
    let (mut guest, _) = house.guest();
    guest.send(&(256 * 1024 + 1_u32).to_be_bytes());
    house.is_refused(&mut guest, "and 262144 are the limit");
    let mut guest = house.greet(&json!({}));
    guest.send(&(17 * 1024 * 1024_u32).to_be_bytes());
    house.is_refused(&mut guest, "a frame of 17825792 bytes is announced");
}

#[test]
fn of_two_links_the_first_named_node_closes_one() {
    proves(
        "closes one, with a bye: the older one, unless its rank is higher *and* the newer link's hello lists it in `alive`",
    );
    let house = House::new();
    let session = fastrand::u64(..);
    let join = |rank: u8, link: u64, alive: &[u64]| {
        let changes = json!({"session": session, "rank": rank, "link": link, "alive": alive});
        let mut guest = house.greet(&changes);
        guest.say(|frames| frames.heartbeat(1, 0));
        guest
    };
    let is_closed = |guest: &mut Guest| {
        let frames = guest.wait_for_end();
        let last = frames.last().cloned();
        assert!(
            matches!(&last, Some(Frame::Bye { reason }) if reason.contains("another link")),
            "{last:?}"
        );
    };
    let mut older = join(8, 1, &[]);
    let mut newer = join(8, 2, &[1]);
    is_closed(&mut older);
    // Better, but the other end does not know of it any more.
    let mut newest = join(4, 3, &[]);
    is_closed(&mut newer);
    stands(&mut newest);
    // Better, and alive: the newcomer goes.
    let mut best = join(8, 4, &[3]);
    is_closed(&mut newest);
    let mut worse = join(4, 5, &[4]);
    is_closed(&mut worse);
    stands(&mut best);
}

#[test]
fn a_bye_that_comes_before_the_hello_of_the_link_that_stays_is_no_loss() {
    proves("to it the bye may come before the hello over the link that stays");
    let scene = Scene::new(&["attic", "clock"]);
    let mut clock = scene.start("clock");
    clock.wait_for_text("transport", "listening");
    let mut older = Guest::join(&scene, "attic", "clock", Vec::new());
    let mut newer = Guest::connect(&scene, "attic", "clock").unwrap();
    newer.wait_for("a hello", |frame| matches!(frame, Frame::Hello(_)));
    older.say(|frames| frames.bye("another link replaces it"));
    older.wait_for_end();
    clock.wait_for_text("link", "another link carries on");
    let hello = newer.hello();
    newer.say(|frames| frames.hello(&hello));
    stands(&mut newer);
    assert!(!clock.has_line(|line| line["message"] == "down"));
}

#[test]
fn heartbeats_go_out_as_often_as_the_hello_says() {
    proves("**Heartbeats** go out every `heartbeat` ms");
    let mut scene = Scene::new(&["clock", "guest"]);
    scene.option("heartbeat", "0.2");
    let mut clock = scene.start("clock");
    clock.wait_for_text("transport", "listening");
    let mut guest = Guest::join(&scene, "guest", "clock", Vec::new());
    for _ in 0..5 {
        guest.wait_for("a heartbeat", |it| matches!(it, Frame::Heartbeat { .. }));
    }
}
