//! What comes over a bus.

use std::sync::OnceLock;

use kozo_bus::announcement::{Announcement, ClaimedAnnouncement};
use kozo_bus::ask::{Answer, Ask};
use kozo_bus::datagram::{self, Batch, Body, HEADER_LEN, Header, MAX_DATAGRAM_LEN, Part, Unsealed};
use kozo_bus::letter::{ReceivedAnswer, ReceivedAsk, uncover_announcement};
use kozo_bus::members::{CannotSign, NodeKeys};
use kozo_bus::random::{NoRandom, Random};
use kozo_bus::refusal::Refusal;
use kozo_bus::sender_key::{OpeningKey, SenderKeys, Suite};
use kozo_bus::session::{Session, SessionKeys};
use kozo_bus::subject::{Address, SubjectKey, Subjects, Token};
use kozo_bus::veil::{MAX_VEILED_LEN, VEIL_OVERHEAD, Veil};
use kozo_ground::clock::Moment;
use kozo_ground::interest::Kind;
use kozo_ground::names::{BusName, NodeName};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// The node that all of it comes from.
const NODE: &str = "hub";
/// The lane that the bodies of the corpus belong into.
const LANE: (Kind, &str, &str) = (Kind::Event, "tick", "timer1");

/// A node that is heard, with keys that are always the same.
struct Sender {
    subjects: Subjects,
    veil: Veil,
    node: Token,
    lane: String,
    session: Session,
    keys: SessionKeys,
}

impl Sender {
    fn get() -> &'static Self {
        static SENDER: OnceLock<Sender> = OnceLock::new();
        SENDER.get_or_init(|| {
            let key = SubjectKey::public();
            let subjects = Subjects::new(BusName::new("fleet").unwrap(), &key);
            let node = subjects.node(&NodeName::new(NODE).unwrap());
            let (kind, type_name, role) = LANE;
            let session = Session::new(&mut Same, Moment::ZERO).unwrap();
            Self {
                lane: subjects.lane(kind, type_name, role, None, node),
                subjects,
                veil: Veil::new(&key),
                node,
                keys: *session.keys(),
                session,
            }
        })
    }

    fn read(&self, body: &[u8]) -> Result<Body, Refusal> {
        Body::read(body, &self.subjects, self.node, &self.lane)
    }
}

/// Always the same bytes: nothing here is a secret.
struct Same;

impl Random for Same {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandom> {
        bytes.fill(7);
        Ok(())
    }
}

/// A node key that says of everything that it has signed it.
struct NodeKey(Ed25519KeyPair);

impl NodeKey {
    fn new() -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap())
    }
}

impl NodeKeys for NodeKey {
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, CannotSign> {
        Ok(self.0.sign(text).as_ref().to_vec())
    }

    fn verify(&self, _: &NodeName, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0.public_key())
            .verify(text, signature)
            .is_ok()
    }
}

/// Bytes as a datagram, and as the body of one whose seal and signature are right: what a member writes.
pub fn bus_datagram(bytes: &[u8]) {
    let sender = Sender::get();
    let mut keys = SenderKeys::new(
        sender.session.id(),
        Suite::Aes256Gcm,
        &mut Same,
        Moment::ZERO,
    )
    .unwrap();
    let opening = OpeningKey::new(keys.key(1).unwrap());
    let open = |datagram: &[u8]| {
        let (subjects, node) = (&sender.subjects, sender.node);
        datagram::open(
            datagram,
            &opening,
            &sender.keys,
            subjects,
            node,
            &sender.lane,
        )
    };
    // The session is always the same one, so some input may be sealed and signed by it.
    if let Ok(body) = open(bytes) {
        let header = Header::read(bytes).unwrap();
        assert_eq!((header.session, header.epoch), (sender.session.id(), 1));
        assert!(bytes.len() > HEADER_LEN && !body.encode().is_empty());
    }
    let read = sender.read(bytes);
    let (session, subjects, lane) = (&sender.session, &sender.subjects, &sender.lane);
    match datagram::seal(session, &mut keys, subjects, lane, bytes) {
        Ok(datagram) => assert_eq!(open(&datagram), read),
        Err(error) => {
            assert!(matches!(error, Unsealed::TooLong(_)), "{error}");
            assert!(bytes.len() + 200 > MAX_DATAGRAM_LEN);
        }
    }
    match read {
        Ok(Body::Messages(batch)) => messages(sender, &batch),
        Ok(body) => {
            if let Body::Part(part) = &body {
                assert_eq!(part.place().len(), part.bytes.len());
                assert!(part.place().end <= part.total);
                // Its bytes alone are a batch, or are not; they are no part of a part.
                let (subjects, node) = (&sender.subjects, sender.node);
                let _ = Batch::read_joined(part, &part.bytes, subjects, node, &sender.lane);
            }
            assert_eq!(sender.read(&body.encode()), Ok(body));
        }
        Err(refusal) => assert!(matches!(refusal, Refusal::Body | Refusal::Lane)),
    }
}

fn messages(sender: &Sender, batch: &Batch) {
    let encoded = batch.encode();
    assert_eq!(sender.read(&encoded), Ok(Body::Messages(batch.clone())));
    for sent in &batch.messages {
        let message = &sent.message;
        let found = (message.kind(), message.type_name(), message.role());
        assert_eq!((found, message.channel()), (LANE, None));
    }
    let parts = Part::cut(batch, &encoded, datagram::MIN_DATAGRAM_LEN).unwrap();
    let joined: Vec<u8> = parts.iter().flat_map(|part| part.bytes.clone()).collect();
    let (subjects, node) = (&sender.subjects, sender.node);
    let whole = Batch::read_joined(&parts[0], &joined, subjects, node, &sender.lane);
    assert_eq!(whole.as_ref(), Ok(batch));
}

/// Bytes as an announcement, and as the body of one that the node key has signed.
pub fn bus_announcement(bytes: &[u8]) {
    let bus = Sender::get().subjects.bus();
    let keys = NodeKey::new();
    let verify = |bytes: &[u8]| ClaimedAnnouncement::read(bytes)?.verify(bus, &keys);
    let again = |announcement: &Announcement| {
        let signed = announcement.clone().sign(&keys).unwrap();
        assert_eq!(verify(signed.bytes()).as_ref(), Ok(&signed));
        assert_eq!(signed.announcement(), announcement);
    };
    if let Ok(signed) = verify(bytes) {
        again(signed.announcement());
    }
    let Ok(length) = u16::try_from(bytes.len()) else {
        return;
    };
    let text = [
        b"kozo-bus-v1 announcement\0",
        bus.as_str().as_bytes(),
        b"\0",
        bytes,
    ]
    .concat();
    let signature = keys.sign(&text).unwrap();
    let name = [&[NODE.len() as u8], NODE.as_bytes()].concat();
    let signed = [&name, &length.to_be_bytes()[..], bytes, &signature].concat();
    match verify(&signed) {
        Ok(signed) => {
            let announcement = signed.announcement();
            assert_eq!((announcement.node.as_str(), &announcement.bus), (NODE, bus));
            again(announcement);
        }
        Err(refusal) => assert_ne!(refusal, Refusal::ForeignKey),
    }
}

/// Bytes as the body of an ask and of an answer, as a letter, and as what is veiled.
pub fn bus_ask(bytes: &[u8]) {
    let sender = Sender::get();
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        bytes
    };
    if let Ok(Some(ask)) = Ask::read(bytes) {
        let again = written(&|bytes| ask.encode(bytes));
        assert_eq!(Ask::read(&again), Ok(Some(ask)));
    }
    if let Ok(Some(answer)) = Answer::read(bytes) {
        let again = written(&|bytes| answer.encode(bytes));
        assert_eq!(Answer::read(&again), Ok(Some(answer)));
    }
    let subject = sender.subjects.ask(sender.node);
    assert!(sender.veil.uncover(&subject, bytes).is_err());
    let covered = sender.veil.cover(&subject, bytes, &mut Same).unwrap();
    let is_long = bytes.len() > MAX_VEILED_LEN - VEIL_OVERHEAD;
    match sender.veil.uncover(&subject, &covered) {
        Ok(uncovered) => assert_eq!(uncovered, bytes),
        Err(refusal) => assert!(is_long && refusal == Refusal::Length),
    }
    let node = NodeName::new(NODE).unwrap();
    if let Ok(ask) = ReceivedAsk::uncover(&sender.veil, &subject, &covered) {
        let _ = ask.announcement();
        let _ = ask.verify(&sender.keys, &sender.subjects, &node);
    }
    if let Ok(answer) = ReceivedAnswer::uncover(&sender.veil, &subject, &covered) {
        let _ = answer.announcement();
        let own = answer.to;
        let verified = answer.verify(&sender.keys, &sender.subjects, own);
        assert!(!matches!(verified, Err(Refusal::Unasked)));
    }
    let _ = uncover_announcement(&sender.veil, &subject, &covered);
}

/// A text as a subject.
pub fn bus_subject(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let subjects = &Sender::get().subjects;
    let again = match subjects.read(text) {
        None => return,
        // Its other tokens are not told.
        Some(Address::Lane(node)) => return assert!(text.ends_with(node.as_str())),
        Some(Address::Here(node)) => subjects.here(node),
        Some(Address::Ask(node)) => subjects.ask(node),
        Some(Address::Answer(node, nonce)) => subjects.answer(node, nonce),
    };
    assert_eq!(again, text);
}
