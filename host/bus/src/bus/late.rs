//! Asks for repairs whose answers may still come, although they are not waited for any more.

use std::collections::{HashMap, VecDeque};

use super::asks::{Asked, Purpose};
use crate::subject::Nonce;

/// How many are remembered at most.
const MAX_LATE: usize = 1024;

/// The latest repairs that were asked for and are not waited for any more. A node that has much to do answers late, and
/// so does one hear that has much to do itself: what comes then is as good, and need not be sent again.
#[derive(Debug, Default)]
pub(super) struct Late {
    asked: HashMap<Nonce, (Asked, bool)>,
    order: VecDeque<Nonce>,
}

impl Late {
    /// It was not answered in time.
    pub(super) fn overdue(&mut self, nonce: Nonce, asked: &Asked) {
        self.keep(nonce, asked, false);
    }

    /// It was answered. Datagrams of the answer may come after what ends it.
    pub(super) fn answered(&mut self, nonce: Nonce, asked: &Asked) {
        self.keep(nonce, asked, true);
    }

    /// What was asked for with this nonce.
    pub(super) fn get(&self, nonce: Nonce) -> Option<&Asked> {
        self.asked.get(&nonce).map(|(asked, _)| asked)
    }

    /// Whether the end of the answer has come.
    pub(super) fn is_answered(&self, nonce: Nonce) -> bool {
        self.asked
            .get(&nonce)
            .is_some_and(|(_, is_answered)| *is_answered)
    }

    fn keep(&mut self, nonce: Nonce, asked: &Asked, is_answered: bool) {
        if !matches!(asked.purpose, Purpose::Repair { .. }) {
            return;
        }
        let before = self.asked.insert(nonce, (asked.clone(), is_answered));
        if before.is_none() {
            self.order.push_back(nonce);
        }
        if self.order.len() > MAX_LATE
            && let Some(oldest) = self.order.pop_front()
        {
            self.asked.remove(&oldest);
        }
    }
}
