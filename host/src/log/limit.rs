//! How often lines of one kind are written.
//!
//! Strangers and peers decide how often many lines come. So each cause may write a number of lines
//! at once, and less in the long run; of what is more, the last line of each cause is written at the
//! end of a window of time, and says how many it stands for:
//!
//! ```text
//! WARN link: refused a connection transport=tcp … and 1,243 more in 10 s
//! ```
//!
//! The last one, since it tells how things stand: a link that came and went a hundred times is up,
//! or is not. A cause that had too many is given only that last line in the windows that follow as
//! well, until it has calmed down.

use std::collections::HashMap;
use std::time::Duration;

use kozo_ground::clock::Moment;
use serde_json::Value;

use super::line::{Line, More};

/// The name of events whose number is bounded where they are written, or by what is wrong with a
/// file: `tracing::info!(name: BOUNDED, …)`. Of all others the log itself limits how many of one
/// place in the code, about one peer, role or transport, there are in a while.
pub(crate) const BOUNDED: &str = "bounded";

/// The time in which lines are counted.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// The lines that a cause may write.
const LINES: Budget = Budget {
    at_once: 100,
    in_window: 10,
};

/// How many causes are told apart; all others together count as one more.
const MAX_CAUSES: usize = 1024;

/// How much may be written, of whatever is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// How much at once.
    pub(crate) at_once: u64,
    /// How much in each [`WINDOW`] for ever: so much of what was spent is given back in it.
    pub(crate) in_window: u64,
}

/// What is left of a [`Budget`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Allowance {
    spent: u64,
    /// What was asked for in the present window.
    asked: u64,
    /// Whether there was too much, and the end of that has not come.
    exceeded: bool,
}

impl Allowance {
    /// Whether so much more may be written.
    pub(crate) fn spend(&mut self, budget: Budget, amount: u64) -> bool {
        self.asked += amount;
        self.exceeded |= self.spent + amount > budget.at_once;
        if !self.exceeded {
            self.spent += amount;
        }
        !self.exceeded
    }

    /// So many windows have passed since what was asked for last.
    pub(crate) fn end_windows(&mut self, budget: Budget, windows: u64) {
        self.exceeded &= self.asked > budget.in_window && windows < 2;
        self.asked = 0;
        self.spent = self
            .spent
            .saturating_sub(budget.in_window.saturating_mul(windows));
    }

    /// Whether there is nothing to remember.
    fn is_whole(&self) -> bool {
        self.spent == 0 && !self.exceeded
    }
}

/// How many windows have passed.
pub(crate) fn windows(time: Duration) -> u64 {
    u64::try_from(time.as_nanos() / WINDOW.as_nanos()).unwrap_or(u64::MAX)
}

/// The field that counts what a line stands for. Where lines are summed up, so is this.
const COUNT: &str = "count";

/// What lines are counted by: the place in the code that writes them, and whom they are about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Cause {
    /// The file and the line in it.
    pub(super) place: (&'static str, u32),
    /// Names that this node's own file knows, so that nobody else can make up new ones.
    pub(super) about: String,
}

impl Cause {
    /// What counts when there are too many causes.
    fn any_other() -> Self {
        Self {
            place: ("", 0),
            about: String::new(),
        }
    }
}

/// Counts the lines of all causes.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    /// When the present window began; none while there is nothing to count.
    start: Option<Moment>,
    causes: HashMap<Cause, Count>,
    /// How many lines were held back in all.
    held_back: u64,
}

/// The lines of one cause in the present window.
#[derive(Debug, Default)]
struct Count {
    allowance: Allowance,
    held: Option<Held>,
}

/// The last line of those that were not written.
#[derive(Debug)]
struct Held {
    line: Line,
    /// How many there were, this one included.
    lines: u64,
    /// The place among all lines that are held back.
    number: u64,
}

impl Limiter {
    /// The line, if it may be written now; else it is held back. [`Self::due`] comes first.
    pub(super) fn admit(&mut self, cause: Cause, line: Line, now: Moment) -> Option<Line> {
        self.start.get_or_insert(now);
        let has_room = self.causes.len() < MAX_CAUSES;
        let cause = match has_room || self.causes.contains_key(&cause) {
            true => cause,
            false => Cause::any_other(),
        };
        let count = self.causes.entry(cause).or_default();
        if count.allowance.spend(LINES, 1) {
            return Some(line);
        }
        self.held_back += 1;
        let number = self.held_back;
        count.held = Some(match count.held.take() {
            None => Held {
                line,
                lines: 1,
                number,
            },
            Some(held) => Held {
                line: summed(&held.line, line),
                lines: held.lines + 1,
                number,
            },
        });
        None
    }

    /// When lines that are held back are to be written; none when there are none.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.start.map(|start| start + WINDOW)
    }

    /// The lines that were held back, when their window is over at `now`.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Line> {
        match self.deadline() {
            Some(deadline) if deadline <= now => self.release(now),
            _ => Vec::new(),
        }
    }

    /// Ends the window: the lines that were held back, in the order in which they came.
    pub(super) fn release(&mut self, now: Moment) -> Vec<Line> {
        let time = self.start.map_or(Duration::ZERO, |start| now.since(start));
        let mut released = Vec::new();
        self.causes.retain(|_, count| {
            if let Some(held) = count.held.take() {
                released.push(held);
            }
            count.allowance.end_windows(LINES, windows(time));
            !count.allowance.is_whole()
        });
        self.start = (!self.causes.is_empty()).then_some(now);
        released.sort_unstable_by_key(|held| held.number);
        let lines = released.into_iter().map(|held| {
            let mut line = held.line;
            line.more = (held.lines > 1).then(|| More {
                lines: held.lines - 1,
                seconds: time.as_secs_f64().round() as u64,
            });
            line
        });
        lines.collect()
    }

    /// How many lines were summed up in others so far, or are to be.
    pub(super) fn held_back(&self) -> u64 {
        self.held_back
    }
}

/// The `last` line, with what the one before it counted.
fn summed(before: &Line, mut last: Line) -> Line {
    let counts = [before, &last].map(|line| line.fields.number(COUNT));
    if let [Some(one), Some(other)] = counts {
        last.fields
            .set(COUNT, Value::from(one.saturating_add(other)));
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Fields;

    const START: Moment = Moment::ZERO;

    fn cause(about: &str) -> Cause {
        Cause {
            place: ("link.rs", 7),
            about: about.to_owned(),
        }
    }

    fn line(message: &str) -> Line {
        Line {
            time: String::new(),
            level: "WARN".to_owned(),
            target: "link".to_owned(),
            message: message.to_owned(),
            fields: Fields::default(),
            more: None,
        }
    }

    /// Writes so many lines of a cause at once; how many got through.
    fn flood(limiter: &mut Limiter, about: &str, lines: u64, now: Moment) -> u64 {
        let admitted = (0..lines).filter_map(|number| {
            limiter.admit(cause(about), line(&format!("{about} {number}")), now)
        });
        admitted.count() as u64
    }

    fn texts(lines: &[Line]) -> Vec<String> {
        lines.iter().map(Line::text).collect()
    }

    #[test]
    fn what_is_too_much_is_summed_up_by_the_last_of_it() {
        let mut limiter = Limiter::default();
        assert_eq!(flood(&mut limiter, "a", 100 + 1244, START), 100);
        assert_eq!(limiter.due(START + WINDOW - Duration::from_millis(1)), []);
        let due = limiter.due(START + WINDOW);
        assert_eq!(texts(&due), ["a 1343 … and 1,243 more in 10 s"]);
        assert_eq!(limiter.held_back(), 1244);
    }

    #[test]
    fn one_line_too_many_is_written_as_it_is_only_later() {
        let mut limiter = Limiter::default();
        flood(&mut limiter, "a", LINES.at_once + 1, START);
        assert_eq!(texts(&limiter.due(START + WINDOW)), ["a 100"]);
    }

    #[test]
    fn a_flood_that_goes_on_is_one_line_a_window_and_one_that_ends_is_forgotten() {
        let mut limiter = Limiter::default();
        let mut now = START;
        flood(&mut limiter, "a", 1000, now);
        for _ in 0..50 {
            now = now + WINDOW;
            assert_eq!(limiter.due(now).len(), 1);
            assert_eq!(flood(&mut limiter, "a", LINES.in_window + 1, now), 0);
        }
        now = now + WINDOW;
        limiter.due(now);
        // No more than there may be in the long run: all is as before.
        assert_eq!(flood(&mut limiter, "a", LINES.in_window, now), 0);
        now = now + WINDOW;
        assert_eq!(texts(&limiter.due(now)), ["a 9 … and 9 more in 10 s"]);
        assert_eq!(flood(&mut limiter, "a", LINES.in_window, now), 10);
        now = now + WINDOW;
        assert_eq!(limiter.due(now), []);
        now = now + WINDOW * 10;
        limiter.due(now);
        assert_eq!(limiter.deadline(), None);
        assert_eq!(flood(&mut limiter, "a", LINES.at_once, now), LINES.at_once);
    }

    #[test]
    fn what_comes_as_often_as_it_may_is_never_held_back() {
        let mut limiter = Limiter::default();
        let mut now = START;
        for _ in 0..100 {
            assert_eq!(flood(&mut limiter, "a", LINES.in_window, now), 10);
            now = now + WINDOW;
            assert_eq!(limiter.due(now), []);
        }
    }

    #[test]
    fn causes_do_not_harm_each_other_and_the_last_words_keep_their_order() {
        let mut limiter = Limiter::default();
        flood(&mut limiter, "up", LINES.at_once + 5, START);
        flood(&mut limiter, "down", LINES.at_once + 5, START);
        assert_eq!(flood(&mut limiter, "other", 1, START), 1);
        flood(&mut limiter, "up", 1, START);
        assert_eq!(
            texts(&limiter.release(START + Duration::from_secs(4))),
            ["down 104 … and 4 more in 4 s", "up 0 … and 5 more in 4 s"]
        );
    }

    #[test]
    fn a_flood_of_causes_is_bounded() {
        let mut limiter = Limiter::default();
        let most = MAX_CAUSES as u64;
        let admitted: u64 = (0..most + 1000)
            .map(|number| flood(&mut limiter, &number.to_string(), 1, START))
            .sum();
        assert_eq!(admitted, most + LINES.at_once);
        assert_eq!(limiter.causes.len(), MAX_CAUSES + 1);
        assert_eq!(limiter.due(START + WINDOW).len(), 1);
    }

    #[test]
    fn what_lines_count_is_summed_up_with_them() {
        let mut limiter = Limiter::default();
        let missed = || {
            let mut line = line("missed");
            line.fields.set(COUNT, Value::from(3));
            line
        };
        for _ in 0..LINES.at_once + 10 {
            limiter.admit(cause("a"), missed(), START);
        }
        let due = limiter.due(START + WINDOW);
        assert_eq!(texts(&due), ["missed count=30 … and 9 more in 10 s"]);
    }
}
