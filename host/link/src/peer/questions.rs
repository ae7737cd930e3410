//! Questions to the peer, and the peer's.

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_wire::{AnswerFrame, QuestionFrame};

use super::Peer;
use crate::exchange::{MAX_ANSWER_LEN, TooLong, Unasked};
use crate::live::Link;
use crate::terms::{Action, LinkKey, ProtocolViolation, QuestionId};

impl Peer {
    /// Asks the peer over the link that carries messages. What comes of it is an [`Action::Answered`] or
    /// an [`Action::Unanswered`], unless it is forgotten before.
    ///
    /// # Errors
    /// [`Unasked`]: then nothing comes of it.
    pub fn ask(&mut self, question: Bytes, now: Moment) -> Result<QuestionId, Unasked> {
        let carrier = self.carrier().ok_or(Unasked::NoLink)?;
        let link = self.link_mut(carrier).ok_or(Unasked::NoLink)?;
        if !link.answers_questions {
            return Err(Unasked::Unable);
        }
        let number = link.exchange.ask(question, now)?;
        Ok(QuestionId {
            link: carrier,
            number,
        })
    }

    /// Nobody waits for the answer any more.
    pub fn forget(&mut self, question: QuestionId) {
        if let Some(link) = self.link_mut(question.link) {
            link.exchange.forget(question.number);
        }
    }

    /// Whether the peer may ask something now that takes work to answer: it has [`QUESTION_BURST`] such
    /// questions, and [`QUESTIONS_PER_SECOND`] more each second. What it may not ask is counted, and to be
    /// answered with that.
    ///
    /// [`QUESTION_BURST`]: crate::QUESTION_BURST
    /// [`QUESTIONS_PER_SECOND`]: crate::QUESTIONS_PER_SECOND
    pub fn may_ask(&mut self, now: Moment) -> bool {
        self.allowance.take(now)
    }

    /// Answers a question of the peer's; of a link that is gone, nobody.
    pub fn answer(&mut self, question: QuestionId, answer: Bytes) {
        if let Some(link) = self.link_mut(question.link) {
            link.exchange.answer(question.number, answer);
        }
    }

    pub(super) fn asked(&mut self, key: LinkKey, frame: QuestionFrame) {
        let QuestionFrame { number, question } = frame;
        if let Some(link) = self.link_mut(key)
            && link.exchange.asked(number)
        {
            let id = QuestionId { link: key, number };
            self.actions.push_back(Action::Question(id, question));
        }
    }

    pub(super) fn answered(
        &mut self,
        key: LinkKey,
        frame: &AnswerFrame,
        now: Moment,
    ) -> Result<(), ProtocolViolation> {
        let Some(link) = self.link_mut(key) else {
            return Ok(());
        };
        match link.exchange.part(frame) {
            Ok(None) => Ok(()),
            Ok(Some(answered)) => {
                let id = QuestionId {
                    link: key,
                    number: answered.number,
                };
                let took = now.since(answered.asked);
                self.actions
                    .push_back(Action::Answered(id, answered.answer, took));
                Ok(())
            }
            Err(TooLong) => Err(ProtocolViolation(format!(
                "an answer has more than {MAX_ANSWER_LEN} bytes"
            ))),
        }
    }

    /// The link is gone, and with it the answers that were to come.
    pub(super) fn give_up_questions(&mut self, link: &Link) {
        for number in link.exchange.unanswered() {
            let id = QuestionId {
                link: link.key,
                number,
            };
            self.actions.push_back(Action::Unanswered(id));
        }
    }
}
