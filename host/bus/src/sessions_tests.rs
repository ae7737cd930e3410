use super::*;
use crate::random::SeededRandom;
use crate::sender_key::{SENDER_KEY_LEN, Suite};
use crate::session::Session;
use crate::subject::Nonce;
use crate::testing::{File, FileKeys, node};

fn fleet() -> BusName {
    BusName::new("fleet").unwrap()
}

/// An announcement of a session that is made of `seed`.
fn announced(keys: &FileKeys, name: &str, seed: u64, counter: u64) -> SignedAnnouncement {
    with_epoch(keys, name, seed, counter, 1)
}

fn with_epoch(
    keys: &FileKeys,
    name: &str,
    seed: u64,
    counter: u64,
    epoch: Epoch,
) -> SignedAnnouncement {
    let session = Session::new(&mut SeededRandom::new(seed), Moment::ZERO).unwrap();
    let announcement = Announcement {
        bus: fleet(),
        node: node(name),
        session: session.id(),
        counter,
        keys: *session.keys(),
        epoch,
        digest: [0; 32],
        agent: String::new(),
    };
    announcement.sign(keys).unwrap()
}

fn id(signed: &SignedAnnouncement) -> SessionId {
    signed.announcement().session
}

struct Fixture {
    hub: FileKeys,
    own: FileKeys,
    sessions: Sessions,
}

fn fixture() -> Fixture {
    let file = File::default();
    Fixture {
        hub: file.add("hub", 1),
        own: file.add("field", 2),
        sessions: Sessions::new(),
    }
}

impl Fixture {
    fn hear(&mut self, signed: &SignedAnnouncement) -> Result<Heard, Refusal> {
        let claimed = ClaimedAnnouncement::read(signed.bytes()).unwrap();
        let heard = self
            .sessions
            .hear(&claimed, &fleet(), &self.own, Moment::ZERO);
        heard.map(|(_, heard)| heard)
    }

    fn install(&mut self, session: SessionId, epoch: Epoch, now: Moment) -> Result<(), Refusal> {
        let key = SenderKey::new(Suite::Aes256Gcm, [epoch as u8; SENDER_KEY_LEN]);
        self.sessions
            .install(&node("hub"), session, epoch, &key, now)
    }

    fn has(&self, session: SessionId, epoch: Epoch) -> bool {
        self.sessions
            .opening(&node("hub"), session, epoch)
            .is_some()
    }
}

#[test]
fn a_higher_counter_begins_another_session_and_ends_the_one_before() {
    let mut fixture = fixture();
    let first = announced(&fixture.hub, "hub", 10, 5);
    let second = announced(&fixture.hub, "hub", 11, 6);
    assert_eq!(fixture.hear(&first), Ok(Heard::First));
    assert_eq!(fixture.hear(&first), Ok(Heard::Present));
    fixture.install(id(&first), 1, Moment::ZERO).unwrap();
    assert_eq!(fixture.hear(&second), Ok(Heard::Instead(id(&first))));
    let hub = node("hub");
    assert!(fixture.sessions.is_over(&hub, id(&first)));
    assert!(!fixture.has(id(&first), 1), "its keys are gone");
    assert!(fixture.sessions.signer(&hub, id(&first)).is_none());
    assert!(fixture.sessions.signer(&hub, id(&second)).is_some());
    // What is still under way of the first one brings no key back.
    let late = fixture.install(id(&first), 2, Moment::ZERO);
    assert_eq!(late, Err(Refusal::UnknownSession));
    assert_eq!(fixture.hear(&first), Err(Refusal::Older));
    assert_eq!(fixture.sessions.present(&hub).unwrap().counter, 6);
}

#[test]
fn an_announcement_of_yesterday_is_refused() {
    let mut fixture = fixture();
    let yesterday = announced(&fixture.hub, "hub", 10, 5);
    let today = announced(&fixture.hub, "hub", 11, 6);
    fixture.hear(&today).unwrap();
    assert_eq!(fixture.hear(&yesterday), Err(Refusal::Older));
    assert_eq!(fixture.sessions.evidence(&node("hub")), Some(today.bytes()));
}

#[test]
fn two_daemons_with_one_key_are_noticed() {
    let mut fixture = fixture();
    let one = announced(&fixture.hub, "hub", 10, 5);
    let other = announced(&fixture.hub, "hub", 11, 5);
    fixture.hear(&one).unwrap();
    assert_eq!(fixture.sessions.twin(&node("hub")), None);
    assert_eq!(fixture.hear(&other), Err(Refusal::Twin));
    assert_eq!(fixture.sessions.twin(&node("hub")), Some(Moment::ZERO));
    assert!(fixture.sessions.signer(&node("hub"), id(&one)).is_some());
    // The same session with another pair of keys.
    let session = Session::new(&mut SeededRandom::new(50), Moment::ZERO).unwrap();
    let mut forged = one.announcement().clone();
    forged.keys = *session.keys();
    let forged = forged.sign(&fixture.hub).unwrap();
    assert_eq!(fixture.hear(&forged), Err(Refusal::Twin));
}

#[test]
fn what_a_session_said_before_is_not_believed_once_more() {
    let mut fixture = fixture();
    let before = with_epoch(&fixture.hub, "hub", 10, 5, 1);
    let after = with_epoch(&fixture.hub, "hub", 10, 5, 2);
    let raised = with_epoch(&fixture.hub, "hub", 10, 7, 2);
    fixture.hear(&after).unwrap();
    assert_eq!(fixture.hear(&before), Ok(Heard::Present));
    assert_eq!(fixture.sessions.present(&node("hub")).unwrap().epoch, 2);
    assert_eq!(fixture.hear(&raised), Ok(Heard::Present));
    assert_eq!(fixture.sessions.present(&node("hub")).unwrap().counter, 7);
    assert_eq!(fixture.hear(&after), Ok(Heard::Present));
    assert_eq!(fixture.sessions.present(&node("hub")).unwrap().counter, 7);
}

#[test]
fn a_foreign_key_announces_nothing() {
    let mut fixture = fixture();
    let forged = announced(&fixture.own, "hub", 10, 5);
    assert_eq!(fixture.hear(&forged), Err(Refusal::ForeignKey));
    let unknown = announced(&File::default().add("attic", 9), "attic", 10, 5);
    assert_eq!(fixture.hear(&unknown), Err(Refusal::ForeignKey));
    assert!(fixture.sessions.is_empty());
}

#[test]
fn keys_of_epochs_that_are_over_are_forgotten() {
    let mut fixture = fixture();
    let signed = announced(&fixture.hub, "hub", 10, 5);
    fixture.hear(&signed).unwrap();
    let session = id(&signed);
    let age = Duration::from_secs(60);
    fixture.install(session, 1, Moment::ZERO).unwrap();
    fixture.sessions.expire(age, Moment::ZERO + 10 * age);
    assert!(fixture.has(session, 1), "it is the latest");
    let later = Moment::ZERO + 10 * age;
    fixture.install(session, 2, later).unwrap();
    fixture.sessions.expire(age, later + age);
    assert!(fixture.has(session, 1) && fixture.has(session, 2));
    fixture
        .sessions
        .expire(age, later + age + Duration::from_millis(1));
    assert!(!fixture.has(session, 1) && fixture.has(session, 2));
    // A key of an epoch that was over before it came.
    let late = later + 10 * age;
    fixture.install(session, 1, late).unwrap();
    assert!(fixture.has(session, 1));
    fixture.sessions.expire(age, late + 2 * age);
    assert!(!fixture.has(session, 1));
    for epoch in 3..30 {
        fixture.install(session, epoch, late).unwrap();
    }
    let kept = (1..30).filter(|epoch| fixture.has(session, *epoch));
    assert_eq!(kept.collect::<Vec<_>>(), [26, 27, 28, 29]);
}

#[test]
fn a_node_that_lost_its_counter_is_shown_what_it_signed() {
    let mut fixture = fixture();
    let before = announced(&fixture.hub, "hub", 10, 57);
    let reinstalled = announced(&fixture.hub, "hub", 11, 1);
    fixture.hear(&before).unwrap();
    assert_eq!(fixture.hear(&reinstalled), Err(Refusal::Older));
    let shown = fixture.sessions.evidence(&node("hub")).unwrap().to_vec();
    let own = reinstalled.announcement();
    let judged = judge_evidence(&shown, own, &fixture.hub);
    assert_eq!(judged, Ok(Evidence::Counter(57)));
    let raised = announced(&fixture.hub, "hub", 11, 58);
    assert_eq!(fixture.hear(&raised), Ok(Heard::Instead(id(&before))));
    // To the session itself, and to one that came later, it says nothing.
    for own in [before.announcement(), raised.announcement()] {
        assert_eq!(
            judge_evidence(&shown, own, &fixture.hub),
            Ok(Evidence::Nothing)
        );
    }
    // Nobody else can make evidence.
    let forged = announced(&fixture.own, "hub", 12, u64::MAX);
    let judged = judge_evidence(forged.bytes(), own, &fixture.hub);
    assert_eq!(judged, Err(Refusal::ForeignKey));
    let others = announced(&fixture.own, "field", 12, u64::MAX);
    let judged = judge_evidence(others.bytes(), own, &fixture.hub);
    assert_eq!(judged, Err(Refusal::OtherNode));
}

#[test]
fn an_ask_is_answered_once() {
    let mut fixture = fixture();
    let first = announced(&fixture.hub, "hub", 10, 5);
    fixture.hear(&first).unwrap();
    let mut take = |signed: &SignedAnnouncement, number| {
        let nonce = Nonce::new(number, [0; 8]);
        assert_eq!(nonce.number(), number);
        let session = signed.announcement().session;
        fixture.sessions.first_time(&node("hub"), session, nonce)
    };
    for number in [1, 2, 5, 4, 3, 70, 7, 200] {
        assert_eq!(take(&first, number), Ok(()), "{number}");
        assert_eq!(take(&first, number), Err(Refusal::Repeated), "{number}");
    }
    // Too far below the highest one to be known.
    for number in [0, 6, 71, 136] {
        assert_eq!(take(&first, number), Err(Refusal::Repeated), "{number}");
    }
    assert_eq!(take(&first, 137), Ok(()));
    assert_eq!(take(&first, u64::MAX), Ok(()));
    assert_eq!(take(&first, u64::MAX), Err(Refusal::Repeated));
    // Another session counts from 1 again.
    let second = announced(&fixture.hub, "hub", 11, 6);
    assert_eq!(take(&second, 1), Err(Refusal::UnknownSession));
    fixture.hear(&second).unwrap();
    let nonce = Nonce::new(1, [0; 8]);
    let session = second.announcement().session;
    let taken = fixture.sessions.first_time(&node("hub"), session, nonce);
    assert_eq!(taken, Ok(()));
}
