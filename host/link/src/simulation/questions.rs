//! Questions between simulated nodes: each has one end, and no answer is another's.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::scenarios::for_each_seed;
use super::*;
use crate::QuestionId;

const SECOND: Duration = Duration::from_secs(1);

/// The questions of all nodes that have no end yet, by who asks whom, and the answer that is to come.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: BTreeMap<(usize, usize, QuestionId), Bytes>,
    answered: usize,
    lost: usize,
}

/// What is answered: as many bytes as the question says.
fn answer(question: &[u8]) -> Bytes {
    let length = u32::from_be_bytes(question[..4].try_into().unwrap()) as usize;
    (0..length).map(|place| question[place % 8]).collect()
}

impl World {
    /// Asks for an answer of up to 100 kB; where there is no link, nothing is asked.
    fn ask(&mut self, node: usize, other: usize) {
        let now = self.now;
        let mut question = self.random.u32(..100_000).to_be_bytes().to_vec();
        question.extend(self.random.u32(..).to_be_bytes());
        let question = Bytes::from(question);
        if let Ok(id) = self.peer(node, other).ask(question.clone(), now) {
            let before = self
                .questions
                .open
                .insert((node, other, id), answer(&question));
            assert_eq!(before, None, "a number was used twice on a link");
        }
        self.drive(node);
    }

    pub(super) fn question_action(&mut self, node: usize, other: usize, action: Action) {
        match action {
            Action::Question(id, question) => {
                self.peer(node, other).answer(id, answer(&question));
                self.write(node, other);
            }
            Action::Answered(id, answer, _) => {
                let expected = self.questions.open.remove(&(node, other, id));
                assert_eq!(expected, Some(answer));
                self.questions.answered += 1;
            }
            Action::Unanswered(id) => {
                assert!(self.questions.open.remove(&(node, other, id)).is_some());
                self.questions.lost += 1;
            }
            other => panic!("{other:?} is about no question"),
        }
    }

    /// The process is gone that would have heard the answers.
    pub(super) fn forget_questions(&mut self, node: usize) {
        self.questions.open.retain(|(asker, ..), _| *asker != node);
    }
}

#[test]
fn each_question_has_one_end() {
    for_each_seed(40, |seed| {
        let mut world = World::new(seed, 3);
        world.start_all();
        world.run(SECOND * 5);
        for _ in 0..200 {
            let asker = world.random.usize(0..3);
            world.ask(asker, (asker + 1) % 3);
            world.send(asker);
            if world.random.u8(0..20) == 0 {
                world.cut_one();
            }
            let pause = world.chance(SECOND);
            world.run(pause);
        }
        world.run(SECOND * 200);
        assert_eq!(world.questions.open, BTreeMap::new());
        assert!(world.questions.answered > 100, "{:?}", world.questions);
        world.check_order();
    });
}
