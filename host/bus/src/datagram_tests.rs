use kozo_ground::clock::Moment;
use kozo_ground::interest::Kind;
use kozo_ground::names::{BusName, NodeName, RoleName};

use super::*;
use crate::random::SeededRandom;
use crate::sender_key::SenderKey;
use crate::subject::SubjectKey;

/// A sender, and what its receivers have of it.
struct Sender {
    session: Session,
    keys: SenderKeys,
    opening: OpeningKey,
    subjects: Subjects,
    node: Token,
}

fn sender(seed: u64, suite: Suite) -> Sender {
    let random = &mut SeededRandom::new(seed);
    let session = Session::new(random, Moment::ZERO).unwrap();
    let keys = SenderKeys::new(session.id(), suite, random, Moment::ZERO).unwrap();
    let opening = OpeningKey::new(keys.key(1).unwrap());
    let subjects = subjects("fleet");
    let node = subjects.node(&NodeName::new("hub").unwrap());
    Sender {
        session,
        keys,
        opening,
        subjects,
        node,
    }
}

fn subjects(bus: &str) -> Subjects {
    Subjects::new(BusName::new(bus).unwrap(), &SubjectKey::public())
}

fn message(type_name: &str, channel: Option<&str>) -> Message {
    let role = RoleName::new("timer1").unwrap();
    Message::new(Kind::Event, &role, type_name, channel, 1.5, b"\xa5Ping!").unwrap()
}

fn batch(first: u64, count: u64) -> Batch {
    Batch {
        begin: LaneBegin {
            number: 3,
            time: SessionTime(70),
        },
        first,
        messages: (0..count)
            .map(|number| Sent {
                at: SessionTime(1000 + number),
                lifetime: Duration::from_secs(60),
                message: message("tick", None),
            })
            .collect(),
    }
}

impl Sender {
    fn lane(&self) -> String {
        self.subjects.lane_of(&message("tick", None), self.node)
    }

    fn seal(&mut self, body: &[u8]) -> Vec<u8> {
        let lane = self.lane();
        seal(&self.session, &mut self.keys, &self.subjects, &lane, body).unwrap()
    }

    fn open(&self, datagram: &[u8]) -> Result<Body, Refusal> {
        self.open_in(datagram, &self.lane())
    }

    fn open_in(&self, datagram: &[u8], lane: &str) -> Result<Body, Refusal> {
        let (key, keys) = (&self.opening, self.session.keys());
        open(datagram, key, keys, &self.subjects, self.node, lane)
    }
}

#[test]
fn every_body_comes_out_as_it_went_in() {
    for suite in [Suite::Aes256Gcm, Suite::ChaCha20Poly1305] {
        let mut sender = sender(1, suite);
        let batch = batch(7, 3);
        let end = Body::End(End {
            begin: batch.begin,
            last: 9,
        });
        let encoded = batch.encode();
        let parts = Part::cut(&batch, &encoded, MIN_DATAGRAM_LEN).unwrap();
        assert_eq!(parts.len(), 1);
        let part = Body::Part(parts[0].clone());
        for (counter, body) in [Body::Messages(batch), part, end].into_iter().enumerate() {
            let datagram = sender.seal(&body.encode());
            assert_eq!(datagram.len(), body.encode().len() + DATAGRAM_OVERHEAD);
            let header = Header::read(&datagram).unwrap();
            assert_eq!(header.session, sender.session.id());
            assert_eq!((header.epoch, header.counter), (1, counter as u64));
            assert_eq!(sender.open(&datagram), Ok(body));
        }
    }
}

/// A network has nodes of several versions.
#[test]
fn the_bytes_are_pinned() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let batch = batch(7, 2);
    assert_eq!(
        hex(&batch.encode()),
        "00034607cd03e90201cdea6000a674696d657231a47469636bc0cb3ff8000000000000a550696e672100cdea6000a674696d657231a47469636bc0cb3ff8000000000000a550696e6721"
    );
    let part = Part {
        first: 7,
        messages: 2,
        index: 1,
        count: 2,
        total: 5,
        bytes: vec![0xaa, 0xbb],
    };
    assert_eq!(hex(&part.encode()), "010702010205aabb");
    let end = End {
        begin: batch.begin,
        last: 300,
    };
    assert_eq!(hex(&end.encode()), "020346cd012c");
    let mut sender = sender(1, Suite::Aes256Gcm);
    // For who checks them by other means (docs/bus.md has the first one).
    assert_eq!(
        hex(sender.keys.key(1).unwrap().bytes()),
        "8b04a64ffb644a10475916b49456f32856915a6257485b0161b5f78c2b253edd"
    );
    assert_eq!(
        hex(sender.session.keys().signing()),
        "82459060ff892c9cf87d3c4b5446c6a9e46a92cad48eeee461465bd59c4c7533"
    );
    assert_eq!(
        hex(&sender.seal(&end.encode())),
        "0101b1bed1b6cdbd33a83dfeb5aae597dc880000000100000000000000008124c5f3c34c39df44acabeb385e040c22389719fcc4ab68b02be0993f48e3bfbbb12ba80aa750f161462de629bf32a9f24c9639642cab45999c438373ac25e49d8848f917ff139fe48339980c875b2a4ace16b2a040"
    );
    let mut sender = self::sender(1, Suite::ChaCha20Poly1305);
    assert_eq!(
        hex(&sender.seal(&end.encode())),
        "0102b1bed1b6cdbd33a83dfeb5aae597dc88000000010000000000000000b6258df4f31a2a86ab329a5446414198012ef87300e98bc674a687c747bf850ae09dd33738513408ca7c8d86793cc94c3f2f95c878941e0fd1b4d125f27805567ffdf0dcf14da8e39e7ce5b246fa7b47ac86e7ad43b7"
    );
}

#[test]
fn one_changed_bit_anywhere_is_refused() {
    let mut sender = sender(1, Suite::Aes256Gcm);
    let datagram = sender.seal(&batch(7, 1).encode());
    for place in 0..datagram.len() {
        for bit in 0..8 {
            let mut changed = datagram.clone();
            changed[place] ^= 1 << bit;
            assert!(sender.open(&changed).is_err(), "{place} {bit}");
        }
    }
}

#[test]
fn a_cut_or_a_longer_one_is_refused() {
    let mut sender = sender(1, Suite::ChaCha20Poly1305);
    let datagram = sender.seal(&batch(7, 1).encode());
    for length in 0..datagram.len() {
        assert!(sender.open(&datagram[..length]).is_err(), "{length}");
    }
    let longer = [&datagram[..], b"\0"].concat();
    assert_eq!(sender.open(&longer), Err(Refusal::Seal));
    assert_eq!(
        sender.open(&vec![1; MAX_DATAGRAM_LEN + 1]),
        Err(Refusal::Length)
    );
}

#[test]
fn a_datagram_is_of_one_lane_one_bus_one_epoch_and_one_session() {
    let mut sender = sender(1, Suite::Aes256Gcm);
    let datagram = sender.seal(&batch(7, 1).encode());
    let other_lane = sender.subjects.lane_of(&message("tock", None), sender.node);
    assert_eq!(sender.open_in(&datagram, &other_lane), Err(Refusal::Seal));
    let here = sender.subjects.here(sender.node);
    assert_eq!(sender.open_in(&datagram, &here), Err(Refusal::Subject));

    // A subject of another node, whatever the datagram says.
    let field = sender.subjects.node(&NodeName::new("field").unwrap());
    let lane = sender.subjects.lane_of(&message("tick", None), field);
    assert_eq!(sender.open_in(&datagram, &lane), Err(Refusal::Subject));

    // The key of the next epoch.
    let random = &mut SeededRandom::new(5);
    sender.keys.renew(random, Moment::ZERO).unwrap();
    let next = OpeningKey::new(sender.keys.key(2).unwrap());
    let lane = sender.lane();
    let keys = sender.session.keys();
    let opened = open(&datagram, &next, keys, &sender.subjects, sender.node, &lane);
    assert_eq!(opened, Err(Refusal::Seal));

    // The suite that the key is not for.
    let other_suite = OpeningKey::new(&SenderKey::new(
        Suite::ChaCha20Poly1305,
        *sender.keys.key(1).unwrap().bytes(),
    ));
    let opened = open(
        &datagram,
        &other_suite,
        keys,
        &sender.subjects,
        sender.node,
        &lane,
    );
    assert_eq!(opened, Err(Refusal::Suite));
    assert!(sender.open(&datagram).is_ok());
}

/// The same lane on another bus has another subject; this is about the signature, were the subject the same.
#[test]
fn the_signature_is_for_one_bus() {
    let text = |bus| text_before_body(&subjects(bus), &[0; HEADER_LEN], "subject", 0);
    assert_ne!(text("fleet"), text("other"));
}

#[test]
fn a_member_cannot_sign_for_another() {
    let mut hub = sender(1, Suite::Aes256Gcm);
    let member = sender(2, Suite::Aes256Gcm);
    let lane = hub.lane();
    // The member has the key of `hub`, as all who hear it do, and signs with its own session.
    let forged = seal(
        &member.session,
        &mut hub.keys,
        &hub.subjects,
        &lane,
        &batch(7, 1).encode(),
    );
    assert_eq!(hub.open(&forged.unwrap()), Err(Refusal::Signature));
}

#[test]
fn a_message_of_another_lane_is_refused() {
    let mut sender = sender(1, Suite::Aes256Gcm);
    for other in [message("tock", None), message("tick", Some("hall"))] {
        let mut mixed = batch(7, 2);
        mixed.messages[1].message = other.clone();
        let datagram = sender.seal(&mixed.encode());
        assert_eq!(sender.open(&datagram), Err(Refusal::Lane));
        mixed.messages[0].message = other;
        let datagram = sender.seal(&mixed.encode());
        assert_eq!(sender.open(&datagram), Err(Refusal::Lane));
    }
}

#[test]
fn what_a_member_writes_wrongly_is_refused() {
    let sender = sender(1, Suite::Aes256Gcm);
    let lane = sender.lane();
    let refused = |bytes: &[u8]| {
        let read = Body::read(bytes, &sender.subjects, sender.node, &lane);
        assert_eq!(read, Err(Refusal::Body), "{bytes:?}");
    };
    let with = |change: fn(&mut Batch)| {
        let mut batch = batch(7, 2);
        change(&mut batch);
        batch.encode()
    };
    refused(&[]);
    refused(&[3]);
    refused(&with(|batch| batch.messages.clear()));
    refused(&with(|batch| batch.first = 2)); // Before the lane's begin.
    refused(&with(|batch| batch.begin.number = 0));
    refused(&with(|batch| batch.first = u64::MAX - 1));
    refused(&with(|batch| batch.first = u64::MAX));
    refused(&with(|batch| batch.begin.time = SessionTime(5000))); // After its last message.
    refused(&with(|batch| {
        batch.messages = vec![batch.messages[0].clone(); MAX_BATCH_MESSAGES + 1];
    }));
    let encoded = batch(7, 2).encode();
    refused(&[&encoded[..], b"\0"].concat());
    for length in 0..encoded.len() {
        refused(&encoded[..length]);
    }
    // Sent before its session began: `before` is larger than the time of the batch.
    let mut early = vec![MESSAGES];
    for number in [1, 0, 1, 5, 1, 6, 100] {
        put(&mut early, number);
    }
    early.extend_from_slice(message("tick", None).body());
    refused(&early);
    let part = |numbers: [u64; 5], length: usize| {
        let mut bytes = vec![PART];
        numbers.iter().for_each(|number| put(&mut bytes, *number));
        bytes.resize(bytes.len() + length, 7);
        bytes
    };
    let read = Body::read(
        &part([7, 1, 1, 2, 5], 2),
        &sender.subjects,
        sender.node,
        &lane,
    );
    assert!(read.is_ok());
    for (numbers, length) in [
        ([0, 1, 1, 2, 5], 2),
        ([7, 0, 1, 2, 5], 2),
        ([u64::MAX, 1, 1, 2, 5], 2),
        ([7, MAX_BATCH_MESSAGES as u64 + 1, 1, 2, 5], 2),
        ([7, 1, 2, 2, 5], 2),
        ([7, 1, 1, 0, 5], 2),
        ([7, 1, 1, 2, 5], 3),
        ([7, 1, 1, 2, 5], 1),
        ([7, 1, 1, 2, 5], 0),
        ([7, 1, 0, 1, 0], 0),
        ([7, 1, 4, 5, 4], 0),
        ([7, 1, 1, MAX_PARTS + 1, MAX_PARTS * 4], 4),
        ([7, 1, 0, 1, MAX_BATCH_LEN as u64 + 1], MAX_BATCH_LEN + 1),
        ([7, 1, 0, u64::MAX, 5], 1),
        ([7, 1, 0, 1, u64::MAX], 1),
    ] {
        refused(&part(numbers, length));
    }
    let end = |numbers: [u64; 3]| {
        let mut bytes = vec![END];
        numbers.iter().for_each(|number| put(&mut bytes, *number));
        bytes
    };
    refused(&end([0, 0, 1]));
    refused(&end([3, 0, 2]));
    refused(&end([3, 0, u64::MAX]));
    refused(&[&end([3, 0, 3])[..], b"\0"].concat());
}

#[test]
fn a_batch_that_is_larger_than_a_datagram_comes_in_parts() {
    let mut sender = sender(1, Suite::Aes256Gcm);
    let mut large = batch(7, 1);
    let role = RoleName::new("timer1").unwrap();
    for length in [1, 20_000, 100_000, MAX_DATA_LEN - 5] {
        let mut data = vec![0xc6];
        data.extend_from_slice(&(length as u32).to_be_bytes());
        data.resize(5 + length, 7);
        large.messages[0].message =
            Message::new(Kind::Event, &role, "tick", None, 0.0, &data).unwrap();
        let encoded = large.encode();
        let parts = Part::cut(&large, &encoded, MIN_DATAGRAM_LEN).unwrap();
        assert!(parts.len() as u64 <= MAX_PARTS, "{}", parts.len());
        let mut joined = vec![0; encoded.len()];
        // In any order.
        for part in parts.iter().rev() {
            let datagram = sender.seal(&Body::Part(part.clone()).encode());
            assert!(datagram.len() <= MIN_DATAGRAM_LEN);
            let Ok(Body::Part(part)) = sender.open(&datagram) else {
                panic!("no part");
            };
            assert!(part.belongs_with(&parts[0]));
            joined[part.place()].copy_from_slice(&part.bytes);
        }
        let lane = sender.lane();
        let read =
            |part: &Part| Batch::read_joined(part, &joined, &sender.subjects, sender.node, &lane);
        assert_eq!(read(&parts[0]).as_ref(), Ok(&large));
        let mut other = parts[0].clone();
        other.first += 1;
        assert!(!other.belongs_with(&parts[0]));
        assert_eq!(read(&other), Err(Refusal::Body));
    }
    let nested = Body::Part(Part::cut(&large, b"x", MIN_DATAGRAM_LEN).unwrap()[0].clone()).encode();
    let part = &Part::cut(&large, &nested, MIN_DATAGRAM_LEN).unwrap()[0];
    let read = Batch::read_joined(part, &nested, &sender.subjects, sender.node, &sender.lane());
    assert_eq!(read, Err(Refusal::Body), "parts have no parts");
}

#[test]
fn what_cannot_be_sealed_is_an_error() {
    let mut sender = sender(1, Suite::Aes256Gcm);
    let lane = sender.lane();
    let long = vec![0; MAX_DATAGRAM_LEN];
    let sealed = seal(
        &sender.session,
        &mut sender.keys,
        &sender.subjects,
        &lane,
        &long,
    );
    assert_eq!(sealed, Err(Unsealed::TooLong(MAX_DATAGRAM_LEN)));
    let batch = batch(7, 1);
    assert!(Part::cut(&batch, &vec![0; MAX_BATCH_LEN + 1], MAX_DATAGRAM_LEN).is_err());
    assert!(Part::cut(&batch, &[0], MIN_DATAGRAM_LEN - 1).is_err());
}

#[test]
fn random_damage_never_passes() {
    let mut sender = sender(1, Suite::of_this_processor());
    let datagrams = [
        sender.seal(&batch(7, 5).encode()),
        sender.seal(
            &Body::End(End {
                begin: batch(7, 1).begin,
                last: 8,
            })
            .encode(),
        ),
    ];
    let mut random = fastrand::Rng::with_seed(42);
    for _ in 0..3000 {
        let mut changed = random.choice(&datagrams).unwrap().clone();
        for _ in 0..random.usize(1..4) {
            let place = random.usize(..changed.len());
            match random.u8(..4) {
                0 => changed[place] = changed[place].wrapping_add(random.u8(1..)),
                1 => changed.truncate(place.max(1)),
                2 => changed.insert(place, random.u8(..)),
                _ => {
                    changed.remove(place);
                    changed.push(0);
                }
            }
        }
        if !datagrams.contains(&changed) {
            assert!(sender.open(&changed).is_err());
        }
        // A member's own damage, behind seal and signature, ends in an error or in a body.
        let mut body = batch(7, 5).encode();
        let place = random.usize(..body.len());
        body[place] = random.u8(..);
        let _ = sender.open(&sender.seal_again(&body));
    }
}

impl Sender {
    /// Seals without using up the sender's own counter, for tests that need many.
    fn seal_again(&self, body: &[u8]) -> Vec<u8> {
        let mut keys = SenderKeys::new(
            self.session.id(),
            self.keys.key(1).unwrap().suite(),
            &mut FirstKey(*self.keys.key(1).unwrap().bytes()),
            Moment::ZERO,
        )
        .unwrap();
        let lane = self.lane();
        seal(&self.session, &mut keys, &self.subjects, &lane, body).unwrap()
    }
}

struct FirstKey([u8; 32]);

impl crate::random::Random for FirstKey {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), crate::random::NoRandom> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}
