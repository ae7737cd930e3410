//! One lane of another node: what comes next, what is missing, what waits for it.
//!
//! ```text
//!   numbers   ... 7 8 9 | 10 11 | 12 13 14 15 | 16 17 | 18
//!                       ^ next   waiting        lost    highest
//!             delivered   hole                          known to be sent
//! ```

use std::collections::BTreeMap;

use kozo_ground::clock::Moment;
use kozo_status::Amount;

use super::repair::Repair;
use crate::datagram::Sent;
use crate::sender_key::Epoch;

/// How many batches wait in one lane for what comes before them, at most.
const MAX_WAITING: usize = 1024;

/// How many bytes wait in one lane, at most, unless it is one batch.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// What an entry that waits takes besides its messages, in bytes.
const ENTRY_OVERHEAD: usize = 96;

/// What a batch of a busy lane has at most, in bytes.
const USUAL_BATCH: usize = 64 * 1024;

/// One of so many parts of what may wait is kept for what was asked for.
const KEPT_FOR_ASKED: usize = 4;

/// What became of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// They came again.
    pub(crate) repeated: u64,
    /// They are missing for good.
    pub(crate) missed: u64,
    /// There was no room to keep them: as if the engine had lost them.
    pub(crate) no_room: u64,
}

/// A lane.
#[derive(Debug)]
pub(crate) struct InLane {
    pub(crate) subject: Box<str>,
    /// Whether a role of this node wants it; taken for granted before the first message.
    pub(crate) is_wanted: bool,
    /// The first number since the lane was begun.
    begin: u64,
    /// The number that is to be delivered next.
    next: u64,
    /// The highest number that is known to have been sent.
    highest: u64,
    pub(crate) heard: Moment,
    /// When the latest of its messages was sent, in milliseconds of the session.
    pub(crate) latest_ms: u64,
    waiting: Option<Box<Waiting>>,
    /// Something of it came and was put off, so that its end is not known.
    pub(crate) is_behind: bool,
    /// The latest of its datagrams of which all messages have had their turn, by epoch and counter: those before it
    /// bring nothing new.
    passed: (Epoch, u64),
    /// What is missing is asked for, or will be.
    pub(crate) repair: Option<Box<Repair>>,
}

/// What waits for what comes before it, by the first number of each.
#[derive(Debug, Default)]
struct Waiting {
    entries: BTreeMap<u64, Entry>,
    amount: Amount,
}

#[derive(Debug)]
enum Entry {
    Messages {
        messages: Vec<Sent>,
        was_asked: bool,
    },
    /// The sender has them no more, up to this number.
    Lost(u64),
}

impl Entry {
    fn last(&self, first: u64) -> u64 {
        match self {
            Self::Messages { messages, .. } => first + messages.len() as u64 - 1,
            Self::Lost(last) => *last,
        }
    }

    fn amount(&self) -> Amount {
        let messages = match self {
            Self::Messages { messages, .. } => messages.as_slice(),
            Self::Lost(_) => &[],
        };
        Amount {
            messages: messages.len(),
            bytes: ENTRY_OVERHEAD + cost(messages),
        }
    }
}

/// What messages take while they wait, in bytes.
pub(crate) fn cost(messages: &[Sent]) -> usize {
    messages.iter().map(|sent| sent.message.cost()).sum()
}

impl InLane {
    /// A lane of which `next` is to be delivered first.
    pub(crate) fn new(subject: &str, begin: u64, next: u64, now: Moment) -> Self {
        Self {
            subject: subject.into(),
            is_wanted: true,
            begin,
            next,
            highest: next.saturating_sub(1),
            heard: now,
            latest_ms: 0,
            waiting: None,
            is_behind: false,
            passed: (0, 0),
            repair: None,
        }
    }

    /// The number that is to be delivered next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// What waits here.
    pub(crate) fn waiting(&self) -> Amount {
        self.waiting
            .as_ref()
            .map_or(Amount::default(), |waiting| waiting.amount)
    }

    /// Whether no batch more may wait that was not asked for, as things usually are; all lanes together have so much
    /// room.
    pub(crate) fn is_full(&self, room: usize) -> bool {
        let is_full = |waiting: &Waiting| !waiting.takes(USUAL_BATCH, false, room);
        self.has_hole() && self.waiting.as_deref().map_or(room < USUAL_BATCH, is_full)
    }

    /// Whether a datagram brings nothing new, as it looks from outside.
    pub(crate) fn has_passed(&self, epoch: Epoch, counter: u64) -> bool {
        (epoch, counter) <= self.passed
    }

    /// A datagram was taken, with messages up to this number.
    pub(crate) fn pass(&mut self, epoch: Epoch, counter: u64, last: u64) {
        if last < self.next {
            self.passed = self.passed.max((epoch, counter));
        }
    }

    /// Whether anything is missing.
    pub(crate) fn has_hole(&self) -> bool {
        self.highest >= self.next
    }

    /// The first hole: the numbers from the first to the last that are missing and asked for at once. Between may be
    /// some that are here, no more than are missing.
    pub(crate) fn hole(&self) -> Option<(u64, u64)> {
        if self.highest < self.next {
            return None;
        }
        let entries = self.waiting.iter().flat_map(|waiting| &waiting.entries);
        let (mut to, mut missing, mut present, mut after) = (None, 0, 0, self.next);
        for (&first, entry) in entries {
            let absent = first.saturating_sub(after);
            if absent > 0 {
                // A hole in front of this entry.
                missing += absent;
                to = Some(first - 1);
            }
            after = after.max(entry.last(first) + 1);
            present += entry.last(first) + 1 - first;
            if to.is_some() && present > missing {
                break;
            }
        }
        Some((self.next, to.unwrap_or(self.highest)))
    }

    /// Messages came. Those whose turn it is go to `sink`, with whether they had to be asked for.
    pub(crate) fn came(
        &mut self,
        begin: u64,
        first: u64,
        messages: &mut Vec<Sent>,
        was_asked: bool,
        room: usize,
        sink: &mut dyn FnMut(Sent, bool),
    ) -> Tally {
        let mut tally = Tally::default();
        self.begun(begin, &mut tally, sink);
        let count = messages.len() as u64;
        let behind = first + count;
        self.highest = self.highest.max(behind - 1);
        if first <= self.next {
            let known = (self.next - first).min(count);
            tally.repeated += known;
            messages
                .drain(..)
                .skip(known as usize)
                .for_each(|sent| sink(sent, was_asked));
            self.next = self.next.max(behind);
            self.drain(&mut tally, sink);
            return tally;
        }
        let waiting = self.waiting.get_or_insert_default();
        if waiting.entries.contains_key(&first) {
            tally.repeated += count;
        } else if waiting.takes(ENTRY_OVERHEAD + cost(messages), was_asked, room) {
            let messages = std::mem::take(messages);
            waiting.insert(
                first,
                Entry::Messages {
                    messages,
                    was_asked,
                },
            );
        } else {
            tally.no_room += count;
        }
        tally
    }

    /// The lane's last message has this number.
    pub(crate) fn ends(
        &mut self,
        begin: u64,
        last: u64,
        sink: &mut dyn FnMut(Sent, bool),
    ) -> Tally {
        let mut tally = Tally::default();
        self.begun(begin, &mut tally, sink);
        self.highest = self.highest.max(last);
        tally
    }

    /// The sender has these no more.
    pub(crate) fn lost(
        &mut self,
        from: u64,
        to: u64,
        room: usize,
        sink: &mut dyn FnMut(Sent, bool),
    ) -> Tally {
        let mut tally = Tally::default();
        let from = from.max(self.next);
        if to < from {
            return tally;
        }
        self.highest = self.highest.max(to);
        if from == self.next {
            self.miss_until(to + 1, &mut tally);
            self.drain(&mut tally, sink);
            return tally;
        }
        let waiting = self.waiting.get_or_insert_default();
        if !waiting.entries.contains_key(&from) && waiting.takes(ENTRY_OVERHEAD, true, room) {
            waiting.insert(from, Entry::Lost(to));
        }
        tally
    }

    /// What is missing does not come any more: it counts as missed, and what waits for it goes on.
    pub(crate) fn give_up(&mut self, sink: &mut dyn FnMut(Sent, bool)) -> Tally {
        let mut tally = Tally::default();
        let first = self
            .waiting
            .as_ref()
            .and_then(|waiting| waiting.entries.keys().next());
        let until = first.copied().unwrap_or(self.highest + 1);
        self.miss_until(until, &mut tally);
        self.drain(&mut tally, sink);
        tally
    }

    /// Nothing comes any more at all: the session is over, or the lane is forgotten.
    pub(crate) fn close(&mut self, sink: &mut dyn FnMut(Sent, bool)) -> Tally {
        let mut tally = Tally::default();
        while self.has_hole() {
            let step = self.give_up(sink);
            tally.missed = tally.missed.saturating_add(step.missed);
            tally.repeated += step.repeated;
        }
        tally
    }

    /// The sender has forgotten the lane and begun it anew: what was before `begin` is over.
    fn begun(&mut self, begin: u64, tally: &mut Tally, sink: &mut dyn FnMut(Sent, bool)) {
        if begin <= self.begin {
            return;
        }
        // Numbers between the end of the old lane and the begin of the new one are of other lanes.
        while self.next < begin && self.has_hole() {
            let first = self
                .waiting
                .as_ref()
                .and_then(|waiting| waiting.entries.keys().next());
            let until = first.copied().unwrap_or(self.highest + 1).min(begin);
            self.miss_until(until, tally);
            self.drain(tally, sink);
        }
        self.begin = begin;
        self.next = self.next.max(begin);
        self.highest = self.highest.max(self.next - 1);
        self.drain(tally, sink);
    }

    fn miss_until(&mut self, number: u64, tally: &mut Tally) {
        let missing = number.saturating_sub(self.next);
        tally.missed = tally.missed.saturating_add(missing);
        self.next = self.next.max(number);
    }

    /// Delivers what waits and has its turn.
    fn drain(&mut self, tally: &mut Tally, sink: &mut dyn FnMut(Sent, bool)) {
        let Some(waiting) = &mut self.waiting else {
            return;
        };
        while let Some(entry) = waiting.entries.first_entry()
            && *entry.key() <= self.next
        {
            let (first, entry) = entry.remove_entry();
            let amount = entry.amount();
            waiting.amount.messages -= amount.messages;
            waiting.amount.bytes -= amount.bytes;
            let behind = entry.last(first) + 1;
            match entry {
                Entry::Messages {
                    messages,
                    was_asked,
                } => {
                    let known = (self.next - first).min(messages.len() as u64);
                    tally.repeated += known;
                    let rest = messages.into_iter().skip(known as usize);
                    rest.for_each(|sent| sink(sent, was_asked));
                }
                Entry::Lost(_) => {
                    let missing = behind.saturating_sub(self.next);
                    tally.missed = tally.missed.saturating_add(missing);
                }
            }
            self.next = self.next.max(behind);
        }
        if waiting.entries.is_empty() {
            self.waiting = None;
        }
    }
}

impl Waiting {
    /// Whether so many bytes more may wait, where all lanes together have so much room.
    fn takes(&self, bytes: usize, was_asked: bool, room: usize) -> bool {
        let share = |all: usize| match was_asked {
            true => all,
            false => all - all / KEPT_FOR_ASKED,
        };
        let sum = self.amount.bytes + bytes;
        let fits = self.entries.is_empty() || sum <= share(MAX_WAITING_BYTES);
        fits && self.entries.len() < share(MAX_WAITING) && bytes <= room
    }

    fn insert(&mut self, first: u64, entry: Entry) {
        let amount = entry.amount();
        self.amount.messages += amount.messages;
        self.amount.bytes += amount.bytes;
        self.entries.insert(first, entry);
    }
}
