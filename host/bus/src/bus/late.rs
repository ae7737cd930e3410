//! Asks whose answers may still come, although they are not waited for any more.

use std::collections::{HashMap, VecDeque};

use super::asks::{Asked, Purpose};
use crate::subject::Nonce;

/// How many repairs are remembered at most.
const MAX_REPAIRS: usize = 1024;

/// How many keys that were asked for are remembered at most.
const MAX_KEYS: usize = 4096;

/// The latest repairs and keys that were asked for and are not waited for any more. A node that has much to do answers
/// late, and so does one hear that has much to do itself: what comes then is as good, and need not be sent again.
#[derive(Debug, Default)]
pub(super) struct Late {
    repairs: Remembered,
    keys: Remembered,
}

#[derive(Debug, Default)]
struct Remembered {
    asked: HashMap<Nonce, (Asked, bool)>,
    order: VecDeque<Nonce>,
}

impl Late {
    /// It was not answered in time.
    pub(super) fn overdue(&mut self, nonce: Nonce, asked: &Asked) {
        match asked.purpose {
            Purpose::Repair { .. } => self.repairs.keep(nonce, asked, false, MAX_REPAIRS),
            Purpose::Key { .. } => self.keys.keep(nonce, asked, false, MAX_KEYS),
            _ => {}
        }
    }

    /// It was answered. Datagrams of a repair may come after what ends it.
    pub(super) fn answered(&mut self, nonce: Nonce, asked: &Asked) {
        match asked.purpose {
            Purpose::Repair { .. } => self.repairs.keep(nonce, asked, true, MAX_REPAIRS),
            Purpose::Key { .. } => drop(self.keys.asked.remove(&nonce)),
            _ => {}
        }
    }

    /// What was asked for with this nonce.
    pub(super) fn get(&self, nonce: Nonce) -> Option<&Asked> {
        let repairs = self.repairs.asked.get(&nonce);
        let found = repairs.or_else(|| self.keys.asked.get(&nonce));
        found.map(|(asked, _)| asked)
    }

    /// Whether the end of the answer has come.
    pub(super) fn is_answered(&self, nonce: Nonce) -> bool {
        let repair = self.repairs.asked.get(&nonce);
        repair.is_some_and(|(_, is_answered)| *is_answered)
    }
}

impl Remembered {
    fn keep(&mut self, nonce: Nonce, asked: &Asked, is_answered: bool, most: usize) {
        let before = self.asked.insert(nonce, (asked.clone(), is_answered));
        if before.is_none() {
            self.order.push_back(nonce);
        }
        if self.order.len() > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.asked.remove(&oldest);
        }
    }
}
