//! Questions between nodes: that they are answered, and by whom alone.

use super::attacks::{Carried, acquainted, give, published, refused};
use super::questions::{MAX_LEAVING, MAX_OF_ONE_NODE, MAX_OTHERS};
use super::tests::{bus, later_run, limits, message, numbers, run};
use super::*;
use crate::ask::{Answer, MAX_BUS_QUESTION_LEN, MAX_REPLY_LEN, MAX_REPLY_PART_LEN, ReplyPart};
use crate::letter::Pen;
use crate::random::SeededRandom;
use crate::testing::{File, node};

use kozo_ground::interest::Kind;

const SECOND: Duration = Duration::from_secs(1);

const QUESTION: &[u8] = b"how are you, in your own words?";

/// A reply of more than one part, in which each byte says where it stands.
fn long(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// Two nodes of which none has heard of the other.
fn strangers() -> ([Bus; 2], File, Moment) {
    let file = File::default();
    let now = Moment::ZERO + SECOND * 1000;
    let mut buses = [bus(&file, "a", 1, now), bus(&file, "b", 2, now)];
    for bus in &mut buses {
        bus.up(limits(), now);
    }
    (buses, file, now)
}

fn ask(bus: &mut Bus, now: Moment) -> QuestionId {
    let question = Bytes::from_static(QUESTION);
    bus.question(&node("b"), question, SECOND * 5, now).unwrap()
}

/// Carries everything between the two, until nothing moves; the result is what moved.
fn carry(a: &mut Bus, b: &mut Bus, now: Moment) -> Vec<Carried> {
    let mut all = Vec::new();
    loop {
        let (from_a, from_b) = (published(a, now), published(b, now));
        if from_a.is_empty() && from_b.is_empty() {
            return all;
        }
        from_a.iter().for_each(|one| give(b, one, now));
        from_b.iter().for_each(|one| give(a, one, now));
        all.extend(from_a.into_iter().chain(from_b));
    }
}

/// What `b` is asked, which has to be the one question, and its answer.
fn answer(b: &mut Bus, reply: Bytes) {
    let questioned = b.questioned().expect("a question");
    assert_eq!(questioned.node, node("a"));
    assert_eq!(questioned.question, QUESTION);
    b.reply(questioned.id, reply);
}

#[test]
fn a_node_that_was_never_heard_answers_and_nobody_else_reads_it() {
    let ([mut a, mut b], _, now) = strangers();
    let question = ask(&mut a, now);
    let mut moved = carry(&mut a, &mut b, now);
    let reply = long(5 * MAX_REPLY_PART_LEN + 1);
    answer(&mut b, reply.clone());
    moved.extend(carry(&mut a, &mut b, now));
    let replied = a.replied().unwrap();
    assert_eq!(
        (replied.question, replied.reply),
        (question, Ok(reply.clone()))
    );
    assert_eq!((a.replied(), b.questioned()), (None, None));
    let shows = |text: &[u8]| {
        let mut all = moved.iter();
        all.any(|(_, _, data)| data.windows(text.len()).any(|window| window == text))
    };
    assert!(!shows(QUESTION) && !shows(&reply[..16]));
    // What is known of each other by then is used.
    let question = ask(&mut a, now);
    let moved = carry(&mut a, &mut b, now);
    assert_eq!(moved.len(), 1);
    answer(&mut b, Bytes::new());
    carry(&mut a, &mut b, now);
    let replied = a.replied().unwrap();
    assert_eq!(
        (replied.question, replied.reply),
        (question, Ok(Bytes::new()))
    );
    assert!(a.asked.is_empty() && a.questions.timeout().is_none());
    for bus in [&a, &b] {
        bus.assert_bounded(now);
        assert_eq!(bus.status(now).refused_total(), 0);
    }
}

#[test]
fn a_node_that_was_never_heard_may_take_as_long_as_the_question_does() {
    let ([mut a, mut b], _, mut now) = strangers();
    let question = ask(&mut a, now);
    let asks = published(&mut a, now);
    // It looks at what came after four of the five seconds.
    now = now + SECOND * 4;
    assert_eq!(published(&mut a, now), []);
    assert_eq!(a.replied(), None);
    asks.iter().for_each(|one| give(&mut b, one, now));
    carry(&mut a, &mut b, now);
    answer(&mut b, long(9));
    carry(&mut a, &mut b, now);
    let replied = a.replied().unwrap();
    assert_eq!((replied.question, replied.reply), (question, Ok(long(9))));
    assert!(a.asked.is_empty());
    // One that never answers is given up in time, and leaves nothing behind.
    let ([mut a, _], _, mut now) = strangers();
    ask(&mut a, now);
    now = now + SECOND * 5;
    a.tick(now);
    assert!(a.replied().unwrap().reply.unwrap_err().contains("in time"));
    assert!(a.asked.is_empty());
}

#[test]
fn either_may_have_begun_another_session_since() {
    let ([mut a, b], file, now) = acquainted();
    drop(b);
    let mut b = later_run(&file, "b", 2, 2, now);
    b.up(limits(), now);
    // Its announcement gets lost.
    published(&mut b, now);
    let question = ask(&mut a, now);
    carry(&mut a, &mut b, now);
    answer(&mut b, long(9));
    carry(&mut a, &mut b, now);
    let replied = a.replied().unwrap();
    assert_eq!((replied.question, replied.reply), (question, Ok(long(9))));

    let mut a = later_run(&file, "a", 1, 2, now);
    a.up(limits(), now);
    published(&mut a, now);
    ask(&mut a, now);
    carry(&mut a, &mut b, now);
    answer(&mut b, long(10));
    carry(&mut a, &mut b, now);
    assert_eq!(a.replied().unwrap().reply, Ok(long(10)));
}

#[test]
fn a_lost_part_costs_the_reply_and_nothing_else() {
    let ([mut a, mut b], _, mut now) = acquainted();
    let question = ask(&mut a, now);
    carry(&mut a, &mut b, now);
    answer(&mut b, long(3 * MAX_REPLY_PART_LEN));
    let mut parts = published(&mut b, now);
    assert_eq!(parts.len(), 3);
    // Out of order and twice; the second one is lost.
    parts.swap(0, 2);
    let lost = parts.remove(1);
    for part in [&parts[0], &parts[1], &parts[0]] {
        give(&mut a, part, now);
    }
    assert_eq!(refused(&a, Refusal::Repeated), 1);
    a.assert_bounded(now);
    now = now + SECOND * 4;
    a.tick(now);
    assert_eq!(a.replied(), None);
    assert_eq!(a.questions.timeout(), Some(now + SECOND));
    now = now + SECOND;
    a.tick(now);
    let replied = a.replied().unwrap();
    assert_eq!(replied.question, question);
    assert!(replied.reply.unwrap_err().contains("in time"));
    // It comes after all: nobody waits for it.
    give(&mut a, &lost, now);
    assert_eq!(refused(&a, Refusal::Unasked), 1);
    assert_eq!(a.replied(), None);
    a.assert_bounded(now);

    // In another order all is well.
    ask(&mut a, now);
    carry(&mut a, &mut b, now);
    answer(&mut b, long(3 * MAX_REPLY_PART_LEN));
    let mut parts = published(&mut b, now);
    parts.reverse();
    parts.iter().for_each(|part| give(&mut a, part, now));
    assert_eq!(a.replied().unwrap().reply, Ok(long(3 * MAX_REPLY_PART_LEN)));
}

#[test]
fn only_the_session_that_was_asked_answers_and_only_that_question() {
    let ([mut a, mut b], file, now) = acquainted();
    let mut c = bus(&file, "c", 3, now);
    c.up(limits(), now);
    for (subject, reply, data) in published(&mut c, now) {
        a.received(&subject, reply.as_deref(), &data, now);
    }
    ask(&mut a, now);
    let asks = published(&mut a, now);
    asks.iter().for_each(|one| give(&mut b, one, now));
    published(&mut b, now);
    let nonce = *a.asked.keys().next().unwrap();
    let random = &mut SeededRandom::new(5);
    let part = |from: &Bus, nonce: Nonce, random: &mut SeededRandom| {
        let to = (a.session.id(), a.session.keys());
        let part = (0, true, &b"lies"[..]);
        let sealed = ReplyPart::seal(&from.session, to, nonce, &from.subjects, part, random);
        let pen = Pen {
            session: &from.session,
            subjects: &from.subjects,
            veil: &from.veil,
        };
        let answer = Answer::Reply(sealed.unwrap());
        let data = pen.answer(
            a.token,
            to.0,
            nonce,
            Some(&from.announcement),
            &answer,
            random,
        );
        (
            from.subjects.answer(a.token, nonce),
            None,
            data.unwrap().into(),
        )
    };
    let foreign = part(&c, nonce, random);
    let other = Nonce::new(77, [7; 8]);
    let (unasked, elsewhere) = (part(&b, other, random), part(&b, other, random));
    // Another member, in the place of who was asked.
    give(&mut a, &foreign, now);
    assert_eq!(refused(&a, Refusal::OtherNode), 1);
    // Who was asked, to what was not.
    give(&mut a, &unasked, now);
    assert_eq!(refused(&a, Refusal::Unasked), 1);
    let moved: Carried = (a.subjects.answer(a.token, nonce), None, elsewhere.2);
    give(&mut a, &moved, now);
    assert_eq!(refused(&a, Refusal::Veil), 1);
    assert_eq!(a.replied(), None);
    answer(&mut b, long(4));
    carry(&mut a, &mut b, now);
    assert_eq!(a.replied().unwrap().reply, Ok(long(4)));
}

#[test]
fn nobody_asks_in_anothers_name_and_nobody_twice() {
    let ([mut a, mut b], _, now) = acquainted();
    ask(&mut a, now);
    let mut asks = published(&mut a, now);
    asks.retain(|(_, reply, _)| reply.is_some());
    assert_eq!(asks.len(), 1);
    // A session that is none of `a` seals and signs as well as any.
    let random = &mut SeededRandom::new(99);
    let forger = Session::new(random, now).unwrap();
    let nonce = Nonce::new(5000, [1; 8]);
    let to = (b.session.id(), b.session.keys());
    let sealed =
        crate::sealed::seal_question(&forger, to, nonce, &b.subjects, QUESTION, random).unwrap();
    let question = crate::ask::Ask::Question(sealed);
    for announcement in [None, Some(&a.announcement)] {
        let pen = Pen {
            session: &forger,
            subjects: &b.subjects,
            veil: &b.veil,
        };
        let data = pen.ask(&node("b"), nonce, announcement, &question, random);
        let reply = b.subjects.answer(a.token, nonce);
        let forged: Carried = (b.subjects.ask(b.token), Some(reply), data.unwrap().into());
        give(&mut b, &forged, now);
        published(&mut b, now);
    }
    assert_eq!(b.questioned(), None);
    // Nor does anybody have a question answered again that was recorded.
    for _ in 0..10 {
        give(&mut b, &asks[0], now);
    }
    assert_eq!(published(&mut b, now), []);
    answer(&mut b, long(4));
    assert_eq!(b.questioned(), None);
    assert_eq!(refused(&b, Refusal::Repeated), 9);
}

#[test]
fn what_is_too_large_is_not_asked_and_not_answered() {
    let ([mut a, mut b], _, now) = acquainted();
    let too_long = long(MAX_BUS_QUESTION_LEN + 1);
    let asked = a.question(&node("b"), too_long, SECOND, now);
    assert_eq!(asked, Err(Unasked::TooLong));
    let (longest, question) = (long(MAX_REPLY_LEN), long(MAX_BUS_QUESTION_LEN));
    for (reply, expected) in [
        (longest.clone(), longest),
        (long(MAX_REPLY_LEN + 1), Bytes::new()),
    ] {
        a.question(&node("b"), question.clone(), SECOND, now)
            .unwrap();
        carry(&mut a, &mut b, now);
        let questioned = b.questioned().unwrap();
        assert_eq!(questioned.question, question);
        b.reply(questioned.id, reply);
        b.assert_bounded(now);
        carry(&mut a, &mut b, now);
        assert_eq!(a.replied().unwrap().reply, Ok(expected));
    }
    // An engine that carries less.
    let mut small = limits();
    small.max_datagram = MIN_DATAGRAM_LEN;
    a.up(small, now);
    let asked = a.question(&node("b"), question, SECOND, now);
    assert_eq!(asked, Err(Unasked::TooLong));
    assert!(a.question(&node("b"), long(8192), SECOND, now).is_ok());
}

#[test]
fn questions_have_limits_on_both_sides() {
    let ([mut a, mut b], _, mut now) = acquainted();
    for _ in 0..MAX_OF_ONE_NODE {
        ask(&mut a, now);
    }
    carry(&mut a, &mut b, now);
    let ids: Vec<_> = std::iter::from_fn(|| b.questioned()).collect();
    assert_eq!(ids.len(), MAX_OF_ONE_NODE);
    ask(&mut a, now);
    carry(&mut a, &mut b, now);
    assert_eq!(b.questioned(), None);
    let refusal = a.replied().unwrap().reply.unwrap_err();
    assert!(refusal.contains("too much"), "{refusal}");
    assert_eq!(refused(&b, Refusal::TooMany), 1);
    // The replies do not take more room than there is, and nobody is answered twice.
    for questioned in ids {
        b.reply(questioned.id, long(MAX_REPLY_LEN));
        b.reply(questioned.id, long(1));
        b.assert_bounded(now);
    }
    const { assert!(MAX_LEAVING >= MAX_REPLY_LEN && MAX_OTHERS > MAX_OF_ONE_NODE) };
    b.up(limits(), now);
    assert!(
        !b.questions.are_waited_for(),
        "whoever is cut off is not waited for"
    );
    now = now + SECOND * 5;
    carry(&mut a, &mut b, now);
    let replies: Vec<_> = std::iter::from_fn(|| a.replied()).collect();
    assert_eq!(replies.len(), MAX_OF_ONE_NODE);
    assert!(replies.iter().all(|replied| replied.reply.is_err()));

    for _ in 0..MAX_BUS_QUESTIONS {
        ask(&mut a, now);
    }
    let asked = a.question(&node("b"), Bytes::new(), SECOND, now);
    assert_eq!(asked, Err(Unasked::TooMany));
    a.assert_bounded(now);
    // What the host does not answer is forgotten.
    carry(&mut a, &mut b, now);
    assert!(b.questions.are_waited_for());
    now = now + SECOND * 61;
    let mut buses = [a, b];
    run(&mut buses, &mut now, SECOND);
    assert!(!buses[1].questions.are_waited_for());
    assert_eq!(buses[1].questioned(), None);
    buses[0].assert_bounded(now);
}

#[test]
fn a_node_that_is_not_there_is_told_of_at_once_where_the_engine_knows() {
    let ([mut a, mut b], file, now) = acquainted();
    ask(&mut a, now);
    let subject = published(&mut a, now).remove(0).0;
    a.nobody(&subject, now);
    let reason = a.replied().unwrap().reply.unwrap_err();
    assert!(reason.contains("not connected"), "{reason}");
    // One that was never heard.
    file.add("d", 4);
    let asked = a.question(&node("d"), Bytes::new(), SECOND * 5, now);
    assert!(asked.is_ok());
    let subject = published(&mut a, now).remove(0).0;
    a.nobody(&subject, now);
    assert!(a.replied().unwrap().reply.is_err());
    ask(&mut a, now);
    a.down("cut", now);
    let reason = a.replied().unwrap().reply.unwrap_err();
    assert!(reason.contains("the bus is down"), "{reason}");
    let asked = a.question(&node("b"), Bytes::new(), SECOND, now);
    assert_eq!(asked, Err(Unasked::Down));
    file.refuse("a");
    file.refuse("b");
    let asked = b.question(&node("a"), Bytes::new(), SECOND, now);
    assert_eq!(asked, Err(Unasked::NotAMember));
}

#[test]
fn messages_do_not_wait_for_a_long_reply() {
    let ([mut a, mut b], _, now) = acquainted();
    ask(&mut a, now);
    carry(&mut a, &mut b, now);
    let reply = long(10 * MAX_REPLY_PART_LEN);
    answer(&mut b, reply.clone());
    b.send(message(Kind::Event, 1), SECOND * 60, now);
    let leaves = published(&mut b, now);
    assert_eq!(leaves.len(), 10 + 1);
    leaves[..2].iter().for_each(|one| give(&mut a, one, now));
    assert_eq!(numbers(&mut a), [1]);
    leaves[2..].iter().for_each(|one| give(&mut a, one, now));
    assert_eq!(a.replied().unwrap().reply, Ok(reply));
}
