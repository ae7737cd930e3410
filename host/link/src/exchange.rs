//! Questions of one node to another, and the answers. They are no messages: no role sends them, they
//! have no age, and nothing repeats them. A question belongs to one link and is lost with it.
//!
//! What is asked and answered is bytes here. Both sides have limits: so many questions at once, so many
//! bytes an answer. An answer leaves in parts, one each time that the link has room, so that messages and
//! heartbeats never wait for more than a part.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use kozo_ground::clock::Moment;
use kozo_wire::{AnswerFrame, FrameWriter, MAX_ANSWER_PART_LEN, MAX_QUESTION_LEN, QuestionFrame};

/// How many questions may wait for an answer at once, in each direction of a link. A node answers those
/// beyond with no bytes at all.
pub const MAX_QUESTIONS: usize = 16;

/// The longest answer, in bytes. A peer that sends a longer one breaks the protocol.
pub const MAX_ANSWER_LEN: usize = 1024 * 1024;

/// Why a question is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    /// There is no link that could carry it.
    #[error("there is no link with it")]
    NoLink,
    /// The peer's version is too old for questions.
    #[error("its version answers no questions")]
    Unable,
    /// As many as may be asked at once are.
    #[error("too many questions wait for an answer")]
    TooMany,
    /// It is longer than a question may be.
    #[error("the question is too long")]
    TooLong,
}

/// The questions of both nodes on one link.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    next: u64,
    unsent: VecDeque<QuestionFrame>,
    asked: Vec<Asked>,
    /// The numbers of the peer's questions that are being answered.
    open: Vec<u64>,
    answers: VecDeque<(u64, Bytes)>,
}

/// A question of this node.
#[derive(Debug)]
struct Asked {
    number: u64,
    answer: BytesMut,
    /// When it was asked.
    since: Moment,
}

/// An answer that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) number: u64,
    pub(crate) answer: Bytes,
    pub(crate) asked: Moment,
}

/// The peer sent an answer that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Exchange {
    /// Asks the peer: the number of the question.
    pub(crate) fn ask(&mut self, question: Bytes, now: Moment) -> Result<u64, Unasked> {
        if question.len() > MAX_QUESTION_LEN {
            return Err(Unasked::TooLong);
        }
        if self.asked.len() >= MAX_QUESTIONS {
            return Err(Unasked::TooMany);
        }
        let number = self.next;
        self.next += 1;
        self.unsent.push_back(QuestionFrame { number, question });
        self.asked.push(Asked {
            number,
            answer: BytesMut::new(),
            since: now,
        });
        Ok(number)
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn forget(&mut self, number: u64) {
        self.asked.retain(|asked| asked.number != number);
        self.unsent.retain(|question| question.number != number);
    }

    /// The peer asks. False: it has asked too much, and is told so.
    pub(crate) fn asked(&mut self, number: u64) -> bool {
        if self.open.len() >= MAX_QUESTIONS || self.open.contains(&number) {
            // It has at most as many answers waiting as it may ask questions, the empty ones included.
            if self.answers.len() < 2 * MAX_QUESTIONS {
                self.answers.push_back((number, Bytes::new()));
            }
            return false;
        }
        self.open.push(number);
        true
    }

    /// Answers a question of the peer. What is longer than an answer may be is answered with nothing.
    pub(crate) fn answer(&mut self, number: u64, answer: Bytes) {
        if self.open.contains(&number) {
            let fits = answer.len() <= MAX_ANSWER_LEN;
            let answer = if fits { answer } else { Bytes::new() };
            self.answers.push_back((number, answer));
        }
    }

    /// A part of an answer came: the answer, if it is whole now.
    pub(crate) fn part(&mut self, frame: &AnswerFrame) -> Result<Option<Answered>, TooLong> {
        let place = self
            .asked
            .iter()
            .position(|asked| asked.number == frame.number);
        let Some(place) = place else {
            // Nobody waits for it any more.
            return Ok(None);
        };
        let asked = &mut self.asked[place];
        if asked.answer.len() + frame.part.len() > MAX_ANSWER_LEN {
            return Err(TooLong);
        }
        asked.answer.extend_from_slice(&frame.part);
        if frame.more {
            return Ok(None);
        }
        let asked = self.asked.swap_remove(place);
        Ok(Some(Answered {
            number: asked.number,
            answer: asked.answer.freeze(),
            asked: asked.since,
        }))
    }

    /// The numbers of all questions that have no answer: the link is gone.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = u64> + '_ {
        self.asked.iter().map(|asked| asked.number)
    }

    /// Whether there is something to write.
    pub(crate) fn has_output(&self) -> bool {
        !self.unsent.is_empty() || !self.answers.is_empty()
    }

    /// Writes what is asked, and one part of an answer.
    pub(crate) fn output(&mut self, writer: &mut FrameWriter) {
        while let Some(question) = self.unsent.pop_front() {
            writer.question(&question);
        }
        let Some((number, mut answer)) = self.answers.pop_front() else {
            return;
        };
        let part = answer.split_to(answer.len().min(MAX_ANSWER_PART_LEN));
        let more = !answer.is_empty();
        writer.answer(&AnswerFrame { number, more, part });
        if more {
            // Behind the others, so that a short answer never waits for a long one.
            self.answers.push_back((number, answer));
        } else {
            self.open.retain(|open| *open != number);
        }
    }
}

#[cfg(test)]
mod tests {
    use kozo_wire::{Frame, FrameDecoder, FrameError};

    use super::*;

    const NOW: Moment = Moment::ZERO;

    /// Takes what `from` has to write over to `to`: the questions that came, and the answers.
    fn carry(from: &mut Exchange, to: &mut Exchange) -> (Vec<QuestionFrame>, Vec<Answered>) {
        let (mut questions, mut answers) = (Vec::new(), Vec::new());
        while from.has_output() {
            let mut writer = FrameWriter::default();
            from.output(&mut writer);
            let mut decoder = FrameDecoder::default();
            decoder
                .decode(&writer.take(), |frame| {
                    match frame {
                        Frame::Question(question) => {
                            if to.asked(question.number) {
                                questions.push(question);
                            }
                        }
                        Frame::Answer(part) => answers.extend(to.part(&part).unwrap()),
                        other => panic!("{other:?}"),
                    }
                    Ok::<(), FrameError>(())
                })
                .unwrap();
        }
        (questions, answers)
    }

    #[test]
    fn a_question_is_answered_in_parts() {
        let (mut here, mut there) = (Exchange::default(), Exchange::default());
        let number = here.ask(Bytes::from_static(b"how are you?"), NOW).unwrap();
        let (questions, _) = carry(&mut here, &mut there);
        assert_eq!(&questions[0].question[..], b"how are you?");
        let long: Bytes = (0..40_000u32).map(|n| n as u8).collect();
        there.answer(questions[0].number, long.clone());
        let (_, answers) = carry(&mut there, &mut here);
        let expected = Answered {
            number,
            answer: long,
            asked: NOW,
        };
        assert_eq!(answers, [expected]);
        assert!(!here.has_output() && !there.has_output());
        assert_eq!(here.unanswered().count(), 0);
    }

    #[test]
    fn a_short_answer_does_not_wait_for_a_long_one() {
        let (mut here, mut there) = (Exchange::default(), Exchange::default());
        let long = here.ask(Bytes::new(), NOW).unwrap();
        let short = here.ask(Bytes::new(), NOW).unwrap();
        carry(&mut here, &mut there);
        there.answer(long, vec![1; MAX_ANSWER_LEN].into());
        there.answer(short, vec![2].into());
        let (_, answers) = carry(&mut there, &mut here);
        let order: Vec<u64> = answers.iter().map(|answer| answer.number).collect();
        assert_eq!(order, [short, long]);
        assert_eq!(answers[1].answer.len(), MAX_ANSWER_LEN);
    }

    #[test]
    fn questions_have_limits_on_both_sides() {
        let (mut here, mut there) = (Exchange::default(), Exchange::default());
        let too_long = vec![0; MAX_QUESTION_LEN + 1].into();
        assert_eq!(here.ask(too_long, NOW), Err(Unasked::TooLong));
        for _ in 0..MAX_QUESTIONS {
            here.ask(Bytes::new(), NOW).unwrap();
        }
        assert_eq!(here.ask(Bytes::new(), NOW), Err(Unasked::TooMany));
        // Whoever gives up waiting may ask again, and the other side still works at the old one.
        here.forget(0);
        let last = here.ask(Bytes::new(), NOW).unwrap();
        let (questions, _) = carry(&mut here, &mut there);
        assert_eq!(questions.len(), MAX_QUESTIONS);
        here.forget(1);
        let refused = here.ask(Bytes::new(), NOW).unwrap();
        let (questions, _) = carry(&mut here, &mut there);
        assert_eq!(questions, []);
        let (_, answers) = carry(&mut there, &mut here);
        assert_eq!(answers[0].number, refused);
        assert!(answers[0].answer.is_empty());
        assert!(here.unanswered().any(|number| number == last));
    }

    #[test]
    fn nobody_makes_this_node_keep_more_than_the_limits() {
        let mut here = Exchange::default();
        for number in 0..10_000 {
            here.asked(number % 20);
        }
        assert_eq!(here.open.len(), MAX_QUESTIONS);
        assert!(here.answers.len() <= 2 * MAX_QUESTIONS);
        // Answers to what was not asked are nothing.
        let part = |number| AnswerFrame {
            number,
            more: true,
            part: vec![0; MAX_ANSWER_PART_LEN].into(),
        };
        assert_eq!(here.part(&part(7)), Ok(None));
        let number = here.ask(Bytes::new(), NOW).unwrap();
        let mut parts = 0;
        while here.part(&part(number)).is_ok() {
            parts += 1;
        }
        assert_eq!(parts, MAX_ANSWER_LEN / MAX_ANSWER_PART_LEN);
    }
}
