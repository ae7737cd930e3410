use std::time::Duration;

use kozo_ground::clock::Moment;

use super::*;
use crate::announcement::Announcement;
use crate::ask::{
    AskRefusal, MAX_BUS_QUESTION_LEN, MAX_GAPS, MAX_REPLY_PART_LEN, Repaired, ReplyPart, SealedKey,
};
use crate::random::SeededRandom;
use crate::sealed::{open_question, seal_question};
use crate::sender_key::{SENDER_KEY_LEN, SenderKey, Suite};
use crate::session::{SEALED_OVERHEAD, SessionTime};
use crate::subject::SubjectKey;
use crate::testing::{File, FileKeys, node, subjects};

struct Node {
    name: NodeName,
    keys: FileKeys,
    session: Session,
    subjects: Subjects,
    veil: Veil,
    announcement: SignedAnnouncement,
}

const NONCE: Nonce = Nonce([5; NONCE_LEN]);

fn member(file: &File, name: &str, seed: u8) -> Node {
    let keys = file.add(name, seed);
    let random = &mut SeededRandom::new(u64::from(seed));
    let session = Session::new(random, Moment::ZERO).unwrap();
    let subjects = subjects("fleet");
    let announcement = Announcement {
        bus: subjects.bus().clone(),
        node: node(name),
        session: session.id(),
        counter: 1,
        keys: *session.keys(),
        epoch: 1,
        digest: [0; 32],
        agent: String::new(),
    };
    Node {
        name: node(name),
        announcement: announcement.sign(&keys).unwrap(),
        keys,
        session,
        subjects,
        veil: Veil::new(&SubjectKey::public()),
    }
}

fn two() -> (Node, Node) {
    let file = File::default();
    (member(&file, "hub", 1), member(&file, "field", 2))
}

impl Node {
    fn pen(&self) -> Pen<'_> {
        Pen {
            session: &self.session,
            subjects: &self.subjects,
            veil: &self.veil,
        }
    }

    fn token(&self) -> Token {
        self.subjects.node(&self.name)
    }

    fn ask(&self, to: &Node, ask: &Ask) -> Vec<u8> {
        let announcement = Some(&self.announcement);
        let random = &mut SeededRandom::new(77);
        self.pen()
            .ask(&to.name, NONCE, announcement, ask, random)
            .unwrap()
    }

    fn answer(&self, to: &Node, answer: &Answer) -> Vec<u8> {
        let random = &mut SeededRandom::new(78);
        self.pen()
            .answer(to.token(), to.session.id(), NONCE, None, answer, random)
            .unwrap()
    }

    fn take_ask(&self, from: &Node, data: &[u8]) -> Result<Option<Ask>, Refusal> {
        let subject = self.subjects.ask(self.token());
        let received = ReceivedAsk::uncover(&self.veil, &subject, data)?;
        received.verify(from.session.keys(), &self.subjects, &self.name)
    }

    fn take_answer(&self, from: &Node, data: &[u8]) -> Result<Option<Answer>, Refusal> {
        let subject = self.subjects.answer(self.token(), NONCE);
        let received = ReceivedAnswer::uncover(&self.veil, &subject, data)?;
        received.verify(from.session.keys(), &self.subjects, self.session.id())
    }
}

fn asks() -> Vec<Ask> {
    vec![
        Ask::Key {
            session: SessionId([3; SESSION_ID_LEN]),
            epoch: 70000,
        },
        Ask::Repair {
            lane: "kozo.fleet.m.e.a.b.-.c".to_owned(),
            from: 4,
            to: Some(300),
        },
        Ask::Repair {
            lane: "kozo.fleet.m.e.a.b.-.c".to_owned(),
            from: 4,
            to: None,
        },
        Ask::Ping,
        Ask::Question(vec![1; 100]),
        Ask::Evidence(vec![2; 300]),
    ]
}

fn answers() -> Vec<Answer> {
    let time = SessionTime(90000);
    vec![
        Answer::Key(SealedKey {
            epoch: 2,
            sealed: vec![4; 1 + SENDER_KEY_LEN + SEALED_OVERHEAD],
            time,
            waited_ms: 300,
        }),
        Answer::Repaired(Repaired {
            lost: vec![(1, 1), (3, 900)],
            last: 1000,
            through: 950,
        }),
        Answer::Repaired(Repaired::default()),
        Answer::Pong { time },
        Answer::Reply(ReplyPart {
            index: 3,
            is_last: true,
            sealed: vec![1; SEALED_OVERHEAD],
        }),
        Answer::Introduce,
        Answer::Refused(AskRefusal::NotAllowed),
        Answer::Refused(AskRefusal::NotUnderstood),
    ]
}

#[test]
fn every_ask_and_answer_comes_out_as_it_went_in() {
    let (hub, field) = two();
    for ask in asks() {
        let data = field.ask(&hub, &ask);
        assert_eq!(hub.take_ask(&field, &data), Ok(Some(ask)));
    }
    for answer in answers() {
        let data = hub.answer(&field, &answer);
        assert_eq!(field.take_answer(&hub, &data), Ok(Some(answer)));
    }
}

#[test]
fn an_announcement_goes_along_or_by_itself() {
    let (hub, field) = two();
    let data = field.ask(&hub, &Ask::Ping);
    let received = ReceivedAsk::uncover(&hub.veil, &hub.subjects.ask(hub.token()), &data).unwrap();
    let claimed = received.announcement().unwrap().unwrap();
    assert!(claimed.is(&field.announcement));
    let verified = claimed.verify(hub.subjects.bus(), &hub.keys).unwrap();
    assert_eq!(verified.announcement().session, received.session);

    let random = &mut SeededRandom::new(1);
    let data = hub.pen().announcement(&hub.announcement, random).unwrap();
    let here = hub.subjects.here(hub.token());
    let bytes = uncover_announcement(&field.veil, &here, &data).unwrap();
    assert_eq!(bytes, hub.announcement.bytes());
    // None is taken for another kind.
    let ask = field.ask(&hub, &Ask::Ping);
    let subject = hub.subjects.ask(hub.token());
    assert_eq!(
        uncover_announcement(&hub.veil, &subject, &ask),
        Err(Refusal::Format)
    );
    let as_answer = ReceivedAnswer::uncover(&hub.veil, &subject, &ask);
    assert_eq!(as_answer.unwrap_err(), Refusal::Format);
}

#[test]
fn an_ask_is_of_one_session_for_one_node_on_one_bus() {
    let file = File::default();
    let (hub, field, third) = (
        member(&file, "hub", 1),
        member(&file, "field", 2),
        member(&file, "third", 3),
    );
    let data = field.ask(&hub, &Ask::Ping);
    assert_eq!(hub.take_ask(&third, &data), Err(Refusal::Signature));
    // Sent on to another node: the veil is of another subject.
    assert_eq!(third.take_ask(&field, &data), Err(Refusal::Veil));
    // A member that can make veils sends it on under the right one.
    let letter = hub
        .veil
        .uncover(&hub.subjects.ask(hub.token()), &data)
        .unwrap();
    let at_third = third.subjects.ask(third.token());
    let random = &mut SeededRandom::new(9);
    let sent_on = third.veil.cover(&at_third, &letter, random).unwrap();
    assert_eq!(third.take_ask(&field, &sent_on), Err(Refusal::Signature));
    let other_bus = subjects("other");
    let received = ReceivedAsk::uncover(&hub.veil, &hub.subjects.ask(hub.token()), &data).unwrap();
    let verified = received.verify(field.session.keys(), &other_bus, &hub.name);
    assert_eq!(verified, Err(Refusal::Signature));
}

#[test]
fn an_answer_is_of_one_session_to_one_ask_of_one_session() {
    let file = File::default();
    let (hub, field, third) = (
        member(&file, "hub", 1),
        member(&file, "field", 2),
        member(&file, "third", 3),
    );
    let data = hub.answer(&field, &Answer::Introduce);
    assert_eq!(field.take_answer(&third, &data), Err(Refusal::Signature));
    let letter = field
        .veil
        .uncover(&field.subjects.answer(field.token(), NONCE), &data)
        .unwrap();
    let random = &mut SeededRandom::new(9);
    // To another session of another node.
    let at_third = third.subjects.answer(third.token(), NONCE);
    let sent_on = third.veil.cover(&at_third, &letter, random).unwrap();
    assert_eq!(third.take_answer(&hub, &sent_on), Err(Refusal::Unasked));
    // To another ask: the number that is signed stays what it was.
    let other = Nonce([6; NONCE_LEN]);
    let at_other = field.subjects.answer(field.token(), other);
    let sent_on = field.veil.cover(&at_other, &letter, random).unwrap();
    let received = ReceivedAnswer::uncover(&field.veil, &at_other, &sent_on).unwrap();
    assert_eq!(received.nonce, NONCE);
    let mut letter = letter;
    letter[1 + 2 * SESSION_ID_LEN] ^= 1;
    let changed = field.subjects.answer(field.token(), NONCE);
    let changed = field.veil.cover(&changed, &letter, random).unwrap();
    assert_eq!(field.take_answer(&hub, &changed), Err(Refusal::Signature));
}

#[test]
fn one_changed_bit_anywhere_is_refused() {
    let (hub, field) = two();
    let at_hub = hub.subjects.ask(hub.token());
    let random = &mut SeededRandom::new(1);
    let ask = field.ask(&hub, &asks()[0]);
    let answer = hub.answer(&field, &answers()[1]);
    let at_field = field.subjects.answer(field.token(), NONCE);
    let ask_letter = hub.veil.uncover(&at_hub, &ask).unwrap();
    let answer_letter = field.veil.uncover(&at_field, &answer).unwrap();
    for place in 0..ask_letter.len() {
        let mut changed = ask_letter.clone();
        changed[place] ^= 1;
        let changed = hub.veil.cover(&at_hub, &changed, random).unwrap();
        assert!(hub.take_ask(&field, &changed).is_err(), "{place}");
        let cut = hub.veil.cover(&at_hub, &ask_letter[..place], random);
        assert!(hub.take_ask(&field, &cut.unwrap()).is_err(), "{place}");
    }
    for place in 0..answer_letter.len() {
        let mut changed = answer_letter.clone();
        changed[place] ^= 1;
        let changed = field.veil.cover(&at_field, &changed, random).unwrap();
        assert!(field.take_answer(&hub, &changed).is_err(), "{place}");
        let cut = field.veil.cover(&at_field, &answer_letter[..place], random);
        assert!(field.take_answer(&hub, &cut.unwrap()).is_err(), "{place}");
    }
}

#[test]
fn a_sender_key_reaches_one_session_only() {
    let file = File::default();
    let (hub, field, third) = (
        member(&file, "hub", 1),
        member(&file, "field", 2),
        member(&file, "third", 3),
    );
    let random = &mut SeededRandom::new(4);
    let key = SenderKey::new(Suite::ChaCha20Poly1305, [9; SENDER_KEY_LEN]);
    let asker = (field.session.id(), field.session.keys());
    let asker = (asker, Duration::from_millis(7));
    let own = (&hub.session, SessionTime(5));
    let sealed = SealedKey::seal(&key, 3, own, asker, &hub.subjects, random).unwrap();
    let open = |sealed: &SealedKey, who: &Node, of: &Node| {
        let opened = sealed.open(&who.session, of.session.id(), &who.subjects);
        opened.map(|key| (key.suite(), *key.bytes()))
    };
    let expected = (Suite::ChaCha20Poly1305, [9; SENDER_KEY_LEN]);
    assert_eq!(open(&sealed, &field, &hub), Ok(expected));
    assert_eq!(open(&sealed, &third, &hub), Err(Refusal::Seal));
    // A member that answers with the key of another as if it were its own.
    assert_eq!(open(&sealed, &field, &third), Err(Refusal::Seal));
    // As if it were of another epoch.
    let mut other = sealed.clone();
    other.epoch = 4;
    assert_eq!(open(&other, &field, &hub), Err(Refusal::Seal));
    let opened = sealed.open(&field.session, hub.session.id(), &subjects("other"));
    assert_eq!(opened.unwrap_err(), Refusal::Seal);
}

#[test]
fn a_question_and_its_reply_are_for_two_sessions_and_in_their_order() {
    let (hub, field) = two();
    let random = &mut SeededRandom::new(4);
    let to = (hub.session.id(), hub.session.keys());
    let sealed = seal_question(&field.session, to, NONCE, &hub.subjects, b"status?", random);
    let sealed = sealed.unwrap();
    let open = |nonce, sealed: &[u8]| {
        open_question(
            &hub.session,
            field.session.id(),
            nonce,
            &hub.subjects,
            sealed,
        )
    };
    assert_eq!(open(NONCE, &sealed).unwrap(), b"status?");
    assert_eq!(open(Nonce([0; 16]), &sealed), Err(Refusal::Seal));
    let asker = (field.session.id(), field.session.keys());
    let part = |index, is_last, random: &mut SeededRandom| {
        let place = (index, is_last, &b"well"[..]);
        ReplyPart::seal(&hub.session, asker, NONCE, &hub.subjects, place, random).unwrap()
    };
    let first = part(0, false, random);
    let opened = |part: &ReplyPart| part.open(&field.session, to.0, NONCE, &field.subjects);
    assert_eq!(opened(&first).unwrap(), b"well");
    for (index, is_last) in [(1, false), (0, true)] {
        let mut other = first.clone();
        (other.index, other.is_last) = (index, is_last);
        assert_eq!(opened(&other), Err(Refusal::Seal));
    }
}

#[test]
fn what_a_member_writes_wrongly_is_refused() {
    let refused_ask = |bytes: &[u8]| assert_eq!(Ask::read(bytes), Err(Refusal::Body), "{bytes:?}");
    let refused_answer =
        |bytes: &[u8]| assert_eq!(Answer::read(bytes), Err(Refusal::Body), "{bytes:?}");
    for ask in asks() {
        let mut bytes = Vec::new();
        ask.encode(&mut bytes);
        assert_eq!(Ask::read(&bytes), Ok(Some(ask.clone())));
        if matches!(ask, Ask::Key { .. } | Ask::Ping) {
            (0..bytes.len()).for_each(|length| refused_ask(&bytes[..length]));
            refused_ask(&[&bytes[..], b"\0"].concat());
        }
    }
    refused_ask(b"\x01\x00\x00lane");
    refused_ask(b"\x01\x05\x04lane");
    refused_ask(b"\x01\x05\x06\xff");
    refused_ask(&[&b"\x01\x05\x06"[..], &[b'x'; 200]].concat());
    refused_ask(
        &[
            &b"\x03"[..],
            &[0; MAX_BUS_QUESTION_LEN + SEALED_OVERHEAD + 1],
        ]
        .concat(),
    );
    refused_ask(&[&b"\x04"[..], &[0; MAX_ANNOUNCEMENT_LEN + 1]].concat());
    for answer in answers() {
        let mut bytes = Vec::new();
        answer.encode(&mut bytes);
        assert_eq!(Answer::read(&bytes), Ok(Some(answer)));
        (0..bytes.len()).for_each(|length| refused_answer(&bytes[..length]));
        if bytes[0] != 3 {
            refused_answer(&[&bytes[..], b"\0"].concat());
        }
    }
    refused_answer(b"\x01\x05\x01\x00\x05");
    let highest = [&b"\xcf"[..], &[0xff; 8]].concat();
    refused_answer(&[b"\x01", &highest[..], b"\x00"].concat());
    refused_answer(&[&b"\x01\x05\x01\x01"[..], &highest].concat());
    refused_answer(b"\x01\x05\x01\x05\x04");
    refused_answer(b"\x01\x05\x02\x01\x04\x04\x05");
    let mut gaps = vec![1, 0, MAX_GAPS as u8 + 1];
    (1..=MAX_GAPS as u8 + 1).for_each(|gap| gaps.extend([gap, gap]));
    refused_answer(&gaps);
    let reply = |index: u64, is_last: u64, length: usize| {
        let mut bytes = vec![3];
        crate::bytes::put(&mut bytes, index);
        crate::bytes::put(&mut bytes, is_last);
        bytes.resize(bytes.len() + length, 0);
        bytes
    };
    refused_answer(&reply(128, 0, 100));
    refused_answer(&reply(0, 2, 100));
    refused_answer(&reply(0, 0, SEALED_OVERHEAD - 1));
    refused_answer(&reply(0, 0, SEALED_OVERHEAD + MAX_REPLY_PART_LEN + 1));
    // What a later version asks or answers is none of this one's business, and no fault.
    assert_eq!(Ask::read(b"\x09rest"), Ok(None));
    assert_eq!(Answer::read(b"\x09rest"), Ok(None));
    assert_eq!(Answer::read(b"\x05\x20"), Ok(None));
}

#[test]
fn the_bytes_are_pinned() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let bodies: Vec<String> = asks()
        .iter()
        .take(4)
        .map(|ask| {
            let mut bytes = Vec::new();
            ask.encode(&mut bytes);
            hex(&bytes)
        })
        .collect();
    let expected = [
        "0003030303030303030303030303030303ce00011170",
        "0104cd012c6b6f7a6f2e666c6565742e6d2e652e612e622e2d2e63",
        "0104006b6f7a6f2e666c6565742e6d2e652e612e622e2d2e63",
        "02",
    ];
    assert_eq!(bodies, expected);
    let mut repaired = Vec::new();
    answers()[1].encode(&mut repaired);
    assert_eq!(
        hex(&repaired),
        "01cd03e8cd03b60201010".to_owned() + "3cd0384"
    );
    let (hub, field) = two();
    let data = field.ask(&hub, &Ask::Ping);
    let letter = hub
        .veil
        .uncover(&hub.subjects.ask(hub.token()), &data)
        .unwrap();
    let announcement = hex(field.announcement.bytes());
    let expected = [
        "018e5af8403074db3351c13468d232c9e905050505050505050505050505050505",
        &format!("{:04x}{announcement}02", announcement.len() / 2),
        "0e0455b8d4b2e6a7d54810789622ccd364ca7a37e7e2a8f352241ad7e430aac3e8ed1492ef5c5fcfaa692dd3c40f4d78a26a814d67c487ff32a01e0e8e203100",
    ];
    assert_eq!(hex(&letter), expected.concat());
    let data = hub.answer(
        &field,
        &Answer::Pong {
            time: SessionTime(90000),
        },
    );
    let at_field = field.subjects.answer(field.token(), NONCE);
    let letter = field.veil.uncover(&at_field, &data).unwrap();
    assert_eq!(
        hex(&letter),
        "02b1bed1b6cdbd33a83dfeb5aae597dc888e5af8403074db3351c13468d232c9e905050505050505050505050505050505000002ce00015f90df4e47c8a7ef744f1f82d663384020399ff164a652a731eb4688a28af2bec2f0ffc361b3ee23d21bbeebdeef6c05ca10db2b96a63739b722ad003f20214f1b0f"
    );
}
