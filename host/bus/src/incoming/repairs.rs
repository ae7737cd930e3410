//! The repairs of all lanes: which is due, what is asked for, and what an answer changes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;

use super::lane::{InLane, Tally};
use super::repair::{
    JITTER, JITTER_AFTER_CUT, MAX_REPAIRS, MAX_REPAIRS_OF_A_NODE, MAX_TRY_FOR, MAX_WINDOW,
    MIN_WINDOW, Repair, TIMES_AS_LONG, TRY_FOR, WAIT, WAIT_IN_VAIN,
};
use super::{Incoming, LaneKey};

/// Something to ask another node for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepairAsk {
    pub(crate) lane: LaneKey,
    pub(crate) node: NodeName,
    pub(crate) subject: String,
    pub(crate) from: u64,
    /// The last number that is missing; none: all that there is.
    pub(crate) to: Option<u64>,
}

/// When which repair is due, and how many are under way.
#[derive(Debug)]
pub(super) struct Repairs {
    /// When repairs are due, or earlier.
    due: BinaryHeap<Reverse<(Moment, LaneKey)>>,
    /// How many wait for an answer.
    under_way: usize,
    random: fastrand::Rng,
}

impl Repairs {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            due: BinaryHeap::new(),
            under_way: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// When one is due, or earlier.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// How many wait for an answer.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    fn plan(&mut self, due: Moment, key: LaneKey) {
        self.due.push(Reverse((due, key)));
    }

    /// The next lane whose repair may be due.
    fn take_due(&mut self, now: Moment) -> Option<LaneKey> {
        let Reverse((due, key)) = *self.due.peek()?;
        (due <= now).then(|| {
            self.due.pop();
            key
        })
    }

    fn has_room(&self, source: &SourceRepairs) -> bool {
        self.under_way < MAX_REPAIRS && source.under_way < MAX_REPAIRS_OF_A_NODE
    }

    /// One repair more waits for an answer, of all and of this node.
    fn answer_waited_for(&mut self, source: &mut SourceRepairs) {
        self.under_way += 1;
        source.under_way += 1;
    }

    /// One repair fewer waits for an answer, of all and of this node.
    pub(super) fn answer_not_waited_for(&mut self, source: &mut SourceRepairs) {
        self.under_way = self.under_way.saturating_sub(1);
        source.under_way = source.under_way.saturating_sub(1);
    }

    /// Sees to what is missing in a lane that has changed, and whose next number was this one before.
    pub(super) fn follow(
        &mut self,
        key: LaneKey,
        lane: &mut InLane,
        source: &mut SourceRepairs,
        next_before: u64,
        now: Moment,
    ) {
        let (next, has_hole) = (lane.next(), lane.has_hole());
        let was_under_way = is_under_way(lane);
        match &mut lane.repair {
            None if has_hole => {
                // What is asked for in a lane that was whole waits by chance; the rest does not.
                let due = now + WAIT + JITTER.mul_f64(self.random.f64());
                lane.repair = Some(Box::new(Repair::new(due, false)));
                self.plan(due, key);
            }
            Some(repair) if !has_hole && !repair.is_open => {
                lane.repair = None;
                if lane.is_behind {
                    lane.repair = Some(Box::new(Repair::new(now + WAIT, true)));
                    self.plan(now + WAIT, key);
                }
            }
            Some(repair) => {
                if next > next_before {
                    repair.got_on(now);
                }
                if repair.asked.is_some_and(|(_, to)| to < next) && has_hole {
                    **repair = Repair::new(now, false);
                    self.plan(now, key);
                }
            }
            None => {}
        }
        if was_under_way && !is_under_way(lane) {
            self.answer_not_waited_for(source);
        }
    }
}

fn is_under_way(lane: &InLane) -> bool {
    let repair = lane.repair.as_deref();
    repair.is_some_and(|repair| repair.asked.is_some())
}

/// What is known of repairs with one node.
#[derive(Debug)]
pub(super) struct SourceRepairs {
    /// How many are under way.
    under_way: u16,
    /// How long its answers take: as long as the longest of late.
    answers_after: Duration,
    /// How many messages of a lane it is asked for at once.
    window: u64,
}

impl Default for SourceRepairs {
    fn default() -> Self {
        Self {
            under_way: 0,
            answers_after: Duration::ZERO,
            window: MAX_WINDOW,
        }
    }
}

impl SourceRepairs {
    /// How many wait for an answer of this node.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> u16 {
        self.under_way
    }

    fn widen(&mut self) {
        self.window = (self.window + self.window / 4).min(MAX_WINDOW);
    }

    fn narrow(&mut self) {
        self.window = (self.window / 2).max(MIN_WINDOW);
    }

    /// The last number of a range that begins with this one.
    fn end_of_range(&self, from: u64) -> u64 {
        from.saturating_add(self.window - 1)
    }

    /// How long the next answer may take, after so many tries.
    fn try_for(&self, tries: u8) -> Duration {
        let usual = TRY_FOR.get(usize::from(tries)).or(TRY_FOR.last());
        let usual = usual.copied().unwrap_or(MAX_TRY_FOR);
        let slow = (self.answers_after * TIMES_AS_LONG).min(MAX_TRY_FOR);
        usual.max(slow)
    }
}

impl Incoming {
    /// Asks for all that came of every lane while this node was cut off.
    pub(super) fn ask_for_all(&mut self, now: Moment) {
        let repairs = &mut self.repairs;
        for (key, lane) in &mut self.lanes {
            lane.repair = lane.is_wanted.then(|| {
                let due = now + WAIT + JITTER_AFTER_CUT.mul_f64(repairs.random.f64());
                repairs.plan(due, *key);
                Box::new(Repair::new(due, true))
            });
        }
        repairs.under_way = 0;
        self.sources
            .iter_mut()
            .for_each(|source| source.repairs.under_way = 0);
    }

    /// An answer is complete, as far as the sender goes: it has said of all that it had room for what it has sent and
    /// what it has no more. What was asked for began at `from`, `took` ago; what is told goes through one number, and the
    /// lane's last one is another.
    pub(crate) fn answered(
        &mut self,
        key: LaneKey,
        from: u64,
        (through, last): (u64, u64),
        took: Duration,
        now: Moment,
    ) {
        let source = &mut self.sources[key.source.0 as usize].repairs;
        let before = source.answers_after;
        source.answers_after = took.max(before - before / 8);
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        match lane.next() > through || !lane.has_hole() {
            true => source.widen(),
            false => source.narrow(),
        }
        let got_on = lane.next() > from;
        // Of two answers to one range the first one counts.
        if let Some(repair) = &mut lane.repair
            && repair.asked.is_some_and(|(asked, _)| asked == from)
        {
            repair.asked = None;
            repair.tries = 0;
            repair.due = match (got_on, repair.in_vain) {
                (true, _) => now,
                // The engine may have mixed up what has come with the answer.
                (false, 0 | 1) => now + WAIT,
                (false, in_vain) => now + (WAIT_IN_VAIN * in_vain.into()).min(TRY_FOR[4]),
            };
            let is_open = std::mem::take(&mut repair.is_open);
            self.repairs.plan(repair.due, key);
            if is_open {
                lane.ends(0, last, &mut |_, _| {});
            }
            self.repairs.answer_not_waited_for(source);
        }
        self.change(key, now, |_, _, _| Tally::default());
    }

    /// What is to be asked for now.
    pub(crate) fn due_repairs(&mut self, now: Moment) -> Vec<RepairAsk> {
        let mut asks = Vec::new();
        while let Some(key) = self.repairs.take_due(now) {
            asks.extend(self.ask_for(key, now));
        }
        asks
    }

    /// What is to be asked for in this lane, if its repair is due and there is room for it.
    fn ask_for(&mut self, key: LaneKey, now: Moment) -> Option<RepairAsk> {
        let lane = self.lanes.get_mut(&key)?;
        let hole = lane.hole();
        let repair = lane.repair.as_deref_mut().filter(|it| it.due <= now)?;
        repair.due = repair.waits_until();
        if repair.due > now {
            self.repairs.plan(repair.due, key);
            return None;
        }
        let source = &mut self.sources[key.source.0 as usize];
        if repair.asked.take().is_some() {
            source.repairs.narrow();
            self.repairs.answer_not_waited_for(&mut source.repairs);
        }
        if repair.is_hopeless(source.heard, now) {
            lane.repair = None;
            if hole.is_some() {
                self.change(key, now, |lane, _, sink| lane.give_up(sink));
            }
            return None;
        }
        if !self.repairs.has_room(&source.repairs) {
            repair.due = now + JITTER;
            self.repairs.plan(repair.due, key);
            return None;
        }
        let (from, to) = match (repair.is_open, hole) {
            (true, _) => {
                // The answer tells of all that was put off so far.
                lane.is_behind = false;
                let from = lane.next();
                let some = source.repairs.window < MAX_WINDOW;
                (from, some.then(|| source.repairs.end_of_range(from)))
            }
            (false, Some((from, to))) => (from, Some(to.min(source.repairs.end_of_range(from)))),
            (false, None) => {
                lane.repair = None;
                return None;
            }
        };
        let repair = lane.repair.as_deref_mut()?;
        repair.try_for = source.repairs.try_for(repair.tries);
        repair.tries = repair.tries.saturating_add(1);
        repair.in_vain = repair.in_vain.saturating_add(1);
        repair.progress.get_or_insert(now);
        let asked_to = to.filter(|_| !repair.is_open).unwrap_or(u64::MAX);
        repair.asked = Some((from, asked_to));
        repair.due = now + repair.try_for;
        self.repairs.plan(repair.due, key);
        self.repairs.answer_waited_for(&mut source.repairs);
        Some(RepairAsk {
            lane: key,
            node: source.node.clone(),
            subject: lane.subject.to_string(),
            from,
            to,
        })
    }
}
